"""The XML that Anton Paar's SAXSess software writes below the table of a .pdh file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyfai_grf.io.safe_xml import read_elements
from pyfai_grf.io.slit import UNKNOWN


@dataclass(frozen=True)
class PdhFooter:
    """The unit of q in the file's words, and what says that the curve is slit-smeared; "" where nothing is said."""

    q_unit: str
    slit: str


def is_pdh_footer(lines: Sequence[str]) -> bool:
    """Return whether the lines below a table are the footer of a .pdh file."""
    text = "\n".join(lines[:5]).lstrip()
    return text.startswith("<") and "<fileinfo" in text


def read_pdh_footer(lines: Sequence[str], where: str) -> PdhFooter:
    """Return what the footer says; ``where`` names the file in errors.

    A camera with a line-shaped beam states the length of its slit, and no .pdh file says whether its curve was
    desmeared.

    Raises
    ------
    InputError
        If the XML is damaged.
    """
    said: dict[tuple[str, str], str] = {}
    for elements in read_elements("\n".join(lines).strip().encode(), where, "utf-8"):
        if len(elements) == 3 and elements[2].name == "value":
            said[elements[1].attributes.get("key", ""), elements[2].attributes.get("key", "")] = elements[
                2
            ].text.strip()
    length, unit = said.get(("CounterSlitLength", "value"), ""), said.get(("CounterSlitLength", "unit"), "")
    slit = ""
    if _to_float(length) > 0:
        slit = f"slit length {_to_float(length):.4g} {unit.replace('_', '')}, CounterSlitLength; {UNKNOWN}"
    return PdhFooter(said.get(("X", "unit"), "").replace("_", ""), slit)


def _to_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0

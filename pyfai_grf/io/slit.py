"""Signs that a curve was smeared by a slit and not desmeared: I(q) of a point-like beam it is then not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import FloatArray

#: a slit shorter than this part of the smallest q moves q by less than 0.2 % on the average
_SHORTEST = 0.1

#: where a slit is stated, and whether the curve was desmeared is not
UNKNOWN = "nothing says that the curve was desmeared: if it was, save q, I and sigma as text"

_WORD = re.compile(r"slit[ _-]?smear", re.IGNORECASE)
_DESMEARED = re.compile(r"de-?smear|\bdsm_", re.IGNORECASE)
_LENGTH = re.compile(r"\bslit[ _]?(?:length|height)\b[^=:\n]{0,12}[=:]\s*([-+.\deE]+)", re.IGNORECASE)
_SMEARED_NAME = re.compile(r"(?:^|_)smr(?:_|$)", re.IGNORECASE)


def is_smeared_name(name: str) -> bool:
    """Return whether a group or a column bears Irena's mark for slit-smeared data, as "Rh3_SMR" or "SMR_Int"."""
    return _SMEARED_NAME.search(name.strip()) is not None


def describe_length(length: Any, q: FloatArray, name: str, unit: str = "") -> str:
    """Return the slit length, in the unit of ``q`` (Q,), in words; "" if there is none, or none that matters."""
    lengths = np.abs(np.asarray(length, dtype=np.float64).ravel())
    lengths = lengths[np.isfinite(lengths)]
    positive = q[q > 0]
    if not lengths.size or not positive.size or lengths.max() <= _SHORTEST * positive.min():
        return ""
    return f"slit length {lengths.max():.4g}{f' {unit}' if unit else ''}, {name}"


def describe_width(resolution: FloatArray, q: FloatArray, name: str, unit: str = "") -> str:
    """Return the slit length hidden in a column of resolutions: NIST writes it there with a minus sign."""
    if not (resolution < 0).all() or np.ptp(resolution) > 0:
        return ""
    return describe_length(resolution, q, f"written as a negative {name}", unit)


def find_in_notes(notes: Mapping[str, Any]) -> str:
    """Return what a program's notes (name -> value) say of a slit; "" if nothing, or that the curve was desmeared."""
    known = {re.sub(r"[\s_]", "", str(name)).lower(): (name, value) for name, value in notes.items()}
    wave = str(known.get("wname", ("", ""))[1])
    if str(known.get("datadesmeared", ("", ""))[1]).lower() in ("yes", "1", "true") or _DESMEARED.search(wave):
        return ""
    if is_smeared_name(wave):
        return f"the data are {wave}"
    if (smearing := str(known.get("smearing", ("", ""))[1])) and "slit" in smearing.lower():
        return f"smearing: {smearing[:40]}"
    name, length = known.get("slitlength", ("", 0.0))
    return f"slit length {length:.4g}, {name}; {UNKNOWN}" if _is_positive(length) else ""


def find_in_header(lines: Iterable[str]) -> str:
    """Return what the header of a text file says of a slit; "" if nothing, or that the curve was desmeared."""
    text = "\n".join(lines)
    if _DESMEARED.search(text):
        return ""
    if _WORD.search(text):
        return "says the header"
    if (found := _LENGTH.search(text)) is not None:
        try:
            length = float(found.group(1))
        except ValueError:
            return ""
        if length > 0:
            return f"slit length {length:.4g} in the header; {UNKNOWN}"
    return ""


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value)) and float(value) > 0

"""Columns of numbers as a file holds them, and the one way in which they become a curve."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.core.units import parse_q_unit

_ANGLES = re.compile(r"2\s*-?_?\s*th|two_?-?theta|\btth|2\s*θ|\bdeg|°|\brad\b|\bmrad\b", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """Columns of one curve, untouched.

    Attributes
    ----------
    q : (Q,) abscissa in ``unit``.
    intensity, sigma, weight : (Q,); ``sigma`` and ``weight`` None where the file has none.
    unit : the q unit in the file's own words, "" where it does not say.
    axis : what the file calls the abscissa, "" where it does not say.
    where : the source as error messages name it.
    metadata : what else is known (source, frame, title).
    """

    q: NDArray[Any]
    intensity: NDArray[Any]
    sigma: NDArray[Any] | None
    weight: NDArray[Any] | None
    unit: str
    axis: str
    where: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def is_angle(text: str) -> bool:
    """Return whether ``text`` (a unit or the name of an axis) speaks of a scattering angle."""
    return _ANGLES.search(text) is not None


def find_factor(unit: str) -> float | None:
    """Return the factor from ``unit``, in the words of a file, to 1/nm; None if the words say no q unit."""
    text = re.sub(r"(?i)\b(?:inverse|reciprocal)\s+", "1/", unit)
    text = re.sub(r"(?i)nanomet(?:er|re)s?", "nm", text)
    text = re.sub(r"(?i)[åa]ngstr(?:o|ö)e?ms?", "A", text)
    text = text.replace("\\AA", "A")  # what pyFAI's HDF5 writer makes of its LaTeX symbol
    try:
        return parse_q_unit(text)
    except InputError:
        return None


def choose_factor(columns: Columns, unit: str | None) -> float:
    """Return the factor from the columns' q to 1/nm: the file's own word, else ``unit``.

    Raises
    ------
    InputError
        If the abscissa is an angle, if neither says the unit, or if they contradict each other.
    """
    if is_angle(columns.unit) or (not columns.unit and is_angle(columns.axis)):
        raise InputError(
            f"{columns.where}: the abscissa is a scattering angle ({columns.unit or columns.axis}), not q: "
            "integrate again with unit q_nm^-1, or convert with q = 4 pi sin(theta) / wavelength"
        )
    asked = None if unit is None else parse_q_unit(unit)
    said = find_factor(columns.unit) if columns.unit else None
    if said is None and asked is None:
        found = f"calls its q unit {columns.unit!r}, which is not known" if columns.unit else "does not say its q unit"
        raise InputError(f"{columns.where}: the file {found}: give --unit nm or --unit A")
    if said is not None and asked is not None and said != asked:
        raise InputError(
            f"{columns.where}: --unit {unit} contradicts the file, whose q unit is {columns.unit!r}: "
            "leave --unit out, or correct the file if it is wrong"
        )
    return said if said is not None else asked  # type: ignore[return-value]


def make_curve(columns: Columns, unit: str | None = None) -> Curve:
    """Return the curve that ``columns`` hold: q in 1/nm and increasing; what is not usable of it stays.

    Rows whose q is not a number are left out. ``metadata`` hold ``q_unit``, and in ``q_unit_from`` who stated it: the
    "file", or whoever has "given" it.

    Raises
    ------
    InputError
        If the unit is not certain, or the columns differ in length.
    """
    _check_lengths(columns)
    factor = choose_factor(columns, unit)
    q = np.asarray(columns.q, dtype=np.float64)
    order = np.argsort(q, kind="stable")  # what is not a number goes last
    order = order[: int(np.count_nonzero(~np.isnan(q)))]

    def sort(values: NDArray[Any] | None) -> FloatArray | None:
        return None if values is None else np.asarray(values, dtype=np.float64)[order]

    is_stated = bool(columns.unit) and find_factor(columns.unit) is not None
    metadata = {
        **columns.metadata,
        "q_unit": columns.unit or str(unit),
        "q_unit_from": "file" if is_stated else "given",
        "warnings": list(columns.metadata.get("warnings", ())),
    }
    intensity = np.asarray(columns.intensity, dtype=np.float64)[order]
    sigma = sort(columns.sigma)
    if sigma is not None:
        sigma[sigma < 0] = np.nan  # what programs write for "not known"
    return Curve(q[order] * factor, intensity, sigma, sort(columns.weight), metadata=metadata)


def _check_lengths(columns: Columns) -> None:
    named = {"q": columns.q, "intensity": columns.intensity, "error": columns.sigma, "weight": columns.weight}
    lengths = {name: np.shape(c) for name, c in named.items() if c is not None}
    if len(set(lengths.values())) > 1 or len(lengths["q"]) != 1:
        found = ", ".join(f"{name} {shape}" for name, shape in lengths.items())
        raise InputError(f"{columns.where}: the columns do not fit together: {found}")

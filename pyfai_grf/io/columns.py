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
from pyfai_grf.io.pieces import check_single

_ANGLES = re.compile(r"2\s*-?_?\s*th|two_?-?theta|\btth|2\s*θ|\bdeg|°|\brad\b|\bmrad\b", re.IGNORECASE)
_S = re.compile(r"\W*s(?:exp)?(?![a-z0-9])", re.IGNORECASE)
#: one component of q, along a line through the detector
_COMPONENT = re.compile(r"\bq_?(?:x|y|z|xy|ip|oop|par|perp|horz|vert)\b", re.IGNORECASE)
#: other things that a curve may run over: pyFAI's own further units, light scattering, spin echo
_OTHER_AXIS = re.compile(
    r"\bd\s*\*\s*\^?2|d[ _-]spacing|\blog(?:10)?\s*\(|\bln\s*\(|arcsinh|\br_m?m\b|\bchi\b"
    r"|\blag[ _]?time|spin[ _-]?echo",
    re.IGNORECASE,
)
#: no intensity and no q is as large: numbers beyond are damage, and would overflow in what follows
_LARGEST = 1e100
#: characters of a title that are kept
_MAX_TITLE = 200
#: a curve whose q is negative more often than this runs over something else
_MOST_NEGATIVE = 0.25


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
    slit : what in the file says that the curve is smeared by a slit, "" where nothing does.
    """

    q: NDArray[Any]
    intensity: NDArray[Any]
    sigma: NDArray[Any] | None
    weight: NDArray[Any] | None
    unit: str
    axis: str
    where: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    slit: str = ""


@dataclass(frozen=True)
class QUnit:
    """The unit of q: the factor from it to 1/nm, its name, and who named it ("file", or "given" by the user)."""

    factor: float
    name: str
    origin: str


def to_numbers(values: Any) -> FloatArray:
    """Return ``values`` as float64, with NaN in place of what is too large to be a measurement."""
    with np.errstate(all="ignore"):
        numbers = np.array(values, dtype=np.float64)
        numbers[np.isfinite(numbers) & (np.abs(numbers) > _LARGEST)] = np.nan
    return numbers


def clean_title(text: str) -> str:
    """Return a title that a file gives on one line, without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[:_MAX_TITLE]).split())


def is_angle(text: str) -> bool:
    """Return whether ``text`` (a unit or the name of an axis) speaks of a scattering angle."""
    return _ANGLES.search(text) is not None


def is_ambiguous(axis: str) -> bool:
    """Return whether a file calls the abscissa s, which is q for some programs and q / 2 pi for others."""
    return _S.match(axis) is not None


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


def choose_unit(columns: Columns, unit: str | None) -> QUnit:
    """Return the unit of the columns' q: the file's own word, else ``unit``.

    Raises
    ------
    InputError
        If neither says the unit, or if they contradict each other.
    """
    asked = None if unit is None else parse_q_unit(unit)
    said = find_factor(columns.unit) if columns.unit else None
    if said is None and asked is None:
        found = f"calls its q unit {columns.unit!r}, which is not known" if columns.unit else "does not say its q unit"
        if not columns.unit and is_ambiguous(columns.axis):
            found += f" and calls the abscissa {columns.axis!r}, which may be q / 2 pi; if it is q"
        raise InputError(f"{columns.where}: the file {found}: state it, nm^-1 or A^-1", "unit")
    if said is not None and asked is not None and said != asked:
        raise InputError(
            f"{columns.where}: the unit {unit} that was given contradicts the file, whose q unit is {columns.unit!r}: "
            "leave it out, or correct the file if it is wrong",
            "own unit",
        )
    if said is not None:
        return QUnit(said, columns.unit, "file")
    assert asked is not None
    return QUnit(asked, str(unit), "given")


def check_curve(columns: Columns) -> None:
    """Return silently if the columns are an intensity over q, as a point-like beam gives it.

    Raises
    ------
    InputError
        If the abscissa is an angle or anything else but q, or if a slit smeared the curve.
    """
    where, unit, axis = columns.where, columns.unit, columns.axis
    if is_angle(unit) or (not unit and is_angle(axis)):
        raise InputError(
            f"{where}: the abscissa is a scattering angle, 2-theta ({unit or axis}), not q: integrate again with unit "
            'q_nm^-1 ("unit" in pyFAI\'s JSON configuration), or convert with q = 4 pi sin(theta) / wavelength'
        )
    if _COMPONENT.search(axis):
        raise InputError(f"{where}: the abscissa is one component of q ({axis}): average over the azimuth instead")
    if find_factor(unit) is None and (found := _OTHER_AXIS.search(unit) or _OTHER_AXIS.search(axis)):
        raise InputError(f"{where}: the abscissa is {found.string}, not q: give intensity over q")
    q = to_numbers(columns.q)
    negative = int(np.count_nonzero(q < 0))
    if negative > _MOST_NEGATIVE * q.size:
        raise InputError(
            f"{where}: {negative} of {q.size} values in the column of q are negative (down to {np.nanmin(q):g}): "
            "that is not q; if another column is, name the columns",
            "columns",
            columns="_,q,I",
        )
    if columns.slit:
        raise InputError(
            f"{where}: slit-smeared ({columns.slit}): its slopes and shoulders are not those of the sample; "
            "desmear it first, or give the desmeared curve"
        )


def make_curve(columns: Columns, unit: str | None = None) -> Curve:
    """Return the curve that ``columns`` hold: q in 1/nm and increasing; what is not usable of it stays.

    Rows whose q is not a number are left out. ``metadata`` hold ``q_unit``, and in ``q_unit_from`` who stated it: the
    "file", or whoever has "given" it.

    Raises
    ------
    InputError
        If the unit is not certain, the abscissa is not q, a slit smeared the curve, the columns differ in length, or
        hold several curves one below the other.
    """
    _check_lengths(columns)
    check_curve(columns)
    q_unit = choose_unit(columns, unit)
    q, intensity = to_numbers(columns.q), to_numbers(columns.intensity)
    check_single(q, columns.where)
    order = np.argsort(q, kind="stable")  # what is not a number goes last
    order = order[: int(np.count_nonzero(~np.isnan(q)))]

    def sort(values: NDArray[Any] | None) -> FloatArray | None:
        return None if values is None else to_numbers(values)[order]

    sigma = sort(columns.sigma)
    if sigma is not None:
        sigma[sigma < 0] = np.nan  # what programs write for "not known"
    metadata = {
        **columns.metadata,
        "q_unit": q_unit.name,
        "q_unit_from": q_unit.origin,
        "warnings": list(columns.metadata.get("warnings", ())),
    }
    return Curve(q[order] * q_unit.factor, intensity[order], sigma, sort(columns.weight), metadata=metadata)


def _check_lengths(columns: Columns) -> None:
    named = {"q": columns.q, "intensity": columns.intensity, "error": columns.sigma, "weight": columns.weight}
    lengths = {name: np.shape(c) for name, c in named.items() if c is not None}
    if len(set(lengths.values())) > 1 or len(lengths["q"]) != 1:
        found = ", ".join(f"{name} {shape}" for name, shape in lengths.items())
        raise InputError(f"{columns.where}: the columns do not fit together: {found}")

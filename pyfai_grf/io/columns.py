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

#: fewer points than this are not a curve that anything can be read from
MIN_POINTS = 10

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
    """Return the curve that ``columns`` hold: q in 1/nm and increasing, every intensity finite.

    Rows without a finite q and intensity, with q <= 0, or of bins that no pixel fell into are left out, so that they
    show as gaps; what was left out stands in ``metadata["warnings"]``.

    Raises
    ------
    InputError
        If the unit is not certain, the columns differ in length, a q occurs twice, fewer than ten usable points are
        left, or none of them is positive.
    """
    _check_lengths(columns)
    factor = choose_factor(columns, unit)
    q, intensity = (np.asarray(c, dtype=np.float64) for c in (columns.q, columns.intensity))
    warnings: list[str] = list(columns.metadata.get("warnings", ()))
    weight = None if columns.weight is None else np.asarray(columns.weight, dtype=np.float64)
    is_usable = _find_usable(q, intensity, weight, warnings)
    sigma, is_certain = _judge_sigma(columns.sigma, intensity, is_usable, warnings)
    keep = np.flatnonzero(is_usable & is_certain)
    keep = keep[np.argsort(q[keep], kind="stable")]
    _check_points(q[keep], intensity[keep], columns)
    metadata = {**columns.metadata, "q_unit": columns.unit or str(unit), "warnings": warnings}
    return Curve(
        q[keep] * factor,
        intensity[keep],
        None if sigma is None else sigma[keep],
        None if weight is None else weight[keep],
        metadata=metadata,
    )


def _check_lengths(columns: Columns) -> None:
    named = {"q": columns.q, "intensity": columns.intensity, "error": columns.sigma, "weight": columns.weight}
    lengths = {name: np.shape(c) for name, c in named.items() if c is not None}
    if len(set(lengths.values())) > 1 or len(lengths["q"]) != 1:
        found = ", ".join(f"{name} {shape}" for name, shape in lengths.items())
        raise InputError(f"{columns.where}: the columns do not fit together: {found}")


def _find_usable(
    q: FloatArray, intensity: FloatArray, weight: FloatArray | None, warnings: list[str]
) -> NDArray[np.bool_]:
    """Return (Q,) which rows are points of the curve; say in ``warnings`` why the others are not."""
    reasons = {
        "q not finite": ~np.isfinite(q),
        "intensity not finite": ~np.isfinite(intensity),
        "q <= 0": q <= 0,
    }
    if weight is not None:
        # pyFAI writes 0 into a bin that no pixel fell into: not a measured zero
        reasons["no pixel in the bin"] = ~(weight > 0)
    is_usable = np.ones(len(q), dtype=bool)
    for reason, is_out in reasons.items():
        if count := int(np.count_nonzero(is_out & is_usable)):
            warnings.append(f"left out {count} of {len(q)} points: {reason}")
        is_usable &= ~is_out
    return is_usable


def _judge_sigma(
    sigma: NDArray[Any] | None, intensity: FloatArray, is_usable: NDArray[np.bool_], warnings: list[str]
) -> tuple[FloatArray | None, NDArray[np.bool_]]:
    """Return the errors (None if the column says nothing) and which rows they let stand."""
    everything = np.ones(len(intensity), dtype=bool)
    if sigma is None:
        return None, everything
    sigma = np.asarray(sigma, dtype=np.float64)
    is_good = np.isfinite(sigma) & (sigma > 0)
    # without an error model ewoksxrpd writes NaN, others write 0: a column of those is no statement
    if not is_good.any():
        return None, everything
    missing = is_usable & ~is_good
    # an empty bin of pyFAI reads 0 +- 0; a bin of pixels that counted nothing reads 0 +- 1/n
    is_empty = missing & (intensity == 0) & (sigma == 0)
    if is_empty.any():
        warnings.append(f"left out {np.count_nonzero(is_empty)} of {len(sigma)} points: no pixel in the bin (0 +- 0)")
    missing &= ~is_empty
    count = int(np.count_nonzero(missing))
    if 2 * count > np.count_nonzero(is_usable):
        warnings.append(f"{count} of {len(sigma)} points have no positive error: the error column is ignored")
        return None, ~is_empty
    if count:
        warnings.append(f"left out {count} of {len(sigma)} points: no positive error")
    return sigma, ~(is_empty | missing)


def _check_points(q: FloatArray, intensity: FloatArray, columns: Columns) -> None:
    """Refuse what is left of a curve if it is none; ``q`` is sorted and in the file's own unit."""
    if len(q) < MIN_POINTS:
        raise InputError(
            f"{columns.where}: only {len(q)} of {len(columns.q)} points are usable (finite, q > 0), "
            f"a curve needs at least {MIN_POINTS}"
        )
    repeated = q[1:][np.diff(q) == 0]
    if len(repeated):
        raise InputError(
            f"{columns.where}: q = {repeated[0]:g} occurs more than once ({len(repeated)} repeated values): "
            "merge the overlapping pieces, or give one curve per file"
        )
    if not (intensity > 0).any():
        raise InputError(f"{columns.where}: no intensity is positive (largest {intensity.max():g}): nothing to analyse")

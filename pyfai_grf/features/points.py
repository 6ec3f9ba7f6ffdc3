"""The one door: a curve as it was reduced or read becomes the points that everything else is computed from."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve, Points
from pyfai_grf.features.scatter import FEWEST_POINTS, compare_sigma, estimate_correlation, estimate_sigma

CurveType = TypeVar("CurveType", bound=Curve)

#: fewer points than this are not a curve that anything can be read from
MIN_POINTS = 10
#: errors are believed while the scatter is between these multiples of them; where more than this part of the points
#: lies outside, they are not. Pixel splitting reads 0.75, a window of right errors 1 +- 0.3
_BELIEVED, _DISBELIEVED_PART = (0.4, 2.5), 0.1
#: a curve of which this part scatters less than errors can be believed for has been smoothed; a sparse frame's errors
#: are right where it is not sparse
_SMOOTH_PART = 0.97
#: a ratio of scatter and errors that is none
_TINY = 1e-12
#: larger errors, in parts of the largest intensity, stand for "not known"
_UNKNOWN = 1e6
#: of a smooth curve differences of order 6 scatter less than this many times those of order 3
_SMOOTHER = 0.5
#: what errors come from: whoever gave the curve, or its own points
_GIVEN, _SCATTER = "given", "scatter of neighbouring points"
#: a bin whose neighbours hold more counts than this by their scatter (known to a factor of two) is empty where it is 0;
#: and where zeros among the neighbours were passed over, so that the rest scatters less
_IMPOSSIBLE_ZERO, _IMPOSSIBLE_BESIDE_ZEROS = 30.0, 100.0
_NEIGHBOURS = 12
#: a point next to a gap stands for at most this many times its nearer half spacing
_GAP_RATIO = 3.0


def clean_curve(curve: Curve) -> Points:
    """Return the usable points of ``curve``, each with a standard error above 0; what ``Points`` are, they stay.

    Left out are points without a finite q > 0 and a finite intensity, and bins that no pixel fell into: of weight 0,
    or 0 +- 0 (or 0 without an error) where the neighbours say that nothing cannot have been measured. A point whose
    own error is missing gets what the scatter of its neighbours says: ewoksxrpd writes NaN wherever I <= 0, and
    leaving those out would censor the low values. Errors that the scatter contradicts (by more than a factor of 2.5
    for more than a tenth of the points: pyFAI's Poisson model on sparse frames) are replaced altogether. What the
    errors come from in the end stands in ``metadata["noise_model"]``.

    Raises
    ------
    InputError
        If the arrays do not fit together, q does not increase, a sigma is negative, fewer than 10 points are left, or
        none of them is positive.
    """
    if isinstance(curve, Points):
        return curve
    q, intensity, sigma, weight = _read_columns(curve)
    notes: list[str] = []
    keep = _find_usable(q, intensity, weight, notes)
    known = np.zeros(len(q), bool)
    if sigma is not None:  # an error of a million times the curve says that it is not known
        known = (np.nan_to_num(sigma, posinf=np.inf) > 0) & (
            sigma < _UNKNOWN * np.nanmax(np.abs(intensity), initial=0.0)
        )
    if weight is None:
        _leave_out(keep, _find_empty(q, intensity, known, keep), "no pixel in the bin (0 without an error)", notes)
    _check_points(q[keep], intensity[keep], len(q))
    q, intensity, known = q[keep], intensity[keep], known[keep]
    noise_model = str(curve.metadata.get("noise_model", _GIVEN if sigma is not None else "none"))
    errors, noise_model = _judge_sigma(q, intensity, None if sigma is None else sigma[keep], known, noise_model, notes)
    metadata = {**curve.metadata, "noise_model": noise_model}
    if notes:
        metadata["warnings"] = [*metadata.get("warnings", ()), *notes]
    return Points(q, intensity, errors, None if weight is None else weight[keep], curve.counts, metadata)


def select_window(curve: Curve, q_min: float | None = None, q_max: float | None = None) -> Curve:
    """Return the part of ``curve`` from ``q_min`` to ``q_max``, in 1/nm, and a point beyond; None for its own end.

    What was asked for stands in ``metadata["q_window_nm1"]``.

    Raises
    ------
    InputError
        If fewer than 10 points lie there.
    """
    if q_min is None and q_max is None:
        return curve
    low, high = -np.inf if q_min is None else q_min, np.inf if q_max is None else q_max
    q = np.asarray(curve.q_nm1)
    part = (q >= low) & (q <= high)
    # and the next point on each side: the end of a window is not the end of the curve
    inside = np.flatnonzero(part)
    if inside.size:
        part[max(inside[0] - 1, 0)] = part[min(inside[-1] + 1, q.size - 1)] = True
    if (count := int(np.count_nonzero(part))) < MIN_POINTS:
        raise InputError(
            f"{count} points lie between {low:g} and {high:g} per nm, the curve covers {np.nanmin(q):.3g} to "
            f"{np.nanmax(q):.3g}: choose a window of {MIN_POINTS} points or more"
        )
    return replace(
        select_points(curve, part),
        metadata={**curve.metadata, "q_window_nm1": [q_min, q_max]},
        alternative=None if curve.alternative is None else select_window(curve.alternative, q_min, q_max),
    )


def select_points(curve: CurveType, part: BoolArray) -> CurveType:
    """Return the points of ``curve`` that ``part`` (Q,) is true for; its alternative stays as it is."""
    return replace(
        curve,
        q_nm1=np.asarray(curve.q_nm1)[part],
        intensity=curve.intensity[part],
        sigma=None if curve.sigma is None else curve.sigma[part],
        weight=None if curve.weight is None else curve.weight[part],
    )


def fill_masked(values: ArrayLike) -> FloatArray:
    """Return an array of floats of the shape of ``values``, NaN where it was masked."""
    return np.asarray(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan), dtype=np.float64)


def get_weight(points: Curve) -> FloatArray:
    """Return the weights (Q,) of the points in an average: their own, or q, the pixel count of a flat detector.

    The weight of a point belongs to its whole bin. Where bins are not equally wide the count goes as q dq.
    """
    if points.weight is not None:
        return points.weight
    return points.q_nm1 * np.gradient(points.q_nm1)


def compute_bins(q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the (left, right) edges, (Q,) each, of the bins that the points ``q`` (Q,) stand for.

    Midpoints between neighbours, except that no bin reaches far into a gap.
    """
    step = np.diff(q)
    left, right = np.append(step[0], step), np.append(step, step[-1])
    return q - np.minimum(left, _GAP_RATIO * right) / 2, q + np.minimum(right, _GAP_RATIO * left) / 2


def _read_columns(curve: Curve) -> tuple[FloatArray, FloatArray, FloatArray | None, FloatArray | None]:
    """Return q, intensity, sigma and weight as float arrays of one length; a sigma that is never known is None."""
    q, intensity = _to_array(curve.q_nm1, "q"), _to_array(curve.intensity, "intensity")
    sigma = None if curve.sigma is None else _to_array(curve.sigma, "sigma")
    weight = None if curve.weight is None else _to_array(curve.weight, "weight")
    for name, array in (("intensity", intensity), ("sigma", sigma), ("weight", weight)):
        if array is not None and len(array) != len(q):
            raise InputError(f"the curve has {len(q)} values of q and {len(array)} of {name}: give as many of both")
    if sigma is not None and np.any(sigma < 0):
        raise InputError(f"sigma is negative, {np.nanmin(sigma):g}: give standard errors, or none")
    # without an error model ewoksxrpd writes NaN, others 0: a column of those is not a statement
    return q, intensity, sigma if sigma is not None and np.any(np.nan_to_num(sigma) > 0) else None, weight


def _to_array(values: ArrayLike, name: str) -> FloatArray:
    array = np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
    if array.ndim != 1:
        raise InputError(f"{name} must be one column of numbers, found shape {array.shape}")
    return np.asarray(array, dtype=np.float64)


def _leave_out(keep: BoolArray, is_out: BoolArray, reason: str, notes: list[str]) -> None:
    """Take the points ``is_out`` (Q,) out of ``keep`` (Q,), in place, and say how many they are."""
    if count := int(np.count_nonzero(is_out & keep)):
        notes.append(f"left out {count} of {len(keep)} points: {reason}")
    keep &= ~is_out


def _find_usable(q: FloatArray, intensity: FloatArray, weight: FloatArray | None, notes: list[str]) -> BoolArray:
    """Return (Q,) which points are finite, at q > 0, and of bins that hold pixels."""
    keep = np.ones(len(q), dtype=bool)
    _leave_out(keep, ~np.isfinite(q), "q not finite", notes)
    _leave_out(keep, ~(q > 0) & keep, "q <= 0", notes)
    _leave_out(keep, ~np.isfinite(intensity), "intensity not finite", notes)
    if weight is not None:
        # pyFAI writes 0 into a bin that no pixel fell into: not a measured zero
        _leave_out(keep, ~(np.isfinite(weight) & (np.nan_to_num(weight) > 0)), "no pixel in the bin", notes)
    return keep


def _find_empty(q: FloatArray, intensity: FloatArray, known: BoolArray, keep: BoolArray) -> BoolArray:
    """Return (Q,) which zeros without an error are bins that no pixel fell into, not pixels that counted nothing.

    Those that a curve begins with, and runs of zeros whose neighbours hold so many counts, by their scatter, that none
    cannot have been counted. In a sparse tail, which has zeros all over, they do not.
    """
    empty = np.zeros(len(q), dtype=bool)
    place = np.flatnonzero(keep)
    zero = (intensity[place] == 0) & ~known[place]
    if not zero.any() or zero.all() or np.any(np.diff(q[place]) <= 0):  # complaints about those come later
        return empty
    edges = np.flatnonzero(np.diff(np.concatenate([[False], zero, [False]]).astype(int)))
    for start, stop in edges.reshape(-1, 2):
        before, after = _find_neighbours(zero[:start][::-1]), _find_neighbours(zero[stop:])
        sides = place[start - 1 - before[::-1]], place[stop + after]
        counts = [_count_by_scatter(q[side], intensity[side]) for side in sides if len(side) >= FEWEST_POINTS]
        is_passed = any(side.size and side[-1] >= side.size for side in (before, after))
        if start == 0 or (counts and min(counts) > (_IMPOSSIBLE_BESIDE_ZEROS if is_passed else _IMPOSSIBLE_ZERO)):
            empty[place[start:stop]] = True
    return empty


def _find_neighbours(zero: BoolArray) -> NDArray[np.intp]:
    """Return the indices of the first points that tell how many counts a run of zeros lies beside.

    Empty bins come in numbers: other zeros among the neighbours are passed over, unless these are the most. It takes
    more points then, for a dozen bins of a single count each look like a dozen of many.
    """
    first = np.arange(min(_NEIGHBOURS, zero.size))
    near = np.flatnonzero(~zero[: 6 * _NEIGHBOURS])[: 3 * _NEIGHBOURS]
    is_sparse = near.size == 0 or 2 * near.size < near[-1] + 1
    return near if zero[first].any() and not is_sparse else first


def _count_by_scatter(q: FloatArray, intensity: FloatArray) -> float:
    """Return how many counts a few neighbouring points hold, (I / sigma)^2, zeros among them included."""
    # few counts repeat the same number: a median of their differences would be 0
    sigma = estimate_sigma(q, intensity, is_robust=False)
    return float(np.mean(intensity) ** 2 / np.mean(sigma**2))


def _check_points(q: FloatArray, intensity: FloatArray, total: int) -> None:
    """Refuse what is left of a curve if it is not one."""
    if len(q) < MIN_POINTS:
        raise InputError(
            f"only {len(q)} of {total} points are usable (finite, q > 0, pixels in the bin), a curve needs "
            f"{MIN_POINTS}: check mask and columns"
        )
    step = np.diff(q)
    if np.any(step == 0):
        where = q[1:][step == 0]
        raise InputError(
            f"q = {where[0]:.6g} per nm occurs more than once ({len(where)} repeated values): merge the overlapping "
            "pieces, or give one curve at a time"
        )
    if np.any(step < 0):
        where = q[1:][step < 0]
        raise InputError(f"q must increase from point to point, and does not at {where[0]:.6g} per nm: sort the curve")
    if not (intensity > 0).any():
        raise InputError(f"no intensity is positive (largest {intensity.max():g}): nothing to analyse")


def _judge_sigma(
    q: FloatArray,
    intensity: FloatArray,
    sigma: FloatArray | None,
    known: BoolArray,
    noise_model: str,
    notes: list[str],
) -> tuple[FloatArray, str]:
    """Return standard errors (Q,) above 0, ``sigma`` where it can be believed, else what the scatter says, and whence.

    ``noise_model`` is what ``sigma`` comes from. Where neighbouring points share their noise, errors are those that
    make means over several points right.
    """
    correlation = estimate_correlation(q, intensity)
    # of noise r_1 = correlation, a third difference holds 1 - 1.5 r_1 of the variance, a mean of many 1 + 2 r_1
    scatter = estimate_sigma(q, intensity) / np.sqrt(1 - 1.5 * correlation)
    widening = float(np.sqrt(1 + 2 * correlation))
    if sigma is None:
        return scatter * widening, _SCATTER
    missing = int(np.count_nonzero(~known))
    if 2 * missing > len(q):
        notes.append(f"{missing} of {len(q)} points have no positive error: the errors are ignored, scatter is used")
        return scatter * widening, _SCATTER
    ratio, finer = np.ones(len(q)), np.ones(len(q))
    if np.count_nonzero(known) >= MIN_POINTS:
        columns = q[known], intensity[known], sigma[known]
        ratio[known] = compare_sigma(*columns) / np.sqrt(1 - 1.5 * correlation)
        finer[known] = compare_sigma(*columns, order=6)
    if (found := _contradict(q, ratio, np.minimum(ratio, finer))) is not None:
        name = f"the errors {_name_origin(noise_model)}"
        notes.append(f"{name} are {found}: not believed, errors are taken from that scatter")
        return scatter * widening, f"{_SCATTER} ({name} are not believed)"
    if missing:
        notes.append(f"{missing} of {len(q)} points have no positive error: theirs is taken from the scatter")
        noise_model = f"{noise_model}; of {missing} points {_SCATTER}"
    # errors that count the photons of split pixels are right for means already: larger than the scatter of a point
    shared = max(1.0, widening * min(1.0, float(np.median(ratio[known]))))
    if shared > 1:
        noise_model = f"{noise_model}; times {shared:.2g}, for neighbouring points share their noise"
    return np.where(known, np.where(known, sigma, 1.0) * shared, scatter * widening), noise_model


def _name_origin(noise_model: str) -> str:
    """Return what follows "the errors": nobody has given those that were computed from a frame."""
    return _GIVEN if noise_model == _GIVEN else f"taken from {re.split(r' [(]|, ', noise_model)[0]}"


def _contradict(q: FloatArray, ratio: FloatArray, least: FloatArray) -> str | None:
    """Return what is wrong with errors whose points scatter ``ratio`` (Q,) times as much; None if they are believed.

    ``least`` (Q,) is the ratio without what may be the curve's own shape. Points that scatter less everywhere, and less
    in finer differences, have been smoothed (fitted, computed): they say nothing of errors.
    """
    low, high = _BELIEVED
    # white noise scatters alike in differences of every order, a smooth curve less in those of higher order
    is_smooth = np.quantile(ratio, _SMOOTH_PART) < low and np.median(least / ratio) < _SMOOTHER
    for is_off, kind in (((ratio < low) & (not is_smooth), "large"), (least > high, "small")):
        if np.mean(is_off) > _DISBELIEVED_PART:
            factor = float(np.median(np.maximum(ratio[is_off], 1 / np.maximum(ratio[is_off], _TINY))))
            return (
                f"{factor:.2g} times too {kind} for the scatter of {np.mean(is_off):.0%} of the points (from q = "
                f"{q[is_off][0]:.3g} per nm on)"
            )
    return None

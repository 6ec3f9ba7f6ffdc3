"""Does a curve cover the q range of a model? If not: say so, and say what to do."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError, QRangeError, TrainingGrid
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.records import Points

#: how far inside the model's range a curve may begin or end, in grid steps
END_TOLERANCE = 1.0
#: the widest gap between points that is bridged: in grid steps, or as a part of q (a curve in logarithmic bins is
#: smooth over that, at any model's shoulder: q a changes by less than 0.2 there)
GAP_TOLERANCE, GAP_PART = 3.0, 0.08

# spacings that are exactly at a limit must not fail by rounding
_ROUNDING = 1 + 1e-6
_FEWEST_POINTS, _MOST_POINTS = 50, 500
# q a at the maximum of q^2 I, the shoulder: 0.79 to 0.81 over all porosities for the published spectrum
_SHOULDER = 0.8
# logarithmic bins in which it is looked for, and how many at each end are none of it
_KRATKY_BINS, _KRATKY_END = 24, 3


def check_coverage(points: Points, grid_nm1: FloatArray, material: str = "CLASS", spectrum: str = "") -> None:
    """Return silently if ``points`` cover the model's q grid ``grid_nm1`` (G,), in 1/nm, increasing.

    One grid step is tolerated at each end, and gaps of up to three grid steps or 8 % of q. The error names
    ``material`` and ``spectrum`` ("" for the default one), of the model to train instead.

    Raises
    ------
    QRangeError
        Otherwise. The message names both ranges, a likely mistake of unit, and the grid to train a model for.
    InputError
        If the grid cannot be read as one.
    """
    grid = validate_grid(grid_nm1)
    q = points.q_nm1
    problem = _find_problem(q, grid)
    if problem:
        problem += _guess_unit(points, grid)
        covered, needed = (float(q[0]), float(q[-1])), (float(grid[0]), float(grid[-1]))
        raise QRangeError(covered, needed, problem, suggest_grid(points), material, spectrum)


def validate_grid(grid_nm1: FloatArray) -> FloatArray:
    """Return the grid as a float array.

    Raises
    ------
    InputError
        If it is not one axis of at least two increasing, positive q values.
    """
    grid = np.asarray(grid_nm1, dtype=np.float64)
    if grid.ndim != 1 or len(grid) < 2 or not grid[0] > 0 or not np.all(np.diff(grid) > 0):
        raise InputError(f"a model grid is at least two positive, increasing q values, found shape {grid.shape}")
    return grid


def _find_problem(q: FloatArray, grid: FloatArray) -> str:
    """Return what keeps points ``q`` from covering ``grid``, in words, or "" if nothing does."""
    step = np.gradient(grid)
    if q[0] > grid[0] + END_TOLERANCE * _ROUNDING * step[0]:
        return "it begins too late"
    if q[-1] < grid[-1] - END_TOLERANCE * _ROUNDING * step[-1]:
        return "it ends too early"
    gap = np.diff(q)
    middle = q[:-1] + gap / 2
    allowed = _ROUNDING * np.maximum(GAP_TOLERANCE * np.interp(middle, grid, step), GAP_PART * middle)
    excess = gap / allowed
    excess[(q[1:] <= grid[0]) | (q[:-1] >= grid[-1])] = 0
    worst = int(np.argmax(excess))
    if excess[worst] > 1:
        return (
            f"it has no points between {q[worst]:.4g} and {q[worst + 1]:.4g} per nm "
            f"(a gap of up to {allowed[worst]:.2g} per nm is bridged there)"
        )
    return ""


def _guess_unit(points: Points, grid: FloatArray) -> str:
    """Return what to say of the unit: something only where nobody has stated it."""
    if points.metadata.get("q_unit_from") in ("file", "given"):
        return ""
    for factor, read, other in ((10.0, "1/nm", "1/Angstrom"), (0.1, "1/Angstrom", "1/nm")):
        if not _find_problem(factor * points.q_nm1, grid):
            return f" (is q, read as {read}, in {other}? then it would cover the range)"
    return ""


def suggest_grid(points: Points) -> TrainingGrid:
    """Return an equidistant grid that ``points`` cover, with the length scale that puts their shoulder into the range.

    Its step is the smallest distance of points, in 50 points at least and 500 at most; beside a gap that would not be
    bridged the longer part (in decades) is taken. The ends are rounded inwards to three digits.
    """
    q = _cut_at_gaps(points.q_nm1)
    while True:
        step = float(np.quantile(np.diff(q), 0.05))  # the smallest, but for a pair of points that nearly coincide
        count = int(np.clip((q[-1] - q[0]) / step + 1.5, _FEWEST_POINTS, _MOST_POINTS))
        low, high = _round_to_digits(q[0], math.ceil), _round_to_digits(q[-1], math.floor)
        low, high = (low, high) if low < high else (float(q[0]), float(q[-1]))
        if len(q) <= _FEWEST_POINTS or not _find_problem(q, np.linspace(low, high, count)):
            return TrainingGrid(low, high, count, _suggest_length_scale(points, low, high))
        q = q[: int(len(q) * 0.95)]  # shorter at the end, where logarithmic bins are widest


def _cut_at_gaps(q: FloatArray) -> FloatArray:
    """Return the longest part of ``q`` in ln q without a gap of more than three typical grid steps and 8 % of q."""
    gap = np.diff(q)
    allowed = np.maximum(GAP_TOLERANCE * (q[-1] - q[0]) / _MOST_POINTS, GAP_PART * (q[:-1] + gap / 2))
    allowed = np.maximum(allowed, 1.5 * np.median(gap))
    parts = np.split(q, np.flatnonzero(gap > allowed) + 1)
    return max((p for p in parts if len(p) > 1), key=lambda p: math.log(p[-1] / p[0]), default=q)


def _suggest_length_scale(points: Points, q_min: float, q_max: float) -> float:
    """Return what to multiply the published lengths by: 1 where the shoulder lies within them or is not clearly seen.

    The shoulder is the maximum of q^2 I over means in logarithmic bins, in the inner part of them, where it stands out
    of both ends by half and by three standard errors.
    """
    edges = np.geomspace(q_min, q_max, _KRATKY_BINS + 1)
    part = (points.q_nm1 >= edges[0]) & (points.q_nm1 < edges[-1])
    place = np.searchsorted(edges, points.q_nm1[part], side="right") - 1
    counts = np.bincount(place, minlength=_KRATKY_BINS)
    if counts.min() == 0:
        return 1.0
    square = points.q_nm1[part] ** 2
    kratky = np.bincount(place, square * points.intensity[part], _KRATKY_BINS) / counts
    error = np.sqrt(np.bincount(place, (square * points.sigma[part]) ** 2, _KRATKY_BINS)) / counts
    top = _KRATKY_END + int(np.argmax(kratky[_KRATKY_END:-_KRATKY_END]))
    ends = max(kratky[0], kratky[-1])
    if kratky[top] < 1.5 * ends or kratky[top] - ends < 3 * error[top]:
        return 1.0
    length = _SHOULDER / math.sqrt(edges[top] * edges[top + 1])
    low, high = PARAMETERS["a"].low, PARAMETERS["a"].high
    if low / 1.5 <= length <= 1.5 * high:  # known to a bin or two
        return 1.0
    return float(f"{length / math.sqrt(low * high):.1g}")


def _round_to_digits(value: float, direction: Callable[[float], int]) -> float:
    digits = 2 - math.floor(math.log10(value))
    # undo the rounding of the product first, or 0.04 would become 0.0401
    return round(direction(round(value * 10.0**digits, 6)) / 10.0**digits, max(digits, 0))

"""Does a curve cover the q range of a model? If not: say so, and say what to do."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError, QRangeError
from pyfai_grf.core.records import Curve
from pyfai_grf.features.points import select_usable

#: how far inside the model's range a curve may begin or end, in grid steps
END_TOLERANCE = 1.0
#: the widest gap between points that is bridged, in grid steps
GAP_TOLERANCE = 3.0

# spacings that are exactly at a limit must not fail by rounding
_ROUNDING = 1 + 1e-6
_FEWEST_POINTS, _MOST_POINTS = 50, 500


def check_coverage(curve: Curve, grid_nm1: FloatArray, material: str = "CLASS") -> None:
    """Return silently if ``curve`` covers the model's q grid ``grid_nm1`` (G,), in 1/nm, increasing.

    One grid step is tolerated at each end, and gaps of up to three grid steps; NaN points and empty bins are gaps.
    ``material`` is named in the training command that the message offers.

    Raises
    ------
    QRangeError
        Otherwise. The message names both ranges, a likely mistake of unit, and the command that trains a model.
    InputError
        If the curve or the grid cannot be read as one.
    """
    grid = validate_grid(grid_nm1)
    q = select_usable(curve).q_nm1
    problem = _find_problem(q, grid)
    if not problem:
        return
    raise QRangeError(
        f"the curve covers {q[0]:.3g} to {q[-1]:.3g} per nm, the model needs {grid[0]:.3g} to {grid[-1]:.3g}: "
        f"{problem}; {_guess_unit(q, grid)}train a model for this curve: {_make_command(q, material)}"
    )


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
    steps = gap / np.interp(middle, grid, step)
    steps[(q[1:] <= grid[0]) | (q[:-1] >= grid[-1])] = 0
    worst = int(np.argmax(steps))
    if steps[worst] > GAP_TOLERANCE * _ROUNDING:
        return (
            f"it has no points between {q[worst]:.4g} and {q[worst + 1]:.4g} per nm "
            f"({steps[worst]:.1f} grid steps, {GAP_TOLERANCE:.0f} are allowed)"
        )
    return ""


def _guess_unit(q: FloatArray, grid: FloatArray) -> str:
    if not _find_problem(10 * q, grid):
        return "q is off by a factor of ten: is q in 1/Angstrom? pass --unit A; otherwise "
    if not _find_problem(q / 10, grid):
        return "q is off by a factor of ten: is q in 1/nm and was read as 1/Angstrom? pass --unit nm; otherwise "
    return ""


def _make_command(q: FloatArray, material: str) -> str:
    q_min, q_max, count = suggest_grid(q)
    return f"pyfai-grf train --material {material} --q-min {q_min:g} --q-max {q_max:g} --q-points {count} -o BUNDLE"


def suggest_grid(q: FloatArray) -> tuple[float, float, int]:
    """Return (q_min, q_max, count) of an equidistant grid that a curve with points ``q`` (Q,) covers.

    As many points as the widest gap allows, 500 at most; where that leaves fewer than 50, the longer part beside the
    gap is taken. The ends are rounded inwards to three digits.
    """
    while True:
        gap = np.diff(q)
        widest = int(np.argmax(gap))
        count = min(len(q), _MOST_POINTS, int(GAP_TOLERANCE * (q[-1] - q[0]) / gap[widest]) + 1)
        if count >= _FEWEST_POINTS or len(q) <= _FEWEST_POINTS:
            break
        q = q[: widest + 1] if widest + 1 > len(q) // 2 else q[widest + 1 :]
    low, high = _round_to_digits(q[0], math.ceil), _round_to_digits(q[-1], math.floor)
    return (low, high, count) if low < high else (float(q[0]), float(q[-1]), count)


def _round_to_digits(value: float, direction: Callable[[float], int]) -> float:
    digits = 2 - math.floor(math.log10(value))
    # undo the rounding of the product first, or 0.04 would become 0.0401
    return round(direction(round(value * 10.0**digits, 6)) / 10.0**digits, max(digits, 0))

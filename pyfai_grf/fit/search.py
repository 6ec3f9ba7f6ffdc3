"""The best shape: from a grid that needs no prior knowledge, to the minimum, to its covariance."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.amplitudes import Amplitudes, score_shapes, solve_amplitudes
from pyfai_grf.fit.descent import Slope, descend_all, find_hopeless
from pyfai_grf.fit.detour import choose_power
from pyfai_grf.fit.family import P_FITTED, Family, Shape
from pyfai_grf.fit.log_table import STEP
from pyfai_grf.fit.raster import Raster, make_raster, project
from pyfai_grf.fit.target import Target, widen_bins

#: where a search begins: exponents, thresholds, and values of ln a this far apart
_N_GRID, _N_SPREAD, _T_GRID, _LOG_A_STEP = (4.0, 6.0, 8.0, 12.0, 20.0), (5.0, 12.0), (0.2, 0.7, 1.2, 1.9), 6 * STEP
#: q a of a shoulder that can be seen: with less at the last point, or more at the first, there is none
_QA_LAST, _QA_FIRST = 0.8, 3.0
#: minima that are looked for, and shapes that are another start
_STARTS, _APART, _APART_U = 4, 0.25, 1.0
#: exponents of the upturn: at a start, that are tried afterwards, and without a material
_P_START, _P_GRID, _P_FINE = 3.5, np.arange(*P_FITTED, 0.25), np.arange(P_FITTED[0], P_FITTED[1] + 0.1, 0.1)
#: steps at most: of the starts on means over some bins, then of the best on all points
_COARSE_STEPS, _FINE_STEPS = 30, 60
#: chi-square that tells the mean over a bin from the value at a point
_MUCH = 6.0


@dataclass(frozen=True)
class Problem:
    """What is fitted to which points."""

    target: Target
    family: Family
    has_background: bool = True
    has_upturn: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The nonlinear parameters: those of the shape, and the exponent of the upturn."""
        return self.slope.names

    @property
    def slope(self) -> Slope:
        """What is descended, on all points."""
        raster = self.target.raster
        return Slope(self.family, raster.matrix, raster.log_q, raster.q_nm1[0], self.has_background, self.has_upturn)

    def solve(self, shape: Shape, power: float) -> Minimum:
        """Return the amplitudes of ``shape`` and of an upturn q^-``power``."""
        return _solve([self], make_row(shape, power)[np.newaxis])[0]


@dataclass(frozen=True)
class Minimum:
    """Where a search ended: the shape, the exponent of the upturn, and the amplitudes there.

    ``derivatives`` (P, Q) are those of the curve by the nonlinear parameters.
    """

    shape: Shape
    power: float
    amplitudes: Amplitudes
    derivatives: FloatArray


def make_row(shape: Shape, power: float = _P_START) -> FloatArray:
    """Return (5,) the numbers that are searched."""
    return np.array([shape.log_a, shape.u, shape.inverse_n, shape.variance, power])


def find_minimum(problem: Problem, starts: Sequence[Shape] = ()) -> Minimum:
    """Return the best minimum that is reached from a grid of shapes, and from ``starts``."""
    return find_minima([problem], [starts])[0]


def find_minima(problems: Sequence[Problem], starts: Sequence[Sequence[Shape]]) -> list[Minimum]:
    """Return the best minimum of each of some ``problems`` that differ by their intensities alone."""
    first = problems[0]
    raster, slope = first.target.raster, first.slope
    intensity = np.stack([problem.target.intensity for problem in problems])
    variance = np.stack([problem.target.variance for problem in problems])
    coarse = intensity @ raster.coarse.T, 1.0 / np.sqrt(variance @ raster.coarse.power(2).T)
    rows, owners = [], []
    for item, (problem, given) in enumerate(zip(problems, starts, strict=True)):
        chosen = _choose_starts(problem, coarse[0][item], coarse[1][item])
        chosen = np.concatenate([chosen, *(make_row(shape)[np.newaxis] for shape in given)])
        rows.append(chosen)
        owners += [item] * len(chosen)
    owner = np.array(owners)
    thin = replace(slope, matrix=raster.coarse_matrix)
    x, chi2 = _descend_twice(thin, coarse[0][owner], coarse[1][owner], np.concatenate(rows), _COARSE_STEPS, 1e-3, owner)
    best = np.array([np.flatnonzero(owner == i)[np.argmin(chi2[owner == i])] for i in range(len(problems))])
    x, _ = _descend_twice(slope, intensity, 1.0 / np.sqrt(variance), x[best], _FINE_STEPS)
    return _solve(problems, x)


def try_log_bins(problem: Problem, minimum: Minimum) -> tuple[Problem, Minimum]:
    """Return the problem and its minimum, with logarithmic bins where these describe the points much better."""
    target = widen_bins(problem.target)
    if target is None:
        return problem, minimum
    other = replace(problem, target=target)
    found = descend(other, minimum.shape, minimum.power)
    return (other, found) if found.amplitudes.chi2 < minimum.amplitudes.chi2 - _MUCH else (problem, minimum)


def _descend_twice(
    slope: Slope,
    intensity: FloatArray,
    root: FloatArray,
    x: FloatArray,
    steps: int,
    tolerance: float = 1e-6,
    owner: NDArray[np.intp] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the minima and their chi-square as ``descend_all``, after a look for another upturn."""
    x, chi2 = descend_all(slope, intensity, root, x, steps, tolerance, owner)
    if not slope.has_upturn:
        return x, chi2
    rows = np.arange(len(x))
    if owner is not None:
        rows = rows[~find_hopeless(chi2, owner, rows >= 0, intensity.shape[1])]
    begin, chosen = choose_power(slope, x[rows], intensity[rows], root[rows], _P_GRID)
    if chosen.any():
        tried = rows[chosen]
        part = None if owner is None else owner[tried]
        other, less = descend_all(slope, intensity[tried], root[tried], begin[chosen], steps, tolerance, part)
        better = less < chi2[tried]
        x[tried[better]], chi2[tried[better]] = other[better], less[better]
    return x, chi2


def descend(problem: Problem, shape: Shape, power: float = _P_START) -> Minimum:
    """Return the minimum below ``shape``."""
    target = problem.target
    root = 1.0 / np.sqrt(target.variance)
    x, _ = descend_all(
        problem.slope, target.intensity[np.newaxis], root[np.newaxis], make_row(shape, power)[np.newaxis], _FINE_STEPS
    )
    return _solve([problem], x)[0]


def _solve(problems: Sequence[Problem], x: FloatArray) -> list[Minimum]:
    """Return the minima at ``x`` (B, 5), with the amplitudes there."""
    seen, rises = problems[0].slope.draw(x)
    minima = []
    for item, problem in enumerate(problems):
        rise = None if rises is None else rises[item]
        found = solve_amplitudes(
            problem.target, seen[item, 0], problem.has_background, None if rise is None else rise[0]
        )
        derivatives = found.scale * seen[item, 1:]
        if rise is not None:
            derivatives = np.concatenate([derivatives, found.upturn * rise[1:]])
        *shape, power = x[item].tolist()
        minima.append(Minimum(Shape(*shape), power, found, derivatives))
    return minima


@dataclass(frozen=True, eq=False)
class _Gallery:
    """The (A, S) ``curves`` of the (A, 5) ``rows`` that a search begins with, and the (S,) upturn."""

    rows: FloatArray
    curves: FloatArray
    rise: FloatArray


@functools.lru_cache(maxsize=16)
def _make_gallery(raster: Raster, family: Family) -> _Gallery:
    q = raster.q_nm1
    log_a = np.arange(np.log(_QA_LAST / q[-1]), np.log(_QA_FIRST / q[0]), _LOG_A_STEP)
    exponents = _N_GRID if "inverse_n" in family.names else (8.0,)
    spreads = [(0.05, n) for n in exponents] + [(0.25, n) for n in _N_SPREAD]
    if not family.has_spread:
        spreads = [(0.0, n) for n in exponents]
    elif "inverse_n" not in family.names:
        spreads = [(0.05, 8.0), (0.25, 8.0)]
    shapes = np.array([[0.0, t**2, 1.0 / n, spread**2, _P_START] for t, (spread, n) in product(_T_GRID, spreads)])
    rows = np.repeat(shapes[:, np.newaxis], log_a.size, axis=1)
    rows[..., 0] = log_a
    lines = family.draw_lengths(raster.log_q[0], raster.log_q.size, log_a, shapes[:, :4])
    curves = project(raster.coarse_matrix, lines)
    rise = project(raster.coarse_matrix, np.exp(-_P_START * (raster.log_q - np.log(q[0]))))
    return _Gallery(rows.reshape(-1, 5), curves.reshape(-1, curves.shape[-1]), rise)


def _choose_starts(problem: Problem, intensity: FloatArray, root: FloatArray) -> FloatArray:
    """Return (A, 5) the shapes of the grid that fit best, far enough from each other."""
    gallery = _make_gallery(problem.target.raster, problem.family)
    rise = gallery.rise if problem.has_upturn else None
    scores = score_shapes(gallery.curves, rise, problem.has_background, root, intensity)
    starts: list[FloatArray] = []
    while len(starts) < _STARTS and np.isfinite(scores.min()):
        starts.append(gallery.rows[np.argmin(scores)])
        apart = np.abs(gallery.rows[:, :2] - starts[-1][:2])
        scores[(apart[:, 0] <= _APART) & (apart[:, 1] <= _APART_U)] = np.inf
    return np.stack(starts or [gallery.rows[len(gallery.rows) // 2]])


def draw_without(problem: Problem) -> FloatArray:
    """Return the (Q,) best curve without the material: upturn and background alone."""
    target = problem.target
    root, flat = 1.0 / np.sqrt(target.variance), np.ones(target.q_nm1.size)
    if not problem.has_upturn:
        level = np.average(target.intensity, weights=root**2) if problem.has_background else 0.0
        return np.asarray(level * flat)
    powers = _P_FINE
    for _ in range(3):  # to a 25th of the step before: 10^9 photons tell an exponent to 0.001
        rises = problem.slope.draw_upturns(powers)
        best = int(np.argmin(score_shapes(rises, None, problem.has_background, root, target.intensity)))
        powers, found = powers[best] + np.linspace(-1, 1, 51) * (powers[1] - powers[0]), rises[best]
    return solve_amplitudes(target, found, problem.has_background).curve


def draw_parts(problem: Problem, minimum: Minimum, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the (Q,) curve at ``q``, its background and its upturn; NaN where ``q`` is no number above 0."""
    amplitudes, known = minimum.amplitudes, np.isfinite(q) & (q > 0)
    own = problem.target.raster
    raster = make_raster(q[known], own.resolution, own.has_log_bins)
    shape, rise = amplitudes.columns[0], amplitudes.columns[-1]
    if raster is not own:
        slope = replace(problem.slope, matrix=raster.matrix, log_q=raster.log_q)
        seen, rises = slope.draw(make_row(minimum.shape, minimum.power)[np.newaxis])
        shape, rise = seen[0, 0], shape if rises is None else rises[0, 0]
    parts = [np.full(q.shape, np.nan) for _ in range(3)]
    parts[1][known] = amplitudes.background
    parts[2][known] = amplitudes.upturn * rise if amplitudes.upturn > 0 else 0.0
    parts[0][known] = amplitudes.scale * shape + parts[1][known] + parts[2][known]
    return parts[0], parts[1], parts[2]


def differentiate(problem: Problem, minimum: Minimum) -> tuple[tuple[str, ...], FloatArray]:
    """Return the names and the (P, Q) derivatives of the curve by every parameter that is not held by nothing.

    The linear parameters follow, as "scale", "background" and "amplitude". An upturn of 0 has no exponent.
    """
    has_upturn = minimum.amplitudes.upturn > 0
    kept = [index for index, name in enumerate(problem.names) if name != "power" or has_upturn]
    columns = minimum.amplitudes.columns
    linear = ["scale", *(["background"] if problem.has_background else []), *(["amplitude"] if has_upturn else [])]
    names = [problem.names[index] for index in kept]
    return (*names, *linear), np.concatenate([minimum.derivatives[kept], columns[: len(linear)]])

"""The best shape: from a grid that needs no prior knowledge, to the minimum, to its covariance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.amplitudes import Amplitudes, fit_columns, score_shapes, solve_amplitudes
from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.fit.target import Target, place_nodes, thin_target

#: where a search begins: exponents, thresholds, and values of ln a this far apart
_N_GRID, _T_GRID, _LOG_A_STEP = (4.0, 6.0, 8.0, 12.0, 20.0), (0.2, 0.7, 1.2, 1.9), 0.12
#: q a of a shoulder that can be seen: with less at the last point, or more at the first, there is none
_QA_LAST, _QA_FIRST = 0.8, 3.0
#: minima that are looked for, and shapes that are another start
_STARTS, _APART = 3, 0.25
#: exponents of the upturn q^-p
P_FITTED, _P_START = (1.0, 4.5), 3.5
#: steps of the numerical derivatives
_STEP = {"log_a": 1e-4, "u": 1e-4, "inverse_n": 1e-5, "variance": 1e-4, "power": 1e-3}


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
        return (*self.family.names, *(("power",) if self.has_upturn else ()))

    def solve(self, shape: Shape, power: float) -> Amplitudes:
        """Return the amplitudes of ``shape`` and of an upturn q^-``power``."""
        curve = self.target.average(self.family.evaluate(self.target.nodes, shape))
        rise = self.target.rise(power) if self.has_upturn else None
        return solve_amplitudes(self.target, curve, self.has_background, rise)


@dataclass(frozen=True)
class Minimum:
    """Where a search ended: the shape, the exponent of the upturn, and the amplitudes there."""

    shape: Shape
    power: float
    amplitudes: Amplitudes

    def get(self, name: str) -> float:
        """Return a nonlinear parameter by name."""
        return self.power if name == "power" else float(getattr(self.shape, name))


def find_minimum(problem: Problem) -> Minimum:
    """Return the best minimum that is reached from a grid of shapes."""
    coarse = replace(problem, target=thin_target(problem.target))
    found = [descend(coarse, shape, _P_START) for shape in _choose_starts(coarse)]
    best = min(found, key=lambda end: end.amplitudes.chi2)
    return descend(problem, best.shape, best.power)


def _choose_starts(problem: Problem) -> list[Shape]:
    """Return the shapes of the grid that fit best, far enough from each other."""
    q = problem.target.q_nm1
    log_a = np.arange(np.log(_QA_LAST / q[-1]), np.log(_QA_FIRST / q[0]), _LOG_A_STEP)
    exponents = _N_GRID if "inverse_n" in problem.family.names else (8.0,)
    rise = (q / q[0]) ** -_P_START if problem.has_upturn else None
    scored: list[tuple[float, Shape]] = []
    for threshold, n in product(_T_GRID, exponents):
        shape = Shape(0.0, threshold**2, 1.0 / n)
        curves = problem.family.evaluate_lengths(q, np.exp(log_a), shape)
        scores = score_shapes(problem.target, curves, problem.has_background, rise)
        scored += [(float(s), replace(shape, log_a=float(a))) for s, a in zip(scores, log_a, strict=True)]
    scored.sort(key=lambda pair: pair[0])
    starts: list[Shape] = []
    for _, shape in scored:
        if all(abs(shape.log_a - other.log_a) > _APART or abs(shape.u - other.u) > 1.0 for other in starts):
            starts.append(shape)
        if len(starts) == _STARTS:
            break
    return starts


def descend(problem: Problem, shape: Shape, power: float) -> Minimum:
    """Return the minimum below ``shape``: least squares over the nonlinear parameters, the linear ones solved."""
    names, bounds = problem.names, {**problem.family.bounds, "power": P_FITTED, "log_a": (-np.inf, np.inf)}
    start = Minimum(shape, power, problem.solve(shape, power))
    low, high = (np.array([bounds[name][side] for name in names]) for side in (0, 1))
    scale = np.array([{"u": 0.3, "inverse_n": 0.02, "variance": 0.01, "power": 0.5}.get(name, 0.05) for name in names])
    x0 = np.clip([start.get(name) for name in names], low + 1e-3 * scale, high - 1e-3 * scale)

    def read(x: FloatArray) -> tuple[Shape, float]:
        given = dict(zip(names, map(float, x), strict=True))
        return replace(shape, **{n: v for n, v in given.items() if n != "power"}), given.get("power", power)

    def residual(x: FloatArray) -> FloatArray:
        return problem.solve(*read(x)).residual

    options: dict[str, Any] = {"bounds": (low, high), "x_scale": scale, "diff_step": 1e-5, "max_nfev": 60}
    end = least_squares(residual, x0, xtol=1e-7, ftol=1e-7, gtol=1e-9, **options)
    found = read(end.x)
    return Minimum(*found, problem.solve(*found))


def draw_without(problem: Problem) -> FloatArray:
    """Return the (Q,) best curve without the material: upturn and background alone."""
    target = problem.target
    flat = [np.ones(target.q_nm1.size)] if problem.has_background else []
    if not problem.has_upturn:
        return fit_columns(target, flat)
    curves = [fit_columns(target, [target.rise(power), *flat]) for power in np.arange(*P_FITTED, 0.1)]
    return min(curves, key=lambda curve: float(np.sum((target.intensity - curve) ** 2 / target.variance)))


def draw_parts(
    problem: Problem, minimum: Minimum, q: FloatArray, resolution: float | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the (Q,) curve at ``q``, its background and its upturn; NaN where ``q`` is no number above 0."""
    amplitudes, known = minimum.amplitudes, np.isfinite(q) & (q > 0)
    nodes, weights = place_nodes(q[known], resolution)
    rise = (weights * (nodes / problem.target.q_nm1[0]) ** -minimum.power).sum(axis=0)
    shape = (weights * problem.family.evaluate(nodes, minimum.shape)).sum(axis=0)
    parts = [np.full(q.shape, np.nan) for _ in range(3)]
    parts[1][known] = amplitudes.background
    parts[2][known] = amplitudes.upturn * rise
    parts[0][known] = amplitudes.scale * shape + parts[1][known] + parts[2][known]
    return parts[0], parts[1], parts[2]


def differentiate(problem: Problem, minimum: Minimum) -> tuple[tuple[str, ...], FloatArray]:
    """Return the names and the (P, Q) derivatives of the curve by every parameter that is not held by nothing.

    The linear parameters follow, as "scale", "background" and "amplitude". An upturn of 0 has no exponent.
    """
    names, rows = [], []
    has_upturn = minimum.amplitudes.upturn > 0
    bounds = problem.family.bounds
    for name in problem.names:
        if name == "power" and not has_upturn:
            continue
        here, step = minimum.get(name), _STEP[name]
        low, high = bounds.get(name, (-np.inf, np.inf))
        ends = max(here - step, low), min(here + step, high)
        curves = [_draw(problem, minimum, name, value) for value in ends]
        names.append(name)
        rows.append((curves[1] - curves[0]) / (ends[1] - ends[0]))
    columns = minimum.amplitudes.columns
    linear = ["scale", *(["background"] if problem.has_background else []), *(["amplitude"] if has_upturn else [])]
    return (*names, *linear), np.stack([*rows, *columns[: len(linear)]])


def _draw(problem: Problem, minimum: Minimum, name: str, value: float) -> FloatArray:
    """Return the curve with one nonlinear parameter at ``value`` and the amplitudes as they are."""
    shape = minimum.shape if name == "power" else replace(minimum.shape, **{name: value})
    power = value if name == "power" else minimum.power
    target, amplitudes = problem.target, minimum.amplitudes
    curve = amplitudes.scale * target.average(problem.family.evaluate(target.nodes, shape)) + amplitudes.background
    if amplitudes.upturn > 0:
        curve = curve + amplitudes.upturn * target.rise(power)
    return np.asarray(curve)

"""Many descents at once: damped Gauss-Newton steps over the nonlinear parameters, the linear ones solved at each.

The derivatives are those of the curve with its amplitudes as they are, without what these explain (Kaufman's form of
the variable projection); what that leaves out of the curvature matters for the upturn's exponent alone, where the
change of the gradient tells it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.fit.amplitudes import Separation, separate
from pyfai_grf.fit.family import Family
from pyfai_grf.fit.raster import project

#: of each parameter: what counts as a step, and the longest that is taken
_SCALE = {"log_a": 0.05, "u": 0.3, "inverse_n": 0.02, "variance": 0.01, "power": 0.5}
_LONGEST = {"log_a": 0.4, "u": 1.0, "inverse_n": 0.06, "variance": 0.04, "power": 1.0}
#: the damping at first and after a step that failed, the least, where it ends, and the part of a scale that is known
_DAMPING, _LEAST, _STUCK, _HELD = 1e-2, 1e-6, 1e8, 1e-8
#: standard deviations of chi-square within which a start has found the place; parts of the points by which others are
#: not worth while
_FITS, _ABOVE, _FAR_ABOVE = 2.0, 0.5, 100.0
#: fields of Shape that are parameters, by their place in a row
FIELDS = ("log_a", "u", "inverse_n", "variance", "power")


@dataclass(frozen=True, eq=False)
class Slope:
    """What is descended: points (Q,) that see ``log_q`` (M,) through ``matrix``, of curves with or without parts."""

    family: Family
    matrix: csr_array
    log_q: FloatArray
    q_first: float
    has_background: bool
    has_upturn: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The nonlinear parameters."""
        return (*self.family.names, *(("power",) if self.has_upturn else ()))

    def draw_upturns(self, powers: FloatArray) -> FloatArray:
        """Return (A, Q) upturns q^-p that are 1 at the first q, of the ``powers`` (A,)."""
        return project(self.matrix, np.exp(-powers[:, np.newaxis] * (self.log_q - np.log(self.q_first))))

    def draw(self, x: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Return (B, 1 + P, Q) shape and derivatives, (B, 2, Q) the upturn q^-power and its own, of ``x`` (B, 5)."""
        lines = self.family.draw(self.log_q[0], self.log_q.size, x[:, :4])
        if not self.has_upturn:
            return project(self.matrix, lines), None
        distance = self.log_q - np.log(self.q_first)
        rise = np.exp(-x[:, 4:] * distance)
        seen = project(self.matrix, np.concatenate([lines, np.stack([rise, -distance * rise], axis=1)], axis=1))
        return seen[:, :-2], seen[:, -2:]


@dataclass(eq=False)
class State:
    """Where B descents are: ``chi2`` (B,), half its falling ``gradient`` (B, P), and ``normal`` (B, P, P)."""

    chi2: FloatArray
    gradient: FloatArray
    normal: FloatArray

    def update(self, rows: NDArray[np.intp], other: State, chosen: BoolArray) -> None:
        """Put the ``chosen`` (A,) of the A rows of ``other`` into ``rows``."""
        self.chi2[rows] = other.chi2[chosen]
        self.gradient[rows] = other.gradient[chosen]
        self.normal[rows] = other.normal[chosen]


@dataclass(frozen=True, eq=False)
class _Range:
    """Of the P parameters: their places in a row, their bounds, what counts as a step and the longest taken (P,)."""

    free: list[int]
    low: FloatArray
    high: FloatArray
    scale: FloatArray
    longest: FloatArray


def _get_range(slope: Slope) -> _Range:
    low, high = np.array([slope.family.get_bound(name) for name in slope.names]).T
    scale, longest = (np.array([table[name] for name in slope.names]) for table in (_SCALE, _LONGEST))
    return _Range([FIELDS.index(name) for name in slope.names], low, high, scale, longest)


def descend_all(
    slope: Slope,
    intensity: FloatArray,
    root: FloatArray,
    x: FloatArray,
    steps: int,
    tolerance: float = 1e-6,
    owner: NDArray[np.intp] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return (B, 5) the minima below the starts ``x`` (B, 5), and their chi-square (B,).

    ``intensity`` (B, Q) with 1 / standard deviation ``root`` (B, Q); rows of FIELDS. It ends after ``steps``, or where
    a step is expected to gain less than ``tolerance``. Rows of one ``owner`` (B,) are starts of one search: when one
    has arrived, those that are far above it end, too.
    """
    span = _get_range(slope)
    x = x.copy()
    x[:, span.free] = np.clip(x[:, span.free], span.low, span.high)
    data = intensity * root
    here = measure(slope, x, root, data)
    damping, bend = np.full(len(x), _DAMPING), np.zeros(len(x))
    alive = np.arange(len(x))
    for _ in range(steps):
        inside, gradient, normal = x[alive][:, span.free], here.gradient[alive], here.normal[alive]
        if slope.has_upturn:
            normal[:, -1, -1] += bend[alive]
        move = _move(inside, gradient, normal, damping[alive], span)
        expected = (normal @ move[..., np.newaxis])[..., 0]
        gain = np.sum(move * (2 * gradient - expected), axis=1)
        wanted = ((gain > tolerance) | (damping[alive] > 1)) & (damping[alive] < _STUCK)
        if owner is not None:
            arrived = np.ones(len(x), dtype=bool)
            arrived[alive[wanted]] = False
            wanted &= ~find_hopeless(here.chi2, owner, arrived, intensity.shape[1])[alive]
        if not wanted.any():
            break
        alive, move, gain, expected = alive[wanted], move[wanted], gain[wanted], expected[wanted]
        trial = x[alive]
        trial[:, span.free] = inside[wanted] + move
        there = measure(slope, trial, root[alive], data[alive])
        if slope.has_upturn:
            bend[alive] += _find_bend(here.gradient[alive, -1], there.gradient[:, -1], expected[:, -1], move[:, -1])
            bend = np.maximum(bend, 0.0)
        won = here.chi2[alive] - there.chi2
        damping[alive] = _adapt(damping[alive], won, gain)
        better = won > 0
        x[alive[better]] = trial[better]
        here.update(alive[better], there, better)
    return x, here.chi2


def _find_bend(before: FloatArray, after: FloatArray, expected: FloatArray, move: FloatArray) -> FloatArray:
    """Return (B,) what the normal matrix lacks of the curvature by the upturn's exponent, by the gradients' change.

    Where the upturn is small, that matrix knows next to nothing of it.
    """
    known = (np.abs(move) > 1e-6) & (after != 0)
    return np.asarray(np.where(known, (before - after - expected) / np.where(known, move, 1.0), 0.0))


def _adapt(damping: FloatArray, won: FloatArray, gain: FloatArray) -> FloatArray:
    """Return the damping (B,) after steps that ``won`` so much of chi-square and had promised ``gain``."""
    ratio = won / np.maximum(gain, 1e-300)
    factor = np.where(ratio > 0.7, 0.1, np.where(ratio > 0.2, 0.5, np.where(won > 0, 3.0, 10.0)))
    return np.asarray(np.maximum(damping * factor, np.where(won > 0, _LEAST, _DAMPING)))


def find_hopeless(chi2: FloatArray, owner: NDArray[np.intp], arrived: BoolArray, points: int) -> BoolArray:
    """Return which rows (B,) are above one of the same ``owner`` (B,) that has ``arrived`` and fits its ``points``.

    Or far above one that nearly does.
    """
    deviation = np.sqrt(2 * points)
    there = _find_least(chi2, owner, arrived & (chi2 < points + _FITS * deviation))
    near = _find_least(chi2, owner, chi2 < points + 2 * _FITS * deviation)
    return np.asarray((chi2 > there + _ABOVE * points) | (chi2 > near + _FAR_ABOVE * points))


def _find_least(chi2: FloatArray, owner: NDArray[np.intp], chosen: BoolArray) -> FloatArray:
    """Return for each row (B,) the least of the ``chosen`` ones of its owner; infinite if there is none."""
    least = np.full(owner.max() + 1, np.inf)
    np.minimum.at(least, owner[chosen], chi2[chosen])
    return np.asarray(least[owner])


def measure(slope: Slope, x: FloatArray, root: FloatArray, data: FloatArray) -> State:
    """Return chi-square and its derivatives at ``x`` (B, 5), of ``data`` (B, Q) that are times ``root`` (B, Q)."""
    seen, rise = slope.draw(x)
    seen *= root[:, np.newaxis]
    if rise is not None:
        rise *= root[:, np.newaxis]
    found: Separation = separate(seen[:, 0], None if rise is None else rise[:, 0], slope.has_background, root, data)
    columns = seen[:, 1:] * found.scale[:, np.newaxis, np.newaxis]
    if rise is not None:
        columns = np.concatenate([columns, rise[:, 1:] * found.upturn[:, np.newaxis, np.newaxis]], axis=1)
    columns = found.reject(columns)
    return State(
        np.einsum("bq,bq->b", found.rest, found.rest),
        np.asarray((columns @ found.rest[..., np.newaxis])[..., 0]),
        np.asarray(columns @ columns.transpose(0, 2, 1)),
    )


def _move(
    inside: FloatArray, gradient: FloatArray, normal: FloatArray, damping: FloatArray, span: _Range
) -> FloatArray:
    """Return the damped steps (B, P) from ``inside`` (B, P), none too long and none beyond a bound.

    What would pass a bound ends there, and the others are solved for again: so a step always promises a gain.
    """
    size = np.einsum("bii->bi", normal)
    least = _HELD * np.max(size * span.scale**2, axis=1, keepdims=True) / span.scale**2 + 1e-30
    damped = normal + np.einsum("bi,ij->bij", damping[:, np.newaxis] * np.maximum(size, least), np.eye(len(span.free)))
    held = ((inside <= span.low) & (gradient < 0)) | ((inside >= span.high) & (gradient > 0))
    fixed = np.zeros_like(gradient)
    low, high = span.low - inside, span.high - inside
    for _ in span.free:
        move = _solve(gradient, damped, held, fixed)
        passed = ((move < low) | (move > high)) & ~held
        if not passed.any():
            break
        fixed = np.where(passed, np.clip(move, low, high), fixed)
        held = held | passed
    shrink = np.min(span.longest / np.maximum(np.abs(move), span.longest), axis=1, keepdims=True)
    return np.asarray(np.clip(move * shrink, low, high))


def _solve(gradient: FloatArray, damped: FloatArray, held: BoolArray, fixed: FloatArray) -> FloatArray:
    """Return the steps (B, P) of the ``damped`` (B, P, P) equations, those that are ``held`` as ``fixed``."""
    unit = np.eye(gradient.shape[1])
    free = np.where(held, 0.0, 1.0)
    rest = (gradient - (damped @ fixed[..., np.newaxis])[..., 0]) * free
    matrix = damped * free[:, :, np.newaxis] * free[:, np.newaxis] + np.einsum("bi,ij->bij", 1 - free, unit)
    norm = 1 / np.sqrt(np.maximum(np.einsum("bii->bi", matrix), 1e-300))
    scaled = matrix * norm[:, :, np.newaxis] * norm[:, np.newaxis] + 1e-13 * unit
    return np.asarray(np.linalg.solve(scaled, (rest * norm)[..., np.newaxis])[..., 0] * norm + fixed)

"""Many descents at once: damped Gauss-Newton steps over the nonlinear parameters, the linear ones solved at each.

The derivatives are those of the curve with its amplitudes as they are, without what these explain (Kaufman's form of
the variable projection): with few and cheap columns that takes as few steps as the full one.
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
    free = [FIELDS.index(name) for name in slope.names]
    scale = np.array([_SCALE[name] for name in slope.names])
    longest = np.array([_LONGEST[name] for name in slope.names])
    low, high = np.array([slope.family.get_bound(name) for name in slope.names]).T
    x = x.copy()
    x[:, free] = np.clip(x[:, free], low, high)
    data = intensity * root
    here = measure(slope, x, root, data)
    damping = np.full(len(x), _DAMPING)
    bend = np.zeros(len(x))
    alive = np.arange(len(x))
    for _ in range(steps):
        inside = x[alive][:, free]
        gradient, normal = here.gradient[alive], here.normal[alive]
        if slope.has_upturn:
            normal[:, -1, -1] += bend[alive]
        held = ((inside <= low) & (gradient < 0)) | ((inside >= high) & (gradient > 0))
        move = _move(gradient, normal, damping[alive], held, scale, longest, low - inside, high - inside)
        expected = (normal @ move[..., np.newaxis])[..., 0]
        gain = np.sum(move * (2 * gradient - expected), axis=1)
        wanted = ((gain > tolerance) | (damping[alive] > 1)) & (damping[alive] < _STUCK)
        if owner is not None:
            arrived = np.ones(len(x), dtype=bool)
            arrived[alive[wanted]] = False
            wanted &= ~find_hopeless(here.chi2, owner, arrived, intensity.shape[1])[alive]
        if not wanted.any():
            break
        alive, move, gain, inside, expected = (v[wanted] for v in (alive, move, gain, inside, expected))
        trial = x[alive]
        trial[:, free] = inside + move
        there = measure(slope, trial, root[alive], data[alive])
        if slope.has_upturn:  # where it is small the normal matrix knows little of its curvature: the gradients do
            known = (np.abs(move[:, -1]) > 1e-6) & (there.gradient[:, -1] != 0)
            excess = here.gradient[alive, -1] - there.gradient[:, -1] - expected[:, -1]
            excess = np.where(known, excess / np.where(known, move[:, -1], 1.0), 0.0)
            bend[alive] = np.maximum(bend[alive] + excess, 0.0)
        won = here.chi2[alive] - there.chi2
        better = won > 0
        x[alive[better]] = trial[better]
        here.update(alive[better], there, better)
        ratio = won / np.maximum(gain, 1e-300)
        damping[alive] *= np.where(ratio > 0.7, 0.1, np.where(ratio > 0.2, 0.5, np.where(better, 3.0, 10.0)))
        damping[alive] = np.maximum(damping[alive], np.where(better, _LEAST, _DAMPING))
    return x, here.chi2


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
    gradient: FloatArray,
    normal: FloatArray,
    damping: FloatArray,
    held: BoolArray,
    scale: FloatArray,
    longest: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> FloatArray:
    """Return the damped steps (B, P), no ``longest`` and none beyond a bound; those that are ``held`` are 0.

    What would pass a bound ends there, and the others are solved for again: so a step always promises a gain.
    """
    fixed = np.zeros_like(gradient)
    for _ in scale:
        move = _solve(gradient, normal, damping, held, fixed, scale)
        passed = ((move < low) | (move > high)) & ~held
        if not passed.any():
            break
        fixed = np.where(passed, np.clip(move, low, high), fixed)
        held = held | passed
    shrink = np.min(longest / np.maximum(np.abs(move), longest), axis=1, keepdims=True)
    return np.asarray(np.clip(move * shrink, low, high))


def _solve(
    gradient: FloatArray,
    normal: FloatArray,
    damping: FloatArray,
    held: BoolArray,
    fixed: FloatArray,
    scale: FloatArray,
) -> FloatArray:
    """Return the damped steps (B, P), those that are ``held`` as ``fixed``."""
    size = np.einsum("bii->bi", normal)
    least = _HELD * np.max(size * scale**2, axis=1, keepdims=True) / scale**2 + 1e-30
    damped = normal + np.einsum("bi,ij->bij", damping[:, np.newaxis] * np.maximum(size, least), np.eye(scale.size))
    rest = gradient - (damped @ fixed[..., np.newaxis])[..., 0]
    free = np.where(held, 0.0, 1.0)
    matrix = damped * free[:, :, np.newaxis] * free[:, np.newaxis] + np.einsum(
        "bi,ij->bij", 1 - free, np.eye(scale.size)
    )
    norm = 1 / np.sqrt(np.maximum(np.einsum("bii->bi", matrix), 1e-300))
    scaled = matrix * norm[:, :, np.newaxis] * norm[:, np.newaxis] + 1e-13 * np.eye(scale.size)
    return np.asarray(np.linalg.solve(scaled, (rest * free * norm)[..., np.newaxis])[..., 0] * norm + fixed)

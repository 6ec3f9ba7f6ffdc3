"""The linear part: scale, flat background and upturn of a given shape, solved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.target import Target


@dataclass(frozen=True)
class Amplitudes:
    """``scale`` above 0 of the expected curve, a ``background`` of either sign, an ``upturn`` of 0 or more.

    ``columns`` (C, Q) are the curves of those that are not 0; ``residual`` (Q,) is in standard deviations.
    """

    scale: float
    background: float
    upturn: float
    columns: FloatArray
    curve: FloatArray
    residual: FloatArray

    @property
    def chi2(self) -> float:
        """The sum of the squared residuals."""
        return float(self.residual @ self.residual)


def solve_amplitudes(
    target: Target, shape: FloatArray, has_background: bool, upturn: FloatArray | None = None
) -> Amplitudes:
    """Return the best amplitudes of ``shape`` (Q,), a flat background, and ``upturn`` (Q,), if there is any."""
    flat = [np.ones_like(shape)] if has_background else []
    found = _solve(target, [shape, *flat], has_background)
    if upturn is not None:
        steep = _solve(target, [shape, *flat, upturn], has_background)
        if steep.upturn > 0 and steep.scale > 0:
            return steep
    return found


def _solve(target: Target, parts: list[FloatArray], has_background: bool) -> Amplitudes:
    columns = np.stack(parts)
    root = 1.0 / np.sqrt(target.variance)
    design, data = columns * root, target.intensity * root
    size = np.sqrt(np.einsum("cq,cq->c", design, design))
    design = design / size[:, np.newaxis]
    gram, moment = design @ design.T, design @ data
    solved = np.linalg.solve(gram + 1e-13 * np.eye(len(gram)), moment) / size
    if solved[0] <= 0:  # an expected curve is positive: without any, what is left is the rest alone
        solved = np.zeros_like(solved)
        if has_background:
            solved[1] = np.average(target.intensity, weights=1.0 / target.variance)
    curve = solved @ columns
    background = float(solved[1]) if has_background else 0.0
    upturn = float(solved[-1]) if len(parts) > 1 + has_background else 0.0
    return Amplitudes(float(solved[0]), background, upturn, columns, curve, (target.intensity - curve) * root)


@dataclass(frozen=True, eq=False)
class Separation:
    """The linear part of B problems, solved: what is left of the data, (B, Q), and the amplitudes, (B,) each.

    All in standard deviations. ``basis`` are up to three orthonormal (B, Q) columns, 0 where one plays no part.
    """

    rest: FloatArray
    scale: FloatArray
    upturn: FloatArray
    basis: tuple[FloatArray, ...]

    def reject(self, columns: FloatArray) -> FloatArray:
        """Return ``columns`` (B, P, Q) without what the amplitudes could explain of them."""
        for unit in self.basis:
            columns = columns - (columns @ unit[..., np.newaxis]) * unit[:, np.newaxis]
        return columns


def separate(
    shape: FloatArray, rise: FloatArray | None, has_background: bool, root: FloatArray, data: FloatArray
) -> Separation:
    """Return what ``shape`` and an upturn ``rise``, a flat background if there is one, leave of ``data``.

    All (B, Q) and times ``root``, which a background of 1 is. An upturn below 0 is none, nor is a scale.
    """
    basis: list[FloatArray] = []
    if has_background:
        basis.append(root / np.sqrt(_dot(root, root))[:, np.newaxis])
    rest = _remove(data, basis)
    first, size, _ = _orthogonalise(shape, basis)
    along = _dot(first, rest)
    scale = np.maximum(along / size, 0.0)
    upturn = np.zeros_like(scale)
    if rise is not None:
        second, rise_size, overlap = _orthogonalise(rise, [*basis, first])
        steep = _dot(second, rest) / rise_size
        steep_scale = (along - steep * overlap) / size
        has_rise = (steep > 0) & (steep_scale > 0)
        upturn, scale = np.where(has_rise, steep, 0.0), np.where(has_rise, steep_scale, scale)
        second *= has_rise[:, np.newaxis]
    first *= (scale > 0)[:, np.newaxis]
    basis.append(first)
    rest = _remove(rest, [first])
    if rise is not None:
        basis.append(second)
        rest = _remove(rest, [second])
    return Separation(rest, scale, upturn, tuple(basis))


def _dot(left: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("bq,bq->b", left, right))


def _remove(values: FloatArray, basis: list[FloatArray]) -> FloatArray:
    for unit in basis:
        values = values - _dot(values, unit)[:, np.newaxis] * unit
    return values


def _orthogonalise(column: FloatArray, basis: list[FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the unit vector (B, Q) of ``column`` beside ``basis``, its length, its product with the last of them."""
    norm = np.sqrt(_dot(column, column))[:, np.newaxis]
    once = _remove(column / norm, basis)
    rest = _remove(once, basis)  # twice is enough
    size = np.maximum(np.sqrt(_dot(rest, rest)), 1e-12)
    overlap = _dot(column, basis[-1]) if basis else np.zeros(len(column))
    return rest / size[:, np.newaxis], size * norm[:, 0], overlap


def score_shapes(
    shapes: FloatArray, rise: FloatArray | None, has_background: bool, root: FloatArray, intensity: FloatArray
) -> FloatArray:
    """Return chi-square (A,) of ``shapes`` (A, Q) as :func:`separate` does, by sums of products alone.

    Faster than that, less exact, infinite where the scale is not above 0. ``root`` (Q,) is 1 / standard deviation of
    ``intensity`` (Q,).
    """
    others: list[FloatArray] = []
    for column in ([root] if has_background else []) + ([] if rise is None else [rise * root]):
        rest = _remove(column[np.newaxis], [other[np.newaxis] for other in others])[0]
        others.append(rest / np.sqrt(rest @ rest))
    data = intensity * root
    known = np.stack([data, *others], axis=1)
    products = shapes @ (known * root[:, np.newaxis])
    norm = np.square(shapes) @ np.square(root)
    along = np.stack([other @ data for other in others]) if others else np.zeros(0)

    def score(count: int) -> tuple[FloatArray, FloatArray]:
        inner = products[:, 1 : 1 + count]
        left = products[:, 0] - inner @ along[:count]
        size = np.maximum(norm - np.sum(inner**2, axis=1), 1e-10 * norm)
        chi2 = data @ data - along[:count] @ along[:count] - left**2 / size
        return np.where(left > 0, chi2, np.inf), left / size

    flat = int(has_background)
    plain, _ = score(flat)
    if rise is None:
        return np.asarray(plain)
    steep, scale = score(flat + 1)
    return np.where(along[-1] - scale * products[:, -1] > 0, np.minimum(steep, plain), plain)

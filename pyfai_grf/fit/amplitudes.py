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


def fit_columns(target: Target, columns: list[FloatArray]) -> FloatArray:
    """Return the (Q,) sum of ``columns`` that fits best; 0 where there are none."""
    if not columns:
        return np.zeros(target.q_nm1.size)
    root = 1.0 / np.sqrt(target.variance)
    design = np.stack(columns, axis=1)
    solved = np.linalg.lstsq(design * root[:, np.newaxis], target.intensity * root, rcond=None)[0]
    return np.asarray(design @ solved)


def score_shapes(
    target: Target, shapes: FloatArray, has_background: bool, upturn: FloatArray | None = None
) -> FloatArray:
    """Return the sum of squared residuals (A,) of each of many ``shapes`` (A, Q) with its best amplitudes."""
    flat = [np.ones(shapes.shape[1])] if has_background else []
    plain, _ = _score(target, shapes, flat)
    if upturn is None:
        return plain
    steep, amount = _score(target, shapes, [*flat, upturn])
    return np.where(amount > 0, np.minimum(steep, plain), plain)


def _score(target: Target, shapes: FloatArray, others: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return (A,) the sums of squared residuals, infinite where the scale is not above 0, and the last amplitudes."""
    root = 1.0 / np.sqrt(target.variance)
    data = target.intensity * root
    design = np.stack([shapes, *(np.broadcast_to(other, shapes.shape) for other in others)], axis=1) * root
    design /= np.sqrt(np.einsum("acq,acq->ac", design, design))[:, :, np.newaxis]
    gram, moment = design @ design.transpose(0, 2, 1), design @ data
    solved = np.linalg.solve(gram + 1e-9 * np.eye(gram.shape[1]), moment[..., np.newaxis])[..., 0]
    rest = data - np.einsum("ac,acq->aq", solved, design)
    chi2 = np.where(solved[:, 0] > 0, np.einsum("aq,aq->a", rest, rest), np.inf)
    return np.asarray(chi2), np.asarray(solved[:, -1])

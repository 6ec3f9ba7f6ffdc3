"""Where else a descent might have ended: an upturn has more minima over its exponent than one."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.fit.amplitudes import separate
from pyfai_grf.fit.descent import Slope

#: chi-square that another exponent must promise to gain
_WORTH = 0.05


def choose_power(
    slope: Slope, x: FloatArray, intensity: FloatArray, root: FloatArray, powers: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Return ``x`` (B, 5) with the exponent of an upturn that promises the least chi-square, and where it changed (B,).

    An upturn of 0 does not tell in which direction its exponent is to go, and one of few points has more minima than
    one: many ``powers`` (A,) do, each with the shape that it would make best, to first order.
    """
    data = intensity * root
    seen, rise = slope.draw(x)
    assert rise is not None
    seen *= root[:, np.newaxis]
    rises = slope.draw_upturns(powers)
    here = separate(seen[:, 0], rise[:, 0] * root, slope.has_background, root, data)
    found = separate(seen[:, 0], None, slope.has_background, root, data)
    columns = found.reject(
        np.concatenate([seen[:, 1:], (rises * root[:, np.newaxis]), found.rest[:, np.newaxis]], axis=1)
    )
    shapes, rest = columns[:, : seen.shape[1] - 1], columns[:, seen.shape[1] - 1 :]
    norm = np.sqrt(np.einsum("bpq,bpq->bp", shapes, shapes)) + 1e-300
    shapes = shapes / norm[..., np.newaxis]
    gram = shapes @ shapes.transpose(0, 2, 1) + 1e-10 * np.eye(shapes.shape[1])
    rest = rest - (np.linalg.solve(gram, shapes @ rest.transpose(0, 2, 1))).transpose(0, 2, 1) @ shapes
    along = (rest[:, :-1] @ rest[:, -1:].transpose(0, 2, 1))[..., 0]
    size = np.einsum("bpq,bpq->bp", rest[:, :-1], rest[:, :-1])
    gain = np.where(along > 0, along**2 / np.maximum(size, 1e-300), 0.0)
    best = np.argmax(gain, axis=1)
    left = np.einsum("bq,bq->b", rest[:, -1], rest[:, -1]) - gain[np.arange(len(x)), best]
    changed = left < np.einsum("bq,bq->b", here.rest, here.rest) - _WORTH
    x = x.copy()
    x[:, 4] = np.where(changed, powers[best], x[:, 4])
    return x, changed

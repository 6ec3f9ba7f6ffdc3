"""The array operations that the simulator is made of, for any backend; compiled on the CPU where numba is there.

The operations here are plain NumPy/CuPy and hand over to their compiled twins, of the same names, on the CPU where
numba is installed. Both are tested against each other.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any

from pyfai_grf.core.backend import Backend

#: planes of the first axis handled at once where temporaries would otherwise be as large as the box
_PLANES = 32


@lru_cache(maxsize=1)
def _import_compiled() -> ModuleType | None:
    try:
        from pyfai_grf.simulation import compiled
    except ImportError:
        return None
    return compiled


def _get_twin(backend: Backend) -> Any:
    return _import_compiled() if backend.use_compiled else None


def collect_between(backend: Backend, values: Any, low: float, high: float) -> tuple[int, Any]:
    """Return the number of ``values`` (flat) below ``low`` and the indices of those in [low, high]."""
    if twin := _get_twin(backend):
        return twin.collect_between(values, low, high)
    xp = backend.xp
    below = int(xp.count_nonzero(values < low))
    return below, xp.flatnonzero((values >= low) & (values <= high))


def count_thresholds(backend: Backend, values: Any, thresholds: Any) -> Any:
    """Return how many of the one or two ``thresholds`` each of ``values`` (flat) reaches, as uint8."""
    if twin := _get_twin(backend):
        return twin.count_thresholds(values, thresholds)
    labels = (values >= thresholds[0]).view(backend.xp.uint8)
    if thresholds.size > 1:
        labels += values >= thresholds[-1]
    return labels


def smooth_periodic(backend: Backend, binary: Any, taps: Any) -> Any:
    """Return the separable periodic convolution of ``binary`` (N, N, N) with symmetric ``taps`` (R + 1,)."""
    if twin := _get_twin(backend):
        return twin.smooth_periodic(binary, taps)
    kernel = backend.xp.concatenate((taps[:0:-1], taps))
    field = binary.astype(taps.dtype)
    for axis in range(3):
        field = backend.ndimage.correlate1d(field, kernel, axis=axis, mode="wrap")
    return field


def measure_distance(backend: Backend, solid: Any, reach: int) -> Any:
    """Return the squared distance (voxels) to the nearest ``solid`` voxel, periodic, capped at ``reach`` squared."""
    if twin := _get_twin(backend):
        return twin.measure_distance(solid, reach)
    xp = backend.xp
    far = xp.float32(reach**2)
    field = xp.where(solid, xp.float32(0), far)
    for axis in range(3):
        lowest = field.copy()
        for offset in range(1, reach + 1):
            for shifted in (xp.roll(field, offset, axis), xp.roll(field, -offset, axis)):
                xp.minimum(lowest, shifted + xp.float32(offset**2), out=lowest)
        field = lowest
    return field


def sum_shells(backend: Backend, layer: Any, solid: Any, square0: Any, square1: Any, size: int) -> Any:
    """Return sums over equal n^2 of |layer|^2, Re(layer conj(solid)) and |solid|^2, as (3, size)."""
    if twin := _get_twin(backend):
        return twin.sum_shells(layer, solid, square0, square1, size)
    xp = backend.xp
    square2 = xp.arange(solid.shape[2]) ** 2
    twice = xp.where(square2 == 0, 1.0, 2.0)
    sums = xp.zeros((3, size))
    for start in range(0, solid.shape[0], _PLANES):
        part = slice(start, start + _PLANES)
        n2 = square0[part, None, None] + square1[:, None] + square2
        inside = n2 < size
        bins = n2[inside]
        v, s = layer[part], solid[part]
        for row, product in enumerate((v * v.conj(), v * s.conj(), s * s.conj())):
            sums[row] += xp.bincount(bins, weights=(product.real * twice)[inside], minlength=size)
    return sums


def count_boundaries(backend: Backend, labels: Any) -> Any:
    """Return the periodic face counts (3 axes, 3 pairs): pore|layer, pore|solid, layer|solid."""
    if twin := _get_twin(backend):
        return twin.count_boundaries(labels)
    xp = backend.xp
    counts = xp.zeros((3, 3), dtype=xp.int64)
    for axis in range(3):
        pairs = labels ^ xp.roll(labels, -1, axis)
        for pair in (1, 2, 3):
            counts[axis, pair - 1] = xp.count_nonzero(pairs == pair)
    return counts

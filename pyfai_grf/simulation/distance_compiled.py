"""Compiled loops of the distance transforms in ``distance``, for the CPU, where numba is installed.

Whole rows are lowered at once (the processor takes 16 voxels per step), nearest rows first, and rows that can no longer
lower anything are skipped. A voxel's key is its squared distance, with the position of the nearest source along the
axis in the low bits, so that the minimum carries both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.kernels import PLANES, VALUES

_compile = njit(cache=True, nogil=True, error_model="numpy")


def can_measure(shape: tuple[int, ...], reach: int) -> bool:
    """Return whether the keys of such a box fit into 31 bits."""
    return min(reach**2, sum(n * n for n in shape)) << _count_bits(shape) < 2**29


def measure_distance(backend: Backend, solid: Any, reach: int) -> Any:
    """Return the squared distance (voxels) to the nearest ``solid`` voxel, periodic, capped at ``reach`` squared."""
    return _sweep(backend, solid, reach, False)[0]


def find_nearest(backend: Backend, solid: Any, reach: int) -> tuple[Any, Any]:
    """Return the squared distance and the flat index of the nearest solid voxel, int32."""
    squared, (first, second, third) = _sweep(backend, solid, reach, True)
    flat = np.empty(solid.shape, np.int32)
    backend.map_slices(lambda part: _follow(first, second, third, part.start, part.stop, flat), solid.shape[0], PLANES)
    return squared, flat


def _count_bits(shape: tuple[int, ...]) -> int:
    return int(max(shape) - 1).bit_length()


def _sweep(backend: Backend, solid: Any, reach: int, has_index: bool) -> tuple[Any, Any]:
    bits = np.int32(_count_bits(solid.shape))
    far = np.int32(min(reach**2, sum(n * n for n in solid.shape)))
    squared = np.empty(solid.shape, np.int32)
    sources = [np.empty(solid.shape if has_index else (0, 0, 0), np.int16) for _ in range(3)]

    def sweep_planes(part: slice) -> None:
        _sweep_planes(solid[part], far, bits, squared[part], *(source[part] for source in sources[1:]))

    def sweep_first_axis(part: slice) -> None:
        _sweep_first_axis(far, bits, squared, sources[0], part.start, part.stop)

    backend.map_slices(sweep_planes, solid.shape[0], PLANES)
    backend.map_slices(sweep_first_axis, solid.shape[1], PLANES)
    result = squared.view(np.float32)
    flat, cap = squared.reshape(-1), np.float32(reach**2)
    backend.map_slices(lambda part: _convert(flat[part], cap, far, result.reshape(-1)[part]), flat.size, VALUES)
    return result, sources


@_compile
def _convert(squared, cap, far, result):  # type: ignore[no-untyped-def]
    for i in range(squared.size):
        result[i] = cap if squared[i] >= far else np.float32(squared[i])


@_compile
def _scan_row(row, far, squared, source):  # type: ignore[no-untyped-def]
    """Fill the squared distance along one periodic row, and the nearest solid position (0: none)."""
    n = row.size
    behind = -1
    ahead = -1
    for k in range(n):
        if row[k]:
            ahead = k + n if ahead < 0 else ahead
            behind = k - n
    if ahead < 0:
        squared[:] = far
        source[:] = 0
        return
    for k in range(n):
        if row[k]:
            behind = k
        source[k] = behind
    for k in range(n - 1, -1, -1):
        if row[k]:
            ahead = k
        before = k - source[k]
        after = ahead - k
        step = min(before, after)
        near = source[k] if before <= after else ahead
        near = near + n if near < 0 else near
        near = near - n if near >= n else near
        squared[k] = min(step * step, far)
        source[k] = near


@_compile
def _lower_rows(rows, minima, j, far, bits, target):  # type: ignore[no-untyped-def]
    """Lower ``target`` to the envelope at row ``j`` of ``rows``, keys of squared distances; nearest rows first."""
    n, width = rows.shape
    target[:] = rows[j]
    highest = target.max() >> bits
    for r in range(1, n // 2 + 1):
        square = r * r
        if square >= highest:
            break
        lift = np.int32(square << bits)
        for side in range(2):
            at = j - r if side == 0 else j + r
            at = at + n if at < 0 else at
            at = at - n if at >= n else at
            if minima[at] + square < highest:
                other = rows[at]
                for k in range(width):
                    candidate = other[k] + lift
                    target[k] = candidate if candidate < target[k] else target[k]
        if r & 3 == 0:
            highest = target.max() >> bits


@_compile
def _lower_slab(slab, far, bits, squared, source):  # type: ignore[no-untyped-def]
    """Turn the squared distances ``slab`` (n, width) into their envelope along the first axis."""
    n, width = slab.shape
    minima = np.empty(n, np.int32)
    keys = np.empty(width, np.int32)
    low = np.int32((1 << bits) - 1)
    for j in range(n):
        minima[j] = slab[j].min()
        for k in range(width):
            slab[j, k] = (slab[j, k] << bits) | j
    for j in range(n):
        _lower_rows(slab, minima, j, far, bits, keys)
        for k in range(width):
            squared[j, k] = min(keys[k] >> bits, far)
        if source.size:
            for k in range(width):
                source[j, k] = np.int16(keys[k] & low)


@_compile
def _sweep_planes(solid, far, bits, squared, source1, source2):  # type: ignore[no-untyped-def]
    n0, n1, n2 = solid.shape
    for i in range(n0):
        plane = np.empty((n1, n2), np.int32)
        near = np.empty(n2, np.int16)
        for j in range(n1):
            _scan_row(solid[i, j], far, plane[j], near)
            if source2.size:
                source2[i, j] = near
        _lower_slab(plane, far, bits, squared[i], source1[i] if source1.size else np.empty((0, 0), np.int16))


@_compile
def _sweep_first_axis(far, bits, squared, source0, start, stop):  # type: ignore[no-untyped-def]
    n0, _, n2 = squared.shape
    for j in range(start, stop):
        slab = np.empty((n0, n2), np.int32)
        slab[:] = squared[:, j]
        _lower_slab(slab, far, bits, squared[:, j], source0[:, j] if source0.size else np.empty((0, 0), np.int16))


@_compile
def _follow(source0, source1, source2, start, stop, flat):  # type: ignore[no-untyped-def]
    """Set ``flat``, between two planes, to the flat index that the three axes' sources lead to."""
    _, n1, n2 = source0.shape
    for i in range(start, stop):
        for j in range(n1):
            for k in range(n2):
                a = source0[i, j, k]
                b = source1[a, j, k]
                flat[i, j, k] = (np.int32(a) * n1 + b) * n2 + source2[a, b, k]

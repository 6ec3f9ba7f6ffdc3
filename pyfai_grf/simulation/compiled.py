"""Compiled twins of the array operations in ``kernels``, for the CPU, where numba is installed.

Each function does what the function of the same name in ``kernels`` does, in parallel and in one or two passes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange

_compile = njit(parallel=True, cache=True, nogil=True, error_model="numpy")


def collect_between(values: Any, low: float, high: float) -> tuple[int, Any]:
    """Return the number of ``values`` (flat) below ``low`` and the indices of those in [low, high]."""
    edges = np.linspace(0, values.size, 16 * get_num_threads() + 1).astype(np.int64)
    kind = values.dtype.type
    below, inside = _count_between(values, kind(low), kind(high), edges)
    starts = np.concatenate(([0], np.cumsum(inside)))
    return int(below.sum()), _fill_between(values, kind(low), kind(high), edges, starts)


@_compile
def _count_between(values, low, high, edges):  # type: ignore[no-untyped-def]
    chunks = edges.size - 1
    below = np.zeros(chunks, np.int64)
    inside = np.zeros(chunks, np.int64)
    for c in prange(chunks):
        n_below = 0
        n_inside = 0
        for i in range(edges[c], edges[c + 1]):
            n_below += values[i] < low
            n_inside += (values[i] >= low) & (values[i] <= high)
        below[c] = n_below
        inside[c] = n_inside
    return below, inside


@_compile
def _fill_between(values, low, high, edges, starts):  # type: ignore[no-untyped-def]
    chunks = edges.size - 1
    found = np.empty(starts[chunks], np.int64)
    for c in prange(chunks):
        n = starts[c]
        for i in range(edges[c], edges[c + 1]):
            if (values[i] >= low) & (values[i] <= high):
                found[n] = i
                n += 1
    return found


@_compile
def count_thresholds(values, thresholds):  # type: ignore[no-untyped-def]
    """Return how many of the one or two ``thresholds`` each of ``values`` (flat) reaches, as uint8."""
    labels = np.empty(values.size, np.uint8)
    first = thresholds[0]
    last = thresholds[-1]
    several = thresholds.size > 1
    for i in prange(values.size):
        labels[i] = np.uint8(values[i] >= first) + np.uint8(several & (values[i] >= last))
    return labels


def smooth_periodic(binary: Any, taps: Any) -> Any:
    """Return the separable periodic convolution of ``binary`` (N, N, N) with symmetric ``taps`` (R + 1,)."""
    out = np.empty(binary.shape, taps.dtype)
    _smooth_planes(binary, taps, out)
    _smooth_first_axis(out, taps)
    return out


@_compile
def _smooth_planes(binary, taps, out):  # type: ignore[no-untyped-def]
    n0, n1, n2 = binary.shape
    reach = taps.size - 1
    for i in prange(n0):
        row = np.empty(n2 + 2 * reach, taps.dtype)
        plane = np.empty((n1, n2), taps.dtype)
        for j in range(n1):
            for k in range(n2):
                row[reach + k] = binary[i, j, k]
            _wrap_row(row, reach, n2)
            _add_shifts(row, taps, plane[j])
        for j in range(n1):
            _add_rows(plane, taps, j, out[i, j])


@njit(cache=True, nogil=True)
def _wrap_row(row, reach, width):  # type: ignore[no-untyped-def]
    for k in range(reach - 1, -1, -1):
        row[k] = row[k + width]
    for k in range(width + reach, width + 2 * reach):
        row[k] = row[k - width]


@_compile
def _smooth_first_axis(field, taps):  # type: ignore[no-untyped-def]
    n0, n1, n2 = field.shape
    for j in prange(n1):
        slab = np.empty((n0, n2), taps.dtype)
        for i in range(n0):
            slab[i] = field[i, j]
        for i in range(n0):
            _add_rows(slab, taps, i, field[i, j])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_shifts(row, taps, target):  # type: ignore[no-untyped-def]
    # slices, so that no index can be negative: numba's check for that would stop the loop from vectorising
    reach = taps.size - 1
    here = row[reach:]
    for k in range(target.size):
        target[k] = taps[0] * here[k]
    for r in range(1, reach + 1):
        tap = taps[r]
        before = row[reach - r :]
        after = row[reach + r :]
        for k in range(target.size):
            target[k] += tap * (before[k] + after[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_rows(rows, taps, j, target):  # type: ignore[no-untyped-def]
    n, width = rows.shape
    here = rows[j]
    for k in range(width):
        target[k] = taps[0] * here[k]
    for r in range(1, taps.size):
        tap = taps[r]
        before = rows[(j - r) % n]
        after = rows[(j + r) % n]
        for k in range(width):
            target[k] += tap * (before[k] + after[k])


@_compile
def measure_distance(solid, reach):  # type: ignore[no-untyped-def]
    """Return the squared distance (voxels) to the nearest ``solid`` voxel, periodic, capped at ``reach`` squared."""
    n0, n1, n2 = solid.shape
    far = np.float32(reach * reach)
    out = np.empty(solid.shape, np.float32)
    for i in prange(n0):
        plane = np.full((n1, n2), far, np.float32)
        row = np.empty(n2 + 2 * reach, np.float32)
        for j in range(n1):
            for k in range(n2):
                row[reach + k] = 0 if solid[i, j, k] else far
            _wrap_row(row, reach, n2)
            _lower_row(row, reach, plane[j])
        for j in range(n1):
            _lower_rows(plane, reach, j, far, out[i, j])
    for j in prange(n1):
        slab = np.empty((n0, n2), np.float32)
        for i in range(n0):
            slab[i] = out[i, j]
        for i in range(n0):
            _lower_rows(slab, reach, i, far, out[i, j])
    return out


@njit(cache=True, nogil=True)
def _lower_row(row, reach, target):  # type: ignore[no-untyped-def]
    for r in range(-reach, reach + 1):
        square = np.float32(r * r)
        other = row[reach + r :]
        for k in range(target.size):
            candidate = other[k] + square
            target[k] = candidate if candidate < target[k] else target[k]


@njit(cache=True, nogil=True)
def _lower_rows(rows, reach, j, far, target):  # type: ignore[no-untyped-def]
    n = rows.shape[0]
    target[:] = far
    for r in range(-reach, reach + 1):
        square = np.float32(r * r)
        other = rows[(j + r) % n]
        for k in range(target.size):
            candidate = other[k] + square
            target[k] = candidate if candidate < target[k] else target[k]


def sum_shells(layer: Any, solid: Any, square0: Any, square1: Any, size: int) -> Any:
    """Return sums over equal n^2 of |layer|^2, Re(layer conj(solid)) and |solid|^2, as (3, size)."""
    return _sum_shells(layer, solid, square0, square1, size, 4 * get_num_threads()).sum(axis=0)


@_compile
def _sum_shells(layer, solid, square0, square1, size, chunks):  # type: ignore[no-untyped-def]
    sums = np.zeros((chunks, 3, size))
    n0, n1, n2 = solid.shape
    for c in prange(chunks):
        ll, ls, ss = sums[c]
        for i in range(c, n0, chunks):
            for j in range(n1):
                base = square0[i] + square1[j]
                for k in range(n2):
                    n = base + k * k
                    if n >= size:
                        break
                    twice = 1.0 if k == 0 else 2.0
                    s = solid[i, j, k]
                    v = layer[i, j, k]
                    ll[n] += twice * (v.real * v.real + v.imag * v.imag)
                    ls[n] += twice * (v.real * s.real + v.imag * s.imag)
                    ss[n] += twice * (s.real * s.real + s.imag * s.imag)
    return sums


@_compile
def count_boundaries(labels):  # type: ignore[no-untyped-def]
    """Return the periodic face counts (3 axes, 3 pairs): pore|layer, pore|solid, layer|solid."""
    n0, n1, _ = labels.shape
    counts = np.zeros((n0, 3, 4), np.int64)
    for i in prange(n0):
        for j in range(n1):
            here = labels[i, j]
            _count_pairs(here, labels[(i + 1) % n0, j], counts[i, 0])
            _count_pairs(here, labels[i, (j + 1) % n1], counts[i, 1])
            _count_pairs(here[:-1], here[1:], counts[i, 2])
            counts[i, 2, here[-1] ^ here[0]] += 1
    return counts.sum(axis=0)[:, 1:]


@njit(cache=True, nogil=True)
def _count_pairs(one, other, counts):  # type: ignore[no-untyped-def]
    first = 0
    second = 0
    third = 0
    for k in range(one.size):
        pair = one[k] ^ other[k]
        first += pair == 1
        second += pair == 2
        third += pair == 3
    counts[1] += first
    counts[2] += second
    counts[3] += third

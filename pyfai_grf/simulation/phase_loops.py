"""Compiled twins of the array operations in ``kernels``, for the CPU, where numba is installed.

Each function does to a slice of the box what the function of the same name in ``kernels`` does, in one or two passes.
None runs in parallel by itself: all release the interpreter lock, and ``Backend.map_slices`` keeps the cores busy.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pyfai_grf.simulation.white_noise import INCREMENTS, MULTIPLIERS, ROUNDS, SELF_CONJUGATE

_compile = njit(cache=True, nogil=True, error_model="numpy")
#: only sums of floats may be reordered, which lets them run in vectors; the counts of a block are exact in float32
_compile_counts = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})
_BLOCK = 64


@_compile
def draw_modes(key, numbers0, numbers1, squares, shape, amplitudes, modes):  # type: ignore[no-untyped-def]
    """Set ``modes`` (I, J, K) to the white noise of their wave numbers times the amplitudes of their n^2."""
    half = modes.shape[2]
    words = np.empty((4, (half + 1) // 2), np.uint32)
    turn = np.float32(2 * np.pi)
    for i in range(modes.shape[0]):
        for j in range(modes.shape[1]):
            base = numbers0[i] * numbers0[i] + numbers1[j] * numbers1[j]
            reached = np.searchsorted(squares, amplitudes.size - base)  # modes of this line that have an amplitude
            _encrypt_row(np.uint32(numbers1[j]), np.uint32(numbers0[i]), key, words[:, : (reached + 1) // 2])
            line = modes[i, j]
            for k in range(reached):
                first = words[2 * (k & 1), k >> 1]
                second = words[2 * (k & 1) + 1, k >> 1]
                uniform = np.float32((first + 0.5) * 2.0**-32)
                angle = turn * np.float32((second + 0.5) * 2.0**-32)
                radius = amplitudes[base + squares[k]] * np.sqrt(np.float32(-2) * np.log(uniform))
                line[k] = radius * np.cos(angle) + 1j * (radius * np.sin(angle))
            line[reached:] = 0
            line[0] *= SELF_CONJUGATE
            if 2 * (half - 1) == shape:
                line[half - 1] *= SELF_CONJUGATE


@_compile
def _encrypt_row(second, third, key, words):  # type: ignore[no-untyped-def]
    """Set ``words`` (4, K) to Philox4x32-10 of the counters (0 .. K - 1, second, third, 0)."""
    for k in range(words.shape[1]):
        c0, c1, c2, c3 = np.uint32(k), second, third, np.uint32(0)
        k0, k1 = key[0], key[1]
        for _ in range(ROUNDS):
            p0 = np.uint64(c0) * np.uint64(MULTIPLIERS[0])
            p1 = np.uint64(c2) * np.uint64(MULTIPLIERS[1])
            c0 = np.uint32(p1 >> np.uint64(32)) ^ c1 ^ k0
            c1 = np.uint32(p1)
            c2 = np.uint32(p0 >> np.uint64(32)) ^ c3 ^ k1
            c3 = np.uint32(p0)
            k0 = np.uint32(k0 + np.uint32(INCREMENTS[0]))
            k1 = np.uint32(k1 + np.uint32(INCREMENTS[1]))
        words[0, k], words[1, k], words[2, k], words[3, k] = c0, c1, c2, c3


@_compile_counts
def collect_between(values, low, high):  # type: ignore[no-untyped-def]
    """Return the number of ``values`` (flat) below ``low`` and the indices of those in [low, high]."""
    size = values.size
    one = np.float32(1)
    zero = np.float32(0)
    inside = np.empty(size // _BLOCK + 1, np.uint8)
    below = 0
    total = 0
    for start in range(0, size, _BLOCK):
        block = values[start : min(start + _BLOCK, size)]
        n_below = zero
        n_reached = zero
        for i in range(block.size):
            n_below += one if block[i] < low else zero
            n_reached += one if block[i] <= high else zero
        count = max(int(n_reached) - int(n_below), 0)  # nothing lies inside if low is above high
        below += int(n_below)
        total += count
        inside[start // _BLOCK] = count
    found = np.empty(total + 1, np.int64)
    n = 0
    for start in range(0, size, _BLOCK):
        if inside[start // _BLOCK] > 0:
            for i in range(start, min(start + _BLOCK, size)):
                found[n] = i  # always written, kept if it is inside: no branch to mispredict
                n += (values[i] >= low) & (values[i] <= high)
    return below, found[:total]


@_compile
def count_thresholds(values, thresholds, labels):  # type: ignore[no-untyped-def]
    """Set ``labels`` to how many of the one or two ``thresholds`` each of ``values`` (flat) reaches."""
    first = thresholds[0]
    last = thresholds[-1]
    if thresholds.size == 1:
        for i in range(values.size):
            labels[i] = np.uint8(values[i] >= first)
    else:
        for i in range(values.size):
            labels[i] = np.uint8(values[i] >= first) + np.uint8(values[i] >= last)


@_compile
def smooth_planes(binary, taps, out):  # type: ignore[no-untyped-def]
    """Set ``out`` to ``binary`` (P, N, N) convolved with symmetric ``taps`` along the last two axes."""
    n0, n1, n2 = binary.shape
    reach = taps.size - 1
    row = np.empty(n2 + 2 * reach, taps.dtype)
    plane = np.empty((n1, n2), taps.dtype)
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                row[reach + k] = binary[i, j, k]
            _wrap_row(row, reach, n2)
            _add_shifts(row, taps, plane[j])
        for j in range(n1):
            _add_rows(plane, taps, j, out[i, j])


@_compile
def smooth_slabs(field, taps, start, stop):  # type: ignore[no-untyped-def]
    """Convolve ``field`` (N, N, N) with symmetric ``taps`` along the first axis, for a range of the second."""
    n0, _, n2 = field.shape
    slab = np.empty((n0, n2), taps.dtype)
    for j in range(start, stop):
        for i in range(n0):
            slab[i] = field[i, j]
        for i in range(n0):
            _add_rows(slab, taps, i, field[i, j])


@_compile
def _wrap_row(row, reach, width):  # type: ignore[no-untyped-def]
    for k in range(reach - 1, -1, -1):
        row[k] = row[k + width]
    for k in range(width + reach, width + 2 * reach):
        row[k] = row[k - width]


@_compile
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


@_compile
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
def sum_shells(layer, solid, square0, square1, square2, size):  # type: ignore[no-untyped-def]
    """Return sums over equal n^2 of |layer|^2, Re(layer conj(solid)) and |solid|^2, as (3, size)."""
    sums = np.zeros((3, size))
    ll, ls, ss = sums
    for i in range(solid.shape[0]):
        for j in range(solid.shape[1]):
            base = square0[i] + square1[j]
            for k in range(solid.shape[2]):
                n = base + square2[k]
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
def count_boundaries(labels, following):  # type: ignore[no-untyped-def]
    """Return the face counts (3, 3) of the planes ``labels`` (P, N, N); ``following`` (N, N) is the next plane."""
    n0, n1, _ = labels.shape
    counts = np.zeros((3, 4), np.int64)
    for i in range(n0):
        behind = labels[i + 1] if i + 1 < n0 else following
        for j in range(n1):
            here = labels[i, j]
            _count_pairs(here, behind[j], counts[0])
            _count_pairs(here, labels[i, (j + 1) % n1], counts[1])
            _count_pairs(here[:-1], here[1:], counts[2])
            counts[2, here[-1] ^ here[0]] += 1
    return counts[:, 1:]


@_compile
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

"""Compiled twins of the loops in ``tabulation.depth``, for the CPU, where numba is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.kernels import PLANES
from pyfai_grf.tabulation.depth import DEEP, DEEPEST_PATCH, INNER_REACH, LEAST_SPREAD, NEAR

_compile = njit(cache=True, nogil=True, error_model="numpy")
#: no gradient of a unit field exceeds this many of its standard deviations: values farther off need no Taylor series
_STEEPEST = 5.0


def measure_depth(backend: Backend, field: Any, threshold: Any, reach: Any, squared: Any, nearest: Any) -> Any:
    """Return the signed distance to the level set, see ``tabulation.depth``."""
    planes = field.shape[0]
    label = np.full(field.shape, -1, np.int32)
    counts = np.zeros(planes, np.int64)
    backend.map_slices(lambda p: _count_boundary(field, threshold, p.start, p.stop, label, counts), planes, PLANES)
    starts = np.concatenate(([0], np.cumsum(counts)))
    patches = np.empty((starts[-1], 12), np.float32)
    backend.map_slices(
        lambda p: _fill_patches(field, threshold, starts, p.start, p.stop, label, patches), planes, PLANES
    )
    limit = np.float32(INNER_REACH * _STEEPEST * _measure_slope(field))
    depth = np.empty(field.shape, np.float32)
    backend.map_slices(
        lambda p: _fill_depth(field, threshold, reach, limit, squared, nearest, label, patches, p.start, p.stop, depth),
        planes,
        PLANES,
    )
    return depth


def _measure_slope(field: Any) -> float:
    """Return the standard deviation of the steps from voxel to voxel, on a part of the box."""
    part = field[:, :, : field.shape[2] // 8 + 2].astype(np.float64)
    return float(np.sqrt(np.mean(np.diff(part, axis=2) ** 2)))


@_compile
def _wrap(i, n):  # type: ignore[no-untyped-def]
    i = i + n if i < 0 else i
    return i - n if i >= n else i


@_compile
def _expand(field, i, j, k, taylor):  # type: ignore[no-untyped-def]
    """Fill ``taylor`` with gradient (3) and Hessian (00 11 22 01 02 12) at one voxel."""
    n0, n1, n2 = field.shape
    ip, im = _wrap(i + 1, n0), _wrap(i - 1, n0)
    jp, jm = _wrap(j + 1, n1), _wrap(j - 1, n1)
    kp, km = _wrap(k + 1, n2), _wrap(k - 1, n2)
    twice = np.float32(2) * field[i, j, k]
    a, b = field[ip, j, k], field[im, j, k]
    c = field[_wrap(i + 2, n0), j, k] - field[_wrap(i - 2, n0), j, k]
    taylor[0] = (8 * (a - b) - c) / 12
    taylor[3] = a + b - twice
    a, b = field[i, jp, k], field[i, jm, k]
    c = field[i, _wrap(j + 2, n1), k] - field[i, _wrap(j - 2, n1), k]
    taylor[1] = (8 * (a - b) - c) / 12
    taylor[4] = a + b - twice
    a, b = field[i, j, kp], field[i, j, km]
    c = field[i, j, _wrap(k + 2, n2)] - field[i, j, _wrap(k - 2, n2)]
    taylor[2] = (8 * (a - b) - c) / 12
    taylor[5] = a + b - twice
    taylor[6] = (field[ip, jp, k] - field[ip, jm, k] - field[im, jp, k] + field[im, jm, k]) / 4
    taylor[7] = (field[ip, j, kp] - field[ip, j, km] - field[im, j, kp] + field[im, j, km]) / 4
    taylor[8] = (field[i, jp, kp] - field[i, jp, km] - field[i, jm, kp] + field[i, jm, km]) / 4


@_compile
def _square_form(taylor, x, y, z):  # type: ignore[no-untyped-def]
    """Return v^T H v."""
    diagonal = taylor[3] * x * x + taylor[4] * y * y + taylor[5] * z * z
    return diagonal + 2 * (taylor[6] * x * y + taylor[7] * x * z + taylor[8] * y * z)


@_compile
def _find_root(value, taylor):  # type: ignore[no-untyped-def]
    """Return the depth below the level set along the gradient, and the gradient's length."""
    x, y, z = taylor[0], taylor[1], taylor[2]
    steepness = max(np.sqrt(x * x + y * y + z * z), 1e-12)
    bend = _square_form(taylor, x, y, z) / steepness**3
    first = value / steepness
    return 2 * first / (1 + np.sqrt(max(1 - 2 * bend * first, 0.0))), steepness


@_compile
def _count_boundary(field, threshold, start, stop, label, counts):  # type: ignore[no-untyped-def]
    """Mark solid voxels that touch the pores with 0 in ``label``, and count them by plane."""
    n0, n1, n2 = field.shape
    for i in range(start, stop):
        count = 0
        up, down = field[_wrap(i + 1, n0)], field[_wrap(i - 1, n0)]
        for j in range(n1):
            here = field[i, j]
            front, back = field[i, _wrap(j + 1, n1)], field[i, _wrap(j - 1, n1)]
            for k in range(n2):
                if here[k] >= threshold:
                    lowest = min(min(up[j, k], down[j, k]), min(front[k], back[k]))
                    lowest = min(lowest, min(here[_wrap(k + 1, n2)], here[_wrap(k - 1, n2)]))
                    if lowest < threshold:
                        label[i, j, k] = 0
                        count += 1
        counts[i] = count


@_compile
def _fill_patches(field, threshold, starts, start, stop, label, patches):  # type: ignore[no-untyped-def]
    """Number the boundary voxels and fill their patches: foot - voxel (3), normal (3), Hessian / steepness (6)."""
    _, n1, n2 = field.shape
    for i in range(start, stop):
        at = starts[i]
        taylor = np.empty(9, np.float64)
        for j in range(n1):
            for k in range(n2):
                if label[i, j, k] < 0:
                    continue
                label[i, j, k] = at
                _expand(field, i, j, k, taylor)
                u, steepness = _find_root(field[i, j, k] - threshold, taylor)
                u = min(max(u, -DEEPEST_PATCH), DEEPEST_PATCH)
                x, y, z = -taylor[0] / steepness, -taylor[1] / steepness, -taylor[2] / steepness
                fx = taylor[0] + u * (taylor[3] * x + taylor[6] * y + taylor[7] * z)
                fy = taylor[1] + u * (taylor[6] * x + taylor[4] * y + taylor[8] * z)
                fz = taylor[2] + u * (taylor[7] * x + taylor[8] * y + taylor[5] * z)
                length = max(np.sqrt(fx * fx + fy * fy + fz * fz), 1e-12)
                patch = patches[at]
                patch[0], patch[1], patch[2] = u * x, u * y, u * z
                patch[3], patch[4], patch[5] = -fx / length, -fy / length, -fz / length
                for m in range(6):
                    patch[6 + m] = taylor[3 + m] / steepness
                at += 1


@_compile
def _measure_patch(x, y, z, patch):  # type: ignore[no-untyped-def]
    """Return the distance to a quadric patch from a voxel at (x, y, z) from the patch's voxel."""
    x, y, z = x - patch[0], y - patch[1], z - patch[2]
    above = x * patch[3] + y * patch[4] + z * patch[5]
    length = x * x + y * y + z * z
    square = max(length - above * above, np.float32(1e-12))
    x, y, z = x - above * patch[3], y - above * patch[4], z - above * patch[5]
    curvature = -_square_form(patch[3:], x, y, z) / square
    spread = max(1 + curvature * above, np.float32(LEAST_SPREAD))
    return min(max(above + np.float32(0.5) * curvature * square / spread, 0.0), np.sqrt(length))


@_compile
def _fill_depth(  # type: ignore[no-untyped-def]
    field, threshold, reach, limit, squared, nearest, label, patches, start, stop, depth
):
    n0, n1, n2 = field.shape
    flat_label = label.reshape(-1)
    far = (reach + 2) ** 2
    near_limit = limit * np.float32(NEAR / INNER_REACH)
    for i in range(start, stop):
        taylor = np.empty(9, np.float64)
        for j in range(n1):
            for k in range(n2):
                value = field[i, j, k] - threshold
                own = np.float32(1e9)
                if -near_limit < value < limit:
                    _expand(field, i, j, k, taylor)
                    own = -_find_root(value, taylor)[0]
                if value >= 0:
                    depth[i, j, k] = own if abs(own) < INNER_REACH else DEEP
                elif own < NEAR:
                    depth[i, j, k] = own
                elif squared[i, j, k] >= far:
                    depth[i, j, k] = reach
                else:
                    source = nearest[i, j, k]
                    si = source // (n1 * n2)
                    sj = (source - si * n1 * n2) // n2
                    sk = source - (si * n1 + sj) * n2
                    x = _wrap(i - si + n0 // 2, n0) - n0 // 2
                    y = _wrap(j - sj + n1 // 2, n1) - n1 // 2
                    z = _wrap(k - sk + n2 // 2, n2) - n2 // 2
                    distance = _measure_patch(np.float32(x), np.float32(y), np.float32(z), patches[flat_label[source]])
                    depth[i, j, k] = min(distance, reach)


@_compile
def fill_coverage(depth, thickness, width, step):  # type: ignore[no-untyped-def]
    """Return Phi((thickness - depth) / width) from its table ``step``, see ``tabulation.depth``."""
    n0, n1, n2 = depth.shape
    out = np.empty(depth.shape, np.float32)
    scale = np.float32(1024) / width
    middle = np.float32(4096.5)
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                z = (thickness - depth[i, j, k]) * scale + middle
                z = min(max(z, np.float32(0.5)), np.float32(8192.5))
                out[i, j, k] = step[np.int32(z)]
    return out


def sum_products(backend: Backend, one: Any, others: Any, square: Any, shells: Any, size: int) -> Any:
    """Return the shell sums of Re(one conj(other)) over both halves of the modes, see ``tabulation.boxes``."""
    parts = backend.map_slices(
        lambda part: _sum_products(one[part], others[:, part], square[part], square, shells, size),
        len(one),
        PLANES,
    )
    return np.sum(parts, axis=0)


@_compile
def _sum_products(one, others, square0, square1, shells, size):  # type: ignore[no-untyped-def]
    count, n0, n1, n2 = others.shape
    sums = np.zeros((count, size))
    for i in range(n0):
        for j in range(n1):
            base = square0[i] + square1[j]
            for m in range(count):
                row = sums[m]
                for k in range(n2):
                    n = base + k * k
                    if n >= shells.size:
                        break
                    v = one[i, j, k]
                    w = others[m, i, j, k]
                    twice = 1.0 if k == 0 else 2.0
                    row[shells[n]] += twice * (v.real * w.real + v.imag * w.imag)
    return sums

"""Distances to the solid's surface, far finer than a voxel: a uniform film on the solid of a Gaussian random field.

The surface is the level set psi = T. Near it the distance follows from psi's own Taylor series (a root of the
second-order expansion along the gradient). Farther out in the pores, the nearest boundary voxel (by the exact periodic
transform) selects a patch of surface, and the distance is that to the patch, a quadric with the normal and the
curvature of the level set. Lengths are in voxels. This runs on the CPU only, compiled where numba is installed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtr

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.distance import find_nearest

#: depth in voxels up to which the distance inside the solid is measured, and the value for anything deeper
INNER_REACH = 2.2
DEEP = -100.0
#: up to this distance into the pores the Taylor series at the voxel itself is used
NEAR = 1.0
#: a boundary voxel is at most about this far below the surface
DEEPEST_PATCH = 1.5
#: lower limit of the spread of a patch's normals, so that no patch focuses within the film
LEAST_SPREAD = 0.3
LOOPS = "pyfai_grf.tabulation.film_loops"
_PAIRS = ((0, 1), (0, 2), (1, 2))


def measure_depth(backend: Backend, field: Any, threshold: float, reach: int) -> Any:
    """Return the signed distance to {field = threshold} in voxels, (N, N, N) float32: positive in the pores.

    ``field`` is periodic, and solid where it reaches ``threshold``. Values are capped at ``reach`` in the pores, and
    are ``DEEP`` farther than ``INNER_REACH`` inside the solid.
    """
    solid = field >= np.float32(threshold)
    squared, nearest = find_nearest(backend, solid, reach + 2)
    if twin := backend.load_loops(LOOPS):
        return twin.measure_depth(backend, field, np.float32(threshold), np.float32(reach), squared, nearest)
    value = field.astype(np.float64) - threshold
    gradient, hessian = _differentiate(value)
    depth, normal, steepness = _find_root(value, gradient, hessian)
    result = np.where(solid, np.where(depth < INNER_REACH, -depth, DEEP), reach)
    outside = ~solid & (squared < (reach + 2) ** 2)
    source = nearest[outside]
    u = np.clip(depth.ravel()[source], -DEEPEST_PATCH, DEEPEST_PATCH)
    n = normal.reshape(3, -1)[:, source]
    h = hessian.reshape(3, 3, -1)[..., source]
    foot_gradient = gradient.reshape(3, -1)[:, source] + u * np.einsum("abm,bm->am", h, n)
    foot_normal = -foot_gradient / np.maximum(np.linalg.norm(foot_gradient, axis=0), 1e-12)
    offset = np.stack(np.nonzero(outside)) - np.stack(np.unravel_index(source, field.shape))
    size = np.array(field.shape)[:, np.newaxis]
    offset = (offset + size // 2) % size - size // 2 - u * n
    far = _measure_patch(offset, foot_normal, h / steepness.ravel()[source])
    own = -depth[outside]
    result[outside] = np.minimum(np.where(own < NEAR, own, far), reach)
    return result.astype(np.float32)


def _measure_patch(offset: Any, normal: Any, shape: Any) -> Any:
    """Return the distance (M,) to quadric patches at the origin: ``normal`` (3, M), ``shape`` = H/|grad| (3, 3, M)."""
    above = np.sum(offset * normal, axis=0)
    lateral = offset - above * normal
    square = np.maximum(np.sum(lateral**2, axis=0), 1e-12)
    curvature = -np.einsum("am,abm,bm->m", lateral, shape, lateral) / square
    correction = 0.5 * curvature * square / np.maximum(1 + curvature * above, LEAST_SPREAD)
    return np.clip(above + correction, 0.0, np.sqrt(above**2 + square))


def _find_root(value: Any, gradient: Any, hessian: Any) -> tuple[Any, Any, Any]:
    """Return the depth below the level set 0 along the gradient, the outward normal and the gradient's length."""
    steepness = np.maximum(np.sqrt(np.sum(gradient**2, axis=0)), 1e-12)
    normal = -gradient / steepness
    bend = np.einsum("a...,ab...,b...->...", normal, hessian, normal) / steepness
    first = value / steepness
    return 2 * first / (1 + np.sqrt(np.maximum(1 - 2 * bend * first, 0))), normal, steepness


def _differentiate(value: Any) -> tuple[Any, Any]:
    """Return the gradient (fourth order) and the Hessian (second order) by periodic differences, per voxel."""

    def shift(array: Any, step: int, axis: int) -> Any:
        return np.roll(array, -step, axis)

    gradient = np.stack(
        [
            (8 * (shift(value, 1, a) - shift(value, -1, a)) - (shift(value, 2, a) - shift(value, -2, a))) / 12
            for a in range(3)
        ]
    )
    hessian = np.empty((3, 3, *value.shape))
    for a in range(3):
        hessian[a, a] = shift(value, 1, a) + shift(value, -1, a) - 2 * value
    for a, b in _PAIRS:
        slope = shift(value, 1, a) - shift(value, -1, a)
        hessian[a, b] = hessian[b, a] = (shift(slope, 1, b) - shift(slope, -1, b)) / 4
    return gradient, hessian


def fill_coverage(backend: Backend, depth: Any, thickness: float, width: float) -> Any:
    """Return the share of thicknesses, normally distributed about ``thickness``, that cover each voxel; float32.

    That is Phi((thickness - depth) / width), the mean of the indicator {depth <= t} over t with the standard deviation
    ``width`` (voxels): a band-limited picture of it. The Fourier coefficients of a plane's are exp(-k^2 width^2 / 2)
    times those of the indicator.
    """
    if twin := backend.load_loops(LOOPS):
        return twin.fill_coverage(depth, np.float32(thickness), np.float32(width), _tabulate_step())
    return ndtr((thickness - depth.astype(np.float64)) / width).astype(np.float32)


@lru_cache(maxsize=1)
def _tabulate_step() -> Any:
    """Return Phi(z) for z = -4 .. 4 in steps of 1/1024."""
    return ndtr(np.arange(-4096, 4097) / 1024).astype(np.float32)

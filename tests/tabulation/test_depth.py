"""Distances to a level set far below a voxel, and what a film's coverage becomes in Fourier space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.tabulation.boxes import make_unit_field, transform_film
from pyfai_grf.tabulation.depth import DEEP, INNER_REACH, fill_coverage, measure_depth
from pyfai_grf.tabulation.grids import RAMP_WIDTH

_SHAPE, _RADIUS, _CENTRE = 48, 9.3, (23.2, 22.7, 24.4)


@pytest.fixture(params=["compiled", "plain"])
def cpu(request: pytest.FixtureRequest) -> Backend:
    if request.param == "compiled":
        pytest.importorskip("numba")
    return replace(get_backend("cpu"), use_compiled=request.param == "compiled")


def _measure_radius() -> np.ndarray:
    axes = [np.arange(_SHAPE) - c for c in _CENTRE]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return np.sqrt(x * x + y * y + z * z)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("profile", ["linear", "quadratic"])
def test_distance_to_a_sphere(cpu: Backend, side: int, profile: str) -> None:
    """Outside a solid ball, and inside a spherical pore: within 0.04 voxels everywhere, 0.003 in the mean.

    The nearest boundary voxel's patch is read up to 2 voxels beside it: what its quadric leaves out there is of the
    order of 2^4 / (8 R^3) = 0.003 voxels, more where the pore's rays meet, which are left out.
    """
    r = _measure_radius()
    field = _RADIUS - r if profile == "linear" else (_RADIUS**2 - r * r) / (2 * _RADIUS)
    depth = measure_depth(cpu, (side * field).astype(np.float32), 0.0, 10)
    true = side * (r - _RADIUS)
    pore = (true > 0) & (true < 9) & (r > 2)
    assert np.abs(depth - true)[pore].max() < 0.04
    assert abs((depth - true)[pore].mean()) < 0.003
    skin = (true < 0) & (true > -1.5)
    assert np.abs(depth - true)[skin].max() < 0.01
    assert (depth[true > 10.1] == 10).all()
    assert (depth[true < -INNER_REACH - 0.5] == DEEP).all()


def test_compiled_distances_are_the_plain_ones() -> None:
    """On a rough field, where patches compete: the same nearest voxels but for ties, which the patches bridge."""
    pytest.importorskip("numba")
    compiled = get_backend("cpu")
    field = make_unit_field(compiled, "roding2022", 3, 64, 8.0)
    one, other = (measure_depth(replace(compiled, use_compiled=c), field, 0.5, 12) for c in (True, False))
    difference = np.abs(one - other)
    assert difference.mean() < 1e-3
    assert np.mean(difference > 0.05) < 1e-3
    assert difference.max() < 0.5


def test_coverage_is_the_normal_distribution(cpu: Backend) -> None:
    depth = np.linspace(-3, 3, 512, dtype=np.float32).reshape(8, 8, 8)
    coverage = fill_coverage(cpu, depth, 0.7, 0.4)
    # the table's steps are 1/1024 of a standard deviation: half a step times the density at most
    np.testing.assert_allclose(coverage, ndtr((0.7 - depth) / 0.4), atol=3e-4)


def test_a_ball_scatters_as_a_ball(cpu: Backend) -> None:
    """The coverage's Fourier coefficients are the mean form factor of the balls that the ramp mixes: no voxels."""
    depth = measure_depth(cpu, (_RADIUS - _measure_radius()).astype(np.float32), 0.0, 8)
    thickness, n_max = 2.3, 12
    modes = transform_film(cpu, depth, thickness, n_max)
    k = 2 * np.pi / _SHAPE * np.arange(1, n_max + 1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    kr = np.multiply.outer(k, _RADIUS + thickness + RAMP_WIDTH * nodes)
    expected = 4 * np.pi * (np.sin(kr) - kr * np.cos(kr)) @ weights / weights.sum() / k**3
    found = (modes[0, 0, 1:] * np.exp(1j * k * _CENTRE[2])).real
    # relative to the form factor's envelope: aliases of the ramp, exp(-(2 pi - k)^2 0.16 / 2) (k / (2 pi - k))^2
    envelope = 4 * np.pi * kr.mean(axis=1) / k**3
    alias = np.exp(-np.square(2 * np.pi - k) * RAMP_WIDTH**2 / 2) * np.square(k / (2 * np.pi - k))
    assert (np.abs(found - expected) / envelope < 4 * alias + 1e-3).all()

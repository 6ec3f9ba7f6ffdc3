"""The engines that the simulator runs on, and the phases' covariance on the periodic grid, evaluated dumbly."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtri

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import DeviceError


@pytest.fixture(params=["compiled", "plain", pytest.param("cuda", marks=pytest.mark.gpu)])
def engine(request: pytest.FixtureRequest) -> Backend:
    """Every way to run the kernels: numba's loops, plain NumPy, and CuPy under ``-m gpu``."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    try:
        backend = get_backend("cuda" if request.param == "cuda" else "cpu")
    except DeviceError as problem:
        pytest.skip(str(problem))
    return dataclasses.replace(backend, use_compiled=request.param == "compiled")


def _measure_wave_numbers(shape: int) -> np.ndarray:
    numbers = np.fft.fftfreq(shape, 1 / shape)
    x, y, z = np.meshgrid(numbers, numbers, numbers, indexing="ij")
    return np.sqrt(x * x + y * y + z * z)


def _covary_on_grid(a: float, porosity: float, shape: int, voxel_size: float) -> np.ndarray:
    """C(r) of the pore indicator for every r of the periodic grid, (N, N, N): no infinite box, no continuum.

    g is the transform of Gamma over the modes of this very box (r sampled, images added), and
    C = 1/(2 pi) int_0^arcsin(g) exp(-T^2/(1 + sin t)) dt by 40 Gauss points.
    """
    spectrum = (1 + (a * 2 * np.pi / (shape * voxel_size) * _measure_wave_numbers(shape)) ** 8) ** -2.0
    correlation = np.fft.ifftn(spectrum).real
    octant = correlation[: shape // 2 + 1, : shape // 2 + 1, : shape // 2 + 1]  # the others are its mirror images
    angle = np.arcsin(np.clip(octant / octant[0, 0, 0], -1, 1))
    nodes, weights = np.polynomial.legendre.leggauss(40)
    covariance = np.zeros_like(angle)
    for node, weight in zip(nodes, weights, strict=True):
        covariance += weight * np.exp(-(ndtri(porosity) ** 2) / (1 + np.sin(angle * (node + 1) / 2)))
    mirror = np.abs(np.fft.fftfreq(shape, 1 / shape)).round().astype(int)
    return (covariance * angle / (4 * np.pi))[np.ix_(mirror, mirror, mirror)]


@pytest.fixture(scope="session")
def wave_numbers() -> Callable[[int], np.ndarray]:
    """shape -> |n| at every point of the FFT grid, (N, N, N)."""
    return _measure_wave_numbers


@pytest.fixture(scope="session")
def grid_covariance() -> Callable[[float, float, int, float], np.ndarray]:
    """(a, porosity, shape, voxel_size) -> covariance of the unsmoothed phases on the periodic grid, (N, N, N)."""
    return _covary_on_grid

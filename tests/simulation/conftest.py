"""The engines that the simulator runs on, and the phases' covariance on the periodic grid, evaluated dumbly."""

from __future__ import annotations

import ctypes
import dataclasses
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import DeviceError

#: what CUDA's compiler knows, for one thread after the other on the CPU; a warp is one thread
_PRELUDE = r"""
#include <cmath>
struct Index { unsigned int x; };
static Index blockIdx, threadIdx, blockDim, gridDim;
struct float2 { float x, y; };
#define __global__
#define __device__ static
static unsigned int __shfl_down_sync(unsigned int, unsigned int, int) { return 0; }
static long long __double2ll_rn(double value) { return std::llrint(value); }
static unsigned long long atomicAdd(unsigned long long *target, unsigned long long value) {
    unsigned long long before = *target;
    *target += value;
    return before;
}
extern "C" void choose_thread(unsigned int block, unsigned int blocks) {
    blockIdx.x = block; gridDim.x = blocks; threadIdx.x = 0; blockDim.x = 1;
}
"""
_BLOCKS = 3


class EmulatedCupy:
    """NumPy with CuPy's RawModule: the CUDA kernels compiled for the CPU, so that they are judged without a GPU."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def asnumpy(self, array: np.ndarray) -> np.ndarray:
        return array

    def RawModule(self, code: str, options: tuple[str, ...]) -> EmulatedCupy:  # noqa: N802
        source, library = self.folder / "kernels.cpp", self.folder / "kernels.so"
        source.write_text(_PRELUDE + code)
        flags = [*options, "-O1", "-shared", "-fPIC", "-Wno-unknown-pragmas"]
        subprocess.run(["g++", *flags, str(source), "-o", str(library)], check=True)
        self.library = ctypes.CDLL(str(library))
        return self

    def get_function(self, name: str) -> Callable[..., None]:
        def launch(blocks: tuple[int], threads: tuple[int], arguments: tuple[Any, ...]) -> None:
            assert all(a.flags.c_contiguous for a in arguments if isinstance(a, np.ndarray))
            for block in range(_BLOCKS):
                self.library.choose_thread(block, _BLOCKS)
                getattr(self.library, name)(*(_convert(argument) for argument in arguments))

        return launch


def _convert(argument: Any) -> Any:
    """Return what ctypes passes for an array (its address) or a NumPy scalar; a bare Python number is an error."""
    if argument.ndim:
        return ctypes.c_void_p(argument.ctypes.data)
    return np.ctypeslib.as_ctypes_type(argument.dtype)(argument)


@pytest.fixture(scope="session")
def emulated_cupy(tmp_path_factory: pytest.TempPathFactory) -> EmulatedCupy:
    if not shutil.which("g++"):
        pytest.skip("no C++ compiler to emulate the GPU's kernels with")
    return EmulatedCupy(tmp_path_factory.mktemp("cuda"))


ENGINES = ["compiled", "plain", "emulated", *(pytest.param(e, marks=pytest.mark.gpu) for e in ("cuda", "cuda-plain"))]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Backend:
    """Every way to run the kernels: numba's loops, plain NumPy, the CUDA kernels emulated, and CuPy under -m gpu."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    try:
        backend = get_backend("cuda" if request.param.startswith("cuda") else "cpu")
    except DeviceError as problem:
        pytest.skip(str(problem))
    if request.param == "emulated":
        return dataclasses.replace(backend, device="emulated", xp=request.getfixturevalue("emulated_cupy"))
    return dataclasses.replace(backend, use_compiled=not request.param.endswith("plain"))


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

"""A backend is what was asked for, or an error; never something else in silence."""

from __future__ import annotations

import dataclasses
import sys
import types

import numpy as np
import pytest

from pyfai_grf.core.backend import Backend, count_cores, get_backend
from pyfai_grf.core.errors import DeviceError, GrfError


def test_unknown_device_lists_the_known() -> None:
    with pytest.raises(DeviceError, match="'gpu': choose one of auto, cpu, cuda"):
        get_backend("gpu")
    assert issubclass(DeviceError, GrfError)


def _forget_cupy(monkeypatch: pytest.MonkeyPatch, replacement: types.ModuleType | None) -> None:
    monkeypatch.setitem(sys.modules, "cupy", replacement)


def test_cuda_without_cupy_raises_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    _forget_cupy(monkeypatch, None)  # import cupy raises ImportError
    with pytest.raises(DeviceError, match=r"'cuda'.*pyfai-grf\[gpu\].*choose the CPU"):
        get_backend("cuda")


def test_cuda_without_gpu_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("cupy")
    fake.is_available = lambda: False  # type: ignore[attr-defined]
    _forget_cupy(monkeypatch, fake)
    with pytest.raises(DeviceError, match="finds no GPU"):
        get_backend("cuda")


def test_auto_falls_back_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _forget_cupy(monkeypatch, None)
    assert get_backend("auto").device == get_backend().device == "cpu"


def test_cpu_is_numpy() -> None:
    backend = get_backend("cpu")
    assert backend.xp is np
    assert backend.threads == count_cores() >= 1
    assert get_backend("cpu", threads=3).threads == 3


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_slices_cover_everything_in_order(backend: Backend, threads: int) -> None:
    parts = dataclasses.replace(backend, threads=threads).map_slices(lambda part: (part.start, part.stop), 11, 4)
    assert parts == ([(0, 4), (4, 8), (8, 11)] if backend.device == "cpu" else [(0, 11)])


def test_an_error_in_a_slice_comes_out(backend: Backend) -> None:
    with pytest.raises(ZeroDivisionError):
        backend.map_slices(lambda part: 1 // part.start, 8, 4)


def test_host_array_is_numpy(backend: Backend, xp) -> None:
    array = backend.to_host(xp.arange(3))
    assert isinstance(array, np.ndarray)
    np.testing.assert_array_equal(array, [0, 1, 2])


def test_fft_and_filter_answer(backend: Backend, xp) -> None:
    """Parseval for the transform; a filter of unit weight keeps the sum."""
    array = xp.asarray(np.random.default_rng(0).standard_normal((8, 8)))
    spectrum = backend.fft.fftn(array)
    assert float((abs(spectrum) ** 2).sum()) == pytest.approx(64 * float((array**2).sum()), rel=1e-12)
    smooth = backend.ndimage.gaussian_filter(array, 1.0, mode="wrap")
    assert float(smooth.sum()) == pytest.approx(float(array.sum()), abs=1e-12)

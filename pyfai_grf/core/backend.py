"""NumPy and SciPy, or CuPy, behind the same names; the only module that imports CuPy."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from pyfai_grf.core.errors import DeviceError

T = TypeVar("T")

#: the names of devices; "auto" is a GPU where one is usable, else the CPU
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Backend:
    """An array library with its FFT and image filters.

    ``xp`` is numpy or cupy, ``fft`` scipy.fft or cupyx.scipy.fft, ``ndimage`` likewise; ``threads`` is the number of
    processor cores that ``map_slices`` keeps busy; ``use_compiled`` allows compiled loops or kernels to take over.
    """

    device: str
    xp: Any
    fft: Any
    ndimage: Any
    threads: int = 1
    use_compiled: bool = True

    def map_slices(self, function: Callable[[slice], T], size: int, step: int) -> list[T]:
        """Return ``function(part)`` for consecutive slices of ``step`` that cover ``range(size)``, in order.

        On the CPU ``threads`` threads work on the slices: NumPy, the FFT and the compiled loops release the interpreter
        lock. The slices, and with them every sum over their results, do not depend on the number of threads. A GPU
        gets everything at once.
        """
        if self.device != "cpu":
            return [function(slice(0, size))]
        parts = [slice(start, min(start + step, size)) for start in range(0, size, step)]
        if self.threads == 1 or len(parts) == 1:
            return [function(part) for part in parts]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(function, parts))

    def load_loops(self, module: str) -> Any:
        """Return the module of compiled loops called ``module``, or None where it is not to be used."""
        return _import_loops(module) if self.use_compiled and self.device == "cpu" else None

    def to_host(self, array: Any) -> Any:
        """Return ``array`` as a NumPy array."""
        return array if self.device == "cpu" else self.xp.asnumpy(array)


@lru_cache
def _import_loops(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        if (problem.name or "").startswith("pyfai_grf"):
            raise
        return None  # no numba, or one that does not fit the NumPy that is installed


def count_cores() -> int:
    """Return the number of processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def get_backend(device: str = "auto", threads: int | None = None) -> Backend:
    """Return the backend for ``device``: "cpu", "cuda", or "auto" (a GPU where one is usable, else the CPU).

    ``threads`` is for the CPU; None stands for all cores that this process may use.

    Raises
    ------
    DeviceError
        If "cuda" is asked for and there is no usable GPU, or the name is unknown.
    """
    if device not in DEVICES:
        raise DeviceError(f"unknown device {device!r}: choose one of {', '.join(DEVICES)}")
    if device != "cpu":
        try:
            return _get_cuda()
        except (ImportError, RuntimeError) as problem:
            if device == "cuda":
                raise DeviceError(
                    f"device 'cuda' was asked for and is not usable here ({problem}): install pyfai-grf[gpu] "
                    "on a machine with an NVIDIA GPU, or choose the CPU",
                    "device",
                ) from None
    import scipy.fft
    import scipy.ndimage

    return Backend("cpu", np, scipy.fft, scipy.ndimage, threads or count_cores())


def _get_cuda() -> Backend:
    import cupy

    if not cupy.is_available():
        raise RuntimeError("CuPy finds no GPU")
    import cupyx.scipy.fft
    import cupyx.scipy.ndimage

    return Backend("cuda", cupy, cupyx.scipy.fft, cupyx.scipy.ndimage)

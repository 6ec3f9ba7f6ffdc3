"""The one place that knows CuPy: NumPy/SciPy or CuPy behind the same names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyfai_grf.core.errors import DeviceError, InputError


@dataclass(frozen=True)
class Backend:
    """An array library with its FFT and image filters.

    ``xp`` is numpy or cupy, ``fft`` scipy.fft or cupyx.scipy.fft, ``ndimage`` likewise; ``fft_options`` are the
    keywords that only one of them takes; ``use_compiled`` lets the compiled loops take over (CPU only).
    """

    device: str
    xp: Any
    fft: Any
    ndimage: Any
    fft_options: dict[str, Any]
    use_compiled: bool = False

    def make_rng(self, seed: Any) -> Any:
        """Return this library's random generator for ``seed`` (an int or a sequence of ints, 0 or more).

        Raises
        ------
        InputError
            If the seed is of another kind.
        """
        try:
            return self.xp.random.default_rng(seed)
        except (TypeError, ValueError) as problem:
            raise InputError(f"the seed is {seed!r}: give an integer, 0 or more ({problem})") from None

    def to_host(self, array: Any) -> Any:
        """Return ``array`` as a NumPy array."""
        return array if self.device == "cpu" else self.xp.asnumpy(array)


def count_cores() -> int:
    """Return the number of processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def get_backend(device: str = "auto") -> Backend:
    """Return the backend for ``device``: "cpu", "cuda", or "auto" (a GPU where one is usable, else the CPU).

    Raises
    ------
    DeviceError
        If "cuda" is asked for and there is no usable GPU, or the name is not known.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"unknown device {device!r}: choose auto, cpu or cuda")
    if device != "cpu":
        try:
            return _get_cuda()
        except (ImportError, RuntimeError) as problem:
            if device == "cuda":
                raise DeviceError(
                    f"device 'cuda' was asked for and is not usable here ({problem}): install pyfai-grf[gpu] "
                    "on a machine with an NVIDIA GPU, or choose --device cpu"
                ) from None
    import scipy.fft
    import scipy.ndimage

    return Backend("cpu", np, scipy.fft, scipy.ndimage, {"workers": count_cores()}, use_compiled=True)


def _get_cuda() -> Backend:
    import cupy

    if not cupy.is_available():
        raise RuntimeError("CuPy finds no GPU")
    import cupyx.scipy.fft
    import cupyx.scipy.ndimage

    return Backend("cuda", cupy, cupyx.scipy.fft, cupyx.scipy.ndimage, {})

"""The periodic Gaussian random field, drawn in Fourier space where its spectral density is not negligible."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.kernels import PLANES, draw_modes
from pyfai_grf.simulation.white_noise import make_key
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum, get_spectrum

#: the outer modes that together hold less than this share of <q^2>, and far less of the variance, are left out
_NEGLIGIBLE = 1e-7


def compute_amplitudes(
    a: float, shape: int, voxel_size_nm: float, spectrum: str | Spectrum = DEFAULT_SPECTRUM
) -> np.ndarray:
    """Return sqrt(Gamma) for n^2 = 0, 1, 2 ... up to the largest n^2 that matters on this grid, float32.

    The wave number of mode (i, j, k) is 2 pi sqrt(n^2) / (shape voxel_size), with n^2 = i^2 + j^2 + k^2.
    """
    step = 2 * np.pi / (shape * voxel_size_nm)
    n2 = np.arange(3 * (shape // 2) ** 2 + 1)
    density = get_spectrum(spectrum).density(a * step * np.sqrt(n2))
    outside = np.cumsum((density * n2**1.5)[::-1])[::-1]  # about 2 pi n modes share an n^2
    count = np.count_nonzero(outside > _NEGLIGIBLE * outside[0])
    return np.sqrt(density[: max(count, 2)]).astype(np.float32)


def list_wave_numbers(shape: int, n_max: int) -> np.ndarray:
    """Return the wave numbers up to ``n_max`` along an axis of ``shape`` points, in FFT order; -shape/2 occurs once."""
    numbers = np.fft.fftfreq(shape, 1 / shape).round().astype(np.int64)
    return numbers[np.abs(numbers) <= n_max]


def make_field(backend: Backend, seed: Any, amplitudes: np.ndarray, shape: int) -> Any:
    """Return one realisation psi, (N, N, N) float32, of arbitrary variance (Röding et al. 2022, Eq. 6).

    White noise is drawn as Fourier coefficients inside the ball that ``amplitudes`` covers, the same for the same
    ``seed`` (an int or several, 0 or more) on every device; the inverse transform visits only the lines in use.
    """
    xp, fft = backend.xp, backend.fft
    key, table = make_key(seed), xp.asarray(amplitudes)
    reach = min(int(np.sqrt(amplitudes.size - 1)), shape // 2)
    count = min(2 * reach + 1, shape)
    numbers = xp.asarray(np.fft.fftfreq(count, 1 / count).round().astype(np.int64))
    half = xp.arange(reach + 1)
    lines = xp.empty((shape, count, half.size), dtype=xp.complex64)
    field = xp.empty((shape,) * 3, dtype=xp.float32)

    def make_lines(part: slice) -> None:
        here = numbers[part]
        modes = xp.empty((count, here.size, half.size), dtype=xp.complex64)
        draw_modes(backend, key, (numbers, here, half), shape, table, modes)
        lines[:, part] = fft.ifft(_spread(xp, modes, 0, shape), axis=0, overwrite_x=True)

    def make_planes(part: slice) -> None:
        planes = fft.ifft(_spread(xp, lines[part], 1, shape), axis=1, overwrite_x=True)
        field[part] = fft.irfft(planes, n=shape, axis=2)

    backend.map_slices(make_lines, count, PLANES)
    backend.map_slices(make_planes, shape, PLANES)
    return field


def _spread(xp: Any, modes: Any, axis: int, shape: int) -> Any:
    """Return ``modes``, in FFT order along ``axis``, with zeros for the wave numbers that they leave out."""
    if modes.shape[axis] == shape:
        return modes
    reach = modes.shape[axis] // 2
    lines = xp.zeros((*modes.shape[:axis], shape, *modes.shape[axis + 1 :]), dtype=modes.dtype)
    before = (slice(None),) * axis
    lines[(*before, slice(0, reach + 1))] = modes[(*before, slice(0, reach + 1))]
    lines[(*before, slice(shape - reach, shape))] = modes[(*before, slice(reach + 1, None))]
    return lines

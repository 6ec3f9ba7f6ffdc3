"""The periodic Gaussian random field, drawn in Fourier space where its spectral density is not negligible."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.spectra import spectral_density

#: amplitudes sqrt(Gamma) below this, relative to Gamma(0) = 1, are left out: together less than 1e-8 of the variance
_NEGLIGIBLE = 1e-5


def compute_amplitudes(a: float, shape: int, voxel_size_nm: float) -> np.ndarray:
    """Return sqrt(Gamma) for n^2 = 0, 1, 2 ... up to the largest n^2 that matters on this grid.

    The wave number of mode (i, j, k) is 2 pi sqrt(n^2) / (shape voxel_size), with n^2 = i^2 + j^2 + k^2.
    """
    step = 2 * np.pi / (shape * voxel_size_nm)
    n2 = np.arange(3 * (shape // 2) ** 2 + 1)
    amplitude = np.sqrt(spectral_density(step * np.sqrt(n2), a))
    return amplitude[: np.flatnonzero(amplitude > _NEGLIGIBLE)[-1] + 1].astype(np.float32)


def make_field(backend: Backend, rng: Any, amplitudes: np.ndarray, shape: int) -> Any:
    """Return one realisation psi, (N, N, N) float32, of arbitrary variance (Röding et al. 2022, Eq. 6).

    White noise is drawn as Fourier coefficients inside the ball that ``amplitudes`` covers, and the inverse
    transform visits only the lines that are not empty.
    """
    xp, fft = backend.xp, backend.fft
    reach = min(int(np.sqrt(amplitudes.size - 1)), shape // 2)
    full = xp.asarray(np.unique(np.arange(-reach, reach + 1) % shape))
    half = xp.arange(min(reach, shape // 2) + 1)
    modes = draw_noise(backend, rng, (full.size, full.size, half.size), shape)
    modes *= _look_up(backend, amplitudes, _square(full, shape), half**2)
    for axis in (0, 1):
        lines = xp.zeros((shape,) * (axis + 1) + modes.shape[axis + 1 :], dtype=xp.complex64)
        lines[(slice(None),) * axis + (full,)] = modes
        modes = fft.ifft(lines, axis=axis, overwrite_x=True, **backend.fft_options)
        del lines
    return fft.irfft(modes, n=shape, axis=2, **backend.fft_options)


def draw_noise(backend: Backend, rng: Any, modes: tuple[int, int, int], shape: int) -> Any:
    """Return complex white noise for ``modes`` Fourier coefficients of a real field, complex64.

    On the planes k = 0 and k = shape/2 a real field keeps only the Hermitian half of what is drawn: the variance
    there is doubled beforehand.
    """
    noise = rng.standard_normal((*modes[:2], 2 * modes[2]), dtype=backend.xp.float32).view(backend.xp.complex64)
    noise[:, :, 0] *= np.float32(np.sqrt(2))
    if modes[2] - 1 == shape / 2:
        noise[:, :, -1] *= np.float32(np.sqrt(2))
    return noise


def _square(indices: Any, shape: int) -> Any:
    """Return the squared wave number of FFT ``indices``, in units of the grid's step squared."""
    return ((indices + shape // 2) % shape - shape // 2) ** 2


def _look_up(backend: Backend, amplitudes: np.ndarray, full: Any, half: Any) -> Any:
    xp = backend.xp
    table = xp.asarray(np.append(amplitudes, np.float32(0)))
    n2 = full[:, None, None].astype(xp.int32) + full[:, None].astype(xp.int32) + half.astype(xp.int32)
    return table[xp.minimum(n2, amplitudes.size)]

"""The expected curve of an infinite sample, exact for two phases: no box, no voxels, no smoothing.

I(q)/V = 4 pi int r^2 C(r) sinc(qr) dr with the covariance C of a thresholded Gaussian random field (Berk 1991,
doi:10.1103/PhysRevA.44.5069; Teubner 1991, doi:10.1209/0295-5075/14/5/003). ``a`` is the only length, so
I/V = a^3 f(qa, porosity), with one f for each spectral density (:mod:`pyfai_grf.theory.scale_free`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_LAYER_DENSITY
from pyfai_grf.theory.covariance import compute_surface, compute_threshold, validate_porosity
from pyfai_grf.theory.scale_free import compute_scale_free_intensity, look_up_intensity, validate_q
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum, get_spectrum
from pyfai_grf.theory.three_phase import expected_three_phase

__all__ = [
    "average_curves",
    "compute_mean_chords",
    "compute_scale_free_intensity",
    "compute_surface_per_volume",
    "compute_threshold",
    "expected_intensity",
]

_BLOCK_POINTS = 1 << 19


def expected_intensity(
    q: ArrayLike,
    a: ArrayLike,
    porosity: ArrayLike,
    layer_fraction: ArrayLike = 0.0,
    layer_density: float = PAPER_LAYER_DENSITY,
    spectrum: str | Spectrum = DEFAULT_SPECTRUM,
) -> FloatArray:
    """Return the expected I(q)/V in nm^3 of an infinite sample with electron densities 0, layer_density and 1.

    No box, no voxels and no smoothing: the mean over all structures of the model, as a measured sample shows it.
    The mean |F|^2 of an unnormalised FFT of a box is (shape/voxel_size)^3 times this. For two phases it is the same
    for porosity and 1 - porosity (Babinet), and within 1e-5 of the quadrature. The first call for a spectrum builds
    a table, which takes about a second.

    Parameters
    ----------
    q : array_like
        Momentum transfer in 1/nm, 0 or more; any shape.
    a : array_like
        Length scale of the field in nm; scalar or (N,).
    porosity : array_like
        Volume fraction that is not solid; scalar or (N,), broadcast with ``a``.
    layer_fraction : array_like
        Fraction of the pore space that a layer on the solid fills; scalar or (N,).
    layer_density : float
        Electron density of the layer relative to the solid; it has no effect without a layer.
    spectrum : str or Spectrum
        Spectral density of the field, by name or as an object (:mod:`pyfai_grf.theory.spectra`).

    Returns
    -------
    ndarray
        Of the shape of ``q`` where ``a``, ``porosity`` and ``layer_fraction`` are scalars, otherwise (N, ...), one
        such curve for each of them.

    Raises
    ------
    InputError
        For q negative or not finite, a not positive, porosity not between 0 and 1, an unknown spectrum, or a layer
        for which there is no table.
    """
    spectrum = get_spectrum(spectrum)
    layer = np.asarray(layer_fraction, dtype=np.float64)
    q = validate_q(q, "q")
    a, porosity, layer = _validate_shape(a, porosity, layer)
    if np.any(layer != 0):
        return expected_three_phase(q, a, porosity, layer, layer_density, spectrum)
    threshold = np.abs(compute_threshold(porosity)).reshape(-1, 1)
    lengths, points = a.reshape(-1, 1), q.reshape(1, -1)
    result = np.empty((len(lengths), points.size))
    rows = max(1, _BLOCK_POINTS // max(1, points.size))
    for start in range(0, len(lengths), rows):
        part = slice(start, start + rows)
        result[part] = lengths[part] ** 3 * look_up_intensity(lengths[part] * points, threshold[part], spectrum)
    return result.reshape(a.shape + q.shape)


def average_curves(
    q_nm1: FloatArray, a: FloatArray, porosity: FloatArray, spectrum: str | Spectrum = DEFAULT_SPECTRUM
) -> FloatArray:
    """Return the expected curves (N, M) as a reduction gives them: averaged over the bins around ``q_nm1`` (M,).

    The shoulder of a curve of large ``a`` bends by 1 % within a bin of the published grid. Three Gauss-Legendre
    points per bin are weighted by q, as the pixels are.
    """
    step = q_nm1[1] - q_nm1[0]
    total, norm = np.zeros((a.size, q_nm1.size)), np.zeros(q_nm1.size)
    for node, weight in zip(*np.polynomial.legendre.leggauss(3), strict=True):
        q = q_nm1 + node * step / 2
        total += weight * q * expected_intensity(q, a, porosity, spectrum=spectrum)
        norm += weight * q
    return np.asarray(total / norm)


def compute_surface_per_volume(
    a: ArrayLike, porosity: ArrayLike, spectrum: str | Spectrum = DEFAULT_SPECTRUM
) -> FloatArray:
    """Return S_V, the interface area per sample volume in 1/nm, for ``a`` in nm; arguments broadcast.

    The formula is :func:`pyfai_grf.theory.covariance.compute_surface`'s, over ``a``.

    Raises
    ------
    InputError
        For a not positive, porosity not between 0 and 1, or an unknown spectrum.
    """
    return np.asarray(compute_surface(compute_threshold(porosity), spectrum) / _validate_length(a))


def compute_mean_chords(
    a: ArrayLike, porosity: ArrayLike, spectrum: str | Spectrum = DEFAULT_SPECTRUM
) -> tuple[FloatArray, FloatArray]:
    """Return the mean chords (pore, solid) in nm: 4 porosity/S_V and 4 (1 - porosity)/S_V; arguments broadcast.

    Raises
    ------
    InputError
        For a not positive, porosity not between 0 and 1, or an unknown spectrum.
    """
    surface = compute_surface_per_volume(a, porosity, spectrum)
    porosity = validate_porosity(porosity)
    return np.asarray(4 * porosity / surface), np.asarray(4 * (1 - porosity) / surface)


def _validate_length(a: ArrayLike) -> FloatArray:
    values = np.asarray(a, dtype=np.float64)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        raise InputError(f"a must be a positive length in nm, found {values[bad].flat[0]:g}")
    return values


def _validate_shape(a: ArrayLike, porosity: ArrayLike, layer: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    lengths, fractions = _validate_length(a), validate_porosity(porosity)
    try:
        lengths, fractions, layer = np.broadcast_arrays(lengths, fractions, layer)
    except ValueError:
        found = f"a {lengths.shape}, porosity {fractions.shape} and layer_fraction {layer.shape}"
        raise InputError(f"{found} cannot be broadcast together") from None
    if lengths.ndim > 1:
        raise InputError(f"a, porosity and layer_fraction must be numbers or one axis, found shape {lengths.shape}")
    return lengths, fractions, layer

"""The exact two-phase theory in real space: covariance of the phases, from the correlation of the field.

Lengths are in units of the field's length scale, a = 1. The covariance depends on the porosity only through its
threshold squared, so Babinet's principle holds by construction. Every function takes a spectral density or its text
(:mod:`pyfai_grf.theory.spectra`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum, get_spectrum

_ANGLE_NODES, _ANGLE_WEIGHTS = np.polynomial.legendre.leggauss(24)
_FEW_NODES, _FEW_WEIGHTS = np.polynomial.legendre.leggauss(10)


def compute_threshold(porosity: ArrayLike) -> FloatArray:
    """Return the threshold T = sqrt(2) erfinv(2 porosity - 1) of a unit Gaussian field; dimensionless.

    ``porosity`` of any shape, between 0 and 1, exclusive. Röding et al. 2022, Eq. 8, doi:10.3389/fmats.2022.956839.

    Raises
    ------
    InputError
        If a porosity is not between 0 and 1.
    """
    return np.asarray(ndtri(validate_porosity(porosity)))


def validate_porosity(porosity: ArrayLike) -> FloatArray:
    """Return ``porosity`` as a float array, all of it strictly between 0 and 1.

    Raises
    ------
    InputError
        Otherwise.
    """
    values = np.asarray(porosity, dtype=np.float64)
    bad = ~((values > 0) & (values < 1))
    if bad.any():
        raise InputError(f"porosity must lie between 0 and 1, exclusive, found {values[bad].flat[0]:g}")
    return values


def compute_correlation(r: ArrayLike, spectrum: str | Spectrum = DEFAULT_SPECTRUM) -> FloatArray:
    """Return g(r) = int Gamma k^2 sinc(kr) dk / int Gamma k^2 dk at distances ``r`` (any shape, unit a); g(0) = 1."""
    return np.asarray(get_spectrum(spectrum).correlation(np.asarray(r, dtype=np.float64)))


def compute_covariance(r: FloatArray, threshold: FloatArray, spectrum: str | Spectrum = DEFAULT_SPECTRUM) -> FloatArray:
    """Return the covariance C(r) of the solid's indicator, shape (P, R), at distances ``r`` (R,), unit a.

    C = 1/(2 pi) int_0^arcsin(g) exp(-T^2 / (1 + sin t)) dt for thresholds ``threshold`` (P,): Berk 1991,
    doi:10.1103/PhysRevA.44.5069; Teubner 1991, doi:10.1209/0295-5075/14/5/003. C(0) = porosity (1 - porosity).
    """
    half_angle = np.arcsin(np.clip(compute_correlation(r, spectrum), -1.0, 1.0)) / 2
    inverse = 1 / (1 + np.sin(half_angle[:, np.newaxis] * (_ANGLE_NODES + 1)))
    result = np.empty((len(threshold), len(r)))
    for row, t in zip(result, threshold, strict=True):
        row[:] = half_angle * (np.exp(-t * t * inverse) @ _ANGLE_WEIGHTS) / (2 * np.pi)
    return result


def compute_imaginary_covariance(s: FloatArray, threshold: FloatArray, spectrum: Spectrum) -> FloatArray:
    """Return -Im C(is), shape (P, S), the covariance continued to small imaginary distances ``s`` (S,).

    C(0) - C(r) = 1/(2 pi) int_0^c exp(-T^2 / (1 + cos t)) dt, with cos c = g: it begins as S_V r / 4, and the next
    terms decide how a curve approaches Porod's law. The spectrum has to be analytic (``is_analytic``).
    """
    root = np.sqrt(spectrum.decrement(1j * s) / 2)
    angle = 2 * np.arcsin(np.where(root.imag < 0, -root, root))
    inverse = 1 / (1 + np.cos(angle[:, np.newaxis] * (_FEW_NODES + 1) / 2))
    result = np.empty((len(threshold), len(s)))
    for row, t in zip(result, threshold, strict=True):
        row[:] = (angle * (np.exp(-t * t * inverse) @ _FEW_WEIGHTS)).imag / (4 * np.pi)
    return result


def compute_surface(threshold: FloatArray, spectrum: str | Spectrum = DEFAULT_SPECTRUM) -> FloatArray:
    """Return S_V = (2/pi) sqrt(<k^2>/3) exp(-T^2/2), the interface area per volume at a = 1; any shape.

    Berk 1991, doi:10.1103/PhysRevA.44.5069. With <k^2> = 3/5, the published spectrum, 2/(pi sqrt 5) exp(-T^2/2).
    """
    slope = math.sqrt(get_spectrum(spectrum).second_moment / 3)
    return 2 / np.pi * slope * np.exp(-np.square(threshold) / 2)


def compute_flat_film(
    porosity: ArrayLike, layer_fraction: ArrayLike, spectrum: str | Spectrum = DEFAULT_SPECTRUM
) -> FloatArray:
    """Return the thickness at a = 1 of the layer's volume spread flat over the interface; arguments broadcast.

    ``porosity`` between 0 and 1, exclusive; ``layer_fraction`` is the fraction of the pores that the layer fills.

    Raises
    ------
    InputError
        If a porosity is not between 0 and 1.
    """
    surface = compute_surface(compute_threshold(porosity), spectrum)
    return np.asarray(porosity, dtype=np.float64) * np.asarray(layer_fraction, dtype=np.float64) / surface

"""Exact cross spectra of level sets of one Gaussian field."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.theory.covariance import compute_correlation
from pyfai_grf.theory.spectra import Spectrum, get_spectrum

_ANGLE_NODES, _ANGLE_WEIGHTS = np.polynomial.legendre.leggauss(64)
_RADIAL_NODES, _RADIAL_WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL = 0.5


def compute_cross_covariance(r: FloatArray, thresholds: FloatArray, spectrum: str | Spectrum) -> FloatArray:
    """Return the covariance of the indicators {psi >= T_i} and {psi >= T_j} at distances ``r``: (J, J, R), a = 1.

    The bivariate normal integral 1/(2 pi) int_0^arcsin(g) exp(-[(T_i - T_j)^2/(1 - sin t) + (T_i + T_j)^2/(1 + sin t)]
    / 4) dt, which is Berk's (1991, doi:10.1103/PhysRevA.44.5069) for T_i = T_j.
    """
    half_angle = np.arcsin(np.clip(compute_correlation(r, spectrum), -1.0, 1.0)) / 2
    sine = np.sin(half_angle[:, np.newaxis] * (_ANGLE_NODES + 1))
    below, above = 1 / np.maximum(1 - sine, 1e-300), 1 / (1 + sine)
    result = np.empty((len(thresholds), len(thresholds), len(r)))
    for i, one in enumerate(thresholds):
        for j, other in enumerate(thresholds[: i + 1]):
            exponent = ((one - other) ** 2 * below if i != j else 0) + (one + other) ** 2 * above
            result[i, j] = result[j, i] = half_angle * (np.exp(-exponent / 4) @ _ANGLE_WEIGHTS) / (2 * np.pi)
    return result


def compute_cross_spectra(x: FloatArray, thresholds: FloatArray, spectrum: str | Spectrum) -> FloatArray:
    """Return 4 pi int r^2 C_ij(r) sinc(x r) dr for ``x`` up to about 30: (J, J, X)."""
    starts = np.arange(0, get_spectrum(spectrum).cutoff_radius, _PANEL)
    r = (starts[:, np.newaxis] + _PANEL / 2 * (_RADIAL_NODES + 1)).ravel()
    weights = np.tile(_RADIAL_WEIGHTS * _PANEL / 2, len(starts)) * 4 * np.pi * r * r
    covariance = compute_cross_covariance(r, thresholds, spectrum) * weights
    return np.asarray(covariance @ np.sinc(np.outer(r, x) / np.pi))

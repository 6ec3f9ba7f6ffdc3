"""The exact two-phase theory in real space: correlation of the field, covariance of the phases.

Everything here is in units of the field's length scale, a = 1, and depends on the porosity through its threshold
squared only, so that Babinet's principle holds by construction. Valid for the spectral density of
:mod:`pyfai_grf.simulation.spectra`, (1 + k^8)^-2, whose poles give the correlation function in closed form.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import FloatArray

#: half the power of the wave number at which the spectral density ends: Gamma = (1 + k^EXPONENT)^-2
EXPONENT = 8
#: beyond this distance the correlation is below 1e-14 (it decays as exp(-0.383 r))
CUTOFF_RADIUS = 90.0

# below this distance the sum over poles cancels, and the Taylor series is exact to rounding
_SERIES_RADIUS = 0.05
_POLES = np.exp(1j * np.pi * (2 * np.arange(EXPONENT // 2) + 1) / EXPONENT)
_ANGLE_NODES, _ANGLE_WEIGHTS = np.polynomial.legendre.leggauss(24)


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


def compute_spectral_integral(power: int) -> float:
    """Return the integral of k^power (1 + k^8)^-2 over k from 0 to infinity, for power between 0 and 14."""
    s = (power + 1) / EXPONENT
    return (1 - s) * math.pi / math.sin(math.pi * s) / EXPONENT


def compute_moment(order: int) -> float:
    """Return <k^order>, the moment of the three-dimensional spectral density at a = 1; <k^2> = 3/5."""
    return compute_spectral_integral(order + 2) / compute_spectral_integral(2)


def compute_correlation(r: FloatArray) -> FloatArray:
    """Return g(r) = int Gamma k^2 sinc(kr) dk / int Gamma k^2 dk at distances ``r`` (any shape, unit a); g(0) = 1.

    The residues of the double poles k^8 = -1 in the upper half plane, and the Taylor series near r = 0.
    """
    r = np.asarray(r, dtype=np.float64)
    near = r < _SERIES_RADIUS
    safe = np.where(near, 1.0, r)[..., np.newaxis]
    residues = _POLES**2 * np.exp(1j * _POLES * safe) * (1j * _POLES * safe + 2 - EXPONENT) / EXPONENT**2
    far_value = np.pi * residues.real.sum(-1) / (safe[..., 0] * compute_spectral_integral(2))
    square = r * r
    series = 1 - square * (
        compute_moment(2) / 6 - square * (compute_moment(4) / 120 - square * compute_moment(6) / 5040)
    )
    return np.where(near, series, far_value)


def compute_covariance(r: FloatArray, threshold: FloatArray) -> FloatArray:
    """Return the covariance C(r) of the solid's indicator, shape (P, R), at distances ``r`` (R,), unit a.

    C = 1/(2 pi) int_0^arcsin(g) exp(-T^2 / (1 + sin t)) dt for thresholds ``threshold`` (P,): Berk 1991,
    doi:10.1103/PhysRevA.44.5069; Teubner 1991, doi:10.1209/0295-5075/14/5/003. C(0) = porosity (1 - porosity).
    """
    half_angle = np.arcsin(np.clip(compute_correlation(r), -1.0, 1.0)) / 2
    inverse = 1 / (1 + np.sin(half_angle[:, np.newaxis] * (_ANGLE_NODES + 1)))
    result = np.empty((len(threshold), len(r)))
    for row, t in zip(result, threshold, strict=True):
        row[:] = half_angle * (np.exp(-t * t * inverse) @ _ANGLE_WEIGHTS) / (2 * np.pi)
    return result


def compute_surface(threshold: FloatArray) -> FloatArray:
    """Return S_V = 2/(pi sqrt 5) exp(-T^2/2), the interface area per volume at a = 1; any shape.

    Berk 1991: S_V = (2/pi) sqrt(<k^2>/3) exp(-T^2/2), with <k^2> = 3/5 for this spectral density.
    """
    return 2 / np.pi * math.sqrt(compute_moment(2) / 3) * np.exp(-np.square(threshold) / 2)


def compute_curvature_term(threshold: FloatArray) -> FloatArray:
    """Return b in Porod's law with its next term, I = 2 pi S_V x^-4 (1 + b/x^2 + ...), x = q a; any shape.

    b = -12 c_3/c_1 for C(r) = C(0) - c_1 r - c_3 r^3 - ..., which follows from the Taylor series of g.
    """
    m2, m4 = compute_moment(2), compute_moment(4)
    return 12 * (m4 / (40 * m2) - m2 / 72) + np.square(threshold) * m2 / 6

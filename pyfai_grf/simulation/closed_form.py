"""The expected two-phase curve of an infinite sample, exact: no box, no voxels, no smoothing.

I(q)/V = 4 pi int r^2 C(r) sinc(qr) dr with the covariance C of a thresholded Gaussian random field (Berk 1991,
doi:10.1103/PhysRevA.44.5069; Teubner 1991, doi:10.1209/0295-5075/14/5/003). Nothing but ``a`` carries a length, so
I/V = a^3 f(qa, porosity). :func:`compute_scale_free_intensity` evaluates f by quadrature; :func:`expected_intensity`
answers from a table of it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import map_coordinates, spline_filter

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import PAPER_LAYER_DENSITY
from pyfai_grf.core.records import FloatArray
from pyfai_grf.simulation.covariance import (
    CUTOFF_RADIUS,
    compute_covariance,
    compute_curvature_term,
    compute_surface,
    compute_threshold,
    validate_porosity,
)

__all__ = [
    "average_curves",
    "compute_mean_chords",
    "compute_scale_free_intensity",
    "compute_surface_per_volume",
    "compute_threshold",
    "expected_intensity",
]

#: from this q a on Porod's law with its next term is used: the terms left out are below 1e-6 there
POROD_START = 50.0

# the table: coordinates asinh(x / 0.5) and |T|, in both of which log f is even about zero, as the spline assumes
_X_SCALE = 0.5
_X_STEP = 0.02
_T_STEP = 0.08
_T_MAX = 3.2  # porosity 0.0007; what lies beyond is evaluated exactly
_MARGIN = 14  # nodes beyond either end: the spline's wrong boundary condition decays by 0.27 a node
_BLOCK_POINTS = 1 << 19


@dataclass(frozen=True)
class _Table:
    """Spline coefficients of log(f (1 + x^4)) over (|T|, asinh(x / 0.5))."""

    coefficients: FloatArray

    def evaluate(self, x: FloatArray, threshold: FloatArray) -> FloatArray:
        """Return f(x) for ``x`` (N, Q) and |T| ``threshold`` (N, 1), x <= POROD_START, |T| <= 3.2."""
        coordinates = np.empty((2, *x.shape))
        coordinates[0] = threshold / _T_STEP
        np.arcsinh(x / _X_SCALE, out=coordinates[1])
        coordinates[1] /= _X_STEP
        logarithm = map_coordinates(self.coefficients, coordinates, order=3, mode="mirror", prefilter=False)
        return np.exp(logarithm) / (1 + np.square(np.square(x)))


@functools.lru_cache(maxsize=1)
def _get_table() -> _Table:
    x_count = int(np.ceil(np.arcsinh(POROD_START / _X_SCALE) / _X_STEP)) + _MARGIN
    t_count = int(np.ceil(_T_MAX / _T_STEP)) + _MARGIN
    x = _X_SCALE * np.sinh(_X_STEP * np.arange(x_count, dtype=np.float64))
    values = _integrate(x, _T_STEP * np.arange(t_count, dtype=np.float64)) * (1 + x**4)
    return _Table(spline_filter(np.log(values), order=3, mode="mirror"))


@functools.lru_cache(maxsize=1)
def _get_radial_nodes() -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Legendre nodes and weights over 0 to CUTOFF_RADIUS, fine enough for x up to 70."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    width = 0.25
    starts = np.arange(0, CUTOFF_RADIUS, width)
    r = (starts[:, np.newaxis] + width / 2 * (nodes + 1)).ravel()
    return r, np.tile(weights * width / 2, len(starts))


def _integrate(x: FloatArray, threshold: FloatArray) -> FloatArray:
    """Return 4 pi int r^2 C(r) sinc(x r) dr, shape (P, X), for x (X,) up to 70 and thresholds (P,)."""
    r, weights = _get_radial_nodes()
    covariance = compute_covariance(r, threshold) * (4 * np.pi * weights * r * r)
    result = np.empty((len(threshold), len(x)))
    for start in range(0, len(x), 256):  # 256 x 5760 sines are 12 MB
        part = slice(start, start + 256)
        result[:, part] = covariance @ np.sinc(np.outer(r, x[part]) / np.pi)
    return result


def _compute_porod(x: FloatArray, threshold: FloatArray) -> FloatArray:
    return 2 * np.pi * compute_surface(threshold) * x**-4 * (1 + compute_curvature_term(threshold) / x**2)


def compute_scale_free_intensity(x: ArrayLike, porosity: ArrayLike) -> FloatArray:
    """Return f(x, porosity) = I/(V a^3) at x = q a, by quadrature: slow and exact (about 1e-8).

    Parameters
    ----------
    x : any shape, at least 0; from 50 on Porod's law with its next term answers (to 1e-6).
    porosity : scalar or (N,); the result has the shape of x, or (N, *x.shape).

    Raises
    ------
    InputError
        For x that is negative or not finite, or a porosity not between 0 and 1.
    """
    x = _validate_q(x, "x")
    porosity = validate_porosity(porosity)
    if porosity.ndim > 1:
        raise InputError(f"porosity must be one number or one axis of them, found shape {porosity.shape}")
    threshold = np.abs(np.atleast_1d(compute_threshold(porosity)))
    points = x.ravel()
    result = _integrate(np.minimum(points, POROD_START), threshold)
    tail = points > POROD_START
    result[:, tail] = _compute_porod(points[tail], threshold[:, np.newaxis])
    return result.reshape(porosity.shape + x.shape)


def expected_intensity(
    q: ArrayLike,
    a: ArrayLike,
    porosity: ArrayLike,
    layer_fraction: ArrayLike = 0.0,
    layer_density: float = PAPER_LAYER_DENSITY,
) -> FloatArray:
    """Return the expected I(q)/V in nm^3 of an infinite two-phase sample with electron densities 0 and 1.

    No box, no voxels and no smoothing: the mean over all structures of the model, as a measured sample shows it.
    An unnormalised FFT of an N^3 box with voxels dx has the mean |F|^2 of N^3/dx^3 times this. The same for
    porosity and 1 - porosity (Babinet). Within 1e-5 of :func:`compute_scale_free_intensity`. The first call
    builds a table (under a second).

    Parameters
    ----------
    q : 1/nm, any shape, at least 0.
    a : length scale of the field in nm; scalar or (N,).
    porosity : volume fraction of the pores; scalar or (N,), broadcast with ``a``.
    layer_fraction : must be 0: the expected curve of three phases is not available yet.
    layer_density : of no effect without a layer.

    Returns
    -------
    (*q.shape) for scalar ``a`` and ``porosity``, otherwise (N, *q.shape).

    Raises
    ------
    InputError
        For q negative or not finite, a not positive, porosity not between 0 and 1, or a layer.
    """
    layer = np.asarray(layer_fraction, dtype=np.float64)
    if np.any(layer != 0):
        raise InputError(
            f"layer_fraction is {layer[layer != 0].flat[0]:g}: the expected three-phase curve is not available yet. "
            "Leave it 0 for two phases, or use simulate for one structure of the three-phase model"
        )
    q = _validate_q(q, "q")
    a, porosity = _validate_shape(a, porosity)
    threshold = np.abs(compute_threshold(porosity)).reshape(-1, 1)
    lengths, points = a.reshape(-1, 1), q.reshape(1, -1)
    result = np.empty((len(lengths), points.size))
    rows = max(1, _BLOCK_POINTS // max(1, points.size))
    for start in range(0, len(lengths), rows):
        part = slice(start, start + rows)
        result[part] = lengths[part] ** 3 * _look_up(lengths[part] * points, threshold[part])
    return result.reshape(a.shape + q.shape)


def average_curves(q_nm1: FloatArray, a: FloatArray, porosity: FloatArray) -> FloatArray:
    """Return the expected curves (N, M) as a reduction gives them: averaged over the bins around ``q_nm1`` (M,).

    The shoulder of a curve of large ``a`` bends by 1 % within a bin of the published grid. Three Gauss-Legendre
    points a bin, weighted by q as the pixels are.
    """
    step = q_nm1[1] - q_nm1[0]
    total, norm = np.zeros((a.size, q_nm1.size)), np.zeros(q_nm1.size)
    for node, weight in zip(*np.polynomial.legendre.leggauss(3), strict=True):
        q = q_nm1 + node * step / 2
        total += weight * q * expected_intensity(q, a, porosity)
        norm += weight * q
    return np.asarray(total / norm)


def _look_up(x: FloatArray, threshold: FloatArray) -> FloatArray:
    """Return f for ``x`` (N, Q) and |T| ``threshold`` (N, 1): table, Porod's law or, at extreme |T|, quadrature."""
    result = _get_table().evaluate(np.minimum(x, POROD_START), np.minimum(threshold, _T_MAX))
    for row in np.flatnonzero(threshold > _T_MAX):
        result[row] = _integrate(np.minimum(x[row], POROD_START), threshold[row])[0]
    tail = x > POROD_START
    if tail.any():
        result[tail] = _compute_porod(x[tail], np.broadcast_to(threshold, x.shape)[tail])
    return result


def compute_surface_per_volume(a: ArrayLike, porosity: ArrayLike) -> FloatArray:
    """Return S_V, the interface area per sample volume in 1/nm, for ``a`` in nm; arguments broadcast.

    S_V = 2/(pi sqrt 5) exp(-T^2/2) / a (Berk 1991, doi:10.1103/PhysRevA.44.5069).

    Raises
    ------
    InputError
        For a not positive, or porosity not between 0 and 1.
    """
    return np.asarray(compute_surface(compute_threshold(porosity)) / _validate_length(a))


def compute_mean_chords(a: ArrayLike, porosity: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the mean chords (pore, solid) in nm: 4 porosity/S_V and 4 (1 - porosity)/S_V; arguments broadcast.

    Raises
    ------
    InputError
        For a not positive, or porosity not between 0 and 1.
    """
    surface = compute_surface_per_volume(a, porosity)
    porosity = validate_porosity(porosity)
    return np.asarray(4 * porosity / surface), np.asarray(4 * (1 - porosity) / surface)


def _validate_q(q: ArrayLike, name: str) -> FloatArray:
    values = np.asarray(q, dtype=np.float64)
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        raise InputError(f"{name} must be finite and at least 0, found {values[bad].flat[0]:g}")
    return values


def _validate_length(a: ArrayLike) -> FloatArray:
    values = np.asarray(a, dtype=np.float64)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        raise InputError(f"a must be a positive length in nm, found {values[bad].flat[0]:g}")
    return values


def _validate_shape(a: ArrayLike, porosity: ArrayLike) -> tuple[FloatArray, FloatArray]:
    lengths, fractions = _validate_length(a), validate_porosity(porosity)
    try:
        lengths, fractions = np.broadcast_arrays(lengths, fractions)
    except ValueError:
        raise InputError(f"a {lengths.shape} and porosity {fractions.shape} do not fit together") from None
    if lengths.ndim > 1:
        raise InputError(f"a and porosity must be numbers or one axis of them, found shape {lengths.shape}")
    return lengths, fractions

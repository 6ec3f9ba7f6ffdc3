"""The curve without its scale: f(x, porosity) = I/(V a^3) at x = q a, by quadrature and from a table.

f = 4 pi int r^2 C(r) sinc(xr) dr. Up to x = 30 that is summed as it stands. Beyond, the integral is taken along the
imaginary axis of r, f = 4 pi/x int s (-Im C(is)) exp(-xs) ds, where it does not oscillate. What this leaves out is
exponentially small, and Porod's law and all further terms come out, whatever their powers are (x^-2 as a rule,
x^-(2 nu - 2) for a Matern spectrum of nu below 2). A spectrum registered by another package may have no formula for its
correlation; then the sum goes on to x = 50, and Porod's law with the next term follows.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import map_coordinates, spline_filter

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.covariance import (
    compute_correlation,
    compute_covariance,
    compute_imaginary_covariance,
    compute_surface,
    compute_threshold,
    validate_porosity,
)
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum, get_spectrum

#: from this q a on the integral runs along the imaginary axis, if the spectrum has a formula there
_X_TURN = 30.0
#: where the table ends: with such a formula, and without
_X_END, _X_END_SAMPLED = 1e4, 50.0

# the table: coordinates asinh(x / 0.5) and |T|, in both of which log f is even about zero, as the spline assumes
_X_SCALE = 0.5
_X_STEP, _T_STEP = 0.02, 0.08  # for correlations that have decayed at these distances, less for ones that reach farther
_X_DECAY, _T_DECAY, _DECAYED = 18.0, 24.0, 1e-5
_T_MAX = 3.2  # porosity 0.0007; what lies beyond is evaluated exactly
_MARGIN = 14  # nodes beyond either end: the effect of the spline's wrong boundary condition falls to 0.27 per node


@dataclass(frozen=True)
class _Table:
    """Spline coefficients of log(f (1 + x^4)) over (|T|, asinh(x / 0.5)), in steps of ``x_step`` and ``t_step``."""

    coefficients: FloatArray
    x_step: float
    t_step: float
    x_end: float

    def evaluate(self, x: FloatArray, threshold: FloatArray) -> FloatArray:
        """Return f(x) for ``x`` (N, Q) and |T| ``threshold`` (N, 1), x <= x_end, |T| <= 3.2."""
        coordinates = np.empty((2, *x.shape))
        coordinates[0] = threshold / self.t_step
        np.arcsinh(x / _X_SCALE, out=coordinates[1])
        coordinates[1] /= self.x_step
        logarithm = map_coordinates(self.coefficients, coordinates, order=3, mode="mirror", prefilter=False)
        return np.exp(logarithm) / (1 + np.square(np.square(x)))


@functools.lru_cache(maxsize=16)
def _get_table(spectrum: Spectrum) -> _Table:
    x_end = _X_END if spectrum.is_analytic else _X_END_SAMPLED
    decay = _measure_decay(spectrum)
    x_step, t_step = _X_STEP * min(1.0, _X_DECAY / decay), _T_STEP * min(1.0, _T_DECAY / decay)
    x_count = int(np.ceil(np.arcsinh(x_end / _X_SCALE) / x_step)) + _MARGIN
    t_count = int(np.ceil(_T_MAX / t_step)) + _MARGIN
    x = _X_SCALE * np.sinh(x_step * np.arange(x_count, dtype=np.float64))
    values = _integrate(x, t_step * np.arange(t_count, dtype=np.float64), spectrum) * (1 + x**4)
    return _Table(spline_filter(np.log(values), order=3, mode="mirror"), x_step, t_step, x_end)


def _measure_decay(spectrum: Spectrum) -> float:
    """Return the distance beyond which the correlation is below 1e-5: its inverse is the finest detail of f."""
    r = np.arange(0.0, spectrum.cutoff_radius, 0.1)
    return float(r[np.flatnonzero(np.abs(compute_correlation(r, spectrum)) > _DECAYED)[-1]])


@functools.lru_cache(maxsize=16)
def _get_radial_nodes(spectrum: Spectrum) -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Legendre nodes and weights from 0 to where the correlation ends, fine enough for x up to 70."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    width = 0.25
    # panels that shrink towards r = 0, where the covariance of a rough interface has a fractional power of r
    edges = np.concatenate([[0], width * 0.5 ** np.arange(12, 0, -1), np.arange(width, spectrum.cutoff_radius, width)])
    widths = np.diff(edges, append=edges[-1] + width)[:, np.newaxis]
    return (edges[:, np.newaxis] + widths / 2 * (nodes + 1)).ravel(), (widths / 2 * weights).ravel()


def _integrate(x: FloatArray, threshold: FloatArray, spectrum: Spectrum) -> FloatArray:
    """Return 4 pi int r^2 C(r) sinc(x r) dr, shape (P, X), for x (X,) and thresholds (P,).

    Any x for an analytic spectrum, x up to 70 for another.
    """
    result = np.empty((len(threshold), len(x)))
    is_far = (x > _X_TURN) & spectrum.is_analytic
    if is_far.any():
        result[:, is_far] = _integrate_imaginary(x[is_far], threshold, spectrum)
    near = np.flatnonzero(~is_far)
    if near.size:
        r, weights = _get_radial_nodes(spectrum)
        covariance = compute_covariance(r, threshold, spectrum) * (4 * np.pi * weights * r * r)
    for start in range(0, near.size, 256):  # 256 x 6000 sines are 12 MB
        part = near[start : start + 256]
        result[:, part] = covariance @ np.sinc(np.outer(r, x[part]) / np.pi)
    return result


def _integrate_imaginary(x: FloatArray, threshold: FloatArray, spectrum: Spectrum) -> FloatArray:
    """Return 4 pi/x int s (-Im C(is)) exp(-xs) ds, shape (P, X), for large x (X,) and thresholds (P,)."""
    nodes, weights = np.polynomial.legendre.leggauss(32)
    y = (nodes + 1) / 2
    u = 40 * y * y  # s x; the nodes crowd at 0, where powers of s may be fractional
    weights = 40 * y * weights * u * np.exp(-u)
    covariance = compute_imaginary_covariance((u / x[:, np.newaxis]).ravel(), threshold, spectrum)
    result: FloatArray = covariance.reshape(len(threshold), len(x), len(u)) @ weights
    return result * 4 * np.pi / x**3


def continue_porod(
    x: FloatArray, threshold: FloatArray, at_end: FloatArray, end: float, spectrum: Spectrum
) -> FloatArray:
    """Return f at ``x`` beyond ``end``, where f is ``at_end``: Porod's law, and a rest that falls with the next power.

    A density that ends as k^-s leaves x^-2 for s from 7 on, x^-(s - 5) below. All arguments broadcast.
    """
    porod = 2 * np.pi * compute_surface(threshold, spectrum)
    rest = at_end * end**4 / porod - 1
    return np.asarray(porod * x**-4 * (1 + rest * (end / x) ** min(2.0, spectrum.tail_power - 5)))


def compute_scale_free_intensity(
    x: ArrayLike, porosity: ArrayLike, spectrum: str | Spectrum = DEFAULT_SPECTRUM
) -> FloatArray:
    """Return f(x, porosity) = I/(V a^3) at x = q a, by quadrature: slow and exact (about 1e-8).

    Parameters
    ----------
    x : array_like
        q a, 0 or more; any shape.
    porosity : array_like
        Scalar or (N,).
    spectrum : str or Spectrum
        Spectral density of the field. For one without a formula for its correlation, Porod's law with its next term
        stands from x = 50 on.

    Returns
    -------
    ndarray
        Of the shape of ``x`` for a scalar porosity, otherwise (N, ...), one such curve for each porosity.

    Raises
    ------
    InputError
        For x that is negative or not finite, a porosity not between 0 and 1, or an unknown spectrum.
    """
    x = validate_q(x, "x")
    spectrum = get_spectrum(spectrum)
    porosity = validate_porosity(porosity)
    if porosity.ndim > 1:
        raise InputError(f"porosity must be one number or one axis of them, found shape {porosity.shape}")
    threshold = np.abs(np.atleast_1d(compute_threshold(porosity)))
    points = x.ravel()
    end = np.inf if spectrum.is_analytic else _X_END_SAMPLED
    result = _integrate(np.minimum(points, end), threshold, spectrum)
    tail = points > end
    if tail.any():
        rows = threshold[:, np.newaxis]
        result[:, tail] = continue_porod(points[tail], rows, result[:, tail], end, spectrum)
    return result.reshape(porosity.shape + x.shape)


def look_up_intensity(x: FloatArray, threshold: FloatArray, spectrum: Spectrum) -> FloatArray:
    """Return f for ``x`` (N, Q) and |T| ``threshold`` (N, 1): from a table, Porod's law or, at extreme |T|, quadrature.

    Within 1e-5 of :func:`compute_scale_free_intensity`. The first call for a spectrum builds its table.
    """
    table = _get_table(spectrum)
    inside = np.minimum(x, table.x_end)
    result = table.evaluate(inside, np.minimum(threshold, _T_MAX))
    for row in np.flatnonzero(threshold > _T_MAX):
        result[row] = _integrate(inside[row], threshold[row], spectrum)[0]
    tail = x > table.x_end
    if tail.any():
        rows = np.broadcast_to(threshold, x.shape)[tail]
        result[tail] = continue_porod(x[tail], rows, result[tail], table.x_end, spectrum)
    return result


def validate_q(q: ArrayLike, name: str) -> FloatArray:
    """Return ``q``, called ``name`` in messages, as a float array.

    Raises
    ------
    InputError
        If a value is negative or not finite.
    """
    values = np.asarray(q, dtype=np.float64)
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        raise InputError(f"{name} must be finite and 0 or more, found {values[bad].flat[0]:g}")
    return values

"""What is fitted: the shape of the expected curve as a function of a few numbers, and how these are read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Fit
from pyfai_grf.theory.power_family import N_HIGH, T_HIGH, load_family
from pyfai_grf.theory.scale_free import look_up_intensity
from pyfai_grf.theory.spectra import Spectrum, get_spectrum
from pyfai_grf.theory.spectral_shapes import PowerSpectrum

#: the exponents that are fitted; below 3.2 the field is hardly smooth, above 20 hardly any steeper
N_FITTED = (3.2, 20.0)
#: a lognormal spread of a beyond that is several materials
SPREAD_HIGH = 0.5
#: nodes of the average over the spread, in standard deviations: right to 2e-5 for a spread of 0.1, 5e-4 for 0.5 (the
#: cube of a leans to the high side)
_NODES = np.linspace(-4.0, 5.0, 21)
_WEIGHTS = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()
#: a variance of ln a that is none; and the step in ln q at which a curve with a spread is computed, if that is coarser
#: than its points: a cubic spline is right to 1e-6 between
_NO_SPREAD, _LOG_STEP = 1e-8, 0.015


@dataclass(frozen=True)
class Shape:
    """A point in the space that is searched.

    Attributes
    ----------
    log_a : ln of the length scale in nm.
    u : threshold squared, 0 or more: the curve is even in the threshold, and 0 is porosity 0.5.
    inverse_n : 1 / n of the spectrum (1 + (aq)^n)^-2; unused where another one is pinned.
    variance : of ln a, 0 or more.
    """

    log_a: float
    u: float
    inverse_n: float = 0.125
    variance: float = 0.0

    @property
    def a(self) -> float:
        """The length scale in nm."""
        return math.exp(self.log_a)


def get_fitted_spectrum(fit: Fit) -> Spectrum:
    """Return the spectrum of a fit: that of its exponent, or the one that was held."""
    return PowerSpectrum(float(fit.values["spectrum_n"])) if "spectrum_n" in fit.values else get_spectrum(fit.spectrum)


@dataclass(frozen=True)
class Family:
    """A family of curves: of one ``spectrum``, or of the power family with its exponent free (None)."""

    spectrum: Spectrum | None
    has_spread: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of Shape that are free."""
        return ("log_a", "u", *(() if self.spectrum else ("inverse_n",)), *(("variance",) if self.has_spread else ()))

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Lower and upper bound of each free field but ``log_a``."""
        bounds = {
            "u": (0.0, T_HIGH**2),
            "inverse_n": (1.0 / N_FITTED[1], 1.0 / N_FITTED[0]),
            "variance": (0.0, SPREAD_HIGH**2),
        }
        return {name: bounds[name] for name in self.names if name in bounds}

    def evaluate(self, q: FloatArray, shape: Shape) -> FloatArray:
        """Return I/V in nm^3 at ``q`` (any shape, 1/nm), averaged over the spread of a by volume."""
        if shape.variance <= _NO_SPREAD:
            return shape.a**3 * self._look_up(q * shape.a, shape)
        low, high = float(q.min()), float(q.max())
        count = max(math.ceil(math.log(high / low) / _LOG_STEP), 8) if low > 0 else q.size
        if count >= q.size:
            return self._spread(q, shape)
        nodes = np.geomspace(low, high, count)
        spline = CubicSpline(np.log(nodes), np.log(self._spread(nodes, shape)))
        return np.asarray(np.exp(spline(np.log(q))))

    def _spread(self, q: FloatArray, shape: Shape) -> FloatArray:
        lengths = shape.a * np.exp(_NODES * math.sqrt(shape.variance))
        return np.asarray(np.tensordot(_WEIGHTS * lengths**3, self._look_up(np.multiply.outer(lengths, q), shape), 1))

    def evaluate_lengths(self, q: FloatArray, lengths: FloatArray, shape: Shape) -> FloatArray:
        """Return I/V (A, Q) for each of the ``lengths`` (A,) in nm, without a spread."""
        return np.asarray(lengths[:, np.newaxis] ** 3 * self._look_up(np.multiply.outer(lengths, q), shape))

    def _look_up(self, x: FloatArray, shape: Shape) -> FloatArray:
        """Return I / (V a^3) at ``x`` = q a, of any shape."""
        threshold = math.sqrt(max(shape.u, 0.0))
        if self.spectrum is None:
            return load_family().evaluate(x, threshold, min(1.0 / shape.inverse_n, N_HIGH))
        if isinstance(self.spectrum, PowerSpectrum):
            return load_family().evaluate(x, threshold, self.spectrum.n)
        return look_up_intensity(x.reshape(1, -1), np.full((1, 1), threshold), self.spectrum).reshape(x.shape)

"""What is fitted: the shape of the expected curve as a function of a few numbers, and how these are read."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.interpolate import CubicSpline
from scipy.special import erfc

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Fit
from pyfai_grf.fit.log_table import STEP, load_table
from pyfai_grf.theory.power_family import T_HIGH
from pyfai_grf.theory.shape_tables import PLANS
from pyfai_grf.theory.spectra import Spectrum, get_spectrum
from pyfai_grf.theory.spectral_shapes import PowerSpectrum

#: the exponents that are fitted; below 3.2 the field is hardly smooth, above 20 hardly any steeper
N_FITTED = (3.2, 20.0)
#: the forms of spectra with a free shape parameter, and what that is called
PARAMETERS = {"power": "spectrum_n", **{form: plan.parameter for form, plan in PLANS.items()}}
#: exponents of the upturn q^-p
P_FITTED = (1.0, 4.5)
#: a lognormal spread of a beyond that is several materials
SPREAD_HIGH = 0.5
#: x^2 f falls off at either end; what it is averaged with is the lognormal distribution by volume times that power
_POWER = 2
#: ln x to either side of a curve that its spread sees, and over which x^2 f is made to end smoothly
_LEFT, _RIGHT, _TAPER = 2.2, 2.8, 0.8


@dataclass(frozen=True)
class Shape:
    """A point in the space that is searched.

    Attributes
    ----------
    log_a : ln of the length scale in nm.
    u : threshold squared, 0 or more: the curve is even in the threshold, and 0 is porosity 0.5.
    inverse_n : 1 / n of the spectrum (1 + (aq)^n)^-2, which falls as q^-2n; of a Matern spectrum as well, where n is
        nu + 3/2; the width of a shell; unused where a spectrum is pinned.
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
    """A family of curves: of one ``spectrum``, or (None) of those of a ``form`` whose shape parameter is free.

    ``form`` is "power", "matern" or "shell".
    """

    spectrum: Spectrum | None
    has_spread: bool
    form: str = "power"

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of Shape that are free."""
        return ("log_a", "u", *(() if self.spectrum else ("inverse_n",)), *(("variance",) if self.has_spread else ()))

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Lower and upper bound of each free field but ``log_a``."""
        ends = N_FITTED if self.form == "power" else (PLANS[self.form].low, PLANS[self.form].high)
        low, high = sorted(self.write_parameter(end) for end in ends)
        bounds = {
            "u": (0.0, T_HIGH**2),
            "inverse_n": (low, high),
            "variance": (0.0, SPREAD_HIGH**2),
        }
        return {name: bounds[name] for name in self.names if name in bounds}

    def get_bound(self, name: str) -> tuple[float, float]:
        """Return the bounds of a parameter; those of an upturn's exponent are P_FITTED."""
        return P_FITTED if name == "power" else self.bounds.get(name, (-np.inf, np.inf))

    def read_parameter(self, inverse_n: float) -> float:
        """Return the free shape parameter (n, nu or width) behind ``inverse_n`` of a Shape."""
        return 1.0 / inverse_n if self.form == "power" else PLANS[self.form].read(inverse_n)

    def write_parameter(self, value: float) -> float:
        """Return the field ``inverse_n`` of a Shape for a shape parameter."""
        return 1.0 / value if self.form == "power" else PLANS[self.form].write(value)

    def name_spectrum(self, values: Mapping[str, float]) -> str:
        """Return the text of the spectrum whose shape parameter is among ``values``, in four digits."""
        if self.spectrum is not None:
            return self.spectrum.text
        name = PARAMETERS[self.form]
        return get_spectrum(f"{self.form}:{name.removeprefix('spectrum_')}={values[name]:.4g}").text

    def draw(self, log_q: float, count: int, shapes: FloatArray) -> FloatArray:
        """Return I/V in nm^3 and its derivatives by the free fields, (B, 1 + P, M), averaged over the spread of a.

        At M = ``count`` points from ``log_q`` on, ln q in steps of STEP. ``shapes`` (B, 4) hold the fields of Shape.
        The average over a is by volume: each volume of the sample has its a. As I = a^3 f(qa), it is a convolution of
        x^3 f with a Gaussian over ln x, and its derivatives are those of the Gaussian.
        """
        sizes = _Sizes.get(count)
        place = (log_q + shapes[:, 0]) / STEP - sizes.left
        start = np.floor(place).astype(int)
        lines = load_table(self.spectrum, self.form).draw(shapes[:, 1], shapes[:, 2], start, sizes.total)
        if "inverse_n" not in self.names:
            lines = lines[:, :2]
        lines[:, 0] = np.exp(lines[:, 0]) * sizes.taper
        lines[:, 1:] *= lines[:, :1]
        lean, variance = 3 - _POWER, shapes[:, 3, np.newaxis]
        shift = (place - start)[:, np.newaxis] * STEP + lean * variance
        kernel = np.repeat(np.exp(1j * sizes.omega[1] * shift), sizes.omega.size, axis=1)
        kernel[:, 0] = 1.0
        np.cumprod(kernel, axis=1, out=kernel)  # exp(i omega shift), as omega goes in equal steps
        kernel *= np.exp(lean * shapes[:, :1] + 0.5 * (lean**2 - sizes.omega**2) * variance)
        seen = rfft(lines, axis=-1) * kernel[:, np.newaxis]
        waves = np.empty((len(shapes), 1 + len(self.names), sizes.omega.size), dtype=complex)
        slope = seen[:, 0] * (1j * sizes.omega)
        waves[:, 0] = seen[:, 0]
        waves[:, 1] = lean * seen[:, 0] + slope
        waves[:, 2 : 1 + seen.shape[1]] = seen[:, 1:]
        if self.has_spread:  # as heat spreads: half the second derivative by ln a
            waves[:, -1] = (0.5 * lean**2 - 0.5 * sizes.omega**2) * seen[:, 0] + lean * slope
        curves = irfft(waves, sizes.total, axis=-1)[..., sizes.left : sizes.left + count]
        return np.asarray(curves * np.exp(-_POWER * (log_q + STEP * np.arange(count))))

    def evaluate(self, q: FloatArray, shape: Shape) -> FloatArray:
        """Return I/V in nm^3 at ``q`` (any shape, 1/nm, above 0), averaged over the spread of a."""
        log_q = np.log(q)
        first = float(log_q.min()) - 2 * STEP
        count = math.ceil((float(log_q.max()) - first) / STEP) + 3
        line = self.draw(first, count, np.array([[shape.log_a, shape.u, shape.inverse_n, shape.variance]]))[0, 0]
        return np.asarray(np.exp(CubicSpline(first + STEP * np.arange(count), np.log(line))(log_q)))

    def draw_lengths(self, log_q: float, count: int, log_a: FloatArray, shapes: FloatArray) -> FloatArray:
        """Return I/V (B, A, M) as :meth:`draw` does, of each shape with each of ``log_a`` (A,) in its place.

        These lie whole steps of STEP from the first.
        """
        steps = np.rint((log_a - log_a[0]) / STEP).astype(int)
        first = shapes.copy()
        first[:, 0] = log_a[0]
        lines = self.draw(log_q, count + int(steps[-1]), first)[:, 0]
        windows = np.lib.stride_tricks.sliding_window_view(lines, count, axis=1)[:, steps]
        return np.asarray(windows * np.exp(3 * (log_a - log_a[0]))[:, np.newaxis])


@dataclass(frozen=True, eq=False)
class _Sizes:
    """Of the grid on which curves are averaged: ``total`` points, ``left`` of them before the first that is wanted."""

    total: int
    left: int
    taper: FloatArray
    omega: FloatArray

    @staticmethod
    @functools.lru_cache(maxsize=32)
    def get(count: int) -> _Sizes:
        """Return the sizes for ``count`` points."""
        left = math.ceil((_LEFT + _TAPER) / STEP)
        total = next_fast_len(left + count + math.ceil((_RIGHT + _TAPER) / STEP), real=True)
        edge = np.linspace(-4, 4, math.ceil(_TAPER / STEP))
        taper = np.ones(total)
        taper[: edge.size] = 0.5 * erfc(-edge)
        taper[-edge.size :] = 0.5 * erfc(edge)
        return _Sizes(total, left, taper, np.asarray(2 * np.pi * np.fft.rfftfreq(total, STEP), dtype=np.float64))

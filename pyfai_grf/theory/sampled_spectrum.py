"""The base of all spectral densities: whatever has no formula is found by quadrature.

Everything at a = 1: wave numbers k = a q, distances r in units of a. A ``density`` takes wave numbers of any shape.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.fft import dst
from scipy.interpolate import CubicSpline

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError

Density = Callable[[FloatArray], FloatArray]

#: the steepest tail that is refused: <k^2> is finite beyond k^-5, but so close to it the sums do not converge
LOWEST_TAIL_POWER = 5.01
#: what an infinite <q^2> means for the material
FRACTAL = "<q^2> is infinite, the interface fractal, and its surface per volume infinite"
#: the correlation ends where it stays below this
NEGLIGIBLE_CORRELATION = 1e-11

_LOG_STEP = 0.005
_K_LOW, _K_HIGH = 1e-5, 1e6
_TRANSFORM_STEP = np.pi / 1024  # the longest distance is 1024 a, a quarter of it is used
_TRANSFORM_POINTS = 1 << 20
_FARTHEST, _FARTHEST_CORRELATION = 256.0, 1e-6


@dataclass(frozen=True)
class Spectrum:
    """Base of all spectral densities. A subclass is a frozen dataclass: a ``name``, numbers as fields, ``density``.

    Everything is in units of the field's length scale ``a``: wave numbers k = a q, and distances r. What a subclass
    does not override is found by quadrature.
    """

    name: ClassVar[str] = ""

    @property
    def is_analytic(self) -> bool:
        """Whether ``correlation`` takes complex distances, as an analytic formula does."""
        return False

    def density(self, k: Any) -> Any:
        """Return Gamma at the wave numbers ``k`` = a q, dimensionless, largest value about 1; any shape and library."""
        raise NotImplementedError

    def correlation(self, r: Any) -> Any:
        """Return g = int Gamma k^2 sinc(kr) dk / int Gamma k^2 dk at ``r`` (any shape), g(0) = 1; float64."""
        spline, cutoff = transform_spectrum(self)
        r = np.asarray(r, dtype=np.float64)
        return np.where(r < cutoff, spline(np.minimum(r, cutoff)), 0.0)

    def decrement(self, r: Any) -> Any:
        """Return 1 - g(r), precise near r = 0 too."""
        return 1 - self.correlation(r)

    def moment(self, order: int) -> float:
        """Return <k^order>, infinite where the density's tail is too flat for it."""
        return _integrate_moment(self, order)

    @property
    def second_moment(self) -> float:
        """<k^2>, which sets the surface per volume."""
        return self.moment(2)

    @property
    def tail_power(self) -> float:
        """s where the density ends as k^-s; infinite where it falls faster than any power."""
        return _measure_tail_power(self)

    @property
    def cutoff_radius(self) -> float:
        """Distance from which on the correlation is negligible."""
        return transform_spectrum(self)[1]

    @property
    def parameters(self) -> dict[str, float]:
        """Parameters by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def text(self) -> str:
        """The canonical text: what files and bundles store, and :func:`get_spectrum` reads."""
        pairs = ",".join(f"{name}={repr(value).removesuffix('.0')}" for name, value in self.parameters.items())
        return f"{self.name}:{pairs}" if pairs else self.name

    def __str__(self) -> str:
        return self.text


@functools.lru_cache(maxsize=16)
def transform_spectrum(spectrum: Spectrum) -> Any:
    """Return the correlation of any spectrum as a function, by a sine transform, and the distance where it ends."""
    return transform_density(spectrum.density)


@functools.lru_cache(maxsize=64)
def _integrate_moment(spectrum: Spectrum, order: int) -> float:
    return integrate_moment(spectrum.density, order)


@functools.lru_cache(maxsize=64)
def _measure_tail_power(spectrum: Spectrum) -> float:
    return measure_tail_power(spectrum.density)


def check_density(density: Density) -> None:
    """Check that a field can have the spectral ``density``.

    Raises
    ------
    InputError
        If it is negative or not finite anywhere, not scaled to a largest value of about 1, has no finite <k^2>
        (a tail no steeper than k^-5), or its length scale is far from 1.
    """
    k = np.concatenate([[0.0], _make_wave_numbers()])
    values = np.asarray(density(k), dtype=np.float64)
    if values.shape != k.shape:
        raise InputError(f"density() gave shape {values.shape} for wave numbers of shape {k.shape}")
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        raise InputError(f"density({k[bad][0]:g}) is {values[bad][0]:g}: it must be finite, 0 or more")
    if not 0.5 <= values.max() <= 2:
        raise InputError(f"its largest density is {values.max():g}: scale it to 1")
    power = measure_tail_power(density)
    if power <= LOWEST_TAIL_POWER:
        raise InputError(f"its density falls as k^-{power:.3g}: it must fall faster than k^-5, otherwise {FRACTAL}")
    if not 0.02 <= (second := integrate_moment(density, 2)) <= 200:
        raise InputError(f"its <k^2> is {second:g}: define a so that it lies between 0.02 and 200")


def measure_tail_power(density: Density) -> float:
    """Return s of the tail density ~ k^-s, from the last decade of wave numbers; infinite if it falls faster."""
    k = _make_wave_numbers()
    values = np.asarray(density(k), dtype=np.float64)
    if values[-1] < 1e-280:
        return float("inf")
    decade = round(np.log(10) / _LOG_STEP)
    return float(np.log(values[-1 - decade] / values[-1]) / (decade * _LOG_STEP))


def integrate_moment(density: Density, order: int) -> float:
    """Return <k^order>, the moment of the three-dimensional density; infinite if its tail does not allow it."""
    power = measure_tail_power(density)
    if power <= order + 3:
        return float("inf")
    return _integrate_power(density, order + 2, power) / _integrate_power(density, 2, power)


def _integrate_power(density: Density, order: int, tail_power: float) -> float:
    """Return the integral of k^order density over k, in equal steps of log k, with the rest of the tail as a power."""
    k = _make_wave_numbers()
    terms = np.asarray(density(k), dtype=np.float64) * k ** (order + 1)
    tail = 0.0 if np.isinf(tail_power) else terms[-1] / (tail_power - order - 1) - terms[-1] * _LOG_STEP / 2
    return float(terms.sum() * _LOG_STEP + tail)


def _make_wave_numbers() -> FloatArray:
    count = round(np.log(_K_HIGH / _K_LOW) / _LOG_STEP) + 1
    return np.asarray(_K_LOW * np.exp(_LOG_STEP * np.arange(count, dtype=np.float64)))


def transform_density(density: Density) -> tuple[Callable[[FloatArray], FloatArray], float]:
    """Return the correlation g(r) as a spline over r, and the distance from which on it is negligible.

    g(r) = int density k sin(kr) dk / (r int density k^2 dk), by a fast sine transform up to k = 3217.

    Raises
    ------
    InputError
        If the correlation does not end within 256 a.
    """
    k = _TRANSFORM_STEP * np.arange(1, _TRANSFORM_POINTS + 1, dtype=np.float64)
    norm = _integrate_power(density, 2, measure_tail_power(density))
    r_step = np.pi / (_TRANSFORM_STEP * (_TRANSFORM_POINTS + 1))
    r = r_step * np.arange(int(_FARTHEST / r_step), dtype=np.float64)
    sums = np.asarray(dst(np.asarray(density(k)) * k, type=1))[: r.size - 1] / 2 * _TRANSFORM_STEP
    values = np.concatenate([[1.0], sums / (norm * r[1:])])
    if (last := float(np.abs(values[-4096:]).max())) > _FARTHEST_CORRELATION:
        raise InputError(
            f"its correlation is still {last:.1g} at a distance of {_FARTHEST:g} a: the density has a peak that is too "
            "narrow, or a kink"
        )
    far = np.flatnonzero(np.abs(values) > NEGLIGIBLE_CORRELATION)
    cutoff = float(r[min(far[-1] + 1, r.size - 1)])
    # all points near r = 0, where a tail of low power bends the correlation; every 16th point farther out
    kept = np.concatenate([np.arange(512), np.arange(512, r.size, 16)])
    return CubicSpline(r[kept], values[kept]), cutoff

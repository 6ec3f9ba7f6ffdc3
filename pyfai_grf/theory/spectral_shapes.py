"""The spectral densities that are shipped; :mod:`pyfai_grf.theory.spectra` finds them by name."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import gamma, kv

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_SPECTRUM
from pyfai_grf.theory.sampled_spectrum import FRACTAL, Spectrum


@dataclass(frozen=True)
class PowerSpectrum(Spectrum):
    """Gamma = (1 + (aq)^n)^-2 with n from 3 to 24: flat up to q = 1/a, then falling as q^-2n.

    ``a`` is the inverse of the wave number at which Gamma has fallen to a quarter. n = 8 is the published one,
    ``roding2022`` (Röding et al. 2022, Eq. 7, doi:10.3389/fmats.2022.956839); the larger n, the stronger the order.
    For even n the correlation is a sum over poles and decays exponentially; for any other it has a tail r^-(n + 3),
    for Gamma has a branch point at q = 0, and comes from a sine transform.
    """

    n: float

    name: ClassVar[str] = "power"

    def __post_init__(self) -> None:
        if not 3 <= self.n <= 24:
            raise InputError(f"spectrum power: n is {self.n:g}: it must lie between 3 and 24")
        object.__setattr__(self, "n", float(self.n))

    @property
    def is_analytic(self) -> bool:
        """Whether there is a formula for the correlation."""
        return self.n % 2 == 0

    @property
    def text(self) -> str:
        """The canonical text; n = 8 has only one, ``roding2022``."""
        return PAPER_SPECTRUM if self.n == 8 else super().text

    def density(self, k: Any) -> Any:
        """Return (1 + k^n)^-2."""
        return (1.0 + k**self.n) ** -2

    def correlation(self, r: Any) -> Any:
        """Return g(r) from the residues of the double poles k^n = -1, and their Taylor series near r = 0."""
        return 1 - self.decrement(r) if self.is_analytic else super().correlation(r)

    def decrement(self, r: Any) -> Any:
        """Return 1 - g(r); ``r`` of any shape, and for even n real or complex."""
        if not self.is_analytic:
            return super().decrement(r)
        r = np.asarray(r)
        poles, series = _expand_poles(int(self.n))
        near = abs(r) < 0.5
        safe = np.where(near, 1.0, r)[..., np.newaxis]
        residues = poles**2 * np.exp(1j * poles * safe) * (1j * poles * safe + 2 - self.n)
        far = 1 - residues.sum(-1) * np.pi / (self.n**2 * _integrate_power(self.n, 2) * safe[..., 0])
        result = np.where(near, np.polynomial.polynomial.polyval(np.where(near, r, 0.0), series), far)
        return result if np.iscomplexobj(r) else result.real

    def moment(self, order: int) -> float:
        """Return <k^order>; 3/5 for the second moment of n = 8."""
        if order + 3 >= 2 * self.n:
            return math.inf
        return _integrate_power(self.n, order + 2) / _integrate_power(self.n, 2)

    @property
    def tail_power(self) -> float:
        """The power of the tail, 2 n."""
        return 2.0 * self.n

    @property
    def cutoff_radius(self) -> float:
        """Where exp(-r sin(pi/n)), from the pole nearest to the real axis, is below 1e-15."""
        if not self.is_analytic:
            return super().cutoff_radius
        return 34.5 / math.sin(math.pi / self.n)


def _integrate_power(n: float, order: int) -> float:
    """Return the integral of k^order (1 + k^n)^-2 over k from 0 to infinity, for order below 2 n - 1."""
    s = (order + 1) / n
    return (1 - s) * math.pi / math.sin(math.pi * s) / n if s != 1 else 1.0 / n


@functools.lru_cache(maxsize=16)
def _expand_poles(n: int) -> tuple[FloatArray, FloatArray]:
    """Return the poles k^n = -1 of the upper half plane, and the Taylor coefficients of 1 - g from r^0 on."""
    poles = np.exp(1j * np.pi * (2 * np.arange(n // 2) + 1) / n)
    orders = np.arange(2, 30)
    sums = ((1j * poles[:, np.newaxis]) ** orders * poles[:, np.newaxis] ** 2).sum(0).real
    terms = sums * (2 - n + orders) / [float(math.factorial(j)) for j in orders]
    # the first two vanish: g(0) = 1, and g is flat there
    series = -terms * np.pi / (n**2 * _integrate_power(n, 2))
    series[0] = 0.0
    return poles, np.concatenate([[0.0], series])


@dataclass(frozen=True)
class MaternSpectrum(Spectrum):
    """Gamma = (1 + (aq)^2)^-(nu + 3/2) with nu above 1, up to 20: no order, and the rougher the smaller nu.

    ``a`` is the decay length of the field's correlation, g = 2^(1-nu)/Gamma(nu) (r/a)^nu K_nu(r/a), without the
    factor sqrt(2 nu) of the geostatistical range. Matérn 1960; Guttorp and Gneiting 2006,
    doi:10.1093/biomet/93.4.989. With nu of 1 or less <q^2> is infinite; nu = 1/2 is Debye-Bueche.
    """

    nu: float

    name: ClassVar[str] = "matern"

    def __post_init__(self) -> None:
        if not self.nu > 1:
            raise InputError(f"spectrum matern: nu is {self.nu:g}: it must be above 1, otherwise {FRACTAL}")
        if self.nu > 20:
            raise InputError(f"spectrum matern: nu is {self.nu:g}: it must be 20 or less")
        object.__setattr__(self, "nu", float(self.nu))

    def density(self, k: Any) -> Any:
        """Return (1 + k^2)^-(nu + 3/2)."""
        return (1.0 + k * k) ** -(self.nu + 1.5)

    def correlation(self, r: Any) -> Any:
        """Return g(r) = 2^(1-nu)/Gamma(nu) r^nu K_nu(r)."""
        r = np.asarray(r)
        return 2 ** (1 - self.nu) / gamma(self.nu) * _scale_bessel(self.nu, r)

    def decrement(self, r: Any) -> Any:
        """Return 1 - g(r) = c int_0^r t^nu K_(nu-1)(t) dt near r = 0, where the difference would lose its digits."""
        r = np.asarray(r)
        result = np.asarray(1 - self.correlation(r))
        near = abs(r) < 0.02
        # the integrand ends as t^(2 nu - 1): nodes that crowd at t = 0
        nodes, weights = np.polynomial.legendre.leggauss(24)
        v = ((nodes + 1) / 2) ** 4
        t = np.where(near & (r != 0), r, 1.0)[near][:, np.newaxis] * v
        factor = 2 ** (1 - self.nu) / gamma(self.nu) * 2 * weights * ((nodes + 1) / 2) ** 3
        result[near] = (t * _scale_bessel(self.nu - 1, t)) @ factor * r[near]
        return result

    def moment(self, order: int) -> float:
        """Return <k^order>; 3/(2 (nu - 1)) for the second moment."""
        if order >= 2 * self.nu:
            return math.inf
        half = order / 2
        return math.gamma(half + 1.5) * math.gamma(self.nu - half) / (math.gamma(1.5) * math.gamma(self.nu))

    @property
    def is_analytic(self) -> bool:
        """There is a formula for the correlation."""
        return True

    @property
    def tail_power(self) -> float:
        """The power of the tail, 2 nu + 3."""
        return 2 * self.nu + 3

    @property
    def cutoff_radius(self) -> float:
        """Where r^(nu - 1/2) exp(-r) times its factor is below 1e-15."""
        r = np.arange(30.0, 120.0)
        return float(r[np.argmax(self.correlation(r) < 1e-15)])


def _scale_bessel(order: float, t: Any) -> Any:
    """Return t^order K_order(t), finite at t = 0; ``t`` of any shape, real or complex, ``order`` above 0."""
    near = abs(t) < (1e-8 if order >= 1 else 1e-150)
    safe = np.where(near, 1.0, t)
    return np.where(near, 2 ** (order - 1) * gamma(order), safe**order * kv(order, safe))


@dataclass(frozen=True)
class ShellSpectrum(Spectrum):
    """Gamma = exp(-(aq - 1)^2 / (2 width^2)) + exp(-(aq + 1)^2 / (2 width^2)): spinodal, bicontinuous materials.

    A Gaussian shell of wave numbers around q = 1/a, of the relative standard deviation ``width`` (0.05 to 0.5): the
    leveled wave of Cahn 1965, doi:10.1063/1.1695731, with the spread of Berk 1991, doi:10.1103/PhysRevA.44.5069.
    ``a`` is the inverse of the peak's position. The second term, negligible for a narrow shell, keeps Gamma smooth at
    q = 0, so that the correlation decays as a Gaussian: g = exp(-w^2 r^2 / 2) (sin(r)/r + w^2 cos r) / (1 + w^2).
    """

    width: float = 0.2

    name: ClassVar[str] = "shell"

    def __post_init__(self) -> None:
        if not 0.05 <= self.width <= 0.5:
            raise InputError(f"spectrum shell: width is {self.width:g}: it must lie between 0.05 and 0.5")
        object.__setattr__(self, "width", float(self.width))

    def density(self, k: Any) -> Any:
        """Return exp(-(k - 1)^2 / (2 width^2)) and its mirror image."""
        scale = -0.5 / self.width**2
        return np.exp(scale * (k - 1.0) ** 2) + np.exp(scale * (k + 1.0) ** 2)

    def correlation(self, r: Any) -> Any:
        """Return g(r) = exp(-w^2 r^2 / 2) (sin(r)/r + w^2 cos r) / (1 + w^2)."""
        r = np.asarray(r)
        w2 = self.width**2
        return np.exp(-w2 * r * r / 2) * (np.sinc(r / np.pi) + w2 * np.cos(r)) / (1 + w2)

    def decrement(self, r: Any) -> Any:
        """Return 1 - g(r); the Taylor series of the moments near r = 0, where the difference would lose its digits."""
        r = np.asarray(r)
        near = abs(r) < 0.3
        square = np.where(near, r * r, 0.0)
        terms = [-((-1) ** j) * self.moment(2 * j) / float(math.factorial(2 * j + 1)) for j in range(1, 9)]
        return np.where(near, np.polynomial.polynomial.polyval(square, [0.0, *terms]), 1 - self.correlation(r))

    def moment(self, order: int) -> float:
        """Return <k^order>; ``order`` has to be even."""
        return _compute_normal_moment(self.width, order + 2) / (1 + self.width**2)

    @property
    def is_analytic(self) -> bool:
        """There is a formula for the correlation."""
        return True

    @property
    def tail_power(self) -> float:
        """The power of the tail, infinite."""
        return math.inf

    @property
    def cutoff_radius(self) -> float:
        """Where exp(-w^2 r^2 / 2) is below 1e-15."""
        return 8.32 / self.width


def _compute_normal_moment(width: float, order: int) -> float:
    """Return <x^order> of a normal distribution around 1."""
    return sum(math.comb(order, j) * width**j * math.prod(range(j - 1, 0, -2)) for j in range(0, order + 1, 2))

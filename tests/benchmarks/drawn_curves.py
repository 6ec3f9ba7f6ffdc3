"""Curves drawn at random for the benchmarks of the fit: of own materials, and of foreign ones by sasmodels.

500 bins from 0.04 to 3 per nm, each the mean over its width weighted by q, as the pixels are; in any unit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.learn.examples import count_photons
from pyfai_grf.theory.closed_form import expected_intensity

Q = np.linspace(0.04, 3.0, 500)
#: exponents n that own curves are drawn with: each needs a table of its own, by quadrature
EXPONENTS = (3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 16.0)
_NODES = np.linspace(-4.0, 5.0, 41)
_WEIGHTS = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()
#: sasmodels counts in Angstrom
_ANGSTROM = 10.0

Intensity = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Own:
    """A material of the family: ``a`` in nm, ``spread`` the standard deviation of ln a."""

    a: float
    porosity: float
    spectrum: str = "roding2022"
    spread: float = 0.0

    def __call__(self, q: FloatArray) -> FloatArray:
        """Return the expected curve at ``q`` (Q,), 1/nm."""
        if not self.spread:
            return np.asarray(expected_intensity(q, self.a, self.porosity, spectrum=self.spectrum))
        lengths = self.a * np.exp(self.spread * _NODES)
        curves = expected_intensity(q, lengths, np.full(lengths.size, self.porosity), spectrum=self.spectrum)
        return np.asarray(_WEIGHTS @ curves)


def average_bins(intensity: Intensity) -> FloatArray:
    """Return the mean of ``intensity`` over each bin around ``Q``."""
    x, w = np.polynomial.legendre.leggauss(3)
    nodes = Q + x[:, np.newaxis] * (Q[1] - Q[0]) / 2
    weights = w[:, np.newaxis] * nodes
    return np.asarray((weights * intensity(nodes.ravel()).reshape(nodes.shape)).sum(0) / weights.sum(0))


def smear_slit(intensity: Intensity, half_length: float) -> Intensity:
    """Return what a slit sees of ``intensity``: the mean of I(sqrt(q^2 + l^2)) over l from 0 to ``half_length``."""
    x, w = np.polynomial.legendre.leggauss(24)
    along = half_length * (x[:, np.newaxis] + 1) / 2

    def smeared(q: FloatArray) -> FloatArray:
        values = intensity(np.hypot(q, along).ravel()).reshape(along.size, q.size)
        return np.asarray(w @ values / 2)

    return smeared


def smear_pinhole(intensity: Intensity, deviation: float) -> Intensity:
    """Return what a round beam sees of ``intensity``: on the detector's plane, q is off by ``deviation`` in both axes.

    That is the resolution of Pedersen et al. 1990, doi:10.1107/S0021889890002205, in 1/nm.
    """
    x, w = np.polynomial.hermite_e.hermegauss(15)
    weights = np.outer(w, w).ravel() / w.sum() ** 2
    along, across = (deviation * part.ravel()[:, np.newaxis] for part in np.meshgrid(x, x))

    def smeared(q: FloatArray) -> FloatArray:
        values = intensity(np.hypot(q + along, across).ravel()).reshape(weights.size, q.size)
        return np.asarray(weights @ values)

    return smeared


def measure(
    curve: FloatArray, photons: float, rng: np.random.Generator, background: float = 0.02, shared: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Return a curve (Q,) and its sigma as ``photons`` on whole rings show it, on a flat ``background``.

    That is a part of the last bin. Of each bin's noise the part ``shared`` lies in either neighbour, as pixel
    splitting does; the errors are those of the counts all the same.
    """
    expected = curve + background * curve[-1]
    measured, sigma = (part[0] for part in count_photons(expected[np.newaxis], Q[np.newaxis], np.array([photons]), rng))
    noise = np.pad(measured - expected, 1)
    noise = (1 - 2 * shared) * noise[1:-1] + shared * (noise[:-2] + noise[2:])
    return expected + noise, sigma


def draw_own(rng: np.random.Generator) -> tuple[Own, FloatArray]:
    """Return an own material and its curve, without upturn or background."""
    n = rng.choice(EXPONENTS)
    spread = rng.uniform(0, 0.3) if rng.random() < 0.7 else 0.0
    own = Own(rng.uniform(1.5, 7), rng.uniform(0.05, 0.5), f"power:n={n:g}", spread)
    return own, average_bins(own)


def draw_upturn(curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a power law of q that crosses the plateau of ``curve`` between 0.02 and 0.15 per nm."""
    power, crossing = rng.uniform(2.5, 4.2), np.exp(rng.uniform(np.log(0.02), np.log(0.15)))
    return curve[np.argmin(np.abs(Q - crossing))] * average_bins(lambda q: (q / crossing) ** -power)


def _call(name: str, **values: Any) -> FloatArray:
    """Return what a model of sasmodels says, lengths in Angstrom."""
    return average_bins(lambda q: _evaluate(name, q, values))


def _evaluate(name: str, q: FloatArray, values: dict[str, Any]) -> FloatArray:
    from sasmodels.direct_model import call_kernel

    kernel = _load(name).make_kernel([q / _ANGSTROM])
    return np.asarray(call_kernel(kernel, {"scale": 1.0, "background": 0.0, **values}))


@functools.lru_cache
def _load(name: str) -> Any:
    from sasmodels.core import load_model

    return load_model(name, dtype="double", platform="dll")


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _spread(rng: np.random.Generator, *names: str) -> dict[str, Any]:
    """Return a polydispersity from 0 to 20 %, the same for all ``names``."""
    part = rng.uniform(0, 0.2)
    given: dict[str, Any] = {}
    for name in names:
        given |= {f"{name}_pd": part, f"{name}_pd_n": 60, f"{name}_pd_nsigma": 4, f"{name}_pd_type": "schulz"}
    return given


def _draw_spheres(rng: np.random.Generator) -> FloatArray:
    return _call("sphere", radius=_log_uniform(rng, 10, 250), **_spread(rng, "radius"))


def _draw_hard_spheres(rng: np.random.Generator) -> FloatArray:
    dense = {"volfraction": rng.uniform(0.1, 0.5), "radius_effective_mode": 1}
    return _call("sphere@hardsphere", radius=_log_uniform(rng, 10, 250), **dense, **_spread(rng, "radius"))


def _draw_shells(rng: np.random.Generator) -> FloatArray:
    size = _log_uniform(rng, 15, 250)
    core = rng.uniform(0.3, 0.9) * size
    lengths = {"radius": core, "thickness": size - core, **_spread(rng, "radius")}
    # the core against the shell, the liquid at 0: hollow, dense or of the other sign
    return _call("core_shell_sphere", sld_core=rng.uniform(-2, 3), sld_shell=1, sld_solvent=0, **lengths)


def _draw_cylinders(rng: np.random.Generator) -> FloatArray:
    radius = _log_uniform(rng, 8, 100)
    return _call("cylinder", radius=radius, length=radius * _log_uniform(rng, 2, 30), **_spread(rng, "radius"))


def _draw_lamellae(rng: np.random.Generator) -> FloatArray:
    return _call("lamellar", thickness=_log_uniform(rng, 10, 150), **_spread(rng, "thickness"))


def _draw_dab(rng: np.random.Generator) -> FloatArray:
    return _call("dab", cor_length=_log_uniform(rng, 5, 150))


def _draw_teubner_strey(rng: np.random.Generator) -> FloatArray:
    period = _log_uniform(rng, 30, 800)
    return _call("teubner_strey", d=period, xi=period * rng.uniform(0.15, 1))


def _draw_guinier_porod(rng: np.random.Generator) -> FloatArray:
    return _call("guinier_porod", rg=_log_uniform(rng, 8, 200), s=rng.uniform(0, 1), porod_exp=rng.uniform(2.5, 4))


def _draw_fractals(rng: np.random.Generator) -> FloatArray:
    lengths = {"radius": _log_uniform(rng, 5, 40), "cutoff_length": _log_uniform(rng, 40, 500)}
    return _call("mass_fractal", fractal_dim_mass=rng.uniform(1.5, 2.8), **lengths)


#: draws of foreign curves (Q,) by kind, none with photons
FOREIGN: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    "spheres": _draw_spheres,
    "hard spheres, 10 to 50 %": _draw_hard_spheres,
    "core-shell spheres": _draw_shells,
    "cylinders": _draw_cylinders,
    "lamellae": _draw_lamellae,
    "DAB": _draw_dab,
    "Teubner-Strey": _draw_teubner_strey,
    "Guinier-Porod": _draw_guinier_porod,
    "mass fractal": _draw_fractals,
}


def add_peak(curve: FloatArray, photons: float, strength: float, rng: np.random.Generator) -> FloatArray:
    """Return ``curve`` with a Bragg peak of ``strength`` sigma: its counts over the noise below it, +- 2 deviations."""
    place, width = rng.uniform(0.3, 2.8), rng.uniform(0.01, 0.05)
    peak = np.exp(-0.5 * ((Q - place) / width) ** 2)
    # photons per unit of intensity in each bin, as ``measure`` counts them on a background of 2 %
    expected = curve + 0.02 * curve[-1]
    per_unit = Q * photons / np.sum(expected * Q)
    near = np.abs(Q - place) < 2 * width
    noise = np.sqrt(np.sum(expected[near] * per_unit[near]))
    return np.asarray(curve + peak * strength * noise / np.sum((peak * per_unit)[near]))


def draw_smeared(rng: np.random.Generator) -> FloatArray:
    """Return an own curve smeared by a slit of half-length 0.1 to 1 per nm."""
    own = draw_own(rng)[0]
    return average_bins(smear_slit(replace(own, a=rng.uniform(1.5, 7)), _log_uniform(rng, 0.1, 1.0)))

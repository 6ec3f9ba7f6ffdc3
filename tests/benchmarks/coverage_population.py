"""Curves of known materials that the intervals of a fit are calibrated and tested with.

The truth is computed apart from the fit: by quadrature at its own exponents instead of the table of the power family,
its spread by a sum over 105 lengths, its bins at 9 places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfftn
from scipy.interpolate import CubicSpline

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.frames.frame import make_frame
from pyfai_grf.learn.examples import count_photons, draw_pixels
from pyfai_grf.reduce.reducer import Bins, Reducer, ReductionSettings
from pyfai_grf.simulation.structure import make_structure
from pyfai_grf.theory.scale_free import compute_scale_free_intensity
from pyfai_grf.virtual_instrument.exposure import (
    expose,
    make_exposure_geometry,
    make_instrument,
    measure_corner,
    project_curve,
)

#: name -> points, and the factor by which q is larger than on the usual grid, and a smaller
GRIDS = {
    "500 bins": (np.linspace(0.04, 3.0, 500), 1.0),
    "40 points": (np.geomspace(0.04, 3.0, 40), 1.0),
    "to 12 per nm": (np.linspace(0.16, 12.0, 500), 4.0),
    "to 0.4 per nm": (np.linspace(0.04, 3.0, 300) * 0.4 / 3.0, 0.4 / 3.0),
}
_GRID_PARTS = (0.7, 0.1, 0.1, 0.1)
#: of the population: a on the usual grid (log-uniform, nm), porosity, 1/n and log10 of the photons (uniform)
A_RANGE, POROSITY_RANGE, INVERSE_N_RANGE, LOG10_COUNTS = (1.0, 8.0), (0.05, 0.5), (1 / 16, 1 / 4), (4.8, 9.0)
#: the spread of a, 0 in a third; the upturn at the first q in parts of the curve there (log10), 0 in a half, and its
#: exponent; the background in parts of the last point
SPREAD_HIGH, _NO_SPREAD = 0.3, 1 / 3
LOG10_UPTURN, POWER_RANGE, BACKGROUND_HIGH = (-2.0, 0.5), (2.5, 4.2), 0.1
#: behind the beamstop an upturn does not go on
_BEHIND = 0.02
#: boxes of voxels whose structures are simulated: so many for a curve, of shells of the discrete wave vectors
_BOX, _VOXEL_NM, _BOXES, _SHELLS, _BOX_EXPONENTS = 128, 0.5, 16, 24, (5, 8, 12)
#: exponents are few, for each costs half a second
_EXPONENTS = 50
_X = 0.5 * np.sinh(np.arange(0.0, 7.2, 0.012))
_Z = np.linspace(-6.0, 7.0, 105)


@dataclass(frozen=True)
class Material:
    """The truth behind a curve: ``a`` in nm; ``upturn`` and ``background`` in parts of the curve at its ends."""

    a: float
    porosity: float
    spectrum_n: float
    spread: float
    upturn: float = 0.0
    power: float = 4.0
    background: float = 0.0
    counts: float = 1e7
    grid: str = "500 bins"

    @property
    def scale(self) -> float:
        """By how much q is larger than on the usual grid."""
        return GRIDS[self.grid][1]


@dataclass(frozen=True)
class Case:
    """A curve as it was measured, with its truth."""

    material: Material
    q_nm1: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    weight: FloatArray | None = None


class FormFactor:
    """I / (V a^3) of one exponent n and porosity, by quadrature."""

    def __init__(self, values: FloatArray) -> None:
        self._spline = CubicSpline(np.arcsinh(_X / 0.5), np.log(values * (1 + _X**4)))

    def draw(self, q: FloatArray, a: float, spread: float) -> FloatArray:
        """Return I / V in nm^3 at ``q`` (Q,), averaged over a lognormal ``spread`` of a by volume."""
        lengths = a * np.exp(_Z * spread) if spread else np.array([a])
        weights = np.exp(-0.5 * _Z**2) if spread else np.ones(1)
        weights = weights / weights.sum() * lengths**3
        nodes = q if q.size < 600 else np.geomspace(q[0], q[-1], 600)
        x = np.multiply.outer(lengths, nodes)
        curve = weights @ (np.exp(self._spline(np.arcsinh(x / 0.5))) / (1 + x**4))
        if nodes is q:
            return np.asarray(curve)
        return np.asarray(np.exp(CubicSpline(np.log(nodes), np.log(curve))(np.log(q))))


def make_form_factors(n: float, porosity: FloatArray) -> list[FormFactor]:
    """Return the form factors of one exponent and some porosities (P,)."""
    return [FormFactor(row) for row in compute_scale_free_intensity(_X, porosity, f"power:n={n:.6g}")]


def draw_curve(material: Material, form: FormFactor, q: FloatArray) -> FloatArray:
    """Return I (Q,) of ``material`` at ``q`` (Q,), with its background and its upturn."""
    ends = GRIDS[material.grid][0][[0, -1]]
    first, last = form.draw(ends, material.a, material.spread)
    curve = form.draw(q, material.a, material.spread) + material.background * last
    return np.asarray(curve + material.upturn * first * (q / ends[0]) ** -material.power)


def draw_materials(count: int, seed: int, grid: str | None = None, is_published: bool = False) -> list[Material]:
    """Return ``count`` materials of the population, ordered by their exponent.

    All on one ``grid``, if it is given; with the published spectrum, n = 8 and no spread, if ``is_published``.
    """
    rng = np.random.default_rng([seed, 20])
    low, high = INVERSE_N_RANGE
    inverse_n = low + (high - low) * (np.arange(_EXPONENTS) + rng.random(_EXPONENTS)) / _EXPONENTS
    names = list(GRIDS)
    materials = []
    for k in range(count):
        place = grid or names[int(rng.choice(len(names), p=_GRID_PARTS))]
        materials.append(
            Material(
                float(np.exp(rng.uniform(*np.log(A_RANGE)))) / GRIDS[place][1],
                float(rng.uniform(*POROSITY_RANGE)),
                8.0 if is_published else float(1 / inverse_n[k * _EXPONENTS // count]),
                float(rng.uniform(0.0, SPREAD_HIGH)) if rng.random() > _NO_SPREAD and not is_published else 0.0,
                float(10 ** rng.uniform(*LOG10_UPTURN)) if rng.random() < 0.5 else 0.0,
                float(rng.uniform(*POWER_RANGE)),
                float(rng.uniform(0.0, BACKGROUND_HIGH)),
                float(10 ** rng.uniform(*LOG10_COUNTS)),
                place,
            )
        )
    return materials


def attach_forms(materials: list[Material]) -> Iterator[tuple[Material, FormFactor]]:
    """Yield each of the materials, ordered by exponent, with its form factor."""
    start = 0
    while start < len(materials):
        n = materials[start].spectrum_n
        end = start
        while end < len(materials) and materials[end].spectrum_n == n:
            end += 1
        part = materials[start:end]
        yield from zip(part, make_form_factors(n, np.array([m.porosity for m in part])), strict=True)
        start = end


def measure_cases(count: int, seed: int, has_noise: bool = True, is_published: bool = False) -> Iterator[Case]:
    """Yield ``count`` curves of the population: photons on detectors, whole rings and in step scans."""
    for k, (material, form) in enumerate(attach_forms(draw_materials(count, seed, None, is_published))):
        rng = np.random.default_rng([seed, 21, k])
        q = GRIDS[material.grid][0]
        curve = average_bins(material, form, q)
        pixels = draw_pixels(q, 1, rng)
        measured, sigma = count_photons(curve[np.newaxis], pixels, np.array([material.counts]), rng)
        yield Case(material, q, measured[0] if has_noise else curve, sigma[0])


def expose_cases(count: int, seed: int, is_published: bool = False) -> Iterator[Case]:
    """Yield ``count`` curves of the population as frames of the virtual instrument and the reduction give them."""
    instrument = make_instrument(make_exposure_geometry(), seed)
    q = GRIDS["500 bins"][0]
    reducer = Reducer(ReductionSettings(instrument.integrator, mask=instrument.mask, bins=Bins(q[0], q[1] - q[0])))
    fine = np.linspace(_BEHIND, measure_corner(instrument.integrator) + 0.01, 20000)
    for k, (material, form) in enumerate(attach_forms(draw_materials(count, seed, "500 bins", is_published))):
        curve = draw_curve(material, form, fine)
        whole = np.concatenate([[0.0], fine]), np.concatenate([curve[:1], curve])
        frame = next(expose(instrument, project_curve(instrument, *whole, material.counts), 1, seed + k))
        reduced = reducer.reduce(make_frame(frame))
        sigma = np.full(reduced.q_nm1.shape, np.nan) if reduced.sigma is None else reduced.sigma
        yield Case(material, reduced.q_nm1, reduced.intensity, sigma, reduced.weight)


def simulate_cases(count: int, seed: int) -> Iterator[Case]:
    """Yield ``count`` curves of simulated structures: the mean of some boxes, and the scatter of their wave vectors."""
    rng = np.random.default_rng([seed, 22])
    index = np.fft.fftfreq(_BOX, 1 / _BOX)
    radius = np.sqrt(sum(part**2 for part in np.meshgrid(index, index, index[: _BOX // 2 + 1], indexing="ij")))
    shell = np.rint(radius).astype(int).ravel()
    modes = np.bincount(shell)[1 : _SHELLS + 1]
    q = np.bincount(shell, radius.ravel())[1 : _SHELLS + 1] / modes * 2 * np.pi / (_BOX * _VOXEL_NM)
    for k in range(count):
        material = Material(rng.uniform(2.5, 4.0), rng.uniform(0.1, 0.45), float(rng.choice(_BOX_EXPONENTS)), 0.0)
        total = np.zeros(_SHELLS)
        for box in range(_BOXES):
            labels = make_structure(
                material.a,
                material.porosity,
                shape=_BOX,
                voxel_size=_VOXEL_NM,
                seed=[seed, k, box],  # type: ignore[arg-type]
                device="cpu",
                smoothing=0.0,
                spectrum=f"power:n={material.spectrum_n:g}",
            )
            square = np.abs(rfftn(labels.astype(np.float32))) ** 2
            total += np.bincount(shell, square.ravel())[1 : _SHELLS + 1]
        intensity = total / (modes * _BOXES)
        # the modes of the half that is kept, and a few of its plane twice
        yield Case(material, q, intensity, intensity / np.sqrt(modes * _BOXES))


def average_bins(material: Material, form: FormFactor, q: FloatArray) -> FloatArray:
    """Return I (Q,) as the pixels of each bin see it; at the points where they are not equally spaced."""
    step = np.diff(q)
    if step.max() > 1.01 * step.min():
        return draw_curve(material, form, q)
    x, w = np.polynomial.legendre.leggauss(9)
    nodes = q + x[:, np.newaxis] * step[0] / 2
    weights = w[:, np.newaxis] * nodes
    fine = np.sort(nodes.ravel())
    values = np.interp(nodes, fine, draw_curve(material, form, fine))
    return np.asarray((weights * values).sum(axis=0) / weights.sum(axis=0))


def stack_column(materials: list[Material], name: str) -> NDArray[np.float64]:
    """Return one parameter (N,) of ``materials``."""
    return np.array([getattr(material, name) for material in materials], dtype=np.float64)

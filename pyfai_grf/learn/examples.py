"""Training examples: features and targets, from the structure library or from the closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import PARAMETERS, Material
from pyfai_grf.core.published import PAPER_LOG10_ALPHA
from pyfai_grf.features.specification import FeatureSpec, compute_features
from pyfai_grf.fit.options import FITTED
from pyfai_grf.learn.population import describe_population, draw_population
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.library.design import SPLITS
from pyfai_grf.library.shard import DENSITIES, Shard
from pyfai_grf.simulation.noise import add_noise
from pyfai_grf.theory.closed_form import average_curves
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, get_spectrum

#: the photons behind a measured curve
LOG10_COUNTS = (4.6, 9.0)
#: residual flat background as a part of I at the end of the grid: log-uniform, one in five of the other sign
LOG10_BACKGROUND = (-3.0, -0.3)
_OVERSUBTRACTED = 0.2
#: a flat background that was subtracted, in parts of I(q_max), and how long it was counted by itself
LOG10_SUBTRACTED, _SUBTRACTED, _LOG10_EXPOSURE = (-2.0, 2.0), 2 / 3, (-0.5, 0.5)
#: detectors: height over width, the beam's position along an edge, and the farthest corner over the last q
_ASPECT, _BEAM_POSITION, _CORNER = (0.7, 1.4), (0.02, 0.5), (1.01, 1.2)
#: a grid whose last rings no such detector reaches still has some pixels there
_FEWEST_PIXELS = 2e-3
#: parts of the examples that are no single frame: whole rings (several detectors or exposures, a simulation), and as
#: many photons per intensity at every q (a step scan, a line detector)
_RINGS, _SCANS = 0.25, 0.25
#: part of the examples whose outer points were measured longer, decades of that, and from which part of the last q on
_MERGED, _LOG10_LONGER, _JOIN = 0.15, (0.3, 2.0), (0.05, 0.6)
#: decades by which the photons of a curve, and of its last third alone, are known: errors are rarely better than 12 %
_NOISE_KNOWN = (0.1, 0.1)


@dataclass(frozen=True)
class Examples:
    """N examples of S structures.

    ``features`` (N, F); ``targets`` name -> (N,); ``structure`` (N,) tells which structure an example is of, ``split``
    (N,) which part of the data that structure belongs to. ``provenance`` is JSON-ready. ``errors``
    (N, B): relative errors of the binned intensities, for measured samples. ``classes`` (N, C): numbers of the classes,
    by each of C criteria, in which intervals have to hold.
    """

    features: FloatArray
    targets: Mapping[str, FloatArray]
    structure: NDArray[np.int64]
    split: NDArray[np.str_]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    errors: FloatArray | None = None
    classes: NDArray[np.int64] | None = None

    def select(self, rows: NDArray[np.bool_]) -> Examples:
        """Return the examples where ``rows`` (N,) is true."""
        targets = {name: values[rows] for name, values in self.targets.items()}
        errors = None if self.errors is None else self.errors[rows]
        classes = None if self.classes is None else self.classes[rows]
        return Examples(
            self.features[rows], targets, self.structure[rows], self.split[rows], self.provenance, errors, classes
        )

    def get_published(self, material: Material, length_scale: float) -> NDArray[np.bool_]:
        """Return which examples lie inside the published ranges of ``material`` (the rest is margin)."""
        inside = np.ones(len(self.features), dtype=bool)
        for name, values in self.targets.items():
            low, high = (bound * (length_scale if name == "a" else 1) for bound in material.get_range(name))
            inside &= (values >= low) & (values <= high)
        return inside


def make_examples(settings: TrainSettings, spec: FeatureSpec, shards: Sequence[Shard]) -> Examples:
    """Return the examples that ``settings`` asks for: from ``shards`` for "@paper", else from the closed form.

    Raises
    ------
    InputError
        If a "@paper" class is asked for without a library, shards of different spectra or boxes are mixed, or
        another spectrum than theirs is asked for.
    """
    if not settings.is_paper:
        return make_measured_examples(settings, spec)
    if not shards:
        raise InputError(f"{settings.name} learns from simulated structures: name one or more LIBRARY.h5")
    _check_libraries(settings, shards)
    return make_paper_examples(settings, spec, shards)


def _check_libraries(settings: TrainSettings, shards: Sequence[Shard]) -> None:
    """Raise InputError unless ``shards`` follow one law, the one that is asked for.

    Generator versions may differ: they tell that a seed gives another structure, not that the law is another one.
    """
    spectra = sorted({get_spectrum(shard.setting.spectrum).text for shard in shards})
    if len(spectra) > 1:
        raise InputError(f"the libraries have different spectra, do not mix: {', '.join(spectra)}")
    if settings.spectrum not in (None, spectra[0]):
        raise InputError(
            f"spectrum {settings.spectrum} was asked for, but the libraries were made with {spectra[0]}: "
            f"name libraries of {settings.spectrum}, or leave the spectrum out",
            "library of a spectrum",
            spectrum=settings.spectrum,
        )
    boxes = {
        f"{describe_box(s.shape, s.voxel_size_nm)}, smoothing {s.smoothing_nm} nm"
        for s in (shard.setting for shard in shards)
    }
    if len(boxes) > 1:
        raise InputError(f"the libraries were made in different boxes, do not mix: {'; '.join(sorted(boxes))}")


def describe_box(shape: int, voxel_size_nm: float) -> str:
    """Return a box in words, as a model's provenance has them."""
    return f"{shape}^3 voxels of {voxel_size_nm} nm"


def make_paper_examples(settings: TrainSettings, spec: FeatureSpec, shards: Sequence[Shard]) -> Examples:
    """Return examples with the paper's noise, ``settings.draws`` draws a structure, split by structure."""
    material = settings.material
    q = settings.q_nm1 * settings.length_scale
    density = settings.layer_density if material.phases == 3 else 0.0
    intensity = np.concatenate([_combine(shard.interpolate(q), density) for shard in shards])
    targets = {name: np.concatenate([s.get_column(name) for s in shards]) for name in material.parameters}
    split = np.concatenate([s.get_splits() for s in shards])
    targets["a"] = targets["a"] * settings.length_scale
    if material.phases == 2:  # Babinet: one curve serves both sides
        folded = np.minimum(targets["porosity"], 1 - targets["porosity"])
        targets["porosity"] = folded if material.porosity_high <= 0.5 else 1 - folded
        kept = np.ones(len(split), dtype=bool)
    else:
        margin = PARAMETERS["porosity"].low - PARAMETERS["porosity"].design_low
        porosity = targets["porosity"]
        kept = (porosity >= material.porosity_low - margin) & (porosity <= material.porosity_high + margin)
    structure = np.repeat(np.flatnonzero(kept), settings.draws)
    rng = np.random.default_rng([settings.seed, 1])
    alpha = 10 ** rng.uniform(*PAPER_LOG10_ALPHA, (structure.size, 1))
    features = np.concatenate(
        [
            compute_features(spec, add_noise(intensity[rows], alpha[part], rng)).values
            for part, rows in _split_blocks(structure)
        ]
    )
    versions = sorted({s.setting.generator_version for s in shards})
    provenance = {
        "examples_from": "structure library",
        "libraries": [
            {
                "file": s.path.name,
                "library_seed": s.setting.library_seed,
                "generator_version": s.setting.generator_version,
                "structures": len(s.structures),
            }
            for s in shards
        ],
        "box": describe_box(shards[0].setting.shape, shards[0].setting.voxel_size_nm),
        "spectrum": get_spectrum(shards[0].setting.spectrum).text,
        "generator_version": versions[0] if len(versions) == 1 else versions,
        "structures": {name: int(np.count_nonzero(split[kept] == name)) for name in SPLITS},
        "draws": settings.draws,
        "noise": f"lognormal, log10 alpha {PAPER_LOG10_ALPHA}",
    }
    return Examples(features, {n: v[structure] for n, v in targets.items()}, structure, split[structure], provenance)


def make_measured_examples(settings: TrainSettings, spec: FeatureSpec) -> Examples:
    """Return examples of infinite two-phase samples: exact curves, residual flat background, counting noise.

    Every material has an exponent of its spectrum, a spread and an upturn of its own, unless one spectrum is pinned:
    then it is that one, with neither.
    """
    material, count = settings.material, settings.examples
    points = qmc.Sobol(5, rng=np.random.default_rng([settings.seed, 2])).random_base2(int(np.ceil(np.log2(count))))
    points = points[:count]
    a_range = PARAMETERS["a"]
    a = _scale(points[:, 0], a_range.design_low, a_range.design_high) * settings.length_scale
    margin = PARAMETERS["porosity"].low - PARAMETERS["porosity"].design_low
    solid_or_pore = _scale(points[:, 1], PARAMETERS["porosity"].low - margin, 0.5)
    porosity = solid_or_pore if material.porosity_high <= 0.5 else 1 - solid_or_pore
    counts = 10 ** _scale(points[:, 2], *LOG10_COUNTS)
    background = 10 ** _scale(points[:, 3], *LOG10_BACKGROUND)
    background = np.where(points[:, 4] < _OVERSUBTRACTED, -background, background)
    pinned = None if settings.is_fitted else get_spectrum(settings.spectrum or DEFAULT_SPECTRUM)
    population = draw_population(a, porosity, settings.q_nm1, np.random.default_rng([settings.seed, 6]))
    rng = np.random.default_rng([settings.seed, 3])
    subtracted, ratio = draw_subtracted(count, rng)
    features, errors = [], []
    for part, _ in _split_blocks(np.arange(count)):
        if pinned is None:
            intensity = population.draw_curves(settings.q_nm1, part)
        else:
            intensity = average_curves(settings.q_nm1, a[part], porosity[part], pinned)
        intensity += background[part, np.newaxis] * intensity[:, -1:]
        pixels = draw_pixels(settings.q_nm1, len(intensity), rng)
        level = subtracted[part, np.newaxis] * intensity[:, -1:]
        noisy, sigma = count_photons(intensity, pixels, counts[part], rng, level, ratio[part, np.newaxis])
        read = compute_features(spec, noisy, sigma)
        features.append(_blur_noise(read.values, spec.noise_count, rng))
        errors.append(read.errors)
    split = rng.choice(list(SPLITS), size=count, p=list(SPLITS.values()))
    provenance = {
        "examples_from": "closed form (infinite sample, no voxels, no smoothing)",
        "spectrum": FITTED if pinned is None else pinned.text,
        **({"population": describe_population()} if pinned is None else {}),
        "structures": {name: int(np.count_nonzero(split == name)) for name in SPLITS},
        "noise": f"Poisson counts, log10 of their number {LOG10_COUNTS}, on rectangular detectors, whole rings "
        f"({_RINGS:.0%}) and step scans ({_SCANS:.0%}), {_MERGED:.0%} of them two exposures; "
        f"errors known to {_NOISE_KNOWN} decades",
        "background": f"left: flat, log10 of its part of I(q_max) {LOG10_BACKGROUND}, one in five negative; "
        f"subtracted, with its noise: log10 {LOG10_SUBTRACTED} in two of three",
    }
    targets = {"a": a, "porosity": porosity}
    classes = population.classify() if pinned is None else None
    return Examples(
        np.concatenate(features), targets, np.arange(count), split, provenance, np.concatenate(errors), classes
    )


def _blur_noise(values: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Return features (N, F) whose last ``count``, the noise, are no better known than those of a measured curve.

    Exact ones tell the tail of a curve better than its points do, for the detectors of the training only.
    """
    blurred = values.copy()
    shifts = rng.normal(0.0, _NOISE_KNOWN[:count], (len(values), count))
    blurred[:, -count:] = np.maximum(blurred[:, -count:] + np.cumsum(shifts, axis=1), 0.0)
    return blurred


def draw_pixels(q_nm1: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Return the relative number of pixels at each q, (count, M), of ``count`` random instruments.

    Most are rectangular detectors: rings grow with q until the edges cut them, which leaves few photons at the end of
    the curve. The beam lies anywhere from an edge to the middle, the farthest corner just beyond the last q. The rest
    sees whole rings, or counts alike at every q. Some of either kind are two exposures, the outer part the longer one.
    """
    pixels = _draw_detectors(q_nm1, count, rng)
    kind = rng.random(count)
    pixels[kind < _RINGS] = q_nm1
    pixels[kind > 1 - _SCANS] = 1.0
    longer = np.where(rng.random(count) < _MERGED, 10 ** rng.uniform(*_LOG10_LONGER, count), 1.0)
    join = q_nm1[-1] * rng.uniform(*_JOIN, count)
    return np.where(q_nm1 > join[:, np.newaxis], longer[:, np.newaxis], 1.0) * pixels


def _draw_detectors(q_nm1: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Return the relative number of pixels at each q, (count, M), on ``count`` random rectangular detectors."""
    aspect = rng.uniform(*_ASPECT, (count, 1))
    left, low = (rng.uniform(*_BEAM_POSITION, (count, 1)) for _ in range(2))
    corner = q_nm1[-1] * rng.uniform(*_CORNER, (count, 1))
    width = corner / np.hypot(1 - left, aspect * (1 - low))
    inside = np.zeros((count, q_nm1.size))
    for x in (left * width, (1 - left) * width):
        for y in (low * width * aspect, (1 - low) * width * aspect):
            # the part of a quarter circle of radius q that lies within the quadrant's x by y
            arc = np.arcsin(np.minimum(y / q_nm1, 1)) - np.arccos(np.minimum(x / q_nm1, 1))
            inside += np.maximum(arc, 0) / (2 * np.pi)
    return q_nm1 * np.maximum(inside, _FEWEST_PIXELS)


def draw_subtracted(count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return the level of a subtracted flat background, in parts of I(q_max), and its exposure over the sample's."""
    level = 10 ** rng.uniform(*LOG10_SUBTRACTED, count)
    return np.where(rng.random(count) < _SUBTRACTED, level, 0.0), 10 ** rng.uniform(*_LOG10_EXPOSURE, count)


def count_photons(
    intensity: FloatArray,
    pixels: FloatArray,
    counts: FloatArray,
    rng: np.random.Generator,
    background: FloatArray | float = 0.0,
    exposure: FloatArray | float = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Return curves (N, M) as ``counts`` (N,) photons on ``pixels`` (N, M) show them, and their sigma.

    A flat ``background`` (N, 1), counted ``exposure`` (N, 1) times as long by itself, was subtracted.
    """
    share = np.sum(intensity * pixels, axis=-1, keepdims=True)
    per_unit = pixels * counts[:, np.newaxis] / share  # photons per unit of intensity
    # a bin must not be quite without photons: it would have no sigma
    total = np.maximum((intensity + background) * per_unit, 1e-12)
    blank = background * exposure * per_unit
    noisy = rng.poisson(total) / per_unit - rng.poisson(blank) / (exposure * per_unit)
    return noisy, np.sqrt(total + blank / exposure**2) / per_unit


def _combine(intensity: FloatArray, density: float) -> FloatArray:
    """Return I (S, Q) at a layer density from I (S, 3, Q) at DENSITIES: the parabola through them is exact."""
    weights = [np.prod([(density - other) / (own - other) for other in DENSITIES if other != own]) for own in DENSITIES]
    return np.asarray(np.einsum("d,sdq->sq", weights, intensity))


def _scale(unit: FloatArray, low: float, high: float) -> FloatArray:
    return low + unit * (high - low)


def _split_blocks(rows: NDArray[Any], size: int = 4096) -> list[tuple[slice, NDArray[Any]]]:
    """Return slices of about ``size`` rows, and the rows in them: temporaries stay small."""
    parts = [slice(start, start + size) for start in range(0, len(rows), size)]
    return [(part, rows[part]) for part in parts]

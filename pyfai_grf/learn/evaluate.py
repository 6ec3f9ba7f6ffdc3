"""A model's errors on data it has not seen, beside the paper's Table 2, and what there is to say about a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.published import PAPER_LAYER_DENSITY, PAPER_Q_NM1, PAPER_SHAPE, PAPER_TABLE_2, PAPER_VOXEL_SIZE_NM
from pyfai_grf.learn.bundle import Model
from pyfai_grf.learn.examples import describe_box, make_examples
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.learn.train import measure_model
from pyfai_grf.library.shard import Shard
from pyfai_grf.theory.closed_form import compute_mean_chords
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum
from pyfai_grf.theory.spectral_shapes import PowerSpectrum

#: added to the seed, so that no evaluation draws what a training drew
_EVALUATION = 1_000_000
#: intervals from fewer structures than this are rough, and the description says so
_FEW_STRUCTURES = 60


@dataclass(frozen=True)
class Evaluation:
    """Errors per parameter, and the test examples behind them: name -> (N,) truth and prediction."""

    errors: Mapping[str, Mapping[str, Any]]
    truth: Mapping[str, FloatArray]
    predicted: Mapping[str, FloatArray]


def evaluate_model(model: Model, shards: Sequence[Shard], seed: int) -> Evaluation:
    """Return the errors of ``model`` on the test structures of ``shards``, or on fresh closed-form curves.

    Only the published ranges count, not the margins. ``seed`` draws the noise.

    Raises
    ------
    InputError
        If a "@paper" model has no test structures to be measured on.
    """
    known = model.description
    settings = TrainSettings(
        name=known.material + ("@paper" if model.flavour == "paper" else ""),
        q_nm1=model.q_nm1,
        layer_density=known.layer_density or 0.0,
        length_scale=known.length_scale,
        examples=20_000,
        seed=_EVALUATION + seed,
        spectrum=known.spectrum,
    )
    examples = make_examples(settings, model.spec, shards)
    rows = examples.get_published(model.material, settings.length_scale)
    if model.flavour == "paper":
        rows &= examples.split == "test"
    if not rows.any():
        raise InputError("the libraries hold no test structure of this class: grow them, or name larger ones")
    test = examples.select(rows)
    predicted = {name: r.predict(model.projection, test.features)[0] for name, r in model.regressors.items()}
    return Evaluation(measure_model(model, test), test.targets, predicted)


def get_published_errors(model: Model) -> Mapping[str, tuple[float, float]]:
    """Return (MSE, MAPE in %) of the paper's Table 2 for a "@paper" model of the published setting, else nothing."""
    known = model.description
    is_published = (
        model.flavour == "paper"
        and known.length_scale == 1
        and known.layer_density in (None, PAPER_LAYER_DENSITY)
        and np.array_equal(model.q_nm1, PAPER_Q_NM1)
        and known.spectrum == DEFAULT_SPECTRUM
        and known.provenance["box"] == describe_box(PAPER_SHAPE, PAPER_VOXEL_SIZE_NM)
    )
    return PAPER_TABLE_2[model.material.name] if is_published else {}


def format_table(model: Model, errors: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the errors as a Markdown table, beside the published ones where they compare."""
    published = get_published_errors(model)
    lines = [
        "| output | MSE | MAPE % | in 90 % interval | structures | paper MSE | paper MAPE % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, error in errors.items():
        mse, mape = published.get(name, (None, None))
        theirs = f"{mse:.3e} | {mape:.3f}" if mse is not None else "- | -"
        lines.append(
            f"| {name} | {error['mse']:.3e} | {error['mape_percent']:.3f} | {100 * error['coverage']:.0f} % | "
            f"{error['structures']} | {theirs} |"
        )
    return "\n".join(lines)


def describe_model(model: Model) -> str:
    """Return what a user must know of a model: class, ranges, chords, assumptions, errors, provenance."""
    known = model.description
    scale = known.length_scale
    low, high = PARAMETERS["a"].low * scale, PARAMETERS["a"].high * scale
    bounds = model.material.porosity_low, model.material.porosity_high
    provenance = known.provenance
    chords = [float(compute_mean_chords(a, p, s)[0]) for a in (low, high) for p in bounds for s in _list_spectra(model)]
    counts = ", ".join(f"{count} {name}" for name, count in provenance["structures"].items())
    density = "" if known.layer_density is None else f", layer density {known.layer_density} of the solid's"
    lines = [
        f"{model.name}  [{model.flavour}]  sha256 {model.sha256[:12]}",
        f"  q {model.q_nm1[0]:.4g} to {model.q_nm1[-1]:.4g} 1/nm, {model.q_nm1.size} points; "
        f"a {low:g} to {high:g} nm, porosity {bounds[0]:g} to {bounds[1]:g} "
        f"(mean pore chords {min(chords):.2g} to {max(chords):.3g} nm){density}",
        f"  spectrum {_describe_spectrum(model)}; from {provenance['examples_from']}: {counts}; "
        f"noise: {provenance['noise']}",
        *("  " + line for line in format_table(model, known.errors).splitlines()),
    ]
    if (calibrated := provenance["structures"]["calibration"]) < _FEW_STRUCTURES:
        lines.append(f"  CAUTION: the intervals rest on {calibrated} structures only")
    return "\n".join(lines)


def _list_spectra(model: Model) -> list[Spectrum]:
    """Return the spectrum of ``model``, or the first and the last of those that it was trained for."""
    if model.spectrum is not None:
        return [model.spectrum]
    return [PowerSpectrum(n) for n in model.description.provenance["population"]["spectrum_n"]]


def _describe_spectrum(model: Model) -> str:
    """Return the name of the spectrum, with the ranges that it was drawn from where every material has its own."""
    name = model.description.spectrum
    if model.spectrum is not None:
        return name
    drawn = model.description.provenance["population"]
    exponents, powers = (" to ".join(f"{end:g}" for end in drawn[part]) for part in ("spectrum_n", "upturn_power"))
    spread = drawn["spread"][1]
    return f"{name} (n {exponents}; spread of a up to {spread:g}; low-q upturn q^-p, p {powers})"

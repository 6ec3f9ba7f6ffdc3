"""Examples to a model: projection, one regressor per parameter, intervals, errors on the test set."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xgboost

from pyfai_grf.core.errors import InputError
from pyfai_grf.features.specification import Features, make_spec
from pyfai_grf.learn.accuracy import measure_errors
from pyfai_grf.learn.applicability import fit_expected
from pyfai_grf.learn.bundle import Model
from pyfai_grf.learn.description import ModelDescription
from pyfai_grf.learn.examples import Examples, make_examples
from pyfai_grf.learn.regressor import LEVEL, MAX_TREES, Parts, fit_regressor
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.learn.smooth import FOLDS, fit_projection
from pyfai_grf.library.shard import Shard

#: every MODEL_VERSION change means that older bundles of the same name were trained in another way
MODEL_VERSION = 2
#: of the training structures, one in this many decides when to stop (on average)
_STOP_ONE_IN = 6
_FEWEST_STRUCTURES = 40
#: where the spectrum is fitted, regressors find the place and a fit measures it: 1200 trees would take a twentieth off
#: their errors, and be twice as large
_FITTED_TREES = 500


def train_model(
    settings: TrainSettings, shards: Sequence[Shard] = (), report: Callable[[str], None] = lambda line: None
) -> Model:
    """Return a model trained as ``settings`` says; ``report`` gets a line per step.

    Raises
    ------
    InputError
        If a "@paper" model is asked for without enough structures, or the q range leaves the library's.
    """
    spec = make_spec(settings.q_nm1, "scatter" if settings.is_paper else "counts", settings.bins)
    report(f"{settings.name}: examples ...")
    examples = make_examples(settings, spec, shards)
    part = _assign_parts(examples, settings.seed)
    fewest = min(np.unique(examples.structure[part == name]).size for name in ("fit", "stop", "calibration", "test"))
    if fewest * 7 < _FEWEST_STRUCTURES:
        raise InputError(
            f"{settings.name}: {np.unique(examples.structure).size} structures are too few to fit, stop, calibrate and "
            f"test: grow the library to {_FEWEST_STRUCTURES * 2} or more",
            "more structures",
            count=_FEWEST_STRUCTURES * 2,
        )
    projection = fit_projection(examples.features[np.isin(part, ("fit", "stop"))])
    inside = examples.get_published(settings.material, settings.length_scale)
    # margins are for learning only: intervals and errors are those of the published ranges
    part[~inside & np.isin(part, ("calibration", "test"))] = "margin"
    fold = np.random.default_rng([settings.seed, 5]).integers(0, FOLDS, part.size)[examples.structure]
    parts = Parts(part, fold, examples.structure, examples.classes)
    regressors = {}
    for name, target in examples.targets.items():
        report(f"{settings.name}: {name} ...")
        is_mirrored = name == "porosity" and settings.material.is_mirrored
        regressor = fit_regressor(
            projection,
            examples.features,
            1 - target if is_mirrored else target,
            parts,
            noise_column=-spec.noise_count,
            is_log=name == "a",
            most_trees=_FITTED_TREES if settings.is_fitted else MAX_TREES,
        )
        regressors[name] = replace(regressor, is_mirrored=is_mirrored)
    draft = Model(settings.name, spec, projection, regressors, _describe(settings, examples))
    measured = replace(
        draft.description,
        errors=measure_model(draft, examples.select(part == "test")),
        misfit_limit=measure_misfit(draft, examples.select(part == "calibration")),
    )
    return replace(draft, description=measured)


def measure_misfit(model: Model, examples: Examples) -> float | None:
    """Return what 99.9 % of ``examples`` miss the expected curve of their prediction by.

    None for "@paper", and where the spectrum is fitted: there is no one curve of a and porosity.
    """
    if examples.errors is None or model.spectrum is None:
        return None
    count = len(examples.features)
    features = Features(examples.features, np.zeros(count), examples.errors, np.full(count, np.nan))
    a, porosity = (model.regressors[n].predict(model.projection, examples.features)[0] for n in ("a", "porosity"))
    return float(np.quantile(fit_expected(model.spec, features, a, porosity, model.spectrum).misfit, 0.999))


def measure_model(model: Model, examples: Examples) -> dict[str, Any]:
    """Return MSE, MAPE, bias and interval coverage of ``model`` on ``examples``, per parameter."""
    errors = {}
    for name, regressor in model.regressors.items():
        value, lower, upper = regressor.predict(model.projection, examples.features)
        errors[name] = measure_errors(examples.targets[name], value, lower, upper)
        errors[name]["structures"] = int(np.unique(examples.structure).size)
    return errors


def _assign_parts(examples: Examples, seed: int) -> Any:
    """Return "fit", "stop", "calibration" or "test" for each example; all of a structure share one.

    Drawn at random: in a Sobol sequence every n-th point would lie in one part of the parameter space.
    """
    part = examples.split.astype("<U11")
    draw = np.random.default_rng([seed, 4]).random(examples.structure.max() + 1)
    is_stop = draw[examples.structure] < 1 / _STOP_ONE_IN
    part[part == "train"] = np.where(is_stop[part == "train"], "stop", "fit")
    return part


def _describe(settings: TrainSettings, examples: Examples) -> ModelDescription:
    """Return what is known of a model before it has been measured."""
    versions = {name: importlib.metadata.version(name) for name in ("pyfai-grf", "numpy", "scipy")}
    return ModelDescription(
        material=settings.material.name,
        flavour=settings.flavour,
        spectrum=examples.provenance["spectrum"],
        layer_density=settings.layer_density if settings.material.phases == 3 else None,
        length_scale=settings.length_scale,
        model_version=MODEL_VERSION,
        interval_level=LEVEL,
        provenance={
            **examples.provenance,
            "seed": settings.seed,
            "examples": len(examples.features),
            "versions": {"python": platform.python_version(), **versions, "xgboost": xgboost.__version__},
        },
    )

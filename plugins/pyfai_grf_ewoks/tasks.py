"""The ewoks tasks: a pattern in memory, and the patterns that another task has written into a file."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

import numpy as np
from ewokscore import Task
from ewokscore.model import BaseInputModel, BaseOutputModel
from pydantic import Field

from pyfai_grf.analysis.recorder import Outputs, Recorder
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Outcome
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.io.columns import Columns, make_curve
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.workflows import analyze_curves

logger = logging.getLogger(__name__)

Numbers = np.ndarray | list[float]

_FIT = "whether a fit follows, which measures what the regressors place and says whether the curve is described"
_COMPARED = "for how many patterns, the first ones, other spectra are ranked: a fifth of a second each"
_SPECTRUM = "spectrum that the fit holds, e.g. roding2022; fitted: it is a parameter; default: that of the model"
_MATERIAL = "material class, e.g. two-phase-low-porosity, or the folder of a model bundle"


class PatternInputs(BaseInputModel):
    """One azimuthally averaged pattern, by the names that ewoksxrpd gives its parts, and the model to ask."""

    radial: Numbers = Field(description="(Q,) momentum transfer")
    intensity: Numbers = Field(description="(Q,) intensity, any scale")
    intensity_error: Numbers | None = Field(
        default=None,
        description="(Q,) standard error of the intensity; NaN where unknown, as ewoksxrpd gives it for I <= 0",
    )
    radial_units: str = Field(description="unit of radial: q_nm^-1, q_A^-1; an angle is refused")
    material: str = Field(description=_MATERIAL)
    fit: bool = Field(default=True, description=_FIT)
    spectrum: str | None = Field(default=None, description=_SPECTRUM)
    compared: int = Field(default=0, description=_COMPARED)
    source: str = Field(default="ewoks pattern", description="what results call the pattern")
    frame: int = Field(default=0, description="its number within the source")
    output_file: str | None = Field(default=None, description="results file to write (HDF5, NXcanSAS)")
    overwrite: bool = Field(default=False, description="replace the results file if it exists")


class Prediction(BaseOutputModel):
    """The answer: by parameter name, in the parameter's unit (a in nm), NaN where there is no prediction."""

    values: dict[str, float]
    lower: dict[str, float] = Field(description="lower bound of the 90 % prediction interval")
    upper: dict[str, float] = Field(description="upper bound of the 90 % prediction interval")
    is_applicable: bool = Field(description="whether the model may be asked about the pattern at all")
    reason: str = Field(description="why not")
    answer_from: str = Field(description="whose answer it is: model and fit, fit, model")
    info: dict[str, float | str] = Field(
        description="model and hash, q range, model-free numbers, chords, chi-square and verdict of the fit, warnings"
    )


class PredictStructure(Task, input_model=PatternInputs, output_model=Prediction):  # type: ignore[call-arg]
    """Length scale, porosity and layer fraction of a disordered porous material from its SAXS pattern.

    Chains after ewoksxrpd's IntegrateSinglePattern. A pattern that does not cover the model's q range has no
    prediction: ``is_applicable`` is false, ``reason`` says what to do, and ``info`` holds the numbers that need no
    model. What is not a pattern (an angle instead of q, columns of different lengths, nothing positive) fails the task.
    """

    def run(self) -> None:
        inputs = PatternInputs(**self.get_input_values())
        model = _load_model(inputs.material)
        outputs = Outputs(inputs.output_file, overwrite=inputs.overwrite)
        command, options = "pyfai_grf_ewoks.tasks.PredictStructure", _get_options(inputs)
        with Recorder(model, {"host": "ewoks"}, command, outputs, options) as recorder:
            outcome = recorder.record(make_curve(_get_columns(inputs)))
        if outcome.result is None:
            raise InputError(outcome.problem)
        if outcome.problem:
            logger.warning("%s", outcome.problem)
        said = outcome.result.prediction
        self.outputs.values, self.outputs.lower, self.outputs.upper = (
            dict(said.values),
            dict(said.lower),
            dict(said.upper),
        )
        self.outputs.is_applicable = said.is_applicable
        self.outputs.reason = said.reason
        self.outputs.answer_from = said.source
        self.outputs.info = {"model": model.name, "model_sha256": model.sha256, **outcome.result.extras}


class SeriesInputs(BaseInputModel):
    """The patterns that ewoksxrpd has written: the output of Integrate1DList, IntegrateBlissScan and their like."""

    nxdata_url: str = Field(description="file::/path of an NXdata with one pattern or many, over q")
    material: str = Field(description=_MATERIAL)
    fit: bool = Field(default=True, description=_FIT)
    spectrum: str | None = Field(default=None, description=_SPECTRUM)
    compared: int = Field(default=3, description=_COMPARED)
    output_file: str = Field(description="results file to write (HDF5, NXcanSAS)")
    overwrite: bool = Field(default=False, description="replace the results file if it exists")
    enabled: bool = Field(default=True, description="False: do nothing, and give empty outputs")


class SeriesPrediction(BaseOutputModel):
    """What was written, and by parameter name one number a pattern; NaN where there is no prediction."""

    output_file: str = Field(description="the results file; empty where the task is not enabled")
    output_nxprocess_url: str = Field(description="file::/path of the NXprocess that says which model predicted")
    values: dict[str, list[float]]
    lower: dict[str, list[float]]
    upper: dict[str, list[float]]
    is_applicable: list[bool]
    reasons: list[str]
    answer_from: list[str] = Field(description="whose answer each is: model and fit, fit, model")


class PredictStructures(Task, input_model=SeriesInputs, output_model=SeriesPrediction):  # type: ignore[call-arg]
    """The same for all patterns of an NXdata in a file; chains after ewoksxrpd's file tasks by ``nxdata_url``.

    A pattern that cannot be used is logged and has no row, the others are predicted; a file that cannot be read, or
    that holds no usable pattern, fails the task.
    """

    def run(self) -> None:
        inputs = SeriesInputs(**self.get_input_values())
        outcomes: list[Outcome] = []
        if inputs.enabled:
            model = _load_model(inputs.material)
            outputs = Outputs(inputs.output_file, overwrite=inputs.overwrite)
            command = "pyfai_grf_ewoks.tasks.PredictStructures"
            options = _get_options(inputs)
            analyze_curves(
                [inputs.nxdata_url], model, outputs, options=options, command=command, listen=outcomes.append
            )
        for outcome in outcomes:
            if outcome.problem:
                logger.warning("%s", outcome.problem)
        rows = [outcome.result.prediction for outcome in outcomes if outcome.result is not None]
        if inputs.enabled and not rows:
            raise InputError("; ".join(outcome.problem for outcome in outcomes) or f"{inputs.nxdata_url}: no pattern")
        names = list(rows[0].values) if rows else []
        self.outputs.output_file = inputs.output_file if rows else ""
        self.outputs.output_nxprocess_url = f"{Path(inputs.output_file).resolve()}::/prediction/process" if rows else ""
        for part in ("values", "lower", "upper"):
            setattr(self.outputs, part, {name: [getattr(row, part)[name] for row in rows] for name in names})
        self.outputs.is_applicable = [row.is_applicable for row in rows]
        self.outputs.reasons = [row.reason for row in rows]
        self.outputs.answer_from = [row.source for row in rows]


def _get_options(inputs: PatternInputs | SeriesInputs) -> FitOptions | None:
    return FitOptions(inputs.spectrum, compared=inputs.compared) if inputs.fit else None


def _load_model(material: str) -> Model:
    """Return a model; one that has been loaded stays, for a workflow asks the same one over and over."""
    path = Path(material) / "model.json"
    return _load_version(material, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=8)
def _load_version(material: str, changed_ns: int) -> Model:
    return load_model(material)


def _get_columns(inputs: PatternInputs) -> Columns:
    error = None if inputs.intensity_error is None else np.asarray(inputs.intensity_error, np.float64)
    return Columns(
        q=np.asarray(inputs.radial, np.float64),
        intensity=np.asarray(inputs.intensity, np.float64),
        sigma=error,
        weight=None,
        unit=inputs.radial_units,
        axis="",
        where=inputs.source,
        metadata={"source": inputs.source, "frame": inputs.frame},
    )

"""The ewoks task that predicts from a pattern in memory, chainable after ewoksxrpd's IntegrateSinglePattern."""

from __future__ import annotations

import logging

import numpy as np
from ewokscore import Task
from ewokscore.model import BaseInputModel, BaseOutputModel
from pydantic import Field

from pyfai_grf.core.records import Result
from pyfai_grf.io.columns import Columns, make_curve
from pyfai_grf.io.results import ResultsWriter
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.workflows import make_provenance, predict_result

logger = logging.getLogger(__name__)

Numbers = np.ndarray | list[float]


class PatternInputs(BaseInputModel):
    """One azimuthally averaged pattern, by the names that ewoksxrpd gives its parts, and the model to ask."""

    radial: Numbers = Field(description="(Q,) momentum transfer")
    intensity: Numbers = Field(description="(Q,) intensity, any scale")
    intensity_error: Numbers | None = Field(
        default=None, description="(Q,) standard error of the intensity; NaN throughout means that there is none"
    )
    radial_units: str = Field(description="unit of radial: q_nm^-1, q_A^-1; an angle is refused")
    material: str = Field(description="material class, e.g. two-phase-low-porosity, or the folder of a model bundle")
    source: str = Field(default="ewoks pattern", description="what results call the pattern")
    frame: int = Field(default=0, description="its number within the source")
    output_file: str | None = Field(default=None, description="results file to write (HDF5, NXcanSAS)")
    overwrite: bool = Field(default=False, description="replace the results file if it exists")


class Prediction(BaseOutputModel):
    """What the model says: by parameter name, in the parameter's unit (a in nm), NaN where there is no prediction."""

    values: dict[str, float]
    lower: dict[str, float] = Field(description="lower bound of the 90 % prediction interval")
    upper: dict[str, float] = Field(description="upper bound of the 90 % prediction interval")
    is_applicable: bool = Field(description="whether the model may be asked about the pattern at all")
    reason: str = Field(description="why not")
    info: dict[str, float | str] = Field(description="model and hash, q range, model-free numbers, chords, warnings")


class PredictStructure(Task, input_model=PatternInputs, output_model=Prediction):  # type: ignore[call-arg]
    """Length scale, porosity and layer fraction of a disordered porous material from its SAXS pattern.

    A pattern that does not cover the model's q range has no prediction: ``is_applicable`` is false, ``reason`` says
    what to do, and ``info`` holds the numbers that need no model. A pattern that is none (an angle instead of q,
    columns of different lengths, nothing positive) fails the task.
    """

    def run(self) -> None:
        inputs = PatternInputs(**self.get_input_values())
        model = load_model(inputs.material)
        outcome = predict_result(model, make_curve(_get_columns(inputs)))
        assert outcome.result is not None  # a curve always gives one, if only of NaN
        if outcome.problem:
            logger.warning("%s", outcome.problem)
        if inputs.output_file:
            _write(inputs, model, outcome.result)
        result = outcome.result
        self.outputs.values = dict(result.values)
        self.outputs.lower = dict(result.lower)
        self.outputs.upper = dict(result.upper)
        self.outputs.is_applicable = result.is_applicable
        self.outputs.reason = result.reason
        self.outputs.info = {"model": model.name, "model_sha256": model.sha256, **result.extras}


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


def _write(inputs: PatternInputs, model: Model, result: Result) -> None:
    provenance = make_provenance(model, {"host": "ewoks"}, "pyfai_grf_ewoks.tasks.PredictStructure")
    with ResultsWriter(str(inputs.output_file), provenance, overwrite=inputs.overwrite) as writer:
        writer.append(result)

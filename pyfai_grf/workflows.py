"""The two flows, each in one place.

training    parameters -> structure -> intensity -> library -> examples -> model bundle
analysis    frame -> reduction -> curve -> points -> prediction -> fit -> judgement -> results
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.atomic import write_text
from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import InputError, TrainingGrid
from pyfai_grf.core.published import PAPER_LAYER_DENSITY, PAPER_Q_NM1, PAPER_SHAPE, PAPER_VOXEL_SIZE_NM
from pyfai_grf.core.records import Curve, Outcome, Prediction, PredictionRow
from pyfai_grf.features.points import clean_curve, select_window
from pyfai_grf.fit.options import DEFAULT_FIT, FitOptions
from pyfai_grf.simulation.intensity import check_q_max, compute_shells
from pyfai_grf.simulation.structure import StructureModel, make_labels
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum

if TYPE_CHECKING:
    from pyfai_grf.analysis.frame_queue import FrameGroup
    from pyfai_grf.analysis.recorder import Outputs, Recorder
    from pyfai_grf.learn.bundle import Model
    from pyfai_grf.learn.evaluate import Evaluation
    from pyfai_grf.learn.settings import TrainSettings
    from pyfai_grf.library.shard import Shard
    from pyfai_grf.reduce.experiment import ReductionSettings
    from pyfai_grf.reduce.reducer import Reducer


# --- training: parameters to models --------------------------------------------------------------------------------


def simulate(
    a: float,
    porosity: float,
    layer_fraction: float = 0.0,
    layer_density: float = PAPER_LAYER_DENSITY,
    shape: int = PAPER_SHAPE,
    voxel_size: float = PAPER_VOXEL_SIZE_NM,
    q: FloatArray | None = None,
    seed: int = 1,
    device: str = "auto",
    spectrum: str | Spectrum = DEFAULT_SPECTRUM,
) -> tuple[FloatArray, FloatArray]:
    """Return (q, I) of one structure of the published model, (Q,) each; q in 1/nm.

    I is the orientational average of |FFT rho|^2 for densities 0 (pore), ``layer_density`` and 1 (solid), without
    noise, on the paper's scale: that of the unnormalised FFT of the published box, 512^3 voxels of 0.5 nm; any other
    box is rescaled to it. Below the first grid step 2 pi/(shape voxel_size) the curve stays at the value of the first
    shell. Röding et al. 2022, Eq. 1-4 and 6-10, doi:10.3389/fmats.2022.956839.

    Parameters
    ----------
    a : float
        Length scale in nm.
    porosity : float
        Volume fraction that is not solid.
    layer_fraction : float
        Fraction of the pore space that the layer fills; 0 for two phases.
    layer_density : float
        Electron density of the layer relative to the solid.
    shape : int
        Edge of the periodic box in voxels.
    voxel_size : float
        Edge of a voxel in nm.
    q : ndarray, optional
        (Q,) in 1/nm, increasing; by default the published 500 points from 0.04 to 3.
    seed : int
        The same seed gives the same structure, on every device up to float32 rounding at the phase boundaries.
    device : {"auto", "cpu", "cuda"}
        Where to compute; "auto" is a GPU where one is usable.
    spectrum : str or Spectrum
        Spectral density of the field, such as "power:n=6".

    Returns
    -------
    q : ndarray
        (Q,) in 1/nm.
    intensity : ndarray
        (Q,).

    Raises
    ------
    InputError
        If a parameter is out of range, or q beyond what the voxels carry.
    DeviceError
        If "cuda" is asked for without a usable GPU.
    """
    grid = PAPER_Q_NM1.copy() if q is None else np.asarray(q, dtype=np.float64)
    if grid.ndim != 1 or not grid.size or not np.all(grid > 0) or not np.all(np.diff(grid) > 0):
        raise InputError(f"q must be one axis of increasing values above 0 in 1/nm, found shape {grid.shape}")
    model = StructureModel(a, porosity, layer_fraction, shape, voxel_size, spectrum=spectrum)
    return grid, simulate_structure(get_backend(device), model, layer_density, grid, seed)[1]


def simulate_structure(
    backend: Backend, model: StructureModel, layer_density: float, q_nm1: FloatArray, seed: int
) -> tuple[Any, FloatArray]:
    """Return one structure's phase labels (N, N, N) uint8, on the backend's device, and its I(q), (Q,) as `simulate`.

    Raises InputError if ``layer_density`` is negative, or ``q_nm1`` (Q,), increasing, beyond what the voxels carry.
    """
    if not 0 <= layer_density < np.inf:
        raise InputError(f"layer_density is {layer_density}: it must be 0 or more, in units of the solid's")
    q_max = float(q_nm1[-1])
    check_q_max(q_max, model.voxel_size_nm)
    labels = make_labels(backend, model, seed)
    return labels, compute_shells(backend, labels, model.voxel_size_nm, q_max).compute_intensity(q_nm1, layer_density)


def find_libraries() -> list[Path]:
    """Return the shards of the structure library that is installed with the package."""
    return sorted(Path(str(importlib.resources.files("pyfai_grf_models"))).glob("library/library-*.h5"))


def open_libraries(paths: Sequence[str | Path]) -> list[Shard]:
    """Return the shards at ``paths``, or the installed ones if there are none."""
    from pyfai_grf.library.shard import open_shard

    return [open_shard(path) for path in (paths or find_libraries())]


def train(
    settings: TrainSettings,
    libraries: Sequence[str | Path],
    output: str | Path,
    report: Callable[[str], None] = lambda line: None,
) -> Model:
    """Train a model as ``settings`` says and write its bundle; raises InputError as its parts do."""
    from pyfai_grf.learn.bundle import save_model
    from pyfai_grf.learn.train import train_model

    shards = open_libraries(libraries) if settings.is_paper else []
    return save_model(train_model(settings, shards, report), output)


def write_report(output: str | Path, model: Model, evaluation: Evaluation) -> None:
    """Write REPORT.md and REPORT.png of an evaluation; raises InputError if they cannot be written."""
    from pyfai_grf.learn.evaluate import describe_model, format_table, get_published_errors
    from pyfai_grf.report.figures import draw_evaluation

    text, picture = Path(f"{output}.md"), Path(f"{output}.png")
    table = format_table(model, evaluation.errors)
    write_text(text, f"# {model.name}\n\n{table}\n\n```\n{describe_model(model)}\n```\n")
    draw_evaluation(
        picture,
        evaluation.truth,
        evaluation.predicted,
        reference=get_published_errors(model),
        title=model.name,
    )


# --- analysis: frames to results -----------------------------------------------------------------------------------

#: is called with each frame or curve once it is done
Listener = Callable[[Outcome], None]
#: (lowest, highest) q in 1/nm; None for the curve's own end
Window = tuple[float | None, float | None]


@dataclass(frozen=True)
class Summary:
    """What a run came to: rows written by it, how many of them are applicable, and inputs that could not be used."""

    rows: int = 0
    applicable: int = 0
    problems: int = 0

    def add(self, outcome: Outcome) -> Summary:
        """Return the summary with one more outcome."""
        result = outcome.result
        is_applicable = result is not None and result.prediction.is_applicable
        return Summary(
            self.rows + (result is not None), self.applicable + is_applicable, self.problems + bool(outcome.problem)
        )


def analyze(
    sources: Sequence[str],
    model: Model,
    settings: ReductionSettings,
    outputs: Outputs | None = None,
    *,
    average: int | None = 1,
    q_range_nm1: Window = (None, None),
    options: FitOptions | None = DEFAULT_FIT,
    command: str = "pyfai_grf.workflows.analyze",
    listen: Listener = lambda outcome: None,
) -> Summary:
    """Reduce the frames of ``sources``, predict, judge, and write the results file and the table as they come.

    Parameters
    ----------
    sources : files, or ``file.h5::/path``, of one frame or a stack.
    settings : geometry, mask, dark, flat and background; without bins of its own, those of the model.
    outputs : the files to write; with ``is_resumed`` frames that have a row there are not reduced again.
    average : as many consecutive frames become one curve; None averages all of them.
    q_range_nm1 : (lowest, highest) q to use, in 1/nm; None for the curve's own end.
    options : of the fit that follows the regressors; None: none does.
    command : what the files say it was called by.
    listen : is called with the outcome of each curve, once it is written.

    A frame that cannot be read or reduced is an outcome with a problem; the others go on.

    Raises
    ------
    InputError
        If the geometry, a correction or an output cannot be used.
    """
    from pyfai_grf.analysis.frame_queue import FrameQueue
    from pyfai_grf.analysis.recorder import Recorder
    from pyfai_grf.frames.images import read_series
    from pyfai_grf.reduce.digest import digest_inputs
    from pyfai_grf.reduce.reducer import Reducer

    reducer = Reducer(complete_bins(settings, model))
    digests = digest_inputs(settings, reducer.geometry)
    stated = {
        **settings.describe(),
        "digests": digests,
        "average": "all" if average is None else average,
        "q_range_nm1": q_range_nm1,
    }
    summary = Summary()
    with Recorder(model, stated, command, outputs, options) as recorder:
        queue = FrameQueue(sources, read_series, recorder.done)
        for group in queue.take_groups(average):
            outcome = _record_group(group, reducer, recorder, q_range_nm1)
            summary = summary.add(outcome)
            listen(outcome)
    return summary


def _record_group(group: FrameGroup | InputError, reducer: Reducer, recorder: Recorder, window: Window) -> Outcome:
    """Return what became of a group of frames, or of a source that cannot be read."""
    from pyfai_grf.analysis.rows import ARITHMETIC_ERRORS, describe_overflow

    if isinstance(group, InputError):
        return Outcome(None, str(group), group.hint, group.facts)
    try:
        curve = select_window(reducer.reduce(group.frames), *window)
    except InputError as problem:
        found = problem
    except ARITHMETIC_ERRORS as problem:
        found = InputError(describe_overflow(problem))
    else:
        return recorder.record(curve)
    where = "" if str(found).startswith(group.source) else f"{group.source} frame {group.index}: "
    return Outcome(None, f"{where}{found}", found.hint, found.facts)


def analyze_curves(
    sources: Iterable[str],
    model: Model,
    outputs: Outputs | None = None,
    *,
    unit: str | None = None,
    columns: Sequence[str] | None = None,
    q_range_nm1: Window = (None, None),
    options: FitOptions | None = DEFAULT_FIT,
    command: str = "pyfai_grf.workflows.analyze_curves",
    listen: Listener = lambda outcome: None,
) -> Summary:
    """Read the curves of ``sources``, predict, judge, and write as ``analyze`` does.

    ``unit`` of q and ``columns`` of a text table where a file does not say them: see ``io.curves.read_curves``.
    """
    from pyfai_grf.analysis.recorder import Recorder

    stated = {"unit": unit, "columns": columns, "q_range_nm1": q_range_nm1}
    summary = Summary()
    with Recorder(model, stated, command, outputs, options) as recorder:
        for found in _read_curves(sources, unit, columns):
            if isinstance(found, InputError):
                outcome = Outcome(None, str(found), found.hint, found.facts)
            else:
                outcome = _record_curve(recorder, found, q_range_nm1)
            summary = summary.add(outcome)
            listen(outcome)
    return summary


def _read_curves(
    sources: Iterable[str], unit: str | None, columns: Sequence[str] | None
) -> Iterator[Curve | InputError]:
    """Yield the curves of ``sources``, and what is wrong with those that cannot be read."""
    from pyfai_grf.io.curves import stream_curves

    for source in sources:
        try:
            yield from stream_curves(source, unit, columns)
        except InputError as problem:
            yield problem


def _record_curve(recorder: Recorder, curve: Curve, window: Window) -> Outcome:
    try:
        part = select_window(curve, *window)
    except InputError as problem:
        return Outcome(None, f"{curve.source} frame {curve.frame}: {problem}", problem.hint, problem.facts)
    return recorder.record(part)


def complete_bins(settings: ReductionSettings, model: Model) -> ReductionSettings:
    """Return ``settings`` with the bins of ``model``, extended over the whole detector, if they have none.

    For a detector that covers the model's range only, where a fit can follow: another has bins of a pixel.
    """
    from pyfai_grf.reduce.binning import Bins

    low, high = float(model.q_nm1[0]), float(model.q_nm1[-1])
    # where the regressors cannot answer, the fit does: on bins of a pixel
    bins = Bins(low, (high - low) / (model.q_nm1.size - 1), (low, high) if model.has_fit else None)
    return settings if settings.bins is not None else replace(settings, bins=bins)


def measure_q_range(geometry: Any, mask: Any = None) -> TrainingGrid:
    """Return a grid that the unmasked detector covers."""
    from pyfai_grf.features.coverage import suggest_grid
    from pyfai_grf.frames.frame import Frame
    from pyfai_grf.reduce.experiment import ReductionSettings
    from pyfai_grf.reduce.reducer import Reducer

    reducer = Reducer(ReductionSettings(geometry, mask=mask))
    shape = reducer.geometry.shape
    if shape is None:
        raise InputError("the geometry names no detector shape: state the q range instead")
    blank = Frame(np.ones(shape, dtype=np.int32), np.zeros(shape, dtype=bool), "flat field", 0, {})
    return suggest_grid(clean_curve(reducer.reduce(blank)))


def draw_results(
    path: str | Path,
    model: Model,
    rows: Sequence[PredictionRow],
    curves: Mapping[int, Curve] | None = None,
    **more: Any,
) -> None:
    """Draw one analysed curve with its fit, or parameters against frame where there are several rows.

    ``curves`` are those of some rows, by their place; ``more`` goes to the picture.
    """
    from pyfai_grf.report.figures import draw_analysis, draw_series, make_bars

    prediction = Prediction.from_rows(rows)
    if not curves or len(rows) > 1:
        draw_series(path, prediction, title=model.name, curves=curves, **more)
        return
    (row,) = rows
    q_range = float(model.q_nm1[0]), float(model.q_nm1[-1])
    bars = make_bars(model.material.name, row)
    draw_analysis(path, curve=curves[0], bars=bars, q_range_nm1=q_range, fit=row.fit, **more)

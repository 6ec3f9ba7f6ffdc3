"""The two flows, each in one place.

training    parameters -> structure -> intensity -> library -> examples -> model bundle
analysis    frame -> reduction -> curve -> features -> prediction -> results
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyfai_grf.analysis.model_free import compute_invariant, summarise
from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import InputError, QRangeError
from pyfai_grf.core.provenance import Provenance, collect_versions, format_now
from pyfai_grf.core.published import PAPER_LAYER_DENSITY, PAPER_Q_NM1, PAPER_SHAPE, PAPER_VOXEL_SIZE_NM
from pyfai_grf.core.records import Curve, Prediction, Result
from pyfai_grf.simulation.intensity import check_q_max, compute_shells
from pyfai_grf.simulation.structure import StructureModel, make_labels
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum

if TYPE_CHECKING:
    from pyfai_grf.learn.bundle import Model
    from pyfai_grf.learn.evaluate import Evaluation
    from pyfai_grf.learn.settings import TrainSettings
    from pyfai_grf.library.shard import Shard
    from pyfai_grf.reduce.reducer import Frame, Reducer, ReductionSettings


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
    noise, on the paper's scale: that of the unnormalised FFT of a 512^3 box of 0.5 nm voxels; another box is rescaled
    to it by (512/shape)^3 (voxel_size/0.5)^3. Below the first grid step 2 pi/(shape voxel_size) the curve stays at
    the value of the first shell. Röding et al. 2022, Eq. 1-4 and 6-10, doi:10.3389/fmats.2022.956839.

    Parameters
    ----------
    a, porosity, layer_fraction : length scale in nm, fraction that is not solid, part of it that the layer fills.
    layer_density : electron density of the layer relative to the solid.
    shape, voxel_size : edge of the periodic box in voxels, and of a voxel in nm.
    q : (Q,) in 1/nm, increasing; None for the published 500 points from 0.04 to 3.
    seed : the same seed gives the same structure, on every device to float32 rounding at the phase boundaries.
    device : "auto", "cpu" or "cuda".
    spectrum : spectral density of the field, such as "power:n=6"; the paper's is "roding2022".

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
    try:
        text.write_text(f"# {model.name}\n\n{table}\n\n```\n{describe_model(model)}\n```\n", encoding="utf-8")
    except OSError as problem:
        raise InputError(f"cannot write {text}: {problem}") from None
    draw_evaluation(
        picture,
        evaluation.truth,
        evaluation.predicted,
        reference=get_published_errors(model),
        title=model.name,
    )


# --- analysis: frames to results -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of one frame or curve: a result, a problem in words, or both (a reduced curve that is no match)."""

    result: Result | None
    problem: str = ""


def analyze_frames(
    sources: Iterable[str], reducer: Reducer, model: Model, average: int | None = 1
) -> Iterator[Outcome]:
    """Reduce the frames of ``sources`` (files, ``file.h5::/path``) and predict; yield one outcome after the other.

    ``average`` consecutive frames become one curve; None averages all of them. What cannot be read or reduced is
    reported as a problem, the others go on.
    """
    problems: list[InputError] = []
    frames = _read_frames(sources, problems)
    while (first := next(frames, None)) is not None:
        yield from _drain(problems)
        group = chain([first], islice(frames, None if average is None else average - 1))
        try:
            curve = reducer.reduce(first if average == 1 else group)
        except InputError as problem:
            for _ in group:  # the rest of a failed group is not a group of its own
                pass
            told = str(problem)
            where = "" if told.startswith(first.source) else f"{first.source} frame {first.index}: "
            yield Outcome(None, where + told)
        else:
            yield predict_result(model, curve)
    yield from _drain(problems)


def make_reduction_settings(model: Model, geometry: Any, **given: Any) -> ReductionSettings:
    """Return the settings of a reduction whose bins are those of ``model``, extended over the whole detector.

    ``given``: mask, dark, flat, background, background_scale, gain, as ``ReductionSettings`` takes them.
    """
    from pyfai_grf.reduce.reducer import Bins, ReductionSettings

    q = model.q_nm1
    return ReductionSettings(geometry, bins=Bins(float(q[0]), float((q[-1] - q[0]) / (q.size - 1))), **given)


def measure_q_range(geometry: Any, mask: Any = None) -> tuple[float, float, int]:
    """Return (first q, last q, points) of a grid in 1/nm that the unmasked detector covers."""
    from pyfai_grf.features.coverage import suggest_grid
    from pyfai_grf.reduce.reducer import Frame, Reducer, ReductionSettings

    reducer = Reducer(ReductionSettings(geometry, mask=mask))
    shape = reducer.geometry.shape
    if shape is None:
        raise InputError("the geometry names no detector shape: give --q-min, --q-max and --q-points instead")
    blank = Frame(np.ones(shape, dtype=np.int32), np.zeros(shape, dtype=bool), "flat field", 0, {})
    return suggest_grid(reducer.reduce(blank).q_nm1)


def draw_results(path: str | Path, model: Model, results: Sequence[Result], **more: Any) -> None:
    """Draw one analysed curve, or parameters against frame where there are several; ``more`` goes to the picture."""
    from pyfai_grf.report.figures import draw_analysis, draw_series, make_rows

    prediction = join_predictions(results)
    if len(results) > 1:
        draw_series(path, prediction, title=model.name, **more)
        return
    q_range = float(model.q_nm1[0]), float(model.q_nm1[-1])
    rows = make_rows(model.material.name, prediction)
    draw_analysis(path, curve=results[0].curve, prediction_rows=rows, q_range_nm1=q_range, **more)


def join_predictions(results: Sequence[Result]) -> Prediction:
    """Return the rows of a results file as one prediction record."""
    values, lower, upper = (
        {name: np.array([getattr(r, part)[name] for r in results]) for name in results[0].values}
        for part in ("values", "lower", "upper")
    )
    is_applicable = np.array([r.is_applicable for r in results])
    return Prediction(values, lower, upper, is_applicable, tuple(r.reason for r in results))


def predict_curves(sources: Iterable[str], model: Model, unit: str | None = None) -> Iterator[Outcome]:
    """Read the curves of ``sources`` and predict; yield one outcome after the other."""
    from pyfai_grf.io.curves import collect_curves

    for source in sources:
        try:
            curves, problems = collect_curves(source, unit)
        except InputError as problem:
            yield Outcome(None, str(problem))
            continue
        for curve in curves:
            yield predict_result(model, curve)
        yield from _drain(problems)


def predict_result(model: Model, curve: Curve) -> Outcome:
    """Return the outcome for one reduced curve: prediction, applicability, and the model-free numbers beside it."""
    source = str(curve.metadata.get("source", ""))
    frame = int(curve.metadata.get("frame_index", curve.metadata.get("frame", 0)))
    unknown = dict.fromkeys(model.regressors, np.nan)
    try:
        prediction = model.predict_curve(curve)
    except InputError as problem:
        extras = _describe_curve(model, curve, unknown)
        result = Result(source, frame, curve, unknown, unknown, unknown, False, str(problem), extras)
        kind = "q range" if isinstance(problem, QRangeError) else "curve"
        return Outcome(result, f"{source} frame {frame}: {kind}: {problem}")
    values, lower, upper = (
        {name: float(column[0]) for name, column in columns.items()}
        for columns in (prediction.values, prediction.lower, prediction.upper)
    )
    extras = _describe_curve(model, curve, values)
    applicable = bool(prediction.is_applicable[0])
    return Outcome(Result(source, frame, curve, values, lower, upper, applicable, prediction.reasons[0], extras))


def make_provenance(model: Model, settings: Mapping[str, Any], command: str) -> Provenance:
    """Return what a results file says of where its rows come from."""
    text = model.description
    return Provenance(
        material=model.material.name,
        model=model.name,
        flavour=model.flavour,
        model_sha256=model.sha256,
        model_version=str(text["model_version"]),
        spectrum=text["spectrum"],
        layer_density=text["layer_density"],
        q_grid_nm1=model.q_nm1,
        parameters=tuple(model.regressors),
        settings=settings,
        command=command,
        versions=collect_versions(),
        created=format_now(),
    )


def _describe_curve(model: Model, curve: Curve, values: Mapping[str, float]) -> dict[str, float | str]:
    """Return the further columns of a row; the same keys for every curve."""
    from pyfai_grf.theory.closed_form import compute_mean_chords, compute_surface_per_volume

    used = (curve.q_nm1 >= model.q_nm1[0]) & (curve.q_nm1 <= model.q_nm1[-1])
    two_phase = model.material.phases == 2 and 0 < values["porosity"] < 1 and values["a"] > 0
    known = (values["a"], values["porosity"], model.spectrum)
    chords = compute_mean_chords(*known) if two_phase else (np.nan, np.nan)
    surface = compute_surface_per_volume(*known) if two_phase else np.nan
    density = model.description["layer_density"]
    return {
        "q_min_nm1": float(curve.q_nm1[0]),
        "q_max_nm1": float(curve.q_nm1[-1]),
        "q_used_min_nm1": float(curve.q_nm1[used].min()) if used.any() else np.nan,
        "q_used_max_nm1": float(curve.q_nm1[used].max()) if used.any() else np.nan,
        "counts": np.nan if curve.counts is None else float(curve.counts),
        "frames_averaged": float(curve.metadata.get("n_frames", 1)),
        # what the intensities were divided by: Eq. 12 over the model's range
        "intensity_scale": _compute_scale(curve.q_nm1[used], curve.intensity[used]),
        **_summarise(curve),
        "pore_chord_nm": float(chords[0]),
        "solid_chord_nm": float(chords[1]),
        "surface_per_volume_nm1": float(surface),
        "layer_density": np.nan if density is None else float(density),
        "warnings": "; ".join(curve.metadata.get("warnings", ())),
    }


def _compute_scale(q_nm1: FloatArray, intensity: FloatArray) -> float:
    try:
        return compute_invariant(Curve(q_nm1, intensity))
    except InputError:  # fewer than two points in the range
        return float("nan")


def _summarise(curve: Curve) -> dict[str, float]:
    """Return the model-free numbers; NaN where a curve is too broken for one."""
    try:
        return summarise(curve)
    except InputError:
        return dict.fromkeys(
            ("invariant", "porod_constant", "porod_constant_error", "correlation_length_nm"), float("nan")
        )


def _read_frames(sources: Iterable[str], problems: list[InputError]) -> Iterator[Frame]:
    from pyfai_grf.frames.images import read_frames

    for source in sources:
        try:
            yield from read_frames(source)
        except InputError as problem:
            problems.append(problem)


def _drain(problems: list[InputError]) -> Iterator[Outcome]:
    while problems:
        yield Outcome(None, str(problems.pop(0)))

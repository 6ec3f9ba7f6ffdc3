"""The two flows, from a seed to a model and from a frame to a file, agree with their parts whichever way one goes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fabio
import numpy as np
import pytest

import pyfai_grf as grf
from pyfai_grf.analysis.recorder import Outputs
from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import DeviceError, InputError
from pyfai_grf.core.published import PAPER_Q_NM1
from pyfai_grf.core.records import Curve, Outcome, PredictionRow, Result
from pyfai_grf.features.coverage import check_coverage
from pyfai_grf.features.points import clean_curve
from pyfai_grf.frames.frame import make_frame
from pyfai_grf.io.results import read_results
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.learn.evaluate import Evaluation, format_table
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.reduce.binning import Bins
from pyfai_grf.reduce.experiment import ReductionSettings
from pyfai_grf.reduce.reducer import Reducer
from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.structure import LAYER, SOLID, StructureModel
from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.workflows import (
    Summary,
    analyze,
    analyze_curves,
    complete_bins,
    draw_results,
    find_libraries,
    measure_q_range,
    open_libraries,
    simulate_structure,
    train,
    write_report,
)

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def model(small_bundle: Path) -> Model:
    return load_model(small_bundle)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory, setup: Any) -> Path:
    """Three frames of 3 nm and porosity 0.3, 3e6 photons each, as a user has them."""
    folder = tmp_path_factory.mktemp("frames")
    expected = setup.expect_material(3e6, 3.0, 0.3)
    rng = np.random.default_rng(7)
    for number in range(3):
        image = rng.poisson(expected).astype(np.int32)
        fabio.edfimage.EdfImage(data=image).write(str(folder / f"good_{number}.edf"))
    (folder / "text.edf").write_text("no image at all\n" * 40)
    return folder


def list_frames(frames: Path) -> list[str]:
    return [str(path) for path in sorted(frames.glob("good_*.edf"))]


# --- simulation -----------------------------------------------------------------------------------------------------


def test_simulate_is_the_published_grid_by_default() -> None:
    q, intensity = grf.simulate(a=4.0, porosity=0.7, layer_fraction=0.2, shape=64, seed=1, device="cpu")
    np.testing.assert_array_equal(q, PAPER_Q_NM1)
    assert (q.size, q[0], q[-1]) == (500, 0.04, 3.0)
    assert intensity.shape == (500,)
    assert np.all(np.isfinite(intensity) & (intensity > 0))


def test_simulate_repeats_with_its_seed() -> None:
    first, same, other = (grf.simulate(2.0, 0.5, shape=32, seed=seed, device="cpu")[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.any(first == other)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"porosity": 1.2}, "porosity is 1.2"),
        ({"layer_fraction": 1.0}, "layer_fraction is 1.0"),
        ({"layer_density": -0.1}, "layer_density is -0.1"),
        ({"layer_density": np.nan}, "layer_density is nan"),
        ({"q": np.array([0.1, 7.0])}, "q reaches 7"),
        ({"q": np.array([0.2, 0.1])}, "increasing"),
        ({"q": np.array([0.0, 0.1])}, "above 0"),
        ({"q": np.array([])}, "q must be one axis"),
        ({"q": np.array([0.1, np.nan])}, "q must be one axis"),
        ({"voxel_size": 2.0}, "q reaches 3"),
    ],
)
def test_simulate_names_what_is_wrong(changed: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"a": 4.0, "porosity": 0.7, "shape": 16, "device": "cpu"} | changed
    with pytest.raises(InputError, match=message):
        grf.simulate(**arguments)


def test_simulate_refuses_a_device_it_does_not_know() -> None:
    with pytest.raises(DeviceError, match="unknown device"):
        grf.simulate(4.0, 0.7, shape=16, device="gpu")


def test_structure_and_curve_belong_together() -> None:
    """What `simulate` returns is the curve of the labels that `simulate_structure` keeps, phase by phase."""
    q = np.linspace(0.8, 3.0, 12)
    backend = get_backend("cpu")
    setting = StructureModel(2.0, 0.6, 0.3, 32, 0.5)
    labels, intensity = simulate_structure(backend, setting, 0.65, q, 4)
    np.testing.assert_array_equal(grf.simulate(2.0, 0.6, 0.3, shape=32, q=q, seed=4, device="cpu")[1], intensity)
    assert labels.shape == (32, 32, 32)
    assert np.bincount(labels.ravel()).size == 3
    # a layer as dense as the solid is solid
    _, dense = simulate_structure(backend, setting, 1.0, q, 4)
    two_phases = np.where(labels == LAYER, SOLID, labels).astype(np.uint8)
    merged = compute_shells(backend, two_phases, 0.5, float(q[-1])).compute_intensity(q, 0.65)
    np.testing.assert_allclose(dense, merged, rtol=1e-4)  # sums of single-precision partial intensities
    for density in (-1.0, np.nan, np.inf):
        with pytest.raises(InputError, match=f"layer_density is {density}"):
            simulate_structure(backend, setting, density, q, 4)


# --- training -------------------------------------------------------------------------------------------------------


def test_installed_library_is_found_and_opened() -> None:
    paths = find_libraries()
    assert len(paths) >= 1
    assert paths == sorted(paths)
    (first,) = open_libraries(paths[:1])
    assert first.path == paths[0]
    assert len(first.structures) > 0
    assert [shard.path for shard in open_libraries([])] == paths


def test_library_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.h5"):
        open_libraries([tmp_path / "gone.h5"])


def test_bundle_of_a_training_is_the_model_that_is_returned(tmp_path: Path) -> None:
    grid = np.linspace(0.05, 2.5, 60)
    settings = TrainSettings("two-phase-low-porosity", q_nm1=grid, examples=1000, bins=30)
    lines: list[str] = []
    # structure libraries are for the published setting alone: they are not opened
    made = train(settings, [tmp_path / "gone.h5"], tmp_path / "bundle", lines.append)
    assert load_model(tmp_path / "bundle").sha256 == made.sha256 != ""
    assert lines
    with pytest.raises(InputError, match=r"gone\.h5"):
        train(replace(settings, name="two-phase-low-porosity@paper"), [tmp_path / "gone.h5"], tmp_path / "paper")
    assert not (tmp_path / "paper").exists()


def test_report_holds_the_table_and_a_picture(model: Model, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    truth = {name: rng.uniform(*model.material.get_range(name), 50) for name in model.parameters}
    evaluation = Evaluation(model.description.errors, truth, {name: 1.01 * value for name, value in truth.items()})
    write_report(tmp_path / "my.report", model, evaluation)
    assert {path.name for path in tmp_path.iterdir()} == {"my.report.md", "my.report.png"}
    text = (tmp_path / "my.report.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {model.name}\n")
    assert format_table(model, evaluation.errors) in text
    assert (tmp_path / "my.report.png").read_bytes().startswith(PNG)
    with pytest.raises(InputError, match="nowhere"):
        write_report(tmp_path / "nowhere" / "report", model, evaluation)


# --- frames to results ----------------------------------------------------------------------------------------------


def test_summary_counts_what_it_is_given() -> None:
    curve = Curve(np.ones(1), np.ones(1))

    def make(is_applicable: bool) -> Result:
        return Result("s", 0, curve, PredictionRow({}, {}, {}, is_applicable))

    outcomes = (
        Outcome(make(True)),
        Outcome(make(False)),
        Outcome(None, "no such file"),
        Outcome(make(False), "q range"),
        Outcome(make(True)),
    )
    summary = Summary()
    for outcome in outcomes:
        summary = summary.add(outcome)
    assert summary == Summary(rows=4, applicable=2, problems=2)


def test_every_frame_has_its_outcome_in_order(model: Model, frames: Path, poni: str, tmp_path: Path) -> None:
    good = list_frames(frames)
    sources = [good[0], str(frames / "text.edf"), str(tmp_path / "gone.edf"), good[1]]
    heard: list[Outcome] = []
    outputs = Outputs(tmp_path / "out.h5", tmp_path / "out.csv")
    summary = analyze(sources, model, ReductionSettings(poni), outputs, command="mine", listen=heard.append)
    assert summary == Summary(rows=2, applicable=2, problems=2)
    assert [outcome.result is None for outcome in heard] == [False, True, True, False]
    assert "text.edf" in heard[1].problem
    assert "gone.edf" in heard[2].problem
    provenance, rows = read_results(tmp_path / "out.h5")
    assert (provenance.command, provenance.model_sha256) == ("mine", model.sha256)
    assert provenance.settings["geometry"] == poni
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        table = [row["source"] for row in csv.DictReader(stream)]
    heard_rows = [outcome.result for outcome in heard if outcome.result is not None]
    assert [row.source for row in heard_rows] == [row.source for row in rows] == table
    for row, result in zip(rows, heard_rows, strict=True):
        assert dict(row.prediction.values) == dict(result.prediction.values)


def test_frames_analyzed_are_frames_reduced_and_predicted(model: Model, frames: Path, setup: Any) -> None:
    """The flow is its parts: reduction on the model's bins, prediction of the curve."""
    heard: list[Outcome] = []
    analyze(list_frames(frames)[:1], model, ReductionSettings(setup.integrator), listen=heard.append)
    (outcome,) = heard
    assert outcome.result is not None
    step = float(model.q_nm1[1] - model.q_nm1[0])
    reducer = Reducer(ReductionSettings(setup.integrator, bins=Bins(float(model.q_nm1[0]), step)))
    with fabio.open(list_frames(frames)[0]) as image:
        curve = reducer.reduce(make_frame(image.data))
    expected = model.predict_curve(curve).get_row(0)
    for name, value in expected.values.items():
        # the step of a grid from its ends or from two points: rounding, and where the search of the fit ends
        assert outcome.result.prediction.values[name] == pytest.approx(value, rel=1e-4)


def test_curves_of_a_results_file_give_the_same_answer(model: Model, frames: Path, poni: str, tmp_path: Path) -> None:
    """Frames to a file, and the curves out of that file to another: a round trip through NXcanSAS."""
    analyze(list_frames(frames), model, ReductionSettings(poni), Outputs(tmp_path / "frames.h5"))
    summary = analyze_curves([str(tmp_path / "frames.h5")], model, Outputs(tmp_path / "curves.h5"))
    assert summary == Summary(rows=3, applicable=3, problems=0)
    for before, after in zip(*(read_results(tmp_path / f"{name}.h5")[1] for name in ("frames", "curves")), strict=True):
        np.testing.assert_allclose(after.curve.intensity, before.curve.intensity, rtol=1e-6)
        for name, value in before.prediction.values.items():
            assert after.prediction.values[name] == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(("average", "counts"), [(1, [1, 1, 1]), (2, [2, 1]), (None, [3]), (7, [3])])
def test_averages_share_the_photons_of_their_frames(
    model: Model, frames: Path, poni: str, average: int | None, counts: list[int]
) -> None:
    heard: list[Outcome] = []
    analyze(list_frames(frames), model, ReductionSettings(poni), average=average, listen=heard.append)
    rows = [outcome.result for outcome in heard if outcome.result is not None]
    assert [row.extras["frames_averaged"] for row in rows] == counts
    # 3e6 photons are expected of each frame, all but those beyond the last bin counted
    for row, count in zip(rows, counts, strict=True):
        assert row.extras["counts"] == pytest.approx(3e6 * count, rel=0.01)


def test_window_is_cut_from_every_curve(model: Model, frames: Path, poni: str, tmp_path: Path) -> None:
    heard: list[Outcome] = []
    settings = ReductionSettings(poni)
    analyze(list_frames(frames)[:1], model, settings, q_range_nm1=(0.1, 2.0), listen=heard.append)
    (outcome,) = heard
    assert outcome.result is not None
    assert outcome.problem == ""
    assert outcome.result.prediction.source == "fit"  # the model needs more
    assert 0.05 < outcome.result.curve.q_nm1[0] < 0.1 + 0.03
    assert outcome.result.curve.metadata["q_window_nm1"] == [0.1, 2.0]
    # nothing is left: a problem that names the frame, and no row
    summary = analyze(list_frames(frames)[:1], model, settings, q_range_nm1=(4.0, None), listen=heard.append)
    assert summary == Summary(problems=1)
    assert heard[-1].problem.startswith(f"{list_frames(frames)[0]} frame 0: 0 points lie between 4 and")


def test_geometry_that_cannot_be_used_stops_before_a_file_is_made(model: Model, frames: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.poni"):
        analyze(list_frames(frames), model, ReductionSettings("gone.poni"), Outputs(tmp_path / "out.h5"))
    assert not list(tmp_path.iterdir())


def test_nothing_to_analyze_is_an_empty_summary(model: Model, poni: str, tmp_path: Path) -> None:
    assert analyze([], model, ReductionSettings(poni), Outputs(tmp_path / "out.h5")) == Summary()
    assert analyze_curves([], model, Outputs(tmp_path / "curves.h5")) == Summary()
    assert not list(tmp_path.glob("*.h5"))


def test_curves_that_cannot_be_read_do_not_stop_the_others(model: Model, tmp_path: Path) -> None:
    q = np.linspace(0.05, 2.5, 200)
    intensity = expected_intensity(q, 3.0, 0.3) * np.random.default_rng(3).normal(1, 0.01, q.size)
    np.savetxt(tmp_path / "plain.dat", np.column_stack([q, intensity, 0.01 * intensity]))
    (tmp_path / "empty.dat").touch()
    sources = [str(tmp_path / name) for name in ("gone.dat", "plain.dat", "empty.dat")]
    heard: list[Outcome] = []
    said = {"unit": "nm", "columns": ("q", "I", "sigma")}
    summary = analyze_curves(sources, model, **said, listen=heard.append)  # type: ignore[arg-type]
    assert summary == Summary(rows=1, applicable=1, problems=2)
    assert [bool(outcome.problem) for outcome in heard] == [True, False, True]
    # a window that leaves nothing of one
    summary = analyze_curves(sources[1:2], model, **said, q_range_nm1=(3.0, None), listen=heard.append)  # type: ignore[arg-type]
    assert summary == Summary(problems=1)
    assert "plain.dat frame 0: 0 points lie between 3" in heard[-1].problem


# --- parts of the flow ----------------------------------------------------------------------------------------------


def test_bins_are_the_models_unless_stated(model: Model) -> None:
    plain = ReductionSettings("geometry.poni", gain=3.0)
    completed = complete_bins(plain, model)
    assert completed.bins is not None
    centres = completed.bins.origin_nm1 + completed.bins.step_nm1 * np.arange(model.q_nm1.size)
    np.testing.assert_allclose(centres, model.q_nm1, rtol=1e-12)
    assert replace(completed, bins=None) == plain
    own = ReductionSettings("geometry.poni", bins=Bins(0.1, 0.02))
    assert complete_bins(own, model) is own


def test_suggested_grid_is_covered_by_every_frame(setup: Any) -> None:
    grid = measure_q_range(setup.integrator)
    assert setup.q.min() <= grid.q_min_nm1 < 0.1
    assert 2.5 < grid.q_max_nm1 <= setup.q.max()
    curve = clean_curve(Reducer(ReductionSettings(setup.integrator)).reduce(make_frame(setup.expect_frame(1e8))))
    check_coverage(curve, np.linspace(grid.q_min_nm1, grid.q_max_nm1, grid.points))


def test_mask_takes_its_part_off_the_grid(setup: Any, tmp_path: Path) -> None:
    mask = (setup.q < 0.2) | (setup.q > 2.0)
    path = str(tmp_path / "mask.edf")
    fabio.edfimage.EdfImage(data=mask.astype(np.int8)).write(path)
    for given in (mask, path):
        grid = measure_q_range(setup.integrator, given)
        # a pixel is 0.02 per nm wide
        assert 0.2 <= grid.q_min_nm1 < 0.23
        assert 1.97 < grid.q_max_nm1 <= 2.0


def test_grid_of_a_detector_without_a_shape(setup: Any) -> None:
    from pyFAI.detectors import detector_factory

    integrator = setup.copy_integrator()
    integrator.detector = detector_factory("Detector", {"pixel1": 172e-6, "pixel2": 172e-6})
    with pytest.raises(InputError, match="no detector shape"):
        measure_q_range(integrator)


@pytest.mark.parametrize("count", [1, 3])
def test_pictures_of_one_curve_and_of_a_series(
    model: Model, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyfai_grf.report import figures

    called: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        draw = getattr(figures, name)
        return lambda *args, **more: (called.append(name), draw(*args, **more))[1]

    for name in ("draw_analysis", "draw_series"):
        monkeypatch.setattr(figures, name, watch(name))
    truth = expected_intensity(model.q_nm1, 3.0, 0.3)
    curve = Curve(model.q_nm1, truth, 0.01 * truth)
    rows = [model.predict_curve(curve).get_row(0)] * count
    draw_results(tmp_path / "picture.png", model, rows, {0: curve})
    draw_results(tmp_path / "series.png", model, rows)  # without a curve there is only the series
    assert called == ["draw_analysis" if count == 1 else "draw_series", "draw_series"]
    for name in ("picture", "series"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(PNG)

"""The hook in pyFAI's own integration loop: right where it can predict, silent towards pyFAI where it cannot."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import fabio
import h5py
import numpy as np
import pytest
from pyfai_grf_pyfai.observer import PredictionObserver

from pyfai_grf.analysis.rows import analyze_curve
from pyfai_grf.core.errors import BundleError, InputError
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.io.results import read_results
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.reduce.integrated import convert_result

COUNTS, BINS = 1e6, 140


@pytest.fixture(scope="module")
def integrator(setup: Any) -> Any:
    return setup.integrator


@pytest.fixture(scope="module")
def expected_frame(setup: Any) -> np.ndarray:
    """The counts to be expected in each pixel, of a material with a = 3 nm and porosity 0.3."""
    return setup.expect_material(COUNTS, 3.0, 0.3)


@pytest.fixture
def frames(expected_frame: np.ndarray, tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(5)
    paths = [str(tmp_path / f"frame_{n}.edf") for n in range(3)]
    for path in paths:
        fabio.edfimage.EdfImage(data=rng.poisson(expected_frame).astype(np.int32)).write(path)
    return paths


@pytest.fixture(scope="module")
def model(small_bundle: Path) -> Model:
    return load_model(small_bundle)


@pytest.fixture
def integrate() -> ModuleType:
    """pyFAI.app.integrate; importing it sends warnings to the log, where they would be no errors any more."""
    import pyFAI.app.integrate

    logging.captureWarnings(False)
    return pyFAI.app.integrate


@pytest.fixture
def process(integrate: ModuleType, integrator: Any, tmp_path: Path) -> Callable[..., dict[str, np.ndarray]]:
    """``process(frames, observer, name=value)``: pyFAI's own loop with those settings; returns what it wrote."""

    def run(frames: list[Any], observer: Any, **changes: Any) -> dict[str, np.ndarray]:
        settings = {"nbpt_rad": BINS, "unit": "q_nm^-1", "method": ["no", "csc", "cython"], "error_model": "poisson"}
        settings |= {"poni": dict(integrator.get_config()), "do_2D": False, "version": 4, **changes}
        output = tmp_path / "integrated.h5"
        assert integrate.process(frames, str(output), settings, observer, write_mode="delete") == 0
        with h5py.File(output) as h5:
            return {
                name: item[()] for name, item in h5["entry_0000/integrate/results"].items() if hasattr(item, "shape")
            }

    return run


def test_predicts_as_on_the_integrated_curve(
    process: Any, integrator: Any, frames: list[str], model: Model, tmp_path: Path
) -> None:
    seen: list[Any] = []
    output = tmp_path / "results.h5"
    with PredictionObserver(model, output, seen.append) as observer:
        written = process(frames, observer)
    assert observer.problems == []
    assert observer.results == seen
    assert [result.source for result in seen] == frames
    for row, (path, result) in enumerate(zip(frames, seen, strict=True)):
        with fabio.open(path) as image:
            integrated = integrator.integrate1d_ng(
                image.data, BINS, unit="q_nm^-1", method=("no", "csc", "cython"), error_model="poisson"
            )
        np.testing.assert_array_equal(written["data"][row], integrated.intensity)
        expected = analyze_curve(
            model, convert_result(integrated, {"source": path}), FitOptions(compared=3), row
        ).result
        assert expected is not None
        assert dict(result.prediction.values) == dict(expected.prediction.values)
        assert dict(result.prediction.lower) == dict(expected.prediction.lower)
        assert result.prediction.is_applicable == expected.prediction.is_applicable
        np.testing.assert_equal(dict(result.extras), dict(expected.extras))
    _, rows = read_results(output)
    assert [dict(row.prediction.values) for row in rows] == [dict(result.prediction.values) for result in seen]
    assert json.dumps(rows[0].curve.metadata["pyFAI"]["poni"])  # the geometry is in the file


def test_material_by_name_of_its_bundle(process: Any, frames: list[str], small_bundle: Path, model: Model) -> None:
    observer = PredictionObserver(str(small_bundle))
    process(frames[:1], observer)
    assert observer.model.sha256 == model.sha256
    assert len(observer.results) == 1


def test_sigma_is_that_of_the_counts(process: Any, expected_frame: np.ndarray, model: Model) -> None:
    """The variance of repeats is sigma^2; of pyFAI's Poisson sigma it is 0.02 to 0.6 times on frames of 10^5 counts."""
    rng = np.random.default_rng(2)
    stack = rng.poisson(expected_frame / 10, size=(40, *expected_frame.shape)).astype(np.int32)
    observer = PredictionObserver(model)
    process([stack], observer)
    curves = [result.curve for result in observer.results]
    assert [result.frame for result in observer.results] == list(range(40))
    intensity, sigma = (np.array([getattr(c, part) for c in curves]) for part in ("intensity", "sigma"))
    middle = (curves[0].q_nm1 > 0.5) & (curves[0].q_nm1 < 2.2)  # beyond are the few pixels of the corners
    ratio = (intensity[:, middle].var(axis=0, ddof=1) / (sigma[:, middle] ** 2).mean(axis=0)).mean()
    # the bins are independent: 39 degrees of freedom each
    assert ratio == pytest.approx(1.0, abs=4 * np.sqrt(2 / (39 * middle.sum())))
    np.testing.assert_allclose([c.counts for c in curves], stack.sum(axis=(1, 2)))


def test_unit_of_the_result_counts(process: Any, frames: list[str], model: Model) -> None:
    one, other = PredictionObserver(model), PredictionObserver(model)
    process(frames[:1], one)
    process(frames[:1], other, unit="q_A^-1")
    for name, value in one.results[0].prediction.values.items():
        assert other.results[0].prediction.values[name] == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "said", "results"),
    [
        ({"unit": "2th_deg"}, "scattering angle", 0),
        ({"radial_range_min": 0.5, "radial_range_max": 2.0, "do_radial_range": True}, "train a model", 3),
        ({"do_2D": True, "nbpt_azim": 30}, "2 dimensions", 0),
    ],
)
def test_what_cannot_be_predicted_leaves_the_integration_alone(
    process: Any, frames: list[str], model: Model, caplog: Any, changes: Any, said: str, results: int
) -> None:
    with caplog.at_level(logging.WARNING, logger="pyfai_grf_pyfai.observer"):
        observer = PredictionObserver(model)
        written = process(frames, observer, **changes)
    alone = process(frames, None, **changes)
    assert written.keys() == alone.keys()
    for name, values in alone.items():
        np.testing.assert_array_equal(written[name], values)
    assert len(observer.problems) == 3
    for path, problem in zip(frames, observer.problems, strict=True):
        assert said in problem
        assert path in problem
        assert problem in caplog.text
    assert len(observer.results) == results
    assert all(np.isnan(result.prediction.values["a"]) for result in observer.results)


def test_no_fault_reaches_pyfai(process: Any, frames: list[str], model: Model, tmp_path: Path) -> None:
    """A callback that fails, a results file that is closed under the run: the frames are integrated all the same."""

    def fail(result: Any) -> None:
        raise KeyError("the user's own fault")

    observer = PredictionObserver(model, tmp_path / "results.h5", fail)
    process(frames[:1], observer)  # the end of which completes the file
    assert len(process(frames, observer)["data"]) == 3
    assert len(observer.results) == 4
    assert sum("is closed" in problem for problem in observer.problems) == 1
    assert sum("KeyError" in problem for problem in observer.problems) == 4


def test_file_is_complete_if_the_integration_is_cut_short(
    integrate: ModuleType, process: Any, frames: list[str], model: Model, tmp_path: Path
) -> None:
    Path(frames[2]).write_bytes(Path(frames[2]).read_bytes()[:300])
    with pytest.raises(Exception), PredictionObserver(model, tmp_path / "results.h5") as observer:  # noqa: B017, PT011
        process(frames, observer)
    assert len(observer.results) == 2
    with h5py.File(tmp_path / "results.h5") as h5:
        assert {"entry00000", "entry00001", "prediction"} <= set(h5)


def test_it_can_stop_the_integration(process: Any, integrate: ModuleType, frames: list[str], model: Model) -> None:
    observer = PredictionObserver(model, on_result=lambda result: observer.request_interruption())
    with pytest.raises(AssertionError):  # pyFAI returns 2
        process(frames, observer)
    assert len(observer.results) == 1


def test_wrong_from_the_start_is_said_at_the_start(model: Model, tmp_path: Path) -> None:
    (tmp_path / "results.h5").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        PredictionObserver(model, tmp_path / "results.h5")
    with pytest.raises(InputError, match="cannot write"):
        PredictionObserver(model, tmp_path / "nowhere" / "results.h5")
    with pytest.raises(BundleError, match="there is no model"):
        PredictionObserver("two-phase")


def test_it_answers_whatever_pyfai_calls(integrate: ModuleType, model: Model) -> None:
    """It derives from nothing, so each method of pyFAI's observer must be there, with its arguments."""
    theirs = integrate.IntegrationObserver
    for name, method in inspect.getmembers(theirs, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(getattr(PredictionObserver, name)).parameters) == list(
                inspect.signature(method).parameters
            ), name

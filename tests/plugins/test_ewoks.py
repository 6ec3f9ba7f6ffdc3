"""The ewoks task, run by ewoks: found by its entry point, chained, and saying what the library says."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytest.importorskip("ewokscore", reason="ewokscore is not installed (pip install pyfai-grf[ewoks])")

from ewokscore import Task, execute_graph
from ewokscore.task_discovery import discover_tasks_from_modules

from pyfai_grf.analysis.rows import analyze_curve
from pyfai_grf.core.records import Curve
from pyfai_grf.io.results import read_results
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.theory.closed_form import expected_intensity

TASK, SERIES_TASK = "pyfai_grf_ewoks.tasks.PredictStructure", "pyfai_grf_ewoks.tasks.PredictStructures"
#: what ewoksxrpd's IntegrateSinglePattern gives, and what is linked to the prediction
LINKED = ["radial", "intensity", "intensity_error", "radial_units"]
Q_NM1 = np.linspace(0.05, 2.5, 100)
INTENSITY = expected_intensity(Q_NM1, 3.0, 0.3)


class MakePattern(Task, optional_input_names=LINKED, output_names=[*LINKED, "info"]):  # type: ignore[call-arg]
    """Stands for ewoksxrpd's IntegrateSinglePattern: without an error model its errors are NaN throughout."""

    def run(self) -> None:
        values = {"radial": Q_NM1, "intensity": INTENSITY, "radial_units": "q_nm^-1", "info": {}}
        values["intensity_error"] = np.full(Q_NM1.size, np.nan)
        for name, value in {**values, **self.get_input_values()}.items():
            setattr(self.outputs, name, value)


@pytest.fixture(scope="module")
def model(small_bundle: Path) -> Model:
    return load_model(small_bundle)


@pytest.fixture
def predict(small_bundle: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """``predict(name=value)``: run a workflow file of two nodes, with those outputs of the first changed."""
    nodes = [
        {"id": "pattern", "task_type": "class", "task_identifier": MakePattern.class_registry_name()},
        {"id": "predict", "task_type": "class", "task_identifier": TASK},
    ]
    mapping = [{"source_output": name, "target_input": name} for name in LINKED]
    links = [{"source": "pattern", "target": "predict", "data_mapping": mapping}]
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps({"graph": {"id": "w", "schema_version": "1.1"}, "nodes": nodes, "links": links}))

    def run(asked: dict[str, Any] | None = None, **pattern: Any) -> dict[str, Any]:
        inputs = [{"id": "pattern", "name": name, "value": value} for name, value in pattern.items()]
        asked = {"material": str(small_bundle), **(asked or {})}
        inputs += [{"id": "predict", "name": name, "value": value} for name, value in asked.items()]
        return execute_graph(str(path), inputs=inputs, outputs=[{"id": "predict"}])

    return run


def test_entry_point_leads_ewoks_to_the_task() -> None:
    patterns = [e.name for e in importlib.metadata.entry_points(group="ewoks.tasks.class") if "pyfai_grf" in e.value]
    assert patterns == ["pyfai_grf_ewoks.tasks"]
    tasks = {task["task_identifier"]: task for task in discover_tasks_from_modules(*patterns, task_type="class")}
    assert set(tasks) == {TASK, SERIES_TASK}
    task = tasks[TASK]
    assert set(LINKED) <= {*task["required_input_names"], *task["optional_input_names"]}
    assert set(task["output_names"]) == {"values", "lower", "upper", "is_applicable", "reason", "answer_from", "info"}


def test_workflow_says_what_the_library_says(predict: Callable[..., dict[str, Any]], model: Model) -> None:
    found = predict()
    expected = analyze_curve(model, Curve(Q_NM1, INTENSITY)).result
    assert expected is not None
    assert found["values"] == dict(expected.prediction.values)
    assert (found["lower"], found["upper"]) == (dict(expected.prediction.lower), dict(expected.prediction.upper))
    assert (found["is_applicable"], found["reason"]) == (expected.prediction.is_applicable, expected.prediction.reason)
    assert found["info"]["model_sha256"] == model.sha256
    assert {*found["info"]} == {"model", "model_sha256", *expected.extras}
    # a thousand training curves are few: the truth lies in the trained range, and roughly where it is said to
    assert found["values"]["a"] == pytest.approx(3.0, rel=0.2)


def test_errors_units_and_lists(predict: Callable[..., dict[str, Any]], model: Model) -> None:
    """A pattern from JSON: lists, in 1/Angstrom, with errors."""
    sigma = 0.01 * INTENSITY
    pattern = {"radial": (Q_NM1 / 10).tolist(), "intensity": INTENSITY.tolist(), "intensity_error": sigma.tolist()}
    found = predict(**pattern, radial_units="q_A^-1")
    expected = analyze_curve(model, Curve(Q_NM1, INTENSITY, sigma)).result
    assert expected is not None
    for name, value in expected.prediction.values.items():
        # q / 10 * 10 differs in the last bit: single precision inside the trees hides it, or moves one split
        assert found["values"][name] == pytest.approx(value, rel=1e-3)


def test_results_file(predict: Callable[..., dict[str, Any]], model: Model, tmp_path: Path) -> None:
    output = tmp_path / "results.h5"
    found = predict({"output_file": str(output), "source": "scan 7", "frame": 3})
    provenance, (row,) = read_results(output)
    assert (row.source, row.frame, dict(row.prediction.values)) == ("scan 7", 3, found["values"])
    assert provenance.model_sha256 == model.sha256
    np.testing.assert_array_equal(row.curve.intensity, INTENSITY)
    with pytest.raises(RuntimeError) as caught:
        predict({"output_file": str(output)})
    assert "exists already" in _join(caught.value)
    predict({"output_file": str(output), "overwrite": True})


def test_options_reach_the_fit(predict: Callable[..., dict[str, Any]]) -> None:
    found = predict({"spectrum": "power:n=12"})
    assert not found["is_applicable"]
    assert found["info"]["fit_spectrum"] == "power:n=12"
    found = predict({"fit": False})
    assert found["answer_from"] == "model"
    assert "chi2" not in found["info"]


def test_q_range_that_does_not_fit_is_an_answer(predict: Callable[..., dict[str, Any]]) -> None:
    beyond = Q_NM1 > 1.5  # a tail without its shoulder, with errors of 2 %
    noisy = INTENSITY[beyond] * np.random.default_rng(1).normal(1, 0.02, np.count_nonzero(beyond))
    found = predict(radial=Q_NM1[beyond], intensity=noisy, intensity_error=0.02 * noisy)
    assert not found["is_applicable"]
    assert "train a model" in found["reason"]
    assert np.isnan(found["values"]["a"])
    assert found["info"]["invariant"] > 0


@pytest.mark.parametrize(
    ("asked", "pattern", "said"),
    [
        ({}, {"radial_units": "2th_deg"}, "scattering angle"),
        ({}, {"radial_units": "furlong"}, "unit"),
        ({}, {"intensity": INTENSITY[:-1]}, "do not fit together"),
        ({}, {"intensity": np.zeros(Q_NM1.size)}, "no intensity is positive"),
        ({"material": "two-phase"}, {}, "there is no model 'two-phase'"),
    ],
)
def test_what_is_no_pattern_fails_the_task(
    predict: Callable[..., dict[str, Any]], asked: dict[str, Any], pattern: dict[str, Any], said: str
) -> None:
    with pytest.raises(RuntimeError, match="PredictStructure") as caught:
        predict(asked, **pattern)
    assert said in _join(caught.value)


def _join(problem: BaseException | None) -> str:
    """Return what an error and its causes say: ewoks wraps the task's error in its own."""
    texts = []
    while problem is not None:
        texts.append(str(problem))
        problem = problem.__cause__ or problem.__context__
    return "\n".join(texts)


# --- the patterns of a file -----------------------------------------------------------------------------------------


def _write_patterns(path: Path, frames: int) -> str:
    """An NXdata as ewoksxrpd's file tasks write it; returns its url."""
    rng = np.random.default_rng(6)
    with h5py.File(path, "w") as file:
        group = file.create_group("processing/integrate/integrated")
        group.attrs.update({"NX_class": "NXdata", "signal": "intensity", "axes": [".", "q"]})
        sigma = np.tile(0.01 * INTENSITY, (frames, 1)).astype(np.float32)
        group["intensity"] = rng.normal(INTENSITY, sigma).astype(np.float32)
        group["intensity_errors"] = sigma
        group["q"] = Q_NM1
        group["q"].attrs["units"] = "nm^-1"
    return f"{path}::/processing/integrate/integrated"


def _run_series(small_bundle: Path, **inputs: Any) -> dict[str, Any]:
    given = [{"name": name, "value": value} for name, value in {"material": str(small_bundle), **inputs}.items()]
    graph = {
        "graph": {"id": "series", "schema_version": "1.2"},
        "nodes": [{"id": "predict", "task_type": "class", "task_identifier": SERIES_TASK, "default_inputs": given}],
    }
    return dict(execute_graph(graph, outputs=[{"all": True}]))


def test_every_pattern_of_a_file_has_a_row(small_bundle: Path, tmp_path: Path) -> None:
    url = _write_patterns(tmp_path / "integrated.h5", 3)
    found = _run_series(small_bundle, nxdata_url=url, output_file=str(tmp_path / "results.h5"))
    _, rows = read_results(tmp_path / "results.h5")
    assert found["values"]["a"] == [row.prediction.values["a"] for row in rows]
    assert [row.frame for row in rows] == [0, 1, 2]
    assert found["is_applicable"] == [row.prediction.is_applicable for row in rows]
    path, _, inner = found["output_nxprocess_url"].partition("::")
    with h5py.File(path) as file:
        assert file[inner].attrs["NX_class"] == "NXprocess"


def test_a_series_that_is_not_enabled_does_nothing(small_bundle: Path, tmp_path: Path) -> None:
    found = _run_series(small_bundle, nxdata_url="nowhere.h5::/", output_file=str(tmp_path / "no.h5"), enabled=False)
    assert found["values"] == {}
    assert found["output_file"] == ""
    assert list(tmp_path.iterdir()) == []


def test_a_series_without_a_pattern_fails(small_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="PredictStructures") as caught:
        _run_series(small_bundle, nxdata_url=f"{tmp_path}/gone.h5::/x", output_file=str(tmp_path / "results.h5"))
    assert str(caught.value.__cause__).startswith("no such file: ")
    assert list(tmp_path.iterdir()) == []

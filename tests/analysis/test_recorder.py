"""The one way into a results file: rows as they come, complete at the end, resumed where they ended."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.analysis.recorder import Outputs, Recorder
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.io.results import ResultsWriter, read_results
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.theory.closed_form import expected_intensity

SETTINGS = {"mask": "m.edf", "range": (0.1, None)}


@pytest.fixture(scope="module")
def model(small_bundle: Path) -> Model:
    return load_model(small_bundle)


def make_curve(model: Model, frame: int) -> Curve:
    q = model.q_nm1
    truth = expected_intensity(q, 3.0, 0.3)
    sigma = 0.01 * truth
    metadata = {"source": "frames.h5", "frame_index": frame}
    return Curve(q, np.random.default_rng(frame).normal(truth, sigma), sigma, metadata=metadata)


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_of_both_files_are_those_that_were_recorded(model: Model, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "out.h5", tmp_path / "out.csv")
    with Recorder(model, SETTINGS, "test", outputs) as recorder:
        assert list(tmp_path.iterdir()) == []  # no file before the first row
        outcomes = [recorder.record(make_curve(model, frame)) for frame in range(3)]
    provenance, rows = read_results(tmp_path / "out.h5")
    assert provenance.model_sha256 == model.sha256
    for row, outcome in zip(rows, outcomes, strict=True):
        assert outcome.result is not None
        assert dict(row.prediction.values) == dict(outcome.result.prediction.values)
    assert [line["frame"] for line in read_table(tmp_path / "out.csv")] == ["0", "1", "2"]


def test_a_curve_that_is_none_has_no_row_and_does_not_stop_the_others(model: Model, tmp_path: Path) -> None:
    broken = Curve(model.q_nm1, -np.ones(model.q_nm1.size), metadata={"source": "broken.h5", "frame": 7})
    with Recorder(model, SETTINGS, "test", Outputs(tmp_path / "out.h5")) as recorder:
        outcome = recorder.record(broken)
        recorder.record(make_curve(model, 0))
    assert outcome.result is None
    assert outcome.problem.startswith("broken.h5 frame 7: no intensity is positive")
    assert len(read_results(tmp_path / "out.h5")[1]) == 1


def test_a_curve_outside_the_range_has_a_row_without_a_model(model: Model) -> None:
    q = np.linspace(1.4, 2.0, 100)
    truth = expected_intensity(q, 3.0, 0.3)
    noisy = np.random.default_rng(1).normal(truth, 0.02 * truth)
    curve = Curve(q, noisy, 0.02 * truth, metadata={"source": "short.dat"})
    with Recorder(model, SETTINGS, "test") as recorder:
        outcome = recorder.record(curve)
    assert outcome.result is not None
    assert "q range: the curve covers 1.4 to 2 per nm" in outcome.problem
    assert np.isnan(outcome.result.prediction.values["a"])
    assert float(outcome.result.extras["invariant"]) > 0


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_run_is_resumed_where_it_ended(model: Model, tmp_path: Path, is_killed: bool) -> None:
    path, table = tmp_path / "out.h5", tmp_path / "out.csv"
    first = Recorder(model, SETTINGS, "test", Outputs(path, table))
    for frame in range(3):
        first.record(make_curve(model, frame))
    if is_killed:  # as far as the file can tell: nothing completes it, and its writer is gone
        for writer in first._writers:
            if isinstance(writer, ResultsWriter):
                writer._release()
                writer._lock.release()
            else:
                writer.close()
    else:
        first.close()
    before = read_results(path)[1]
    with Recorder(model, SETTINGS, "again", Outputs(path, table, is_resumed=True)) as recorder:
        assert [(r.source, r.frame) for r in recorder.done] == [("frames.h5", k) for k in range(3)]
        for frame in (3, 4):
            recorder.record(make_curve(model, frame))
    _, rows = read_results(path)
    assert [row.frame for row in rows] == [0, 1, 2, 3, 4]
    for row, old in zip(rows[:3], before, strict=True):
        np.testing.assert_array_equal(row.curve.intensity, old.curve.intensity)
        assert dict(row.prediction.values) == dict(old.prediction.values)
    assert [line["frame"] for line in read_table(table)] == ["0", "1", "2", "3", "4"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.csv", "out.h5"]


def test_a_run_without_a_file_is_resumed_from_the_start(model: Model, tmp_path: Path) -> None:
    with Recorder(model, SETTINGS, "test", Outputs(tmp_path / "new.h5", is_resumed=True)) as recorder:
        recorder.record(make_curve(model, 0))
    assert len(read_results(tmp_path / "new.h5")[1]) == 1


def test_a_file_that_changed_under_its_name_is_not_mixed_in(model: Model, tmp_path: Path) -> None:
    def _resume(path: Path, digests: dict[str, str] | None) -> None:
        settings = SETTINGS if digests is None else {**SETTINGS, "digests": digests}
        with Recorder(model, settings, "test", Outputs(path, is_resumed=True)) as recorder:
            recorder.record(make_curve(model, len(recorder.done)))

    digests = {"geometry": "a1", "mask": "b2"}
    new, old = tmp_path / "new.h5", tmp_path / "old.h5"
    for path, known in ((new, digests), (old, None)):
        _resume(path, known)
        _resume(path, digests)  # the same again; a file from before there were digests goes on too
        assert len(read_results(path)[1]) == 2
    assert read_results(new)[0].settings["digests"] == digests
    kept = new.read_bytes()
    for now, said in (
        ({**digests, "mask": "c3"}, "what its mask m.edf held has changed since"),
        ({"geometry": "d4", "mask": "c3"}, "what its geometry and mask m.edf held"),
        ({"geometry": "a1"}, "mask"),
    ):
        with pytest.raises(InputError, match=f"cannot be resumed: .*{said}.*: restore it, or write another file$"):
            _resume(new, now)
    assert new.read_bytes() == kept


def test_other_settings_are_not_mixed_in(model: Model, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "out.h5")
    with Recorder(model, SETTINGS, "test", outputs) as recorder:
        recorder.record(make_curve(model, 0))
    kept = (tmp_path / "out.h5").read_bytes()
    with pytest.raises(InputError, match=r"cannot be resumed: its settings, mask was m\.edf, now it is other"):
        Recorder(model, {**SETTINGS, "mask": "other"}, "test", Outputs(tmp_path / "out.h5", is_resumed=True))
    with pytest.raises(InputError, match="exists already"):
        Recorder(model, SETTINGS, "test", outputs)
    with pytest.raises(InputError, match="there is no folder"):
        Recorder(model, SETTINGS, "test", Outputs(tmp_path / "nowhere" / "out.h5"))
    assert (tmp_path / "out.h5").read_bytes() == kept


def test_two_runs_that_resume_at_once_do_not_double_a_frame(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one ends after this one has read the rows, and before it writes."""
    outputs = Outputs(tmp_path / "out.h5", tmp_path / "out.csv", is_resumed=True)

    def run(frame: int) -> None:
        with Recorder(model, SETTINGS, "test", outputs) as recorder:
            recorder.record(make_curve(model, frame))

    def read_and_wait(path: Path) -> object:
        found = read_results(path)
        monkeypatch.undo()
        run(1)
        return found

    run(0)
    monkeypatch.setattr("pyfai_grf.analysis.recorder.read_results", read_and_wait)
    with pytest.raises(InputError, match="had 1 rows and has 2 now: another run wrote it"):
        run(1)
    assert [row.curve.metadata["frame_index"] for row in read_results(tmp_path / "out.h5")[1]] == [0, 1]
    assert [line["frame"] for line in read_table(tmp_path / "out.csv")] == ["0", "1"]

"""A results file is completed, copied, or left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pyfai_grf.analysis.recorder import Outputs, Recorder
from pyfai_grf.core.records import Curve
from pyfai_grf.io.results import ResultsWriter, read_results
from pyfai_grf.learn.bundle import load_model
from pyfai_grf.theory.closed_form import expected_intensity

#: ``run`` of conftest.py
Run = Callable[..., Any]


def test_export_leaves_a_complete_file_alone(run: Run, curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.h5"
    run("predict", curves / "nm.dat", "--material", small_bundle, "-o", output)
    before = output.read_bytes()
    assert run("export", output) == (0, f"{output}: 1 curves, complete\n", "")
    assert output.read_bytes() == before
    assert run("export", output, "-o", tmp_path / "copy.h5", "--quiet") == (0, "", "")
    assert (tmp_path / "copy.h5").read_bytes() == before
    again = run("export", output, "-o", tmp_path / "copy.h5")
    assert again.status == 1
    assert "exists already" in again.err


@pytest.fixture
def cut_short(small_bundle: Path, tmp_path: Path) -> Path:
    """A results file of three rows that nobody completed, as a killed run leaves it."""
    path = tmp_path / "cut.h5"
    recorder = Recorder(load_model(small_bundle), {}, "test", Outputs(path))
    q = np.linspace(0.05, 2.5, 150)
    for frame in range(3):
        truth = expected_intensity(q, 3.0 + frame, 0.3)
        recorder.record(Curve(q, truth, 0.01 * truth, metadata={"source": "frames.h5", "frame_index": frame}))
    (writer,) = recorder._writers
    assert isinstance(writer, ResultsWriter)
    writer._release()
    writer._lock.release()
    return path


def _count_entries(path: Path) -> int:
    with h5py.File(path) as h5:
        return sum(name.startswith("entry") for name in h5)


def _read_values(path: Path) -> list[dict[str, float]]:
    return [dict(row.prediction.values) for row in read_results(path)[1]]


def test_a_run_that_was_cut_short_is_completed_in_place(run: Run, cut_short: Path) -> None:
    before = _read_values(cut_short)
    assert (len(before), _count_entries(cut_short)) == (3, 0)
    assert run("export", cut_short) == (0, f"{cut_short}: 3 curves, complete\n", "")
    assert _count_entries(cut_short) == 3
    assert _read_values(cut_short) == before
    again = cut_short.read_bytes()
    assert run("export", cut_short, "--quiet") == (0, "", "")
    assert cut_short.read_bytes() == again


def test_a_copy_is_completed_and_the_file_left_as_it_is(run: Run, cut_short: Path, tmp_path: Path) -> None:
    before, values, other = cut_short.read_bytes(), _read_values(cut_short), tmp_path / "other.h5"
    assert run("export", cut_short, "-o", other) == (0, f"{other}: 3 curves, complete\n", "")
    assert cut_short.read_bytes() == before
    assert _count_entries(other) == 3
    assert _read_values(other) == values


def test_completed_curves_are_read_as_curves(run: Run, cut_short: Path, small_bundle: Path) -> None:
    assert run("export", cut_short, "--quiet").status == 0
    done = run("predict", cut_short, "--material", small_bundle, "--json")
    found = [json.loads(line)["values"] for line in done.out.splitlines()]
    # what is written in single precision, and read again
    for one, other in zip(found, _read_values(cut_short), strict=True):
        assert one == pytest.approx(other, rel=1e-3)


@pytest.mark.parametrize("kind", ["text", "empty", "foreign", "folder"])
def test_what_is_no_results_file_is_left_alone(run: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine.h5"
    if kind == "folder":
        path.mkdir()
    elif kind == "foreign":
        with h5py.File(path, "w") as h5:
            h5["data"] = np.arange(5)
    else:
        path.write_text("mine" if kind == "text" else "")
    before = None if kind == "folder" else path.read_bytes()
    for more in ([], ["-o", tmp_path / "other.h5"]):
        done = run("export", path, *more)
        assert (done.status, len(done.complaints), done.out) == (1, 1, "")
        assert "mine.h5" in done.err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.h5"]
    assert kind == "folder" or path.read_bytes() == before

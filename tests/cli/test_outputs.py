"""What analyze and predict print and write: digits, reasons, warnings, exit status, and files that are kept."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfai_grf.cli.outputs import (
    Printer,
    check_material,
    describe_model,
    format_line,
    format_values,
    get_outputs,
)
from pyfai_grf.core.records import Curve, Outcome, PredictionRow, Result
from pyfai_grf.learn.bundle import Model, find_bundled, load_model
from pyfai_grf.workflows import Summary

#: ``run`` of conftest.py
Run = Callable[..., Any]


def test_output_that_exists_is_kept(run: Run, curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    mine = tmp_path / "out.csv"
    mine.write_text("mine")
    where = ("--material", small_bundle, "-o", tmp_path / "out.h5", "--csv", mine)
    done = run("predict", curves / "nm.dat", *where)
    assert done.status == 1
    assert "--overwrite" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert mine.read_text() == "mine"
    assert run("predict", curves / "nm.dat", *where, "--overwrite").status == 0
    assert mine.read_text(encoding="utf-8").startswith("source,frame,material,")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
def test_full_disk(run: Run, curves: Path, small_bundle: Path) -> None:
    done = run("predict", curves / "nm.dat", "--material", small_bundle, "--csv", "/dev/full", "--overwrite")
    assert (done.status, len(done.complaints)) == (1, 1)
    assert "No space left" in done.err


def test_warnings_are_told_once_or_not_at_all(run: Run, curves: Path, small_bundle: Path) -> None:
    command = ["predict", curves / "holes.dat", curves / "holes.dat", "--material", small_bundle]
    done = run(*command)
    assert (done.status, done.complaints) == (0, [])
    assert len(done.warnings) == 1
    assert "2 of 200 points" in done.warnings[0]
    assert run(*command, "--quiet") == (0, "", "")


# --- numbers --------------------------------------------------------------------------------------------------------


def make_row(a: float = 3.0, porosity: float = 0.25, reason: str = "") -> PredictionRow:
    values = {"a": a, "porosity": porosity}
    lower, upper = ({name: value + step for name, value in values.items()} for step in (-0.013, 0.013))
    return PredictionRow(values, lower, upper, not reason, reason)


def make_result(row: PredictionRow | None = None, frame: int = 2, **extras: Any) -> Result:
    curve = Curve(np.ones(2), np.ones(2), metadata=extras.pop("metadata", {}))
    return Result("scan.h5", frame, curve, row or make_row(), extras)


def test_values_have_their_units_and_intervals() -> None:
    assert format_values(make_row()) == "a 3.000 nm [2.987, 3.013], porosity 0.250 [0.237, 0.263]"
    assert format_values(make_row(porosity=math.nan)) == "a 3.000 nm [2.987, 3.013]"
    assert format_values(PredictionRow.make_empty(("a", "porosity"), "too short")) == ""


def test_a_line_says_first_of_all_why_it_is_refused() -> None:
    values = format_values(make_row())
    assert format_line(make_result()) == f"scan.h5 frame 2: {values}"
    assert format_line(make_result(make_row(reason="a peak"))) == (
        f"scan.h5 frame 2: NOT APPLICABLE: a peak (refused: {values})"
    )
    empty = PredictionRow.make_empty(("a",), "too short")
    assert format_line(make_result(empty)) == "scan.h5 frame 2: NOT APPLICABLE: too short"
    assert format_line(make_result(frames_averaged=12.0)).startswith("scan.h5 frame 2 and on, average of 12: a 3.000")


# --- lines for outcomes ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(small_bundle: Path) -> Model:
    return load_model(small_bundle)


@pytest.fixture
def printed(model: Model, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Printer, list[str], list[str]]]:
    """``printed(outcomes, quiet=False, json=False)``: the printer, and what it wrote to both streams."""

    def show(outcomes: list[Outcome], **options: bool) -> tuple[Printer, list[str], list[str]]:
        printer = Printer(model, argparse.Namespace(**{"quiet": False, "json": False, **options}))
        capsys.readouterr()
        for outcome in outcomes:
            printer(outcome)
        out, err = capsys.readouterr()
        return printer, out.splitlines(), err.splitlines()

    return show


def test_each_outcome_has_its_line(printed: Callable[..., Any]) -> None:
    problem = Outcome(None, "cut.edf: cut short")
    without_answer = Outcome(make_result(make_row(reason="short")), "scan.h5 frame 3: q range: short")
    printer, out, err = printed([problem, without_answer, Outcome(make_result()), Outcome(make_result(frame=3))])
    assert [line.split(":")[0] for line in out] == ["scan.h5 frame 2", "scan.h5 frame 3"]
    assert err == ["pyfai-grf: cut.edf: cut short", "pyfai-grf: scan.h5 frame 3: q range: short"]
    # the picture shows what has a row, and first what was first
    assert len(printer.rows) == 3
    assert printer.first is without_answer.result


def test_quiet_keeps_the_problems_alone(printed: Callable[..., Any]) -> None:
    warned = Outcome(make_result(metadata={"warnings": ["no mask"]}))
    printer, out, err = printed([warned, Outcome(None, "cut.edf: cut short")], quiet=True)
    assert (out, err) == ([], ["pyfai-grf: cut.edf: cut short"])
    assert len(printer.rows) == 1


def test_warnings_that_differ_in_numbers_are_one(printed: Callable[..., Any]) -> None:
    texts = [["2 of 200 points"], ["3 of 200 points", "no mask"], ["7 of 1.5e-3 points"], ["no mask", "another"]]
    _, _, err = printed([Outcome(make_result(metadata={"warnings": text})) for text in texts])
    assert err == [f"pyfai-grf: warning: {text}" for text in ("2 of 200 points", "no mask", "another")]


def test_advice_is_given_once(printed: Callable[..., Any]) -> None:
    problems = [f"scan.h5 frame {n}: q range: it ends at {n}.5; train a model: pyfai-grf train" for n in range(3)]
    _, _, err = printed([Outcome(None, problem) for problem in problems])
    assert err[0].endswith("; train a model: pyfai-grf train")
    assert err[1:] == [f"pyfai-grf: scan.h5 frame {n}: q range: it ends at {n}.5" for n in (1, 2)]


def test_json_is_one_object_a_curve_without_nan(printed: Callable[..., Any], model: Model) -> None:
    row = PredictionRow.make_empty(("a", "porosity"), "short")
    outcome = Outcome(make_result(row, counts=math.nan, warnings="é", invariant=2.5), "scan.h5 frame 2: short")
    _, (line,), err = printed([outcome], json=True)
    found = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["values"] == found["lower"] == found["upper"] == {"a": None, "porosity": None}
    assert (found["counts"], found["invariant"], found["warnings"]) == (None, 2.5, "é")
    assert (found["is_applicable"], found["reason"], found["frame"]) == (False, "short", 2)
    assert (found["model_sha256"], found["material"]) == (model.sha256, "two-phase-low-porosity")
    assert err == ["pyfai-grf: scan.h5 frame 2: short"]


# --- what a run came to ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "applicable", "problems", "missing", "status"),
    [
        (0, 0, 0, 0, 0),
        (3, 3, 0, 0, 0),
        (3, 1, 0, 0, 0),  # an answer that does not apply is an answer
        (3, 0, 0, 0, 1),
        (1, 0, 0, 0, 1),
        (3, 3, 1, 0, 1),
        (3, 3, 0, 1, 1),
        (0, 0, 0, 2, 1),
    ],
)
def test_status_tells_whether_all_was_done(
    printed: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    rows: int,
    applicable: int,
    problems: int,
    missing: int,
    status: int,
) -> None:
    for options in ({}, {"quiet": True}, {"json": True}):
        printer, _, _ = printed([], **options)
        assert printer.conclude(Summary(rows, applicable, problems), missing) == status
        out = capsys.readouterr().out
        if options or rows + problems + missing < 2:
            assert out == ""
        else:
            assert out.startswith(f"{rows} rows: the model applies to {applicable}, not to {rows - applicable}")
            assert (f"{problems + missing} inputs" in out) == bool(problems + missing)


def test_many_reasons_are_counted_in_the_words_of_the_first(
    printed: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = [Outcome(make_result(make_row(reason=f"a peak near {n}.5; noisy"))) for n in range(5)]
    broken = [Outcome(None, f"scan.h5 frame {n}: cut short at byte {n}") for n in range(3)]
    printer, _, _ = printed([*refused, *broken])
    printer.conclude(Summary(5, 0, 3))
    assert capsys.readouterr().out.splitlines()[1:] == ["  5 x a peak near 0.5", "  3 x cut short at byte 0"]


def test_few_reasons_are_not_counted(printed: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    printer, _, _ = printed([Outcome(None, f"scan.h5 frame {n}: cut short") for n in range(6)])
    printer.conclude(Summary(0, 0, 6))
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_reasons_beyond_six_are_others(printed: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "one",
        "one",
        "two",
        "two",
        "three",
        "three",
        "four",
        "four",
        "five",
        "five",
        "six",
        "six",
        "seven",
        "eight",
    ]
    printer, _, _ = printed([Outcome(None, f"scan.h5 frame {n}: {word}") for n, word in enumerate(words)])
    printer.conclude(Summary(0, 0, len(words)))
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split() for line in lines[:6]] == [["2", "x", word] for word in words[:12:2]]
    assert lines[6:] == ["  2 x other reasons"]


# --- options --------------------------------------------------------------------------------------------------------


def test_files_are_those_that_were_asked_for() -> None:
    given = argparse.Namespace(output="o.h5", csv=None, overwrite=True)
    found = get_outputs(given)
    assert (found.results, found.table, found.overwrite, found.is_resumed) == ("o.h5", None, True, False)
    assert get_outputs(argparse.Namespace(**vars(given), resume=True)).is_resumed


def test_material_is_a_class_a_bundled_model_or_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("three-phase-low-porosity", *find_bundled(), str(tmp_path)):
        check_material(name)
    assert capsys.readouterr() == ("", "")
    (tmp_path / "file").touch()
    for name in ("wood", "two-phase", "", str(tmp_path / "file"), str(tmp_path / "gone")):
        with pytest.raises(SystemExit) as caught:
            check_material(name)
        assert caught.value.code == 2
        err = capsys.readouterr().err
        assert repr(name) in err
        assert "two-phase-low-porosity, two-phase-high-porosity" in err
        assert err.count("\n") == 1


def test_line_on_the_model_tells_what_it_was_trained_on(model: Model) -> None:
    assert describe_model(model) == f"model two-phase-low-porosity (measured, {model.sha256[:12]})"
    paper = describe_model(load_model("two-phase-low-porosity@paper"))
    assert "(paper, " in paper
    assert "not on measured samples" in paper

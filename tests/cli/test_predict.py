"""Curves to predictions: what is said is what the library says, and what cannot be used is told, the rest done."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfai_grf as grf
from pyfai_grf.cli import main
from pyfai_grf.io.results import read_results

#: ``run`` of conftest.py
Run = Callable[..., Any]


def list_values(done: Any) -> list[dict[str, float]]:
    return [json.loads(line)["values"] for line in done.out.splitlines()]


def test_predict_says_what_the_library_says(run: Run, curves: Path, small_bundle: Path) -> None:
    done = run("predict", curves / "nm.dat", "--material", small_bundle, "--json")
    assert (done.status, done.err) == (0, "")
    (line,) = done.out.splitlines()
    found = json.loads(line)
    model = grf.load_model(small_bundle)
    q, intensity, sigma = np.loadtxt(curves / "nm.dat").T
    expected = model.predict(q, intensity, sigma)
    for name in ("a", "porosity"):
        assert found["values"][name] == float(expected.values[name][0])
        assert found["upper"][name] == float(expected.upper[name][0])
    assert found["is_applicable"] == bool(expected.is_applicable[0])
    assert (found["material"], found["model_sha256"]) == ("two-phase-low-porosity", model.sha256)


def test_unit_in_the_file_or_on_the_command_line(run: Run, curves: Path, small_bundle: Path) -> None:
    files = [curves / "nm.dat", curves / "angstrom.dat"]
    here, there = list_values(run("predict", *files, "--material", small_bundle, "--json"))
    said = run("predict", curves / "unknown.dat", "--material", small_bundle, "--json", "--unit", "nm")
    assert list_values(said) == [here]
    assert there["a"] == pytest.approx(here["a"], rel=1e-3)  # q / 10 * 10 may differ in the last bit
    wrong = run("predict", curves / "unknown.dat", "--material", small_bundle, "--unit", "A")
    # the family of curves has no scale of its own: the fit is as good, and ten times too small
    assert wrong.status == 0
    assert re.search(r" a 0\.(300|2999) nm", wrong.out)
    assert "is q, read as" not in wrong.err  # it was given: that is not doubted


def test_predict_uses_the_columns_and_the_part_that_are_named(run: Run, small_bundle: Path, tmp_path: Path) -> None:
    q = np.linspace(0.02, 4.0, 400)
    intensity = 1e4 / (1 + (4 * q) ** 2) ** 2
    np.savetxt(tmp_path / "curve.dat", np.column_stack([q, 0.02 * q, intensity, 0.01 * intensity]))
    where = ("predict", tmp_path / "curve.dat", "--material", small_bundle, "--unit", "nm")
    done = run(*where)
    assert done.status == 1
    assert "--columns q,I,sigma,dq" in done.err
    named = ("--columns", "q,-,I,sigma", "--q-min", "0.05", "--q-max", "2.6", "-o", tmp_path / "out.h5")
    assert run(*where, *named).status == 1  # a curve of another kind: the only one, and the model does not apply
    _, (row,) = read_results(tmp_path / "out.h5")
    assert 0.04 < row.curve.q_nm1[0] < 0.061  # and the next point, a step of 0.01 away
    assert 2.58 < row.curve.q_nm1[-1] < 2.62
    np.testing.assert_allclose(row.curve.intensity, np.interp(row.curve.q_nm1, q, intensity), rtol=1e-9)
    assert row.curve.metadata["q_window_nm1"] == [0.05, 2.6]
    assert "0 points lie between 5 and inf per nm" in run(*where, *named[:2], "--q-min", "5").err


def test_holes_are_bridged(run: Run, curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.h5"
    assert run("predict", curves / "holes.dat", "--material", small_bundle, "-o", output).status == 0
    _, (row,) = read_results(output)
    assert row.curve.q_nm1.size == 198
    assert "2 of 200 points" in str(row.extras["warnings"])
    assert np.isfinite(row.prediction.values["a"])


def test_advice_of_a_range_error_can_be_followed(run: Run, curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    refused = run("predict", curves / "short.dat", "--material", small_bundle, "-o", tmp_path / "out.h5", "--json")
    assert refused.status == 1
    assert len(refused.complaints) == 1
    # the reduced curve and the numbers that need no model are kept
    row = json.loads(refused.out)
    assert row["values"] == {"a": None, "porosity": None}
    assert row["invariant"] > 0
    _, (kept,) = read_results(tmp_path / "out.h5")
    assert kept.curve.q_nm1.size == 140
    advice = re.search(r"pyfai-grf (train .*) -o my-model", refused.err)
    assert advice is not None
    bundle = tmp_path / "mine"
    assert run(*shlex.split(advice[1]), "--examples", 6000, "-o", bundle, "--quiet") == (0, "", "")
    row = json.loads(run("predict", curves / "short.dat", "--material", bundle, "--json").out)
    # from 0.79 per nm on, beyond the shoulder, a curve hardly tells a: its interval (too short for one in ten) says so
    assert abs(row["values"]["a"] - 3.0) < row["upper"]["a"] - row["lower"]["a"]
    assert row["upper"]["a"] > 1.5 * row["lower"]["a"]


def test_bad_curves_among_good_ones(run: Run, curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    bad = {
        "unknown.dat": "--unit nm or --unit A",
        "angle.dat": "scattering angle",
        "missing.dat": "no such file",
        "negative.dat": "no intensity is positive",
        "zero.dat": "no intensity is positive",
        "nan.dat": "0 of 200 points are usable",
        "empty.dat": "empty",
        "noise.dat": "pyfai-grf analyze",
        "nothing.h5": "no one-dimensional curve",
        "cut.h5": "truncated file",
        "no*.xyz": "no file matches",
    }
    names = ["nm.dat", *bad, "angstrom.dat"]
    output = tmp_path / "out.h5"
    done = run("predict", *(curves / name for name in names), "--material", small_bundle, "-o", output)
    assert done.status == 1
    assert len(done.complaints) == len(bad)
    for name, said in bad.items():
        (line,) = (line for line in done.complaints if name in line)
        assert said in line
    _, rows = read_results(output)
    assert [Path(row.source).name for row in rows] == ["nm.dat", "angstrom.dat"]


def test_mistyped_input_leaves_no_file(run: Run, curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    where = ("--material", small_bundle, "-o", tmp_path / "out.h5", "--csv", tmp_path / "out.csv")
    for names in (["missing.dat"], ["zero.dat", "empty.dat"]):
        assert run("predict", *(curves / name for name in names), *where).status == 1
        assert not list(tmp_path.iterdir())
    assert run("predict", curves / "nm.dat", *where).status == 0
    before = (tmp_path / "out.h5").read_bytes()
    assert run("predict", curves / "missing.dat", *where, "--overwrite").status == 1
    assert (tmp_path / "out.h5").read_bytes() == before


def test_predict_does_not_write_over_its_bundle(
    small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curve = tmp_path / "curve.dat"
    curve.write_text("".join(f"{0.01 * n + 0.05} 1 0.1\n" for n in range(300)))
    for flag, name in (("-o", "a.ubj"), ("--csv", "model.json"), ("--plot", "new.png")):
        command = ["predict", str(curve), "--material", str(small_bundle), "--overwrite", "--unit", "nm"]
        assert main([*command, flag, str(small_bundle / name)]) == 1
        assert "which is an input" in capsys.readouterr().err


def test_json_is_a_line_a_curve_and_nothing_else(run: Run, curves: Path, small_bundle: Path) -> None:
    names = ["nm.dat", "empty.dat", "short.dat", "angstrom.dat"]
    done = run("predict", *(curves / name for name in names), "--material", small_bundle, "--json")
    assert done.status == 1
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [Path(entry["source"]).name for entry in found] == ["nm.dat", "short.dat", "angstrom.dat"]
    assert [entry["is_applicable"] for entry in found] == [True, False, True]
    assert len(done.complaints) == 2


def test_lines_say_what_was_used_and_what_came_of_it(run: Run, curves: Path, small_bundle: Path) -> None:
    done = run("predict", curves / "nm.dat", curves / "angstrom.dat", "--material", small_bundle)
    model, *lines, last = done.out.splitlines()
    assert (done.status, done.complaints) == (0, [])
    assert model.startswith("model two-phase-low-porosity (measured, ")
    assert [line.split(" frame 0: ")[0] for line in lines] == [str(curves / "nm.dat"), str(curves / "angstrom.dat")]
    for line in lines:
        found = re.search(r": a ([\d.]+) nm \[([\d.]+), ([\d.]+)\], porosity ", line)
        assert found is not None
        value, lower, upper = map(float, found.groups())
        assert lower <= 3.0 <= upper
        assert lower < value < upper
    assert last == "2 rows: the model applies to 2, not to 0"


@pytest.mark.parametrize(("names", "drawn"), [(["nm.dat"], "analysis"), (["nm.dat", "angstrom.dat"], "series")])
def test_picture_is_of_one_curve_or_of_the_series(
    run: Run,
    curves: Path,
    small_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    drawn: str,
) -> None:
    picture = tmp_path / "out.png"
    called: list[tuple[str, str]] = []
    for kind in ("analysis", "series"):

        def note(path: str, *_: Any, kind: str = kind, **__: Any) -> None:
            called.append((kind, path))

        monkeypatch.setattr(f"pyfai_grf.report.figures.draw_{kind}", note)
    done = run("predict", *(curves / n for n in names), "--material", small_bundle, "--plot", picture, "--quiet")
    assert done == (0, "", "")
    assert called == [(drawn, str(picture))]


def test_no_picture_of_nothing(run: Run, curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    picture = tmp_path / "out.png"
    assert run("predict", curves / "empty.dat", "--material", small_bundle, "--plot", picture).status == 1
    assert not picture.exists()


@pytest.mark.parametrize("rows", [1, 9])
def test_a_table_of_few_points_is_no_curve(run: Run, small_bundle: Path, tmp_path: Path, rows: int) -> None:
    path = tmp_path / "few.dat"
    path.write_text("# q(1/nm) I\n" + "".join(f"0.{n} {1.0 / n}\n" for n in range(1, rows + 1)))
    done = run("predict", path, "--material", small_bundle)
    assert (done.status, len(done.complaints)) == (1, 1)
    assert "few.dat" in done.err


def test_table_holds_a_row_for_each_curve(run: Run, curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    where = ("--material", small_bundle, "--csv", tmp_path / "out.csv")
    assert run("predict", curves / "nm.dat", curves / "short.dat", *where).status == 1
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        good, short = csv.DictReader(stream)
    assert float(good["a_nm_lower"]) <= 3.0 <= float(good["a_nm_upper"])
    assert (good["is_applicable"], short["is_applicable"], short["a_nm"]) == ("true", "false", "")
    assert short["reason"]

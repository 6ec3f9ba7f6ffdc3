"""The command line: exit status 0, 1 and 2; one line for each thing that is wrong, the rest done all the same."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest

import pyfai_grf as grf
from pyfai_grf.cli import COMMANDS, main
from pyfai_grf.io.results import read_results
from pyfai_grf.theory.closed_form import expected_intensity

Q_NM1 = np.linspace(0.05, 2.5, 200)
#: with the noise that the errors in the files state
INTENSITY = expected_intensity(Q_NM1, 3.0, 0.3) * np.random.default_rng(8).normal(1, 0.01, Q_NM1.size)


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        return [line for line in self.err.splitlines() if not line.startswith("pyfai-grf: warning: ")]

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.err.splitlines() if line not in self.complaints]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """``run("predict", ...)``: the command in this process; an exception that gets out fails the test."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        if status != 2:  # argparse adds the usage
            assert all(line.startswith("pyfai-grf") for line in err.splitlines()), err
        return Done(status, out, err)

    return call


@pytest.fixture(scope="session")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of text curves: good ones, and each kind of bad one."""
    folder = tmp_path_factory.mktemp("curves")
    holes = INTENSITY.copy()
    holes[50:52], holes[150], holes[160] = np.nan, -INTENSITY[150], 0.0
    columns = {
        "nm": (Q_NM1, INTENSITY, "q(1/nm)"),
        "angstrom": (Q_NM1 / 10, INTENSITY, "q(1/A)"),
        "unknown": (Q_NM1, INTENSITY, ""),
        "angle": (Q_NM1, INTENSITY, "2th_deg"),
        "holes": (Q_NM1, holes, "q(1/nm)"),
        "negative": (Q_NM1, -INTENSITY, "q(1/nm)"),
        "zero": (Q_NM1, 0 * INTENSITY, "q(1/nm)"),
        "nan": (Q_NM1, np.nan * INTENSITY, "q(1/nm)"),
        "short": (Q_NM1[60:], INTENSITY[60:], "q(1/nm)"),
    }
    for name, (q, intensity, unit) in columns.items():
        table = np.column_stack([q, intensity, 0.01 * np.abs(np.interp(q, q, INTENSITY[-q.size :]))])
        np.savetxt(folder / f"{name}.dat", table, header=f"{unit} I sigma" if unit else "")
    (folder / "empty.dat").touch()
    (folder / "noise.dat").write_bytes(bytes(range(256)) * 8)
    with h5py.File(folder / "nothing.h5", "w") as h5:
        h5["a"] = 1
    (folder / "cut.h5").write_bytes((folder / "nothing.h5").read_bytes()[:600])
    return folder


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory, setup: Any) -> Path:
    """A folder of EDF frames with setup.poni: three good ones, and each kind of bad one."""
    folder = tmp_path_factory.mktemp("frames")
    setup.integrator.save(str(folder / "setup.poni"))
    expected = setup.expect_material(3e6, 3.0, 0.3)
    rng = np.random.default_rng(7)
    images = {f"good_{n}": rng.poisson(expected) for n in (1, 2, 3)}
    images |= {"wrong": rng.poisson(expected[:100]), "zero": np.zeros(setup.shape)}
    for name, image in images.items():
        fabio.edfimage.EdfImage(data=image.astype(np.int32)).write(str(folder / f"{name}.edf"))
    (folder / "cut.edf").write_bytes((folder / "good_1.edf").read_bytes()[:2000])
    (folder / "text.edf").write_text("no image at all\n" * 40)
    (folder / "empty.edf").touch()
    return folder


def list_values(done: Done) -> list[dict[str, float]]:
    return [json.loads(line)["values"] for line in done.out.splitlines()]


# --- what is right --------------------------------------------------------------------------------------------------


def test_predict_says_what_the_library_says(run: Callable[..., Done], curves: Path, small_bundle: Path) -> None:
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


def test_unit_in_the_file_or_on_the_command_line(run: Callable[..., Done], curves: Path, small_bundle: Path) -> None:
    files = [curves / "nm.dat", curves / "angstrom.dat"]
    here, there = list_values(run("predict", *files, "--material", small_bundle, "--json"))
    said = run("predict", curves / "unknown.dat", "--material", small_bundle, "--json", "--unit", "nm")
    assert list_values(said) == [here]
    assert there["a"] == pytest.approx(here["a"], rel=1e-3)  # q / 10 * 10 may differ in the last bit
    wrong = run("predict", curves / "unknown.dat", "--material", small_bundle, "--unit", "A")
    assert wrong.status == 1
    assert "is q, read as" not in wrong.err  # it was given: that is not doubted


def test_predict_uses_the_columns_and_the_part_that_are_named(
    run: Callable[..., Done], small_bundle: Path, tmp_path: Path
) -> None:
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


def test_holes_are_bridged(run: Callable[..., Done], curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.h5"
    assert run("predict", curves / "holes.dat", "--material", small_bundle, "-o", output).status == 0
    _, (row,) = read_results(output)
    assert row.curve.q_nm1.size == Q_NM1.size - 2
    assert "2 of 200 points" in str(row.extras["warnings"])
    assert np.isfinite(row.prediction.values["a"])


def test_analyze_writes_all_that_it_is_asked_for(
    run: Callable[..., Done], frames: Path, small_bundle: Path, tmp_path: Path
) -> None:
    where = ("-o", tmp_path / "my out.h5", "--csv", tmp_path / "out.csv", "--plot", tmp_path / "out.png")
    command = ["analyze", frames / "good_*.edf", "--poni", frames / "setup.poni", "--material", small_bundle, *where]
    done = run(*command)
    assert (done.status, done.complaints) == (0, [])
    # three frames, one line: no mask is given
    assert len(done.warnings) == 1
    assert "nothing masks the beamstop" in done.warnings[0]
    provenance, rows = read_results(tmp_path / "my out.h5")
    assert [Path(row.source).name for row in rows] == ["good_1.edf", "good_2.edf", "good_3.edf"]
    # the line can be run again as it stands
    assert shlex.split(provenance.command) == ["pyfai-grf", *map(str, command)]
    with (tmp_path / "out.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [float(line["a_nm"]) for line in table] == pytest.approx(
        [row.prediction.values["a"] for row in rows], rel=1e-8
    )
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    for row in rows:  # a thousand training curves, 3e6 counts: interval of some per cent
        assert row.prediction.values["a"] == pytest.approx(3.0, rel=0.1)


def test_average_of_all(run: Callable[..., Done], frames: Path, small_bundle: Path, tmp_path: Path) -> None:
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5")
    assert run("analyze", frames / "good_*.edf", "--average", "all", *where, "--quiet") == Done(0, "", "")
    _, (row,) = read_results(tmp_path / "out.h5")
    assert row.extras["frames_averaged"] == 3


def test_frames_that_are_not_counts_give_the_same_answer(
    run: Callable[..., Done], frames: Path, small_bundle: Path, tmp_path: Path
) -> None:
    with fabio.open(frames / "good_1.edf") as image:
        fabio.edfimage.EdfImage(data=1000 * image.data).write(str(tmp_path / "times.edf"))
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5", "--overwrite")

    def analyze(*command: object) -> tuple[Done, Any]:
        done = run("analyze", *command, *where)
        assert done.status == 0
        return done, read_results(tmp_path / "out.h5")[1][0]

    _, plain = analyze(frames / "good_1.edf")
    found, told = analyze(tmp_path / "times.edf"), analyze(tmp_path / "times.edf", "--gain", "1000")
    assert any("taken as a gain of" in line for line in found[0].warnings)
    assert not any("gain" in line for line in told[0].warnings)
    for row, precise in ((found[1], 0.05), (told[1], 1e-5)):
        assert row.extras["counts"] == pytest.approx(plain.extras["counts"], rel=precise)
        assert row.prediction.values["a"] == pytest.approx(plain.prediction.values["a"], rel=1e-3)
        width, wanted = (r.prediction.upper["a"] - r.prediction.lower["a"] for r in (row, plain))
        assert width == pytest.approx(wanted, rel=0.1)


def test_advice_of_a_range_error_can_be_followed(
    run: Callable[..., Done], curves: Path, small_bundle: Path, tmp_path: Path
) -> None:
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
    assert run(*shlex.split(advice[1]), "--examples", 6000, "-o", bundle, "--quiet") == Done(0, "", "")
    row = json.loads(run("predict", curves / "short.dat", "--material", bundle, "--json").out)
    # from 0.79 per nm on, beyond the shoulder, a curve hardly tells a: its interval says so, and holds it
    assert row["lower"]["a"] < 3.0 < row["upper"]["a"]
    assert row["upper"]["a"] > 1.5 * row["lower"]["a"]


def test_export_leaves_a_complete_file_alone(
    run: Callable[..., Done], curves: Path, small_bundle: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.h5"
    run("predict", curves / "nm.dat", "--material", small_bundle, "-o", output)
    before = output.read_bytes()
    assert run("export", output) == Done(0, f"{output}: 1 curves, complete\n", "")
    assert output.read_bytes() == before
    assert run("export", output, "-o", tmp_path / "copy.h5", "--quiet") == Done(0, "", "")
    assert (tmp_path / "copy.h5").read_bytes() == before
    again = run("export", output, "-o", tmp_path / "copy.h5")
    assert again.status == 1
    assert "exists already" in again.err


def test_models_describes_bundles(run: Callable[..., Done], small_bundle: Path) -> None:
    (text,) = json.loads(run("models", small_bundle, "--json").out)
    assert text["features"]["q_nm1"][-1] == 2.5
    done = run("models", small_bundle)
    assert done.status == 0
    assert "0.05 to 2.5 1/nm" in done.out


def test_evaluate_writes_a_report(run: Callable[..., Done], small_bundle: Path, tmp_path: Path) -> None:
    done = run("evaluate", small_bundle, "-o", tmp_path / "report")
    assert done.status == 0
    assert "| porosity |" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_generate_resumes_and_simulate_repeats(run: Callable[..., Done], tmp_path: Path) -> None:
    library = tmp_path / "library-3.h5"
    small = ("--device", "cpu", "--shape", 32)
    assert run("generate", library, "--count", 2, "--seed", 3, *small) == Done(0, f"{library}: 2 structures\n", "")
    assert "3 structures" in run("generate", library, "--count", 3, "--device", "cpu").out  # the file knows the rest
    other = run("generate", library, "--count", 4, "--device", "cpu", "--shape", 48)
    assert other.status == 1
    assert "made with shape 32, not 48:" in other.err
    files = [tmp_path / "one.h5", tmp_path / "two.h5"]
    for file in files:
        assert run("simulate", "--a", 4, "--porosity", 0.3, *small, "--seed", 5, "-o", file).status == 0
    one, two = (h5py.File(file)["entry/sasdata/I"][()] for file in files)
    np.testing.assert_array_equal(one, two)


# --- what is wrong --------------------------------------------------------------------------------------------------


def test_bad_curves_among_good_ones(run: Callable[..., Done], curves: Path, small_bundle: Path, tmp_path: Path) -> None:
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


def test_bad_frames_among_good_ones(run: Callable[..., Done], frames: Path, small_bundle: Path, tmp_path: Path) -> None:
    bad = {
        "wrong.edf": r"\(100, 200\).*\(200, 200\)",
        "zero.edf": "only zeros",
        "cut.edf": "cut short",
        "text.edf": "cannot read",
        "empty.edf": "cannot read",
        "missing.edf": "no such file",
    }
    names = [*bad, "good_2.edf"]
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5")
    # the picture shows the frame that worked, not the first that was named
    done = run("analyze", *(frames / name for name in names), *where, "--plot", tmp_path / "out.png")
    assert done.status == 1
    assert len(done.complaints) == len(bad)
    for name, said in bad.items():
        assert re.search(rf"{re.escape(name)}.*{said}|{said}.*{re.escape(name)}", done.err), name
    _, (row,) = read_results(tmp_path / "out.h5")
    assert Path(row.source).name == "good_2.edf"
    with h5py.File(tmp_path / "out.h5") as h5:
        assert "entry00000" in h5
    assert (tmp_path / "out.png").exists()


def test_stderr_of_the_real_command_has_our_lines_only(frames: Path, small_bundle: Path, tmp_path: Path) -> None:
    """In a process of its own: fabio and HDF5 log what they meet, which must not drown the one line."""
    names = [str(frames / name) for name in ("cut.edf", "empty.edf", "good_1.edf")]
    where = ["--poni", str(frames / "setup.poni"), "--material", str(small_bundle), "-o", str(tmp_path / "out.h5")]
    done = _run_process("analyze", *names, *where)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["pyfai-grf"] * 3  # one is on the beamstop
    assert "good_1.edf frame 0: a " in done.stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"--poni": "missing.poni"}, "missing.poni"),
        ({"--poni": "text.edf"}, r"no complete \.poni"),
        ({"--mask": "wrong.edf"}, r"mask has shape \(100, 200\)"),
        ({"--mask": "missing.edf"}, "missing.edf"),
        ({"--background": "wrong.edf"}, "background has shape"),
        ({"-o": "nowhere/out.h5"}, "there is no folder"),
        ({"--csv": "nowhere/out.csv"}, "there is no folder"),
        ({"--plot": "nowhere/out.png"}, "there is no folder"),
        ({"-o": "good_1.edf"}, "is the name of an input too"),
        ({"-o": "setup.poni", "--overwrite": None}, "is the name of an input too"),
        ({"--csv": "out.h5"}, "is the name of another output too"),
        ({"-o": ""}, "folder"),
    ],
)
def test_what_stops_an_analysis_before_it_starts(
    run: Callable[..., Done], frames: Path, small_bundle: Path, changes: dict[str, str | None], said: str
) -> None:
    before = {path: path.read_bytes() for path in frames.iterdir()}
    options = {"--poni": "setup.poni", "-o": "out.h5", **changes}
    arguments: list[object] = ["--material", small_bundle]
    for name, value in options.items():
        arguments += [name] if value is None else [name, frames / value]
    done = run("analyze", frames / "good_1.edf", *arguments)
    assert (done.status, len(done.complaints)) == (1, 1), done
    assert re.search(said, done.err)
    assert {path: path.read_bytes() for path in frames.iterdir()} == before  # and nothing is left behind


def test_output_that_exists_is_kept(run: Callable[..., Done], curves: Path, small_bundle: Path, tmp_path: Path) -> None:
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
def test_full_disk(run: Callable[..., Done], curves: Path, small_bundle: Path) -> None:
    done = run("predict", curves / "nm.dat", "--material", small_bundle, "--csv", "/dev/full", "--overwrite")
    assert (done.status, len(done.complaints)) == (1, 1)
    assert "No space left" in done.err


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda b: (b / "a.ubj").write_bytes(b"{}"), "does not match its hash"),
        (lambda b: (b / "arrays.npz").unlink(), "damaged"),
        (lambda b: (b / "model.json").write_text("{"), "damaged"),
        (lambda b: (b / "model.json").unlink(), "there is no model"),
    ],
)
def test_damaged_bundle(
    run: Callable[..., Done],
    curves: Path,
    small_bundle: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    said: str,
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(small_bundle, bundle)
    damage(bundle)
    for command in (["predict", curves / "nm.dat", "--material"], ["models"], ["evaluate"]):
        done = run(*command, bundle)
        assert (done.status, len(done.complaints)) == (1, 1)
        assert said in done.err


_ANALYZE = ["analyze", "x.edf", "--poni", "p", "--material", "two-phase-low-porosity", "-o", "out.h5"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["predict"],
        ["predict", "x.dat"],
        ["predict", "x.dat", "--material", "two-phase"],
        ["predict", "x.dat", "--material", "two-phase-low-porosity@nobody"],
        ["predict", "x.dat", "--material", "two-phase-low-porosity", "--unit", "mm"],
        ["analyze", "x.edf", "--material", "two-phase-low-porosity", "-o", "out.h5"],
        ["analyze", "x.edf", "--material", "two-phase", "--poni", "p", "-o", "out.h5"],
        ["analyze", "x.edf", "--material", "two-phase-low-porosity", "--poni", "p"],
        ["analyze", "x.edf", "--poni", "p", "--config", "c", "--material", "two-phase-low-porosity", "-o", "out.h5"],
        ["analyze", "x.edf", "--poni", "p", "--material", "two-phase-low-porosity", "-o", "o.h5", "--average", "0"],
        ["train", "--material", "two-phase", "-o", "new"],
        ["train", "--material", "two-phase-low-porosity", "-o", "new", "--seed", "-1"],
        ["train", "--material", "two-phase-low-porosity", "-o", "new", "--mask", "m.edf"],
        ["train", "--material", "two-phase-low-porosity", "-o", "new", "library.h5"],
        ["train", "--material", "two-phase-low-porosity", "-o", "new", "--draws", "16"],
        ["train", "--material", "two-phase-low-porosity", "-o", "new", "--layer-density", "0.65"],
        ["train", "--material", "two-phase-low-porosity@paper", "-o", "new", "--layer-density", "0.65"],
        ["train", "--material", "three-phase-low-porosity@paper", "-o", "new", "--examples", "60000"],
        [*_ANALYZE, "--background-scale", "1"],
        ["simulate", "--a", "4", "--porosity", "0.3", "--layer-density", "0.65", "-o", "out.h5"],
        ["simulate", "--a", "4", "--porosity", "0.3", "--seed", "-1", "-o", "out.h5"],
        ["simulate", "--porosity", "0.3", "-o", "out.h5"],
        ["generate", "library.h5", "--count", "3", "--seed", "1.5"],
        ["evaluate"],
        ["export"],
    ],
)
def test_wrong_usage(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.status == 2
    assert done.complaints[-1].startswith("pyfai-grf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--material", "two-phase-low-porosity", "-o", "new", "--examples", "10"], "1000 examples"),
        (["train", "--material", "two-phase-low-porosity", "-o", "new", "--q-min", "5"], "is no grid"),
        (["train", "--material", "two-phase-low-porosity", "-o", "new", "--poni", "missing.poni"], "missing.poni"),
        (["train", "--material", "two-phase-low-porosity", "-o", "."], "not a model bundle"),
        (["train", "--material", "two-phase-low-porosity@paper", "missing.h5", "-o", "new"], "no structure library"),
        (["train", "--material", "three-phase-low-porosity", "-o", "new"], "not available yet"),
        (["train", "--material", "two-phase-low-porosity", "-o", "new", "--spectrum", "dab"], "Debye-Bueche"),
        (
            ["train", "--material", "two-phase-low-porosity@paper", "-o", "new", "--spectrum", "power:n=6"],
            "the libraries were made with roding2022",
        ),
        (["simulate", "--a", "4", "--porosity", "2", "-o", "out.h5"], "porosity is 2"),
        (["simulate", "--a", "4", "--porosity", "0.3", "--voxel-size", "5", "--shape", "32", "-o", "out.h5"], "voxels"),
        (["simulate", "--a", "4", "--porosity", "0.3", "-o", "nowhere/out.h5"], "there is no folder"),
        (["generate", "library.h5", "--count", "0"], "count is 0"),
        (["generate", "nowhere/library.h5", "--count", "1", "--shape", "32", "--device", "cpu"], "there is no folder"),
        (["evaluate", "missing"], "there is no model"),
        (["models", "missing"], "there is no model"),
        (["export", "missing.h5"], "no such file"),
    ],
)
def test_what_cannot_be_done(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, "--quiet") if arguments[0] in ("train", "generate", "simulate") else run(*arguments)
    assert (done.status, len(done.complaints)) == (1, 1), done
    assert said in done.err
    assert not list(tmp_path.iterdir())


def test_libraries_are_no_use_to_a_measured_model(run: Callable[..., Done], small_bundle: Path) -> None:
    done = run("evaluate", small_bundle, "library.h5")
    assert done.status == 2
    assert "@paper" in done.err


def test_mistyped_input_leaves_no_file(
    run: Callable[..., Done], curves: Path, small_bundle: Path, tmp_path: Path
) -> None:
    where = ("--material", small_bundle, "-o", tmp_path / "out.h5", "--csv", tmp_path / "out.csv")
    for names in (["missing.dat"], ["zero.dat", "empty.dat"]):
        assert run("predict", *(curves / name for name in names), *where).status == 1
        assert not list(tmp_path.iterdir())
    assert run("predict", curves / "nm.dat", *where).status == 0
    before = (tmp_path / "out.h5").read_bytes()
    assert run("predict", curves / "missing.dat", *where, "--overwrite").status == 1
    assert (tmp_path / "out.h5").read_bytes() == before


def test_warnings_are_told_once_or_not_at_all(run: Callable[..., Done], curves: Path, small_bundle: Path) -> None:
    command = ["predict", curves / "holes.dat", curves / "holes.dat", "--material", small_bundle]
    done = run(*command)
    assert (done.status, done.complaints) == (0, [])
    assert len(done.warnings) == 1
    assert "2 of 200 points" in done.warnings[0]
    assert run(*command, "--quiet") == Done(0, "", "")


# --- as a process ---------------------------------------------------------------------------------------------------


def _run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyfai_grf", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Callable[..., Done], command: str) -> None:
    done = run(command, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"usage: pyfai-grf {command}")
    assert command in run("--help").out


def test_version() -> None:
    done = _run_process("--version")
    assert (done.returncode, done.stdout) == (0, f"pyfai-grf {grf.__version__}\n")


@pytest.mark.skipif(os.name == "nt", reason="pipes break in another way there")
def test_reader_that_has_had_enough(curves: Path, small_bundle: Path, tmp_path: Path) -> None:
    """``pyfai-grf predict ... | head -1``: no traceback, and the results file is complete."""
    output = tmp_path / "out.h5"
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "pyfai_grf", "predict", str(curves / "nm.dat"), "--material", str(small_bundle)]
    # with a buffer the pipe breaks at the end of the run
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [*command, "-o", str(output)], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, env=buffered
        )
    assert (done.returncode, done.stderr) == (1, "")
    with h5py.File(output) as h5:
        assert "end_time" in h5["prediction"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
@pytest.mark.parametrize("buffering", ["", "1"])
def test_full_disk_behind_standard_output(curves: Path, small_bundle: Path, tmp_path: Path, buffering: str) -> None:
    output = tmp_path / "out.h5"
    command = [sys.executable, "-m", "pyfai_grf", "predict", str(curves / "nm.dat"), "--material", str(small_bundle)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*command, "-o", str(output)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": buffering},
        )
    assert (done.returncode, done.stderr) == (1, "pyfai-grf predict: No space left on device\n")

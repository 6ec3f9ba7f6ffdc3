"""The command line: exit status 0, 1 and 2; one line for each thing that is wrong, the rest done all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import pyfai_grf as grf
from pyfai_grf.cli import COMMANDS

#: ``run`` of conftest.py
Run = Callable[..., Any]


# --- what is right --------------------------------------------------------------------------------------------------


def test_generate_resumes_and_simulate_repeats(run: Run, tmp_path: Path) -> None:
    library = tmp_path / "library-3.h5"
    small = ("--device", "cpu", "--shape", 32)
    assert run("generate", library, "--count", 2, "--seed", 3, *small) == (0, f"{library}: 2 structures\n", "")
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


def test_stderr_of_the_real_command_has_our_lines_only(frames: Path, small_bundle: Path, tmp_path: Path) -> None:
    """In a process of its own: fabio and HDF5 log what they meet, which must not drown the one line."""
    names = [str(frames / name) for name in ("cut.edf", "empty.edf", "good_1.edf")]
    where = ["--poni", str(frames / "setup.poni"), "--material", str(small_bundle), "-o", str(tmp_path / "out.h5")]
    done = _run_process("analyze", *names, *where)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["pyfai-grf"] * 3  # one is on the beamstop
    assert "good_1.edf frame 0: a " in done.stdout


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
    run: Run,
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
def test_wrong_usage(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
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
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, "--quiet") if arguments[0] in ("train", "generate", "simulate") else run(*arguments)
    assert (done.status, len(done.complaints)) == (1, 1), done
    assert said in done.err
    assert not list(tmp_path.iterdir())


# --- as a process ---------------------------------------------------------------------------------------------------


def _run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyfai_grf", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
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

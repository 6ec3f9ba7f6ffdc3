"""Numbers out of range are wrong usage, in one line; an output never is what the command reads, under whatever name."""

from __future__ import annotations

import argparse
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from pyfai_grf.cli import main
from pyfai_grf.cli.arguments import (
    ArgumentParser,
    add_curve_arguments,
    add_window_arguments,
    check_outputs,
    get_window,
    parse_count,
    parse_number,
)
from pyfai_grf.core.errors import InputError

_SIMULATE = ["simulate", "--a", "4", "--porosity", "0.3", "--device", "cpu", "-o", "out.h5"]
_ANALYZE = ["analyze", "x.edf", "--poni", "p", "--material", "two-phase-low-porosity", "-o", "out.h5"]
_PREDICT = ["predict", "x.dat", "--material", "two-phase-low-porosity", "-o", "out.h5"]
_TRAIN = ["train", "--material", "two-phase-low-porosity", "-o", "new"]
_GENERATE = ["generate", "library.h5", "--count", "1", "--device", "cpu"]
_FLOATS = [
    (_SIMULATE, ("--a", "--porosity", "--layer-fraction", "--layer-density", "--voxel-size")),
    (_ANALYZE, ("--background-scale", "--gain", "--q-min", "--q-max")),
    (_PREDICT, ("--q-min", "--q-max")),
    (_TRAIN, ("--q-min", "--q-max", "--length-scale", "--layer-density")),
    (_GENERATE, ("--voxel-size",)),
    (["demo", "-o", "new"], ("--a", "--porosity", "--counts")),
    (["tabulate", "new"], ("--voxels-per-a",)),
]
_INTEGERS = [
    (_SIMULATE, ("--shape", "--seed")),
    (_ANALYZE, ("--average",)),
    (_TRAIN, ("--q-points", "--examples", "--draws", "--seed")),
    (_GENERATE, ("--count", "--seed", "--shape", "--workers")),
    (["demo", "-o", "new"], ("--frames", "--seed")),
    (["tabulate", "new"], ("--count", "--wide", "--fine", "--pair", "--seed", "--shape")),
    (["evaluate", "two-phase-low-porosity"], ("--seed",)),
]


def _list(table: list[tuple[list[str], tuple[str, ...]]], values: tuple[str, ...]) -> list[list[str]]:
    return [[*command, flag, value] for command, flags in table for flag in flags for value in values]


@pytest.mark.parametrize(
    "arguments",
    [
        *_list(_FLOATS, ("nan", "inf", "-inf", "1e999", "four")),
        *_list(_INTEGERS, ("99999999999999999999999", "-1", "1.5", "nan", "\u0664", "")),
        [*_ANALYZE, "--background-scale", "1e300"],
        [*_SIMULATE, "--shape", "0"],
        [*_SIMULATE, "--voxel-size", "1e300"],
        [*_SIMULATE, "--voxel-size", "-0.5"],
        [*_ANALYZE, "--average", "0"],
        [*_ANALYZE, "--gain", "0"],
        [*_ANALYZE, "--gain", "-2"],
        [*_SIMULATE, "--seed", str(2**64)],
        [*_SIMULATE, "--\x1b[31m", "1"],
        *([*command, f"{flags[0]}=--"] for command, flags in (*_FLOATS, *_INTEGERS)),
        [*_PREDICT, "--un=--"],
        [*_PREDICT, "-o--"],
        ["export", "x.h5", "--output=--"],
        [*_PREDICT, "--plot", "out.docx"],
        [*_ANALYZE, "--plot", "out"],
    ],
    ids=lambda arguments: " ".join([arguments[0], *arguments[-2:]]),
)
def test_a_number_that_is_none_is_wrong_usage(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"pyfai-grf {arguments[0]}: ")
    assert "\x1b" not in err
    assert not list(tmp_path.iterdir())


def test_numbers_to_the_ends_of_their_ranges() -> None:
    assert [parse_count(1, 3)(text) for text in ("1", "3", "003")] == [1, 3, 3]
    assert [parse_number(-1, 1)(text) for text in ("-1", "1e0", ".5")] == [-1, 1, 0.5]


@pytest.mark.parametrize(
    "changes",
    [
        ["--seed", str(2**64 - 1)],
        ["--a", "0.001"],
        ["--a", "1e6"],
        ["--voxel-size", "1e6"],
        ["--voxel-size", "0.001"],
        ["--porosity", "1e-300"],
        ["--layer-fraction", "0.999999999"],
        ["--layer-fraction", "0.5", "--layer-density", "1e6"],
    ],
)
def test_a_strange_simulation_is_made_or_refused_in_one_line(
    changes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a warning of NumPy's, which this would turn into an exception."""
    arguments = [*_SIMULATE[:-1], str(tmp_path / "out.h5"), "--shape", "16", *changes]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status = main(arguments)
    err = capsys.readouterr().err
    assert (status, err.count("\n")) in ((0, 0), (1, 1))
    assert (tmp_path / "out.h5").exists() == (status == 0)


# --- outputs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with frames, a bundle, and a configuration that names further files."""
    monkeypatch.chdir(tmp_path)
    for name in ("frame_1.edf", "frame_2.edf", "mask.edf", "dark.edf", "flat.h5", "old.h5"):
        Path(name).write_text("precious")
    Path("bundle").mkdir()
    Path("bundle/model.json").write_text("{}")
    Path("elsewhere").mkdir()
    Path("elsewhere/gaps.edf").write_text("precious")
    configuration = {
        "poni": "setup.poni",
        "mask_file": "elsewhere/gaps.edf",
        "dark_current": ["dark.edf"],
        "correction": {"flat_field": "silx:flat.h5?path=/entry/data&slice=0"},
    }
    Path("azimint.json").write_text(json.dumps(configuration))
    return tmp_path


def _link(target: str, name: str) -> str:
    os.link(target, name)
    return name


def _symlink(target: str, name: str) -> str:
    Path(name).symlink_to(target)
    return name


_INPUTS = ["frame_1.edf", "frame_2.edf", "azimint.json", "mask.edf", "old.h5::/entry", "bundle", None]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (lambda: "frame_2.edf", "is the name of an input too"),
        (lambda: "./elsewhere/../frame_2.edf", "is the name of an input too"),
        (lambda: _link("frame_1.edf", "hard.h5"), "is the name of an input too"),
        (lambda: _symlink("frame_1.edf", "soft.h5"), "is the name of an input too"),
        (lambda: "old.h5", "is the name of an input too"),
        (lambda: "azimint.json", "is the name of an input too"),
        (lambda: "elsewhere/gaps.edf", "is the name of an input too"),
        (lambda: "dark.edf", "is the name of an input too"),
        (lambda: "flat.h5", "is the name of an input too"),
        (lambda: _link("dark.edf", "hard.h5"), "is the name of an input too"),
        (lambda: "bundle", "which is an input"),
        (lambda: "bundle/out.h5", "which is an input"),
        (lambda: _symlink("bundle", "soft") + "/out.h5", "which is an input"),
    ],
)
def test_an_input_is_not_an_output(folder: Path, name: Callable[[], str], said: str) -> None:
    output = name()
    with pytest.raises(InputError, match=said):
        check_outputs([None, "fresh.h5", output], True, _INPUTS)
    check_outputs(["fresh.h5"], True, _INPUTS)


def test_two_outputs_are_two_files(folder: Path) -> None:
    Path("one.csv").write_text("")
    for other in ("one.csv", "./one.csv", _link("one.csv", "hard.csv"), _symlink("one.csv", "soft.csv")):
        with pytest.raises(InputError, match="is the name of another output too"):
            check_outputs(["one.csv", other], True)
    _symlink("new.csv", "dangling.csv")
    with pytest.raises(InputError, match="is the name of another output too"):
        check_outputs(["new.csv", "dangling.csv"], True)


def test_odd_configurations_do_not_stop_the_check(folder: Path) -> None:
    for text in ("{", "[" * 100_000, '["\\u0000", "", "."]', "7"):
        Path("azimint.json").write_text(text)
        check_outputs(["fresh.h5"], True, ["azimint.json", "missing.json"])
    os.mkfifo("pipe.json")
    check_outputs(["fresh.h5"], True, ["pipe.json"])


# --- what files do not say -------------------------------------------------------------------------------------------


def _parse(*words: str) -> argparse.Namespace:
    parser = ArgumentParser()
    parser.add_argument("-o", "--output")
    parser.add_argument("-v", "--verbose", action="store_true")
    add_curve_arguments(parser)
    add_window_arguments(parser)
    options = parser.parse_args(words)
    get_window(options)
    return options


def test_flags_become_values() -> None:
    options = vars(_parse("--unit", "A", "--columns", "q,_,I,sigma", "--q-min", "0.04", "--q-max", "2.5"))
    assert options.items() >= {"unit": "A", "columns": ("q", "_", "I", "sigma"), "q_min": 0.04, "q_max": 2.5}.items()
    assert set(vars(_parse()).values()) == {None, False}


@pytest.mark.parametrize(
    "words", [("--columns", "-,q,I"), ("--columns=-,q,I",), ("--columns", ",q,I"), ("--col", "-,q,I")]
)
def test_a_value_may_begin_with_a_minus_sign(words: tuple) -> None:
    for before, after in ((("-v",), ()), ((), ("-v",))):
        options = _parse(*before, *words, *after)
        assert (options.columns, options.verbose) == (("_", "q", "I"), True)
    assert _parse("-o", "-x.h5", "--q-min", "1").output == _parse("--output", "-x.h5").output == "-x.h5"
    assert _parse("--q-min", "-0e-3").q_min == 0


@pytest.mark.parametrize("words", [("--output", "-v"), ("-o", "--verbose"), ("--output", "--", "x"), ("--columns",)])
def test_an_option_is_no_value(words: tuple, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parse(*words)
    assert "expected one argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--columns", "q,I,x"), "no column is called 'x'"),
        (("--columns", "q"), "which columns are q and I"),
        (("--q-min", "-1"), "'-1' is not a q in 1/nm"),
        (("--q-max", "nan"), "'nan' is not a q in 1/nm"),
        (("--q-max", "1e400"), "not a q in 1/nm"),
        (("--q-min", "much"), "'much' is not a q in 1/nm"),
        (("--q-min", "2", "--q-max", "2"), "--q-min 2 is not below --q-max 2"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(words: tuple, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _parse(*words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err

"""Frames to a results file: each frame its row, each bad one its line, and nothing written that was not asked for."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest

from pyfai_grf.io.results import read_results

#: ``run`` of conftest.py
Run = Callable[..., Any]


def test_analyze_writes_all_that_it_is_asked_for(run: Run, frames: Path, small_bundle: Path, tmp_path: Path) -> None:
    where = ("-o", tmp_path / "my out.h5", "--csv", tmp_path / "out.csv", "--plot", tmp_path / "out.png")
    command = [
        "analyze",
        frames / "good_*.edf",
        "--poni",
        frames / "setup.poni",
        "--material",
        small_bundle,
        *where,
        "--compare",
        "0",
    ]
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


def test_average_of_all(run: Run, frames: Path, small_bundle: Path, tmp_path: Path) -> None:
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5")
    assert run("analyze", frames / "good_*.edf", "--average", "all", *where, "--quiet") == (0, "", "")
    _, (row,) = read_results(tmp_path / "out.h5")
    assert row.extras["frames_averaged"] == 3


def test_frames_that_are_not_counts_give_the_same_answer(
    run: Run, frames: Path, small_bundle: Path, tmp_path: Path
) -> None:
    with fabio.open(frames / "good_1.edf") as image:
        fabio.edfimage.EdfImage(data=1000 * image.data).write(str(tmp_path / "times.edf"))
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5", "--overwrite")

    def analyze(*command: object) -> tuple[Any, Any]:
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


def test_bad_frames_among_good_ones(run: Run, frames: Path, small_bundle: Path, tmp_path: Path) -> None:
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
    run: Run, frames: Path, small_bundle: Path, changes: dict[str, str | None], said: str
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


# --- corrections and windows ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def on_background(tmp_path_factory: pytest.TempPathFactory, setup: Any) -> Path:
    """A frame of 3 nm and porosity 0.3 on a flat background of as many photons, and the background alone."""
    folder = tmp_path_factory.mktemp("background")
    setup.integrator.save(str(folder / "setup.poni"))
    rng = np.random.default_rng(5)
    flat = np.full(setup.shape, 3e6 / setup.q.size)
    images = {
        "sample": rng.poisson(setup.expect_material(3e6, 3.0, 0.3) + flat),
        "blank": rng.poisson(flat),
        "half": rng.poisson(setup.expect_material(3e6, 3.0, 0.3) + flat / 2),
    }
    for name, image in images.items():
        fabio.edfimage.EdfImage(data=image.astype(np.int32)).write(str(folder / f"{name}.edf"))
    with h5py.File(folder / "blanks.h5", "w") as h5:
        h5["data"] = rng.poisson(np.stack([flat] * 3)).astype(np.int32)
    return folder


def find_background(run: Run, folder: Path, bundle: Path, tmp_path: Path) -> Any:
    """Return the results of the sample on all of its background."""
    where = ("--poni", folder / "setup.poni", "--material", bundle, "-o", tmp_path / "whole.h5", "--quiet")
    assert run("analyze", folder / "sample.edf", *where).status == 0
    return read_results(tmp_path / "whole.h5")


@pytest.mark.parametrize(
    ("frame", "options", "rest"),
    [
        ("sample", ("--background", "blanks.h5::/data"), 0),
        ("half", ("--background", "blank.edf", "--background-scale", "0.5"), 0),
        ("sample", (), 1),
        ("sample", ("--background", "blank.edf", "--background-scale", "0.5"), 0.5),
        ("half", ("--background", "blank.edf"), -0.5),
    ],
)
def test_background_is_subtracted_as_often_as_it_is_said(
    run: Run,
    on_background: Path,
    small_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    frame: str,
    options: tuple[str, ...],
    rest: float,
) -> None:
    """What is left of it, or too much, the fit finds; the regressors alone refuse that."""
    monkeypatch.chdir(on_background)
    where = ("--poni", "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5", "--quiet")
    assert run("analyze", f"{frame}.edf", *options, *where).status == 0
    provenance, (row,) = read_results(tmp_path / "out.h5")
    assert row.prediction.is_applicable
    assert row.prediction.values["a"] == pytest.approx(3.0, rel=0.01)
    _, (whole,) = find_background(run, on_background, small_bundle, tmp_path)
    # in parts of the background; 3e6 photons tell it to a few per cent
    assert float(row.extras["background"]) / float(whole.extras["background"]) == pytest.approx(rest, abs=0.1)
    if rest:
        alone = run("analyze", f"{frame}.edf", *options, *where, "--no-fit", "--overwrite")
        assert alone.status == 1
        assert not read_results(tmp_path / "out.h5")[1][0].prediction.is_applicable
    assert provenance.settings["background_scale"] == (0.5 if "0.5" in options else 1.0)


def test_mask_that_is_given_is_used_and_leaves_nothing_to_warn_of(
    run: Run, frames: Path, setup: Any, small_bundle: Path, tmp_path: Path
) -> None:
    mask = (setup.q < 0.04) | (setup.q > 2.8)
    fabio.edfimage.EdfImage(data=mask.astype(np.int8)).write(str(tmp_path / "mask.edf"))
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5")
    done = run("analyze", frames / "good_1.edf", "--mask", tmp_path / "mask.edf", *where)
    assert (done.status, done.err) == (0, "")
    _, (row,) = read_results(tmp_path / "out.h5")
    assert row.curve.q_nm1[0] > 0.03
    assert row.curve.q_nm1[-1] < 2.82


def test_window_leaves_a_row_that_says_what_is_missing(
    run: Run, frames: Path, small_bundle: Path, tmp_path: Path
) -> None:
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5")
    done = run("analyze", frames / "good_1.edf", *where, "--q-min", "1.5", "--q-max", "2")
    assert (done.status, len(done.complaints)) == (1, 1)
    _, (row,) = read_results(tmp_path / "out.h5")
    assert not row.prediction.is_applicable
    assert 1.45 < row.curve.q_nm1[0] < 1.55


@pytest.mark.parametrize(
    "options",
    [
        ("--gain", "0"),
        ("--gain", "-1"),
        ("--gain", "nan"),
        ("--background-scale", "1"),
        ("--background-scale", "much"),
        ("--average", "some"),
        ("--average", "-1"),
        ("--resume", "--average", "2"),
        ("--resume", "--overwrite"),
        ("--q-min", "2", "--q-max", "1"),
        ("--plot", "out.gif"),
    ],
)
def test_options_that_cannot_be_meant(
    run: Run, frames: Path, small_bundle: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5")
    done = run("analyze", frames / "good_1.edf", *where, *options)
    assert (done.status, done.out, len(done.complaints)) == (2, "", 1)
    assert options[0] in done.err
    assert not list(tmp_path.iterdir())


# --- pictures -------------------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What pictures were asked for, instead of pictures."""
    asked: list[dict[str, Any]] = []
    for kind in ("analysis", "series"):

        def note(path: str, *_: Any, kind: str = kind, **more: Any) -> None:
            asked.append({"kind": kind, **more})

        monkeypatch.setattr(f"pyfai_grf.report.figures.draw_{kind}", note)
    return asked


def test_picture_of_one_frame_shows_the_frame(
    run: Run, frames: Path, small_bundle: Path, tmp_path: Path, drawn: list[dict[str, Any]]
) -> None:
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5")
    picture = ("--plot", tmp_path / "out.png", "--quiet")
    assert run("analyze", frames / "good_2.edf", *where, *picture).status == 0
    (one,) = drawn
    assert one["kind"] == "analysis"
    with fabio.open(frames / "good_2.edf") as image:
        np.testing.assert_array_equal(one["frame"], image.data)
    _, (row,) = read_results(tmp_path / "out.h5")
    np.testing.assert_allclose(one["curve"].intensity, row.curve.intensity, rtol=1e-6)


def test_a_run_that_is_done_is_resumed_for_its_picture_alone(
    run: Run, frames: Path, small_bundle: Path, tmp_path: Path, drawn: list[dict[str, Any]]
) -> None:
    where = ("--poni", frames / "setup.poni", "--material", small_bundle, "-o", tmp_path / "out.h5", "--quiet")
    assert run("analyze", frames / "good_*.edf", *where).status == 0
    before = read_results(tmp_path / "out.h5")[1]
    assert run("analyze", frames / "good_*.edf", *where, "--resume", "--plot", tmp_path / "out.png").status == 0
    assert [asked["kind"] for asked in drawn] == ["series"]
    after = read_results(tmp_path / "out.h5")[1]
    assert [row.prediction.values for row in after] == [row.prediction.values for row in before]


def test_a_background_of_several_files_is_their_mean(
    run: Run, frames: Path, small_bundle: Path, tmp_path: Path
) -> None:
    """As a stack of them is; each is an input that no output may replace, and a run that is resumed knows them."""
    given = [frames / "good_1.edf", "--poni", frames / "setup.poni", "--material", small_bundle, "--overwrite"]
    scale = ("--background-scale", 0.2)
    pattern = [*given, "--background", frames / "good_[23].edf", *scale, "-o", tmp_path / "out.h5"]
    assert run("analyze", *pattern).status in (0, 1)
    stack = np.stack([fabio.open(str(frames / f"good_{n}.edf")).data for n in (2, 3)])
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["data"] = stack
    assert run(
        "analyze", *given, "--background", f"{tmp_path}/stack.h5::/data", *scale, "-o", tmp_path / "s.h5"
    ).status in (0, 1)
    (one,), (other,) = (read_results(tmp_path / name)[1] for name in ("out.h5", "s.h5"))
    np.testing.assert_allclose(one.curve.intensity, other.curve.intensity)
    provenance, _ = read_results(tmp_path / "out.h5")
    assert provenance.settings["background"] == [str(frames / f"good_{n}.edf") for n in (2, 3)]
    again = run("analyze", *[word for word in pattern if word != "--overwrite"], "--resume")
    assert f"every frame has its row in {tmp_path / 'out.h5'} already" in again.out
    refused = run("analyze", *pattern[:-1], frames / "good_3.edf")
    assert refused.status in (1, 2)
    assert "good_3.edf" in refused.err

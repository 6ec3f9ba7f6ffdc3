"""A model is trained for the grid that was asked for, and never over what somebody else has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fabio
import numpy as np
import pytest

from pyfai_grf.cli import main
from pyfai_grf.core.published import PAPER_Q_NM1
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.learn.evaluate import describe_model
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.workflows import measure_q_range

#: ``run`` of conftest.py
Run = Callable[..., Any]

CLASS = "two-phase-low-porosity"
#: the least that is trained at all
QUICK = ("--material", CLASS, "--examples", "1000", "--q-min", "0.05", "--q-max", "2.5", "--q-points", "60")


@pytest.fixture
def asked(small_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[TrainSettings, list[str]]]:
    """What trainings were asked for, instead of trainings."""
    calls: list[tuple[TrainSettings, list[str]]] = []

    def train(settings: TrainSettings, libraries: list[str], output: str, report: Any) -> Model:
        calls.append((settings, libraries))
        return load_model(small_bundle)

    monkeypatch.setattr("pyfai_grf.workflows.train", train)
    return calls


def test_trained_model_is_described_and_used(
    run: Run, curves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "mine"
    assert main(["train", *QUICK, "--seed", "5", "-o", str(bundle)]) == 0
    out, err = capsys.readouterr()
    model = load_model(bundle)
    assert out == f"{describe_model(model)}\nwritten to {bundle}\n"
    assert [line.split(":")[0] for line in err.splitlines()] == [CLASS] * 3  # what it is at
    np.testing.assert_allclose(model.q_nm1, np.linspace(0.05, 2.5, 60))
    assert model.description.provenance["seed"] == 5
    (line,) = run("predict", curves / "nm.dat", "--material", bundle, "--json").out.splitlines()
    assert json.loads(line)["values"]["a"] == pytest.approx(3.0, rel=0.15)  # a model of a thousand curves


def test_a_bundle_is_replaced_only_if_that_is_said(run: Run, small_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "mine"
    assert run("train", *QUICK, "-o", bundle, "--quiet") == (0, "", "")
    first = load_model(bundle).sha256
    refused = run("train", *QUICK, "-o", bundle, "--seed", "2", "--quiet")
    assert (refused.status, len(refused.complaints)) == (1, 1)
    assert "--overwrite" in refused.err
    assert load_model(bundle).sha256 == first
    assert run("train", *QUICK, "-o", bundle, "--seed", "2", "--quiet", "--overwrite") == (0, "", "")
    assert load_model(bundle).sha256 != first


def test_folder_of_somebody_else_is_refused_before_the_work(
    run: Run, tmp_path: Path, asked: list[tuple[TrainSettings, list[str]]]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for more in ((), ("--overwrite",)):
        done = run("train", *QUICK, "-o", tmp_path, *more)
        assert (done.status, len(done.complaints)) == (1, 1)
        assert str(tmp_path) in done.err
    assert asked == []
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("options", "grid"),
    [
        ((), PAPER_Q_NM1),
        (("--q-points", "100"), np.linspace(0.04, 3.0, 100)),
        (("--q-min", "0.1"), np.linspace(0.1, 3.0, 500)),
        (("--q-min", "0.1", "--q-max", "9", "--q-points", "20"), np.linspace(0.1, 9.0, 20)),
    ],
)
def test_grid_is_the_published_one_but_for_what_is_said(
    run: Run, tmp_path: Path, asked: list[Any], options: tuple[str, ...], grid: np.ndarray
) -> None:
    assert run("train", "--material", CLASS, *options, "-o", tmp_path / "mine", "--quiet").status == 0
    ((settings, libraries),) = asked
    np.testing.assert_allclose(settings.q_nm1, grid, rtol=1e-12)
    assert libraries == []
    default = TrainSettings(CLASS)
    for name in ("examples", "draws", "layer_density", "length_scale", "seed", "spectrum"):
        assert getattr(settings, name) == getattr(default, name)


def test_grid_of_a_detector_and_its_mask(run: Run, frames: Path, setup: Any, tmp_path: Path, asked: list[Any]) -> None:
    mask = setup.q < 0.2
    fabio.edfimage.EdfImage(data=mask.astype(np.int8)).write(str(tmp_path / "mask.edf"))
    where = ("--material", CLASS, "--poni", frames / "setup.poni", "-o", tmp_path / "mine", "--quiet")
    for more in ((), ("--mask", tmp_path / "mask.edf"), ("--q-max", "1.5")):
        assert run("train", *where, *more).status == 0
    whole, masked, cut = (settings.q_nm1 for settings, _ in asked)
    grid = measure_q_range(setup.integrator)
    np.testing.assert_allclose(whole, np.linspace(grid.q_min_nm1, grid.q_max_nm1, grid.points))
    assert whole[0] < 0.1
    assert 0.2 <= masked[0] < 0.23
    assert masked[-1] == whole[-1]
    assert (cut[0], cut[-1], cut.size) == (whole[0], 1.5, whole.size)  # what is said goes before what is measured


def test_every_setting_is_handed_on(run: Run, tmp_path: Path, asked: list[Any]) -> None:
    options = (
        "--layer-density",
        "0.5",
        "--draws",
        "3",
        "--spectrum",
        "power:n=6",
        "--length-scale",
        "2",
        "--seed",
        "9",
    )
    command = ("train", "one.h5", "two.h5", "--material", "three-phase-low-porosity@paper", *options)
    assert run(*command, "-o", tmp_path / "mine", "--quiet").status == 0
    ((settings, libraries),) = asked
    assert libraries == ["one.h5", "two.h5"]
    assert (settings.name, settings.layer_density, settings.draws) == ("three-phase-low-porosity@paper", 0.5, 3)
    assert (settings.spectrum, settings.length_scale, settings.seed) == ("power:n=6", 2.0, 9)


@pytest.mark.parametrize(
    "options",
    [
        ("--q-min", "3"),
        ("--q-min", "0"),
        ("--q-max", "0.04"),
        ("--q-min", "2", "--q-max", "1"),
        ("--q-points", "19"),
        ("--q-points", "10001"),
    ],
)
def test_what_is_no_grid(run: Run, tmp_path: Path, asked: list[Any], options: tuple[str, ...]) -> None:
    done = run("train", "--material", CLASS, *options, "-o", tmp_path / "mine")
    assert (done.status, len(done.complaints)) == (1, 1)
    assert "is no grid" in done.err
    assert asked == []


@pytest.mark.parametrize(
    "options",
    [
        ("--q-min", "nan"),
        ("--q-points", "1e3"),
        ("--length-scale", "0"),
        ("--layer-density", "-1"),
        ("--examples", "0"),
        ("--seed", "1.5"),
    ],
)
def test_numbers_that_are_none(run: Run, tmp_path: Path, asked: list[Any], options: tuple[str, ...]) -> None:
    done = run("train", "--material", "two-phase-low-porosity", *options, "-o", tmp_path / "mine")
    assert (done.status, len(done.complaints)) == (2, 1)
    assert options[0] in done.err
    assert asked == []

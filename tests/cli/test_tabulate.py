"""The tabulate command: boxes, a table from them, and what it refuses."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.cli import tabulate
from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation import boxes as recipe
from pyfai_grf.tabulation.grids import BoxSetting
from pyfai_grf.tabulation.store import open_boxes
from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.theory.three_phase_table import load_table

_SMALL = ["--shape", "96", "--voxels-per-a", "12", "--spectrum", "power:n=6", "--seed", "5"]


def _run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    tabulate.add_arguments(parser)
    return tabulate.run(parser.parse_args(arguments, namespace=argparse.Namespace(quiet=False)))


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(recipe, "_PILOT_SHAPE", 64)
    monkeypatch.setattr(recipe, "_PILOT_BOXES", 1)
    return str(tmp_path / "boxes")


def test_makes_boxes_in_parts_and_a_table(boxes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of few nodes and tiny boxes, begun by one part, ended by a run that does what is missing."""
    thresholds, layer_fractions = (-0.8, -0.2, 0.4, 0.9), (0.1, 0.25, 0.4, 0.6)
    open_boxes(Path(boxes), BoxSetting("power:n=6", 5, 96, 10.0, thresholds, layer_fractions))
    counts = ["--count", "10", "--fine", "3", "--pair", "3", "--wide", "6"]
    assert _run([boxes, *counts, "--part", "1/2"]) == 0
    assert "2 fine, 5 coarse, 3 wide, 2 pair" in capsys.readouterr().out
    table = tmp_path / "table.npz"
    assert _run([boxes, *counts, "-o", str(table)]) == 0
    out = capsys.readouterr().out
    assert "3 fine, 10 coarse, 6 wide, 3 pair" in out
    assert "layer density 0.65" in out
    loaded = load_table(table)
    assert loaded.description["boxes"] == {"fine": 3, "coarse": 10, "wide": 6, "pair": 3}
    assert loaded.spectrum.text == "power:n=6"
    # without a layer even a table of few tiny boxes is exact, for its own spectrum
    x = np.array([0.1, 1.0, 20.0])
    exact = expected_intensity(x, 1.0, 0.4, spectrum="power:n=6")
    np.testing.assert_allclose(loaded.expect(x, 0.4, 0.0, 0.5), exact, rtol=1e-9)


def test_another_setting_needs_another_folder(boxes: str) -> None:
    assert _run([boxes, *_SMALL]) == 0
    with pytest.raises(InputError, match="choose another folder"):
        _run([boxes, "--seed", "6"])


def test_no_table_without_boxes(boxes: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least two"):
        _run([boxes, *_SMALL, "-o", str(tmp_path / "table.npz")])


@pytest.mark.parametrize("part", ["3/2", "0/2", "1", "a/b"])
def test_impossible_parts(boxes: str, part: str) -> None:
    with pytest.raises(SystemExit):
        _run([boxes, "--part", part])


def test_several_workers(boxes: str, capsys: pytest.CaptureFixture[str]) -> None:
    counts = ["--count", "2", "--fine", "1", "--pair", "1", "--wide", "1"]
    assert _run([boxes, *_SMALL, *counts, "--workers", "2"]) == 0
    assert "1 fine, 2 coarse, 1 wide, 1 pair" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--workers", "0"], ["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"]])
def test_wrong_usage(boxes: str, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        _run([boxes, "--count", "1", *options])
    assert stop.value.code == 2
    assert "--workers is" in capsys.readouterr().err
    assert not Path(boxes).exists()

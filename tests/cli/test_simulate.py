"""``pyfai-grf simulate``: a curve, and the structure that it is the curve of."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

import pyfai_grf as grf
from pyfai_grf.cli import main
from pyfai_grf.core.versions import GENERATOR_VERSION

VALUES: dict[str, Any] = {"a": 3.0, "porosity": 0.6, "layer_fraction": 0.2, "shape": 32, "seed": 5, "device": "cpu"}
OPTIONS = [(f"--{name.replace('_', '-')}", str(value)) for name, value in VALUES.items()]
COMMAND = ["simulate", *(text for option in OPTIONS for text in option)]


def _read_intensity(path: Path) -> np.ndarray:
    with h5py.File(path) as h5:
        return h5["entry/sasdata/I"][()]


@pytest.mark.parametrize("suffix", [".tif", ".h5", ".vti"])
def test_structure_and_curve_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    volume, curve = tmp_path / f"volume{suffix}", tmp_path / "curve.h5"
    assert main([*COMMAND, "--structure", str(volume), "-o", str(curve)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"{volume}: 32^3 voxels of 0.5 nm"
    assert sorted(tmp_path.iterdir()) == sorted([volume, curve])
    np.testing.assert_array_equal(_read_intensity(curve), grf.simulate(**VALUES)[1])
    expected = grf.make_structure(**VALUES)
    if suffix == ".tif":
        np.testing.assert_array_equal(tifffile.imread(volume), expected)
    if suffix == ".h5":
        with h5py.File(volume) as h5:
            np.testing.assert_array_equal(h5["entry/data/labels"], expected)
            found = json.loads(h5["entry/process/metadata"].asstr()[()])
        known = {"a_nm": 3.0, "seed": 5, "spectrum": "roding2022", "generator_version": GENERATOR_VERSION}
        assert known.items() <= found.items()
        assert found["command"].startswith("pyfai-grf simulate --a 3.0")


def test_spectrum_is_used_and_recorded(tmp_path: Path) -> None:
    curve = tmp_path / "curve.h5"
    assert main([*COMMAND, "--spectrum", "power:n=6", "-o", str(curve), "--quiet"]) == 0
    intensity = grf.simulate(**VALUES, spectrum="power:n=6")[1]
    np.testing.assert_array_equal(_read_intensity(curve), intensity)
    assert not np.array_equal(intensity, grf.simulate(**VALUES)[1])  # the same noise under another spectrum
    with h5py.File(curve) as h5:
        assert json.loads(h5["entry/sasnote/metadata"].asstr()[()])["spectrum"] == "power:n=6"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--structure", "volume.png"], 2, ".vti"),
        (["--structure", "volume"], 2, ".vti"),
        (["--structure", ""], 2, ".vti"),
        (["--structure", "curve.h5"], 1, "another output"),
        (["--structure", "nowhere/volume.tif"], 1, "there is no folder"),
        (["--structure", "old.tif"], 1, "old.tif exists already"),
        (["--structure", "volume.tif", "--voxel-size", "5"], 1, "take smaller voxels"),
        (["--structure", "volume.tif", "--spectrum", "dab"], 1, "dab"),
        (["--spectrum", "nonsense"], 1, "nonsense"),
    ],
)
def test_refused_before_anything_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.tif").write_text("old")
    found: Any
    try:
        found = main([*COMMAND, "-o", "curve.h5", *arguments])
    except SystemExit as stop:
        found = stop.code
    problem = capsys.readouterr().err
    assert (found, problem.count("\n")) == (status, 1)
    assert said in problem
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("old.tif", "old")]


def test_failed_volume_leaves_no_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that the corrected command needs no --overwrite."""

    def fail(*arguments: object, **options: object) -> None:
        Path(str(arguments[0])).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tifffile.imwrite", fail)
    outputs = ["--structure", str(tmp_path / "volume.tif"), "-o", str(tmp_path / "curve.h5")]
    assert main([*COMMAND, *outputs]) == 1
    assert "volume.tif: No space left on device" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".tif", ".h5", ".vti"])
def test_a_full_disk_is_one_line_and_leaves_what_was_there(small_disk: Path, suffix: str) -> None:
    """In a process of its own: HDF5 ended it by SIGSEGV, at its very end."""
    curve, volume = small_disk / "curve.h5", small_disk / f"volume{suffix}"
    for path in (curve, volume):
        path.write_text("old")
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 4096))
    for culprit, more in ((curve, []), (volume, ["--structure", str(volume)])):
        command = [sys.executable, "-m", "pyfai_grf", *COMMAND, "-o", str(curve), *more, "--overwrite"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"pyfai-grf simulate: cannot write {culprit}: No space left on device\n"
    assert [path.read_text() for path in (curve, volume)] == ["old", "old"]
    assert {path.name for path in small_disk.iterdir()} == {curve.name, volume.name, "ballast"}

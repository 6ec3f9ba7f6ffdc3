"""A run that was killed goes on where it was: each frame once, and the same rows as if nothing had happened."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pyfai_grf.cli import main
from pyfai_grf.frames.images import read_frames, read_mask
from pyfai_grf.io.results import read_results
from pyfai_grf.virtual_instrument.exposure import write_frame, write_geometry, write_mask
from pyfai_grf.virtual_instrument.sample import simulate_frames

FRAMES = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of a known material, one of which cannot be read."""
    path = tmp_path_factory.mktemp("frames")
    instrument, frames = simulate_frames(a=4.0, porosity=0.3, counts=1e6, frames=FRAMES, seed=3)
    write_geometry(path / "setup.poni", instrument.integrator)
    write_mask(path / "mask.edf", instrument.mask)
    for number, frame in enumerate(frames):
        write_frame(path / f"frame_{number:03d}.cbf", frame, instrument)
    broken = path / "frame_005.cbf"
    broken.write_bytes(broken.read_bytes()[:5000])
    return path


def list_arguments(folder: Path, output: Path) -> list[str]:
    frames = [str(path) for path in sorted(folder.glob("*.cbf"))]
    given = ["--poni", str(folder / "setup.poni"), "--mask", str(folder / "mask.edf")]
    material = ["--material", "two-phase-low-porosity", "--quiet"]
    return ["analyze", *frames, *given, *material, "-o", str(output), "--csv", str(output.with_suffix(".csv"))]


@pytest.mark.kills
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_run_goes_on(folder: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.h5", tmp_path / "cut.h5"
    assert main(list_arguments(folder, whole)) == 1  # one frame is broken
    process = subprocess.Popen(
        [sys.executable, "-m", "pyfai_grf", *list_arguments(folder, cut)], stderr=subprocess.DEVNULL, env=os.environ
    )
    table = cut.with_suffix(".csv")
    deadline = time.monotonic() + 120
    while not (table.exists() and table.read_text().count("\n") > 7) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = len(read_results(cut)[1])
    assert 7 <= done < FRAMES - 1
    assert main([*list_arguments(folder, cut), "--resume"]) == 1
    expected, found = read_results(whole)[1], read_results(cut)[1]
    assert [row.source for row in found] == [row.source for row in expected]
    for one, other in zip(found, expected, strict=True):
        assert dict(one.prediction.values) == dict(other.prediction.values)
        np.testing.assert_array_equal(one.curve.intensity, other.curve.intensity)
    with table.open(encoding="utf-8", newline="") as stream:
        assert [row["source"] for row in csv.DictReader(stream)] == [row.source for row in expected]
    # a third time there is nothing left to do but the broken frame
    assert main([*list_arguments(folder, cut), "--resume"]) == 1
    assert len(read_results(cut)[1]) == len(expected)


@pytest.mark.parametrize("changed", ["setup.poni", "mask.edf"])
def test_a_geometry_or_mask_that_changed_under_its_name(
    changed: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("setup.poni", "mask.edf", "frame_000.cbf", "frame_001.cbf"):
        shutil.copy(folder / name, tmp_path / name)
    arguments = list_arguments(tmp_path, tmp_path / "out.h5")
    assert main(arguments) == 0
    assert main([*arguments, "--resume"]) == 0
    path = tmp_path / changed
    if changed == "mask.edf":
        mask = read_mask(path)
        mask[:5] = True
        write_mask(path, mask)
    else:
        path.write_text(path.read_text().replace("Wavelength: 1", "Wavelength: 1.0"))
    capsys.readouterr()
    assert main([*arguments, "--resume"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    name = "geometry" if changed == "setup.poni" else "mask"
    assert f"cannot be resumed: what its {name} {path} held has changed since" in line
    assert len(read_results(tmp_path / "out.h5")[1]) == 2


def test_a_cut_stack_is_a_failed_frame(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = np.array([next(read_frames(folder / f"frame_00{n}.cbf")).data for n in range(3)])
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, frames, photometric="minisblack")
    arguments = list_arguments(folder, tmp_path / "out.h5")
    start = arguments.index("--poni")
    command = ["analyze", str(path), *[word for word in arguments[start:] if word != "--quiet"], "--overwrite"]
    assert main(command) == 0
    assert len(read_results(tmp_path / "out.h5")[1]) == 3
    path.write_bytes(path.read_bytes()[: int(1.5 * frames[0].nbytes)])
    capsys.readouterr()
    assert main(command) == 1
    said = capsys.readouterr()
    (line,) = (line for line in said.err.splitlines() if "warning" not in line)
    assert "stack.tif is cut short: of the frames from 1 on nothing can be read" in line
    assert "1 inputs could not be used as they are" in said.out


def test_what_cannot_be_resumed_is_said(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.h5"
    with pytest.raises(SystemExit) as caught:
        main([*list_arguments(folder, output), "--resume", "--average", "all"])
    assert caught.value.code == 2
    with pytest.raises(SystemExit) as caught:
        main([*list_arguments(folder, output), "--resume", "--overwrite"])
    assert caught.value.code == 2
    output.write_text("mine")
    assert main([*list_arguments(folder, output), "--resume"]) == 1
    assert "HDF5" in capsys.readouterr().err
    assert output.read_text() == "mine"

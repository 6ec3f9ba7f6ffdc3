"""HDF5 gives fill values for frames that are not there: they are no measurements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import read_frames

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


def write_part(path: Path, frames: int) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.stack([IMAGE + 1] * frames)


@pytest.mark.parametrize("chunks", [(1, 30, 40), (2, 10, 40)])
def test_frames_that_were_never_written(chunks: tuple[int, ...], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("data", (4, 30, 40), "i4", chunks=chunks)
        data[0] = IMAGE
        data[1] = 0  # written, though nothing was measured
    frames = read_frames(tmp_path / "a.h5")
    np.testing.assert_array_equal(next(frames).data, IMAGE)
    assert not next(frames).data.any()
    for index in (2, 3):
        with pytest.raises(InputError, match=f"frame {index}: it was never written"):
            next(frames)
    assert next(frames, None) is None


def test_a_dataset_without_data(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (30, 40), "i4")
    with pytest.raises(InputError, match="never written"):
        next(read_frames(tmp_path / "a.h5"))


def test_frames_in_files_that_are_missing(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((5, 30, 40), np.int32)
    for number, (first, last) in enumerate([(0, 2), (2, 4), (4, 5)]):
        write_part(tmp_path / f"part_{number}.h5", last - first)
        layout[first:last] = h5py.VirtualSource(f"part_{number}.h5", "data", (last - first, 30, 40))
    with h5py.File(tmp_path / "all.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("data", layout)
    assert len(list(read_frames(tmp_path / "all.h5"))) == 5
    (tmp_path / "part_1.h5").unlink()
    frames = read_frames(tmp_path / "all.h5")
    assert [next(frames).index, next(frames).index] == [0, 1]
    for index in (2, 3):
        with pytest.raises(InputError, match=rf"frame {index} is in .*part_1\.h5, which is missing"):
            next(frames)
    np.testing.assert_array_equal(next(frames).data, IMAGE + 1)


_WRITER = """
import os, sys, h5py, numpy as np
file = h5py.File(sys.argv[1], "w", libver="latest")
data = file.create_dataset("data", (0, 30, 40), maxshape=(None, 30, 40), chunks=(1, 30, 40), dtype="i4")
file.swmr_mode = True
for index in range(4):
    data.resize(index + 1, axis=0)
    data[index] = index + 1
    data.flush()
os._exit(1)
"""


@pytest.mark.kills
def test_frames_that_a_copy_of_a_file_being_written_has_lost(tmp_path: Path) -> None:
    path = tmp_path / "killed.h5"
    subprocess.run([sys.executable, "-c", _WRITER, str(path)], check=False)
    assert [int(frame.data[0, 0]) for frame in read_frames(path)] == [1, 2, 3, 4]
    path.write_bytes(path.read_bytes()[:-2000])  # the last frame has 4800 bytes
    frames = read_frames(path)
    assert [int(next(frames).data[0, 0]) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(InputError, match="frame 3: it is cut short"):
        next(frames)

"""Frames come one by one, from any of them on, by turns from several sources, and ahead of being asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import fabio.edfimage
import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import announce_source, read_frames, read_mask, read_series

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


def write_stack(path: Path, frames: int, offset: int = 0) -> str:
    """Write frames whose values are those of IMAGE, more by ``offset`` and by their number."""
    with h5py.File(path, "w") as file:
        file["data"] = np.stack([IMAGE + offset + index for index in range(frames)])
    return str(path)


def write_edf(path: Path, frames: int = 1, offset: int = 0) -> str:
    """Write the same as EDF."""
    image = fabio.edfimage.EdfImage(data=IMAGE + offset)
    for index in range(1, frames):
        image.append_frame(data=IMAGE + offset + index)
    image.write(str(path))
    return str(path)


@pytest.mark.parametrize("write", [write_stack, write_edf])
def test_start_leaves_out_the_frames_before(write: Callable[..., str], tmp_path: Path) -> None:
    path = write(tmp_path / "stack", 5)
    frames = list(read_frames(path, start=3))
    assert [frame.index for frame in frames] == [3, 4]
    np.testing.assert_array_equal([frame.data for frame in frames], [IMAGE + 3, IMAGE + 4])
    assert list(read_frames(path, start=5)) == []
    with pytest.raises(InputError, match="no frame -1"):
        read_frames(path, start=-1)


def test_start_counts_through_the_files_of_an_eiger_master(tmp_path: Path) -> None:
    write_stack(tmp_path / "part_1.h5", 2)
    write_stack(tmp_path / "part_2.h5", 3, offset=100)
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for number in (1, 2):
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(f"part_{number}.h5", "/data")
    frames = list(read_frames(f"{tmp_path}/master.h5::/entry/data", start=1))
    assert [frame.index for frame in frames] == [1, 2, 3, 4]
    assert [int(frame.data[0, 0] - IMAGE[0, 0]) for frame in frames] == [1, 100, 101, 102]


def test_sources_are_read_by_turns(tmp_path: Path) -> None:
    """More than the process keeps open: those in between are opened anew where they were."""
    paths = [write_stack(tmp_path / f"{number}.h5", 3, offset=10 * number) for number in range(10)]
    for index, frames in enumerate(zip(*map(read_frames, paths), strict=True)):
        for number, frame in enumerate(frames):
            np.testing.assert_array_equal(frame.data, IMAGE + 10 * number + index)
    assert index == 2


def test_a_frame_is_its_callers_own(tmp_path: Path) -> None:
    first, second = read_frames(write_stack(tmp_path / "s.h5", 2))
    first.data[...] = -5
    first.bad[...] = True
    np.testing.assert_array_equal(second.data, IMAGE + 1)
    assert not second.bad.any()


def test_a_source_that_is_left_can_be_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    frames = read_frames(write_stack(path, 3))
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert list(frames) == []
    write_stack(path, 2, offset=7)
    np.testing.assert_array_equal([frame.data for frame in read_frames(path)], [IMAGE + 7, IMAGE + 8])


@pytest.mark.parametrize("is_changed", [False, True])
def test_what_was_announced_is_read_as_the_file_is_when_it_is_wanted(is_changed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    announce_source(write_edf(path))
    announce_source(path)
    next(read_frames(write_stack(tmp_path / "other.h5", 2)))  # so that it has been decoded
    if is_changed:
        write_edf(path, 2, offset=4)
    frames = list(read_frames(str(path)))
    assert len(frames) == 1 + is_changed
    np.testing.assert_array_equal(frames[0].data, IMAGE + 4 * is_changed)


def test_announcing_what_cannot_be_read_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.edf").write_text("hello")
    announce_source(tmp_path / "text.edf")
    announce_source(tmp_path / "none.edf")
    with pytest.raises(InputError, match=r"text\.edf"):
        next(read_frames(tmp_path / "text.edf"))


def test_a_series_goes_on_behind_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "text.edf").write_text("hello")
    cut = tmp_path / "cut.edf"
    write_edf(cut, 2, offset=20)
    cut.write_bytes(cut.read_bytes()[:-1000])
    sources = [
        str(tmp_path / "none.edf"),
        write_stack(tmp_path / "s.h5", 2),
        str(tmp_path / "text.edf"),
        str(cut),
        write_edf(tmp_path / "last.edf", offset=50),
    ]
    seen: list[str] = []
    for frame in read_series(sources, lambda problem: seen.append(str(problem))):
        seen.append(str(frame.data[0, 0] - IMAGE[0, 0]))
    assert "no such file" in seen[0]
    assert seen[1:3] == ["0", "1"]
    assert "text.edf" in seen[3]
    assert seen[4] == "20"
    assert "frame 1 is cut short" in seen[5]
    assert seen[6:] == ["50"]
    assert list(read_series([], seen.append)) == []  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes with a path")
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.cbf")
    with pytest.raises(InputError, match=r"pipe\.cbf is a pipe"):
        next(read_frames(tmp_path / "pipe.cbf"))
    with pytest.raises(InputError, match="/dev/zero is a device"):
        read_mask("/dev/zero")

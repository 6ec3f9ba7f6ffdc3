"""Space that is held back is really there, comes back when it is needed, and a failed write is told, not lost."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.reserve import RESERVE_BYTES, DiskReserve, WatchedFile, fill_file

#: what the process may write into a file while a test says that the disk is full
LIMIT = 100_000

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")


class Room(DiskReserve):
    """A reserve that lifts the limit on the size of files when it is released, as space does that is given back."""

    def __init__(self, folder: Path, after: int | None) -> None:
        super().__init__(folder, 1000)
        self.releases = 0
        self._after = after

    def release(self) -> None:
        super().release()
        self.releases += 1
        if self._after is not None:
            limit_size(self._after)


def limit_size(size: int | None) -> None:
    """Let no file grow beyond ``size`` bytes; None for any size that the process may ask for."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@contextlib.contextmanager
def full_disk(file: WatchedFile) -> Iterator[WatchedFile]:
    """Within, no file grows beyond LIMIT bytes."""
    limit_size(LIMIT)
    try:
        with file:
            yield file
    finally:
        limit_size(None)


# --- the reserve -------------------------------------------------------------------------------------------------


def test_reserve_takes_its_room_and_gives_it_back(small_disk: Path) -> None:
    before = shutil.disk_usage(small_disk).free
    with DiskReserve(small_disk, 2**20) as reserve:
        assert before - shutil.disk_usage(small_disk).free == 2**20
        assert not list(small_disk.iterdir())  # without a name: nothing stays behind, whatever happens
        reserve.release()
        assert shutil.disk_usage(small_disk).free == before
        reserve.release()
    assert shutil.disk_usage(small_disk).free == before


def test_no_room_for_the_reserve_is_one_line_and_takes_none(small_disk: Path) -> None:
    before = shutil.disk_usage(small_disk).free
    with pytest.raises(InputError, match=r"5 MiB.*No space left on device") as caught:
        DiskReserve(small_disk, 5 * 2**20)
    assert str(small_disk) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert shutil.disk_usage(small_disk).free == before


@pytest.mark.parametrize("name", ["gone", "file"])
def test_folder_that_is_none_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=rf"{name}: (No such file|Not a directory)"):
        DiskReserve(tmp_path / name)


@pytest.mark.parametrize("has_fallocate", [True, False])
@pytest.mark.parametrize("size", [1, 5000, RESERVE_BYTES])
def test_filled_file_is_no_hole(
    has_fallocate: bool, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_fallocate:  # macOS, Windows
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with (tmp_path / "f").open("wb") as file:
        fill_file(file, size)
        status = os.fstat(file.fileno())
    assert status.st_size == size
    assert not hasattr(status, "st_blocks") or 512 * status.st_blocks >= size


# --- the watched file --------------------------------------------------------------------------------------------


def test_file_is_like_any_other_where_nothing_fails(tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(200_000)
    with DiskReserve(tmp_path, 1000) as reserve, WatchedFile(tmp_path / "f", reserve) as file:
        assert file.write(np.frombuffer(content, "<f8")) == len(content)  # counted in bytes
        assert file.truncate(150_000) == 150_000
        assert file.seek(0) == 0
        assert file.read(10) == content[:10]
        assert file.write(b"") == 0
        file.check()
    assert (tmp_path / "f").read_bytes() == content[:150_000]


def test_file_that_cannot_be_made(tmp_path: Path) -> None:
    with DiskReserve(tmp_path, 1000) as reserve, pytest.raises(FileNotFoundError):
        WatchedFile(tmp_path / "gone" / "f", reserve)


@on_linux
def test_write_that_fails_is_finished_in_the_room_of_the_reserve(tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(3 * LIMIT)
    reserve = Room(tmp_path, 10 * LIMIT)
    with reserve, full_disk(WatchedFile(tmp_path / "f", reserve)) as file:
        assert file.write(content) == len(content)
        assert file.write(b"more") == 4
        assert reserve.releases == 1
        with pytest.raises(OSError, match="File too large"):
            file.check()
    assert (tmp_path / "f").read_bytes() == content + b"more"


@on_linux
def test_write_that_fails_in_spite_of_the_reserve_is_dropped_and_told(tmp_path: Path) -> None:
    reserve = Room(tmp_path, 2 * LIMIT)
    with reserve, full_disk(WatchedFile(tmp_path / "f", reserve)) as file:
        assert file.write(bytes(5 * LIMIT)) == 5 * LIMIT  # HDF5 believes that all is well, and can close
        assert file.write(b"more") == 4
        assert file.truncate(7 * LIMIT) == 7 * LIMIT
        assert reserve.releases == 1
        for _ in range(2):
            with pytest.raises(OSError, match="File too large") as caught:
                file.check()
            assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "f").stat().st_size == 2 * LIMIT


@on_linux
@pytest.mark.parametrize(("after", "size"), [(10 * LIMIT, 3 * LIMIT), (2 * LIMIT, 0)])
def test_growing_that_fails(after: int, size: int, tmp_path: Path) -> None:
    reserve = Room(tmp_path, after)
    with reserve, full_disk(WatchedFile(tmp_path / "f", reserve)) as file:
        assert file.truncate(3 * LIMIT) == 3 * LIMIT  # HDF5 believes that all is well
        with pytest.raises(OSError, match="File too large"):
            file.check()
    assert (tmp_path / "f").stat().st_size == size


@on_linux
@pytest.mark.parametrize("after", [10 * LIMIT, None], ids=["the reserve suffices", "it does not"])
def test_hdf5_closes_in_order_on_a_full_disk(after: int | None, tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=30_000)  # 240 kB
    reserve = Room(tmp_path, after)
    with reserve, full_disk(WatchedFile(tmp_path / "f.h5", reserve)) as file:
        with h5py.File(file, "w") as h5:
            h5["values"] = values
        with pytest.raises(OSError, match="File too large"):
            file.check()
    if after is not None:
        with h5py.File(tmp_path / "f.h5") as h5:
            np.testing.assert_array_equal(h5["values"][()], values)

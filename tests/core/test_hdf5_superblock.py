"""The superblock of HDF5 files, beside what HDF5 itself writes."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from pyfai_grf.core.hdf5_superblock import LENGTH, close_superblock, compute_checksum, seal_superblock


@pytest.fixture
def written(tmp_path: Path) -> bytes:
    with h5py.File(tmp_path / "file.h5", "w", libver="latest") as h5:
        h5["numbers"] = [1, 2, 3]
    return (tmp_path / "file.h5").read_bytes()


def test_checksum_is_that_of_the_book(written: bytes) -> None:
    """The example of lookup3.c, and the superblock that HDF5 itself wrote."""
    assert compute_checksum(b"Four score and seven years ago") == 0x17770551
    assert compute_checksum(written[: LENGTH - 4]) == int.from_bytes(written[LENGTH - 4 : LENGTH], "little")


def test_a_wrong_checksum_is_mended_and_a_right_one_stays(written: bytes) -> None:
    assert seal_superblock(written) == written
    wrong = written[: LENGTH - 4] + b"\0\0\0\0" + written[LENGTH:]
    assert seal_superblock(wrong) == written


def test_a_closed_file_ends_where_its_bytes_do(written: bytes, tmp_path: Path) -> None:
    """Opened for writing (flag 1) and longer than its superblock knows: HDF5 reads what is made of it."""
    opened = seal_superblock(written[:11] + b"\x01" + written[12:])
    longer = opened + bytes(100)
    closed = close_superblock(longer, len(longer))
    (tmp_path / "closed.h5").write_bytes(closed)
    with h5py.File(tmp_path / "closed.h5") as h5:
        assert h5["numbers"][()].tolist() == [1, 2, 3]
    assert (closed[11], int.from_bytes(closed[28:36], "little")) == (0, len(longer))


def test_what_is_no_whole_superblock_stays_as_it_is(written: bytes) -> None:
    damaged = written[:30] + b"\xff" + written[31:]
    for content in (b"", b"text", written[:30], damaged[:LENGTH]):
        assert close_superblock(content, 10_000) == content
    for content in (b"", b"text", written[:30]):
        assert seal_superblock(content) == content

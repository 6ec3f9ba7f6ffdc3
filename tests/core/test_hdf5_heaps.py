"""Heaps of texts that HDF5 would never leave are found before it enters them."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from pyfai_grf.core.hdf5_heaps import check_heaps


def _write_texts(path: Path) -> int:
    """Write a file with a text of variable length, and return where the heap lies that holds it."""
    with h5py.File(path, "w") as h5:
        h5["text"] = "hello"
        h5.attrs["more"] = "texts"
    return path.read_bytes().index(b"GCOL\x01")


def test_heaps_that_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "texts.h5"
    _write_texts(path)
    check_heaps(path)
    (tmp_path / "empty.h5").touch()
    check_heaps(tmp_path / "empty.h5")
    (tmp_path / "cut.h5").write_bytes(b"GCOL\x01\0\0\0")
    check_heaps(tmp_path / "cut.h5")


@pytest.mark.parametrize("change", [bytes(64), (2**64 - 16).to_bytes(8, "little")])
def test_a_heap_that_leads_nowhere(tmp_path: Path, change: bytes) -> None:
    """On the first of the two HDF5 1.14 and 2.0 never come back."""
    path = tmp_path / "texts.h5"
    place = _write_texts(path) + 16
    content = bytearray(path.read_bytes())
    if len(change) == 64:  # the first object: no index, no size
        content[place : place + 64] = change
    else:
        content[place + 8 : place + 16] = change
    path.write_bytes(content)
    with pytest.raises(ValueError, match="heap of texts at byte"):
        check_heaps(path)

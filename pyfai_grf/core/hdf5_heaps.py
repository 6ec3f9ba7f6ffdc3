"""Texts in HDF5 files lie in global heaps, which have no checksum: on a damaged one HDF5 (up to 2.0) never comes back.

The layout: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, "Disk Format: Level 1E".
"""

from __future__ import annotations

import mmap
import os
import re
import struct

#: signature, version 1 and three zeros
_START = re.compile(rb"GCOL\x01\0\0\0")
#: index, references, four bytes of nothing, size
_OBJECT = struct.Struct("<HHIQ")
_HEADER_BYTES = 16
#: a file of curves is smaller; to look through a larger one takes too long
_MAX_BYTES = 2**28


def check_heaps(path: str | os.PathLike[str]) -> None:
    """Return silently unless HDF5 would stay in a heap of the file forever; a file beyond 256 MiB is not looked at.

    Raises
    ------
    ValueError
        If an object of a heap has no size, so that the search for the next one would not move.
    OSError
        If the file cannot be read.
    """
    size = os.stat(path).st_size
    if not 0 < size <= _MAX_BYTES:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for found in _START.finditer(content):
            _check_heap(content, found.start())


def _check_heap(content: mmap.mmap, start: int) -> None:
    """Go from object to object as HDF5 does; raise ValueError where that would not move."""
    if start + _HEADER_BYTES > len(content):
        return
    end = start + int.from_bytes(content[start + 8 : start + _HEADER_BYTES], "little")
    place = start + _HEADER_BYTES
    while place + _OBJECT.size <= min(end, len(content)):
        index, _, _, size = _OBJECT.unpack_from(content, place)
        # the free space has index 0, and its size is that of all of it; the others are padded to eight bytes
        step = size if index == 0 else _OBJECT.size + (size + 7) // 8 * 8
        if step % 2**64 == 0:
            raise ValueError(f"a heap of texts at byte {start} is damaged")
        place += step

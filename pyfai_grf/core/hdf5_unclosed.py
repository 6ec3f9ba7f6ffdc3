"""HDF5 files that were not closed: being written, or left behind by a killed program. Are they whole?

HDF5 reads such a file as one that is being written (SWMR), and waits for hours where something is damaged, because it
might be on its way. Read as a closed file, what is damaged is an error at once. The layout of the superblock:
https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, "Disk Format: Level 0A".
"""

from __future__ import annotations

import io
import os
import struct
import time
from collections.abc import Iterator

import h5py

#: what is on its way is there after a moment, if the file is still being written
_ATTEMPTS, _WAIT_S = 5, 0.2
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: version 3: signature, version, sizes of offsets and lengths, flags; four addresses, the third the end of the file
_SUPERBLOCK, _CHECKSUM = struct.Struct("<8s4B4Q"), struct.Struct("<I")
_MASK = 0xFFFFFFFF


def check_unclosed(path: str | os.PathLike[str]) -> None:
    """Return silently if all that describes the datasets of an unclosed file can be read, now or in a moment.

    Raises
    ------
    OSError
        If it cannot, HDF5's own words.
    """
    for attempt in range(_ATTEMPTS):
        before = _get_state(path)
        try:
            with _UnclosedFile(path) as content, h5py.File(content, "r") as h5:
                h5.visititems(_touch)
            return
        except Exception as problem:  # whatever a wrong byte in a wrong place does to HDF5
            time.sleep(_WAIT_S)
            if attempt == _ATTEMPTS - 1 or _get_state(path) == before:
                raise OSError(str(problem)) from None


def _get_state(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return what changes when the file is written."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _touch(name: str, node: h5py.Dataset | h5py.Group) -> None:
    """Read what says where the data are."""
    if isinstance(node, h5py.Dataset) and node.chunks:
        node.id.get_num_chunks()
    list(node.attrs)


class _UnclosedFile(io.FileIO):
    """The file with a superblock that says it was closed."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(os.fspath(path), "r")
        self._start = _close_superblock(self.read(_SUPERBLOCK.size + _CHECKSUM.size), os.path.getsize(path))

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Read what fits into ``buffer``, and return how much that was."""
        place = self.tell()
        count = super().readinto(buffer) or 0
        if place < len(self._start):
            part = self._start[place : place + count]
            memoryview(buffer).cast("B")[: len(part)] = part
        return count


def _close_superblock(content: bytes, size: int) -> bytes:
    """Return the superblock at the start of a file of ``size`` bytes as it is after closing."""
    if len(content) < _SUPERBLOCK.size + _CHECKSUM.size or not content.startswith(_SIGNATURE + b"\x03\x08\x08"):
        return content
    (stored,) = _CHECKSUM.unpack_from(content, _SUPERBLOCK.size)
    if stored != _compute_checksum(content[: _SUPERBLOCK.size]):
        return content
    fields = list(_SUPERBLOCK.unpack_from(content))
    fields[4] = 0
    fields[7] = max(fields[7], size)  # what was written last may lie beyond
    closed = _SUPERBLOCK.pack(*fields)
    return closed + _CHECKSUM.pack(_compute_checksum(closed))


def _compute_checksum(content: bytes) -> int:
    """Return the checksum of HDF5's metadata: ``hashlittle`` of Bob Jenkins' lookup3, with 0 to start with.

    https://burtleburtle.net/bob/c/lookup3.c (public domain).
    """
    a = b = c = (0xDEADBEEF + len(content)) & _MASK
    words = list(_read_words(content))
    while len(words) > 3:
        a, b, c = (a + words[0]) & _MASK, (b + words[1]) & _MASK, (c + words[2]) & _MASK
        a, b, c = _mix(a, b, c)
        words = words[3:]
    a, b, c = ((state + word) & _MASK for state, word in zip((a, b, c), [*words, 0, 0, 0], strict=False))
    for turn in (14, 11, 25, 16, 4, 14, 24):
        # each word in turn is mixed with the one mixed last
        c = ((c ^ b) - _rotate(b, turn)) & _MASK
        a, b, c = b, c, a
    return b


def _read_words(content: bytes) -> Iterator[int]:
    for start in range(0, len(content), 4):
        yield int.from_bytes(content[start : start + 4], "little")


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for turn in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & _MASK) ^ _rotate(c, turn)
        c = (c + b) & _MASK
        a, b, c = b, c, a
    return a, b, c


def _rotate(word: int, turn: int) -> int:
    return ((word << turn) | (word >> (32 - turn))) & _MASK

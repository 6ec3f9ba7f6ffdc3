"""The superblock that begins an HDF5 file: whether it is closed, where it ends, and the checksum of that.

https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, "Disk Format: Level 0A".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

#: version 3: signature, version, sizes of offsets and lengths, flags; four addresses, the third the end of the file
_FIELDS, _CHECKSUM = struct.Struct("<8s4B4Q"), struct.Struct("<I")
_START = b"\x89HDF\r\n\x1a\n\x03\x08\x08"
_MASK = 0xFFFFFFFF
#: bytes of the superblock of version 3
LENGTH = _FIELDS.size + _CHECKSUM.size


def close_superblock(start: bytes, size: int) -> bytes:
    """Return ``start``, a superblock, as it is when the file of ``size`` bytes has been closed.

    What is not a whole superblock of version 3 is returned as it is.
    """
    if not _is_whole(start) or start[_FIELDS.size : LENGTH] != _make_checksum(start[: _FIELDS.size]):
        return start
    fields = list(_FIELDS.unpack_from(start))
    fields[4] = 0
    fields[7] = max(fields[7], size)  # what was written last may lie beyond
    closed = _FIELDS.pack(*fields)
    return closed + _make_checksum(closed) + start[LENGTH:]


def seal_superblock(image: bytes) -> bytes:
    """Return the image of a file with the right checksum in its superblock, if that is of version 3.

    HDF5 1.14.2 (h5py 3.10) takes the mark of an open file out of an image, and leaves the checksum as it was.
    """
    if not _is_whole(image):
        return image
    return image[: _FIELDS.size] + _make_checksum(image[: _FIELDS.size]) + image[LENGTH:]


def _is_whole(content: bytes) -> bool:
    return len(content) >= LENGTH and content.startswith(_START)


def _make_checksum(content: bytes) -> bytes:
    return _CHECKSUM.pack(compute_checksum(content))


def compute_checksum(content: bytes) -> int:
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

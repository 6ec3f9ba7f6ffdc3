"""Where the pixels of a TIFF file are: libtiff gives zeros for compressed ones that are cut off, and no error."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

_COMPRESSION, _NO_COMPRESSION = 259, 1
#: tags that say where the pieces of an image start, and how many bytes they have: strips, tiles
_PIECES = ((273, 279), (324, 325))
#: letters by which struct knows TIFF's integers
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MOST_VALUES = 10**6


def is_cut_short(path: str) -> bool:
    """Return whether compressed pixels of the TIFF file lie beyond its end; False for whatever is not a TIFF file."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        try:
            return any(end > size for end in _find_ends(file))
        except (
            struct.error,
            OSError,
            OverflowError,
            LookupError,
        ):  # no TIFF, or so damaged that its reader will say so
            return False


def _find_ends(file: BinaryIO) -> Iterator[int]:
    """Yield where the compressed pieces of all images end, in bytes from the start of the file."""
    order = {b"II": "<", b"MM": ">"}[file.read(2)]
    version = _read(file, order, "H")
    if version not in (42, 43):
        return
    is_big = version == 43
    if is_big:
        file.seek(8)
    place, seen = _read(file, order, "Q" if is_big else "I"), set[int]()
    while place and place not in seen:
        seen.add(place)
        tags, place = _read_tags(file, order, place, is_big)
        if tags.get(_COMPRESSION, (_NO_COMPRESSION,))[0] != _NO_COMPRESSION:
            for starts, lengths in _PIECES:
                for start, length in zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False):
                    yield start + length


def _read_tags(file: BinaryIO, order: str, place: int, is_big: bool) -> tuple[dict[int, tuple[int, ...]], int]:
    """Return the integers of the tags of interest in a directory, and where the next directory is."""
    wanted = {_COMPRESSION, *(tag for pair in _PIECES for tag in pair)}
    word, entry, head = ("Q", 20, 8) if is_big else ("I", 12, 2)
    file.seek(place)
    number = _read(file, order, "Q" if is_big else "H")
    tags = {}
    for index in range(min(number, 1000)):
        file.seek(place + head + index * entry)
        tag, kind = _read(file, order, "H"), _read(file, order, "H")
        count = _read(file, order, word)
        if tag in wanted and kind in _LETTERS and count <= _MOST_VALUES:
            form = f"{order}{count}{_LETTERS[kind]}"
            if struct.calcsize(form) > struct.calcsize(word):
                file.seek(_read(file, order, word))
            tags[tag] = struct.unpack(form, file.read(struct.calcsize(form)))
    file.seek(place + head + number * entry)
    return tags, _read(file, order, word)


def _read(file: BinaryIO, order: str, letter: str) -> int:
    return struct.unpack(order + letter, file.read(struct.calcsize(order + letter)))[0]

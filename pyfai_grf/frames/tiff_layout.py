"""What a TIFF file that was cut off has lost: readers give zeros for pixels, or no word of later images."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_COMPRESSION, _NO_COMPRESSION = 259, 1
#: tags that say where the pieces of an image start, and how many bytes they have: strips, tiles
_PIECES = ((273, 279), (324, 325))
#: letters by which struct knows TIFF's integers
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MOST_VALUES = 10**6
#: where ImageJ says how many images a file has: of large ones it describes only the first
_DESCRIPTION, _TEXT = 270, 2
_STATED = re.compile(rb"ImageJ=.*?^images=(\d{1,9})\s*$", re.DOTALL | re.MULTILINE)

_Tags = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """Whether compressed pixels lie beyond the end of a file, and whether it announces images that are not there."""

    is_cut_short: bool = False
    has_lost_images: bool = False


def read_layout(path: str) -> Layout:
    """Return what a TIFF file has lost; nothing for whatever is not a TIFF file."""
    size, count, stated = os.path.getsize(path), 0, 0
    with open(path, "rb") as file:
        try:
            for tags in _read_directories(file):
                if any(end > size for end in _find_ends(tags)):
                    return Layout(is_cut_short=True)
                stated = stated or _read_stated(file, tags)
                count += 1
        except (struct.error, OSError, OverflowError, LookupError):
            # no TIFF, or so damaged that its reader will say so; behind the first image none will
            return Layout(has_lost_images=count > 0)
    return Layout(has_lost_images=count < stated)


def _find_ends(tags: _Tags) -> Iterator[int]:
    """Yield where the compressed pieces of an image end, in bytes from the start of the file."""
    if tags.get(_COMPRESSION, (_NO_COMPRESSION,))[0] != _NO_COMPRESSION:
        for starts, lengths in _PIECES:
            for start, length in zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False):
                yield start + length


def _read_stated(file: BinaryIO, tags: _Tags) -> int:
    """Return how many images ImageJ's description says that the file has, 0 if it says nothing."""
    if _DESCRIPTION not in tags:
        return 0
    place, length = tags[_DESCRIPTION]
    file.seek(place)
    found = _STATED.match(file.read(length))
    return int(found[1]) if found else 0


def _read_directories(file: BinaryIO) -> Iterator[_Tags]:
    """Yield the tags of interest of all images."""
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
        yield tags


def _read_tags(file: BinaryIO, order: str, place: int, is_big: bool) -> tuple[_Tags, int]:
    """Return the integers of the tags of interest in a directory, and where the next directory is.

    Of a description: where it is, and its length in bytes.
    """
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
        elif tag == _DESCRIPTION and kind == _TEXT and struct.calcsize(word) < count <= _MOST_VALUES:
            tags[tag] = _read(file, order, word), count
    file.seek(place + head + number * entry)
    return tags, _read(file, order, word)


def _read(file: BinaryIO, order: str, letter: str) -> int:
    return struct.unpack(order + letter, file.read(struct.calcsize(order + letter)))[0]

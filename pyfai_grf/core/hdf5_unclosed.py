"""HDF5 files that were not closed: being written, or left behind by a killed program. Are they whole?

HDF5 reads such a file as one that is being written (SWMR), and waits for hours where something is damaged, because it
might be on its way. Read as a closed file, what is damaged is an error at once.
"""

from __future__ import annotations

import io
import os
import time

import h5py

from pyfai_grf.core.hdf5_superblock import LENGTH, close_superblock

#: what is on its way is there after a moment, if the file is still being written
_ATTEMPTS, _WAIT_S = 5, 0.2


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
        self._start = close_superblock(self.read(LENGTH), os.path.getsize(path))

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Read what fits into ``buffer``, and return how much that was."""
        place = self.tell()
        count = super().readinto(buffer) or 0
        if place < len(self._start):
            part = self._start[place : place + count]
            memoryview(buffer).cast("B")[: len(part)] = part
        return count

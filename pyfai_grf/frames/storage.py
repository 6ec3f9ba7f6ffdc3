"""Whether a file holds the frame that HDF5 gives: for what was never written, or is missing, it gives fill values."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from pyfai_grf.core.errors import InputError


@dataclass(frozen=True)
class MissingPart:
    """Where a virtual dataset takes its values from a file that is not there: first and last index on each axis."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    path: str

    def touches(self, position: tuple[int, ...]) -> bool:
        """Return whether values of the frame at ``position`` are missing."""
        inside = zip(self.first, position, self.last, strict=False)
        return all(low <= number <= high for low, number, high in inside) and not os.path.exists(self.path)


def find_missing(dataset: h5py.Dataset) -> list[MissingPart]:
    """Return the parts of a virtual dataset whose files are not there; none for other datasets."""
    if not dataset.is_virtual:
        return []
    folder = os.path.dirname(dataset.file.filename)
    missing = []
    for source in dataset.virtual_sources():
        name = source.file_name
        path = os.path.join(folder, name)
        if name != "." and "%" not in name and not os.path.exists(path) and not os.path.exists(name):
            first, last = source.vspace.get_select_bounds()
            missing.append(MissingPart(first, last, path))
    return missing


def check_stored(dataset: h5py.Dataset, position: tuple[int, ...], image: np.ndarray) -> None:
    """Return silently if the (H, W) ``image`` read at ``position`` of a dataset (before its last two axes) is stored.

    Raises
    ------
    InputError
        If it was never written, or was cut off.
    """
    if dataset.is_virtual:
        return
    if dataset.chunks is None:
        if not image.any() and dataset.id.get_space_status() == h5py.h5d.SPACE_STATUS_NOT_ALLOCATED:
            raise InputError("it was never written")
    elif dataset.file.swmr_mode or not image.any():  # looking up a piece takes time that grows with their number
        pieces = [piece for piece in _find_pieces(dataset, position) if piece.byte_offset is not None]
        if not pieces:
            raise InputError("it was never written")
        if max(piece.byte_offset + piece.size for piece in pieces) > os.path.getsize(dataset.file.filename):
            raise InputError("it is cut short: copy the file again")


def _find_pieces(dataset: h5py.Dataset, position: tuple[int, ...]) -> Iterator[Any]:
    """Yield what the file knows of the pieces that a frame is stored in."""
    chunks = dataset.chunks
    start = tuple(number - number % size for number, size in zip(position, chunks, strict=False))
    edges = zip(dataset.shape[-2:], chunks[-2:], strict=True)
    for corner in itertools.product(*(range(0, length, size) for length, size in edges)):
        yield dataset.id.get_chunk_info_by_coord((*start, *corner))

"""Datasets that grow along their first axis, one row or some points at a time, under SWMR too."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import FloatArray

#: texts for people have at most so many bytes
TEXT_WIDTH = 256
#: chunks of spectra are of about that many bytes: each is written again with every row that falls into it
_CHUNK_BYTES = 32768


def create_column(
    group: h5py.Group,
    name: str,
    dtype: Any,
    label: str,
    chunk: int = 512,
    *,
    unit: str = "",
    filled: NDArray[Any] | None = None,
) -> h5py.Dataset:
    """Create a dataset of no rows, or of those in ``filled``; an unwritten number is NaN."""
    fill = math.nan if dtype == "f8" else None
    size = 0 if filled is None else len(filled)
    dataset = group.create_dataset(name, (size,), dtype, maxshape=(None,), chunks=(chunk,), data=filled, fillvalue=fill)
    dataset.attrs.update({"units": unit, "long_name": label})
    return dataset


def create_spectra(
    group: h5py.Group, name: str, points: int, unit: str, label: str = "", count: int = 0
) -> h5py.Dataset:
    """Create a dataset of ``count`` rows of NaN, each of so many ``points``; silx draws them one at a time."""
    chunks = (max(1, _CHUNK_BYTES // 8 // points), points)
    dataset = group.create_dataset(
        name, (count, points), "f8", maxshape=(None, points), chunks=chunks, fillvalue=math.nan
    )
    dataset.attrs.update({"units": unit, "interpretation": "spectrum"})
    if label:
        dataset.attrs["long_name"] = label
    return dataset


def put_row(dataset: h5py.Dataset, row: int, value: Any) -> None:
    """Write one row, a number, a text or a (Q,) spectrum; the dataset ends with it."""
    _put(dataset, row, np.broadcast_to(np.asarray(value, dtype=dataset.dtype), (1, *dataset.shape[1:])))


def put_points(dataset: h5py.Dataset, start: int, values: FloatArray | NDArray[np.uint8]) -> None:
    """Write ``values`` (N,) from index ``start`` on; the dataset ends with them."""
    _put(dataset, start, np.asarray(values, dtype=dataset.dtype))


def _put(dataset: h5py.Dataset, start: int, values: NDArray[Any]) -> None:
    # four times faster than resize and an assignment, and a row has some seventy of these
    shape = (start + len(values), *values.shape[1:])
    dataset.id.set_extent(shape)
    place = h5py.h5s.create_simple(shape)
    place.select_hyperslab((start, *(0 for _ in shape[1:])), values.shape)
    dataset.id.write(h5py.h5s.create_simple(values.shape), place, np.ascontiguousarray(values))

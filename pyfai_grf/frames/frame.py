"""One detector frame, and which of its pixels may be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.markers import find_markers

#: more than any detector has: 16384 x 16384
MOST_PIXELS = 2**28


@dataclass(frozen=True)
class Frame:
    """One detector image as it was read.

    Attributes
    ----------
    data : (H, W) pixel values in the type the file stores.
    bad : (H, W) True where the file itself says that the pixel is unusable.
    source : the file, or ``file.h5::/path``.
    index : position within the source, from 0.
    metadata : what was found of ``exposure_time_s``, ``wavelength_nm``, ``monitor``, ``title``; JSON-ready.
    """

    data: NDArray[Any]
    bad: BoolArray
    source: str = "array"
    index: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)


def make_frame(data: Any, source: str = "array", index: int = 0) -> Frame:
    """Return a bare (H, W) array as a frame; of a masked array the masked pixels are bad.

    Raises
    ------
    InputError
        If the array is not a two-dimensional array of numbers.
    """
    masked = np.ma.getmask(data)
    data = np.asarray(data)
    check_image(data, source)
    return Frame(data, find_bad_pixels(data) | masked, source, index)


def check_image(data: NDArray[Any], source: str) -> None:
    """Raise InputError unless ``data`` is a two-dimensional, non-empty array of real numbers."""
    if data.ndim != 2 or data.size == 0:
        raise InputError(f"{source}: a frame has two dimensions, this has shape {data.shape}: give one image")
    if data.size > MOST_PIXELS:
        raise InputError(f"{source}: a frame of {data.shape} pixels is larger than any detector: is it damaged?")
    if data.dtype.kind not in "iufb":
        raise InputError(f"{source}: a frame holds numbers, this holds {data.dtype}: give a detector image")


def find_bad_pixels(data: NDArray[Any], ceiling: float | None = None, floor: float | None = None) -> BoolArray:
    """Return (H, W) True where ``data`` holds a marker or a saturated value instead of a measurement.

    The markers are those of ``pyfai_grf.frames.markers``; a negative float that is none may come from a background
    subtraction and stays. Any type: from ``ceiling`` upwards, and below ``floor``.
    """
    bad = find_markers(data)
    if ceiling is not None:
        bad |= data >= ceiling
    if floor is not None and not (data.dtype.kind == "u" and floor <= 0):
        bad |= data < floor
    return bad


def sum_frames(frames: Iterable[Frame]) -> tuple[Frame, int]:
    """Return the pixel-by-pixel sum of ``frames`` and their number; one frame is in memory at a time.

    A pixel that is bad in one frame is bad in the sum: leaving out only the frames in which a bright pixel
    saturated would keep the low fluctuations and lose the high ones.

    Raises
    ------
    InputError
        If there is no frame, or the frames differ in shape.
    """
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise InputError("there is no frame to reduce: give at least one")
    total: NDArray[Any] | None = None
    bad, count, exposure = first.bad, 1, _get_exposure(first)
    for frame in iterator:
        if frame.data.shape != first.data.shape:
            raise InputError(
                f"frames of shape {first.data.shape} ({first.source}) and {frame.data.shape} ({frame.source}) "
                "cannot be averaged: give frames of one detector"
            )
        if total is None:
            total = first.data.astype(np.float64 if first.data.dtype.kind == "f" else np.int64)
            bad = first.bad.copy()
        total = _add(total, frame.data)
        bad |= frame.bad
        exposure += _get_exposure(frame)
        count += 1
    if total is None:
        return first, 1
    metadata = dict(first.metadata)
    metadata.pop("exposure_time_s", None)  # that of one frame is not that of the sum
    if np.isfinite(exposure):
        metadata["exposure_time_s"] = exposure
    return Frame(total, bad, first.source, first.index, metadata), count


def _add(total: NDArray[Any], data: NDArray[Any]) -> NDArray[Any]:
    if data.dtype.kind == "f" and total.dtype.kind != "f":
        return total + data
    with np.errstate(invalid="ignore"):  # inf - inf in a pixel that is bad anyway
        # int64 and uint64 would be added as floats; counts beyond 2**63 do not occur
        return np.add(total, data, out=total, dtype=total.dtype, casting="unsafe")


def _get_exposure(frame: Frame) -> float:
    return float(frame.metadata.get("exposure_time_s", np.nan))

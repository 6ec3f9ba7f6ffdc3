"""The values by which a geometry says that a pixel holds no measurement: pyFAI's dummies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray
from pyfai_grf.frames.frame import Frame
from pyfai_grf.frames.markers import are_markers
from pyfai_grf.reduce.geometry import Geometry


def mark_dummies(frame: Frame, geometry: Geometry) -> Frame:
    """Return ``frame`` with the pixels marked bad that hold a dummy of the configuration or of the detector.

    The detector's dummy is taken in the frame's own type, as pyFAI does: -2 is 65534 of 16 unsigned bits. Two
    differences: a dummy of 0 (X-Spectrum) is a count that sparse frames are full of, and stays; and a subtracted frame
    of floats crosses -2 on its way to zero, so that a negative dummy counts there only if nothing else is negative.
    """
    found = [mask for mask in _find_dummies(frame.data, geometry) if mask.any()]
    return replace(frame, bad=np.logical_or.reduce([frame.bad, *found])) if found else frame


def _find_dummies(data: NDArray[Any], geometry: Geometry) -> Iterator[BoolArray]:
    if geometry.dummy is not None:
        yield _find_near(data, *geometry.dummy)
    detector = geometry.integrator.detector
    dummy, tolerance = float(getattr(detector, "dummy", 0) or 0), float(getattr(detector, "delta_dummy", 0) or 0)
    # a negative count is bad whatever the detector
    if dummy == 0 or (data.dtype.kind == "i" and dummy + tolerance < 0):
        return
    found = _find_near(data, dummy, tolerance)
    if data.dtype.kind != "f" or dummy > 0 or _are_alone(data, found, dummy + tolerance):
        yield found


def _are_alone(data: NDArray[Any], found: BoolArray, high: float) -> bool:
    """Return whether nothing else in a float frame is negative than what was ``found`` (H, W), up to ``high``."""
    return np.array_equal(data < 0, found) and (high < -1.5 or are_markers(data, found))


def _find_near(data: NDArray[Any], dummy: float, tolerance: float) -> BoolArray:
    """Return (H, W) True where ``data`` is within ``tolerance`` of ``dummy``, or of what it becomes without a sign."""
    if data.dtype.kind == "u" and dummy < 0:
        dummy += 2.0 ** (8 * data.itemsize)
    low, high = dummy - tolerance, dummy + tolerance
    if data.dtype.kind in "iu":
        limits = np.iinfo(data.dtype)
        if high < limits.min or low > limits.max:
            return np.zeros(data.shape, bool)
        low, high = max(int(np.ceil(low)), limits.min), min(int(np.floor(high)), limits.max)
    return np.asarray((data >= low) & (data <= high))

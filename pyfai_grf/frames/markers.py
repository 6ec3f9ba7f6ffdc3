"""Values that detectors write where they have measured nothing, in whatever type a file keeps them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray

#: (lowest, highest) of the markers that a copy into a wider type carries along: those of 16 bits, the largest 32-bit
#: integer, those of 32 bits; the last two are rounded up by one in single precision
_COPIES = ((65534, 65535), (2**31 - 1, 2**31), (2**32 - 2, 2**32))
#: what Dectris writes into gaps and into dead pixels
_NEGATIVE = (-1, -2)
#: so small a part of the pixels makes no difference, whether it measures or not
_FEW = 1e-4
#: fewer pixels of one value are no gap
_SEVERAL = 20
_SAMPLE = 100_000


def find_markers(data: NDArray[Any]) -> BoolArray:
    """Return (H, W) True where ``data`` holds a marker instead of a measurement.

    Signed integers: negative values (Dectris marks gaps -1 and dead pixels -2) and the largest of the type. Unsigned
    integers: the two largest, which are -1 and -2 of the signed type too. Floats: not finite; -1 and -2 where the
    frame is a copy of counts (see ``is_counted``). Types of 32 bits and more: also the markers of a narrower type,
    65534 and 65535 for one, if no pixel holds more: a counter that reached them has stopped there.
    """
    kind = data.dtype.kind
    if kind == "b" or data.size == 0:
        return np.zeros(data.shape, bool)
    if kind == "f":
        bad = ~np.isfinite(data)
        negative = data < 0
        if negative.any() and are_markers(data, negative):
            bad |= negative
    elif kind == "i":
        bad = data < 0
    else:
        bad = data >= np.iinfo(data.dtype).max - 1
    if data.itemsize >= 4 or kind == "i":
        _mark_copies(data, bad)
    return bad


def _mark_copies(data: NDArray[Any], bad: BoolArray) -> None:
    if data.dtype.kind == "i" and data.itemsize < 4:
        bad |= data == np.iinfo(data.dtype).max
        return
    # as signed integers the markers of 32 bits are negative: the largest value is a measurement's
    top = (data.view(np.int32) if data.dtype == np.uint32 else data).max()
    if not np.isfinite(top):
        top = _find_top(data, bad)
    for low, high in reversed(_COPIES):
        if low <= top <= high:
            bad |= data >= low
            top = _find_top(data, bad)


def _find_top(data: NDArray[Any], bad: BoolArray) -> Any:
    good = data[~bad]
    return good.max() if good.size else 0


def is_counted(values: NDArray[Any]) -> bool:
    """Return whether ``values`` of any shape can be photon counts: whole numbers, as far as they are finite."""
    if values.dtype.kind != "f":
        return values.dtype.kind in "iub"
    sample = values.reshape(-1)[:: max(1, values.size // _SAMPLE)]
    sample = sample[np.isfinite(sample)]
    return bool(np.array_equal(sample, np.rint(sample)))


def are_markers(data: NDArray[Any], negative: BoolArray) -> bool:
    """Return whether the ``negative`` (H, W) pixels of a float frame are markers: one value or two, as -1 and -2.

    A difference of two sparse frames holds -1 and -2 as well, but scattered, and -1 more often than -2; markers fill
    gaps, or are few, or are dead pixels only. Among fractions (a mean of frames, counts times a factor) -1 and -2 are
    no difference; any other value is a marker where it fills gaps.
    """
    values = data[negative]
    if not values.size:
        return False
    low, high = values.min(), values.max()
    if not np.all((values == low) | (values == high)):
        return False
    if not np.isin((low, high), _NEGATIVE).all():
        return values.size >= _SEVERAL and _fill_gaps(negative)
    if not is_counted(data):
        return True
    dead = int(np.count_nonzero(values == _NEGATIVE[1]))
    return negative.sum() <= _FEW * data.size or 2 * dead > values.size or _fill_gaps(negative)


def _fill_gaps(marked: BoolArray) -> bool:
    """Return whether most of the ``marked`` (H, W) pixels have a marked one beside, above or below them."""
    beside = np.zeros(marked.shape, bool)
    for one, other in ((np.s_[1:, :], np.s_[:-1, :]), (np.s_[:, 1:], np.s_[:, :-1])):
        both = marked[one] & marked[other]
        beside[one] |= both
        beside[other] |= both
    return bool(2 * beside.sum() > marked.sum())

"""The frames of an HDF5 or NeXus file."""

from __future__ import annotations

import bisect
import contextlib
import itertools
import math
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the decompressors that detectors write with)
import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.hdf5_files import open_hdf5
from pyfai_grf.frames.damage import explain_damage
from pyfai_grf.frames.detector_info import DetectorInfo, read_detector_info
from pyfai_grf.frames.frame import MOST_PIXELS, Frame, check_image, find_bad_pixels
from pyfai_grf.frames.image_search import find_images
from pyfai_grf.frames.storage import MissingPart, check_stored, find_missing

#: what HDF5 reads and unpacks at once: its own limit before version 2
_MOST_CHUNK_BYTES = 2**32
_FILTER_ADVICE = "the data are damaged, or compressed by a filter that hdf5plugin does not offer"
_ADVICE = (
    "is the file complete, and are the files beside it that it links to?",
    (("filter", _FILTER_ADVICE), ("plugin", _FILTER_ADVICE)),
)


class Hdf5Stack:
    """The frames of one image dataset, or of the several that an Eiger master chains."""

    def __init__(self, path: str, inner: str, name: str) -> None:
        self._name = f"{name}::{inner}" if inner else name
        with contextlib.ExitStack() as stack, explain_damage(self._name, *_ADVICE):
            self._file = stack.enter_context(open_hdf5(path))
            self._parts = find_images(self._file, inner, name)
            if not inner:
                place = self._parts[0] if len(self._parts) == 1 else self._parts[0].rpartition("/")[0]
                self._name = f"{name}::{place}"
            counts = [_count_images(self._file[part], self._name) for part in self._parts]
            #: number of the first frame of each part, and of the one that would follow the last
            self._starts = list(itertools.accumulate(counts, initial=0))
            self._info = read_detector_info(self._file, self._parts[0])
            stack.pop_all()
        self.count = self._starts[-1]
        self._open_part = -1
        self._dataset: Any = None
        self._missing: list[MissingPart] = []

    def read(self, index: int) -> Frame:
        """Return frame ``index``; raises InputError if it is damaged."""
        name = f"{self._name}: frame {index}" if self.count > 1 else self._name
        with explain_damage(name, *_ADVICE):
            part = bisect.bisect_right(self._starts, index) - 1
            if part != self._open_part:  # one at a time: a master may chain more files than can be open
                self._dataset = self._file[self._parts[part]]
                self._missing = find_missing(self._dataset)
                self._open_part = part
            position = _find_position(self._dataset, index - self._starts[part])
            image = self._dataset[position]
            for gap in self._missing:
                if gap.touches(position):
                    raise InputError(f"{name} is in {gap.path}, which is missing: put it where the link leads")
            try:
                check_stored(self._dataset, position, image)
            except InputError as problem:
                raise InputError(f"cannot read {name}: {problem}") from None
            return _make_frame(image, self._info, self._name, index)

    def close(self) -> None:
        """Close the file."""
        self._dataset = None
        with contextlib.suppress(Exception):  # whatever is the matter with it was said before
            self._file.close()


def _make_frame(image: np.ndarray, info: DetectorInfo, source: str, index: int) -> Frame:
    check_image(image, source)
    bad = find_bad_pixels(image, info.ceiling, info.floor)
    if info.mask is not None:
        if info.mask.shape != image.shape:
            raise InputError(f"{source}: its pixel_mask has shape {info.mask.shape}, the frame {image.shape}")
        bad |= info.mask
    return Frame(image, bad, source, index, info.get_metadata(index))


def _count_images(dataset: h5py.Dataset, source: str) -> int:
    """Return how many images a dataset of two, three, or four dimensions holds, after a look at their size."""
    shape = dataset.shape
    if not 2 <= dataset.ndim <= 4 or (dataset.ndim == 4 and 1 not in shape[:2]):
        raise InputError(f"{source} has shape {shape}: give one image or one stack of images")
    if math.prod(shape[-2:]) > MOST_PIXELS:
        raise InputError(f"{source} has shape {shape}, no detector has so many pixels: is it damaged?")
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > _MOST_CHUNK_BYTES:
        raise InputError(f"{source} is stored in pieces of shape {dataset.chunks}, too large to read: is it damaged?")
    return math.prod(shape[:-2])


def _find_position(dataset: h5py.Dataset, index: int) -> tuple[int, ...]:
    """Return the leading indices of image ``index``, none for a single image."""
    if dataset.ndim < 4:
        return (index,) * (dataset.ndim - 2)
    return divmod(index, dataset.shape[1])

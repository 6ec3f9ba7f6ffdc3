"""The frames of an HDF5 or NeXus file."""

from __future__ import annotations

import bisect
import contextlib
import itertools
import math
from collections.abc import Iterator

import h5py
import hdf5plugin  # noqa: F401  (registers the decompressors that detectors write with)
import numpy as np

from pyfai_grf.core.errors import InputError, describe_problem
from pyfai_grf.core.hdf5_files import open_hdf5
from pyfai_grf.frames.detector_info import DetectorInfo, read_detector_info
from pyfai_grf.frames.frame import MOST_PIXELS, Frame, check_image, find_bad_pixels
from pyfai_grf.frames.image_search import find_images

#: what HDF5 reads and unpacks at once: its own limit before version 2
_MOST_CHUNK_BYTES = 2**32


class Hdf5Stack:
    """The frames of one image dataset, or of the several that an Eiger master chains."""

    def __init__(self, path: str, inner: str, name: str) -> None:
        self._name = f"{name}::{inner}" if inner else name
        with contextlib.ExitStack() as stack, _explain(self._name):
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
        self._open_part, self._dataset = -1, None

    def read(self, index: int) -> Frame:
        """Return frame ``index``; raises InputError if it is damaged."""
        with _explain(f"{self._name}: frame {index}" if self.count > 1 else self._name):
            part = bisect.bisect_right(self._starts, index) - 1
            if part != self._open_part:  # one at a time: a master may chain more files than can be open
                self._open_part, self._dataset = part, self._file[self._parts[part]]
            image = _read_image(self._dataset, index - self._starts[part])
            return _make_frame(image, self._info, self._name, index)

    def close(self) -> None:
        """Close the file."""
        self._dataset = None
        with contextlib.suppress(Exception):  # whatever is the matter with it was said before
            self._file.close()


@contextlib.contextmanager
def _explain(what: str) -> Iterator[None]:
    """Raise InputError, one line, for whatever goes wrong."""
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"cannot read {what}: it would take more memory than there is: is it damaged?") from None
    except Exception as problem:  # h5py hands on what HDF5 says as nearly any kind of error
        text = describe_problem(problem)[:300]
        advice = "is the file complete, and are the files beside it that it links to?"
        if "filter" in text or "plugin" in text:
            advice = "the data are damaged, or compressed by a filter that hdf5plugin does not offer"
        raise InputError(f"cannot read {what}: {text}: {advice}") from problem


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


def _read_image(dataset: h5py.Dataset, index: int) -> np.ndarray:
    if dataset.ndim == 2:
        return dataset[()]
    if dataset.ndim == 3:
        return dataset[index]
    return dataset[divmod(index, dataset.shape[1])]

"""Finding and reading detector frames, masks, darks and flats: EDF, CBF, TIFF ..., HDF5 and NeXus."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.frame import Frame, make_frame, sum_frames
from pyfai_grf.frames.reading import FrameIterator, announce

__all__ = [
    "Frame",
    "announce_source",
    "find_sources",
    "make_frame",
    "read_frames",
    "read_mask",
    "read_mean",
    "read_series",
]


def find_sources(patterns: Sequence[str]) -> list[str]:
    """Return the frame sources that ``patterns`` name: files, globs, ``file.h5::/path``.

    Patterns stay in the order given; what one glob matches is sorted naturally (frame_2 before frame_10). A file
    that two patterns name is listed once.

    Raises
    ------
    InputError
        If a pattern matches nothing, or names a folder.
    """
    sources: dict[str, None] = {}
    for pattern in patterns:
        path, separator, inner = str(pattern).partition("::")
        for found in _expand(path):
            if os.path.isdir(found):
                raise InputError(f"{found} is a folder: name its frames, e.g. {os.path.join(found, '*.edf')}")
            sources[found + separator + inner] = None
    return list(sources)


def _expand(path: str) -> list[str]:
    if os.path.exists(path):
        return [path]
    if not glob.has_magic(path):
        raise InputError(f"no such file: {path}")
    found = [name for name in glob.glob(path, recursive=True) if not os.path.isdir(name)]
    if not found:
        raise InputError(f"no file matches {path}")
    return sorted(found, key=_make_natural_key)


def _make_natural_key(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def read_frames(source: str | os.PathLike[str], start: int = 0) -> Iterator[Frame]:
    """Return an iterator over the frames of ``source`` (a file, or ``file.h5::/path``) from number ``start`` on.

    One frame is in memory here; the next one is decoded meanwhile, by a process of its own, so that a damaged file
    can crash it or keep it busy for ever and cost no more than the frame. After an error, ``next`` goes on with the
    frame behind, if the file can be read on; a ``for`` loop is left by the error as usual. ``start`` skips frames
    without decoding them.

    Raises
    ------
    InputError
        If the file cannot be read, holds no image, or is an HDF5 file with several images to choose from (the message
        lists them); if a frame is cut short, damaged, or takes too long.
    """
    if start < 0:
        raise InputError(f"frames are counted from 0, so there is no frame {start}: give the first one to read")
    return FrameIterator(os.fspath(source), start)


def announce_source(source: str | os.PathLike[str]) -> None:
    """Let the decoding of the first frame of ``source``, which will be read soon, begin; returns at once.

    It is not an error if it is never read, or cannot be.
    """
    announce(os.fspath(source))


def read_series(
    sources: Iterable[str], report: Callable[[InputError], None], starts: Mapping[str, int] | None = None
) -> Iterator[Frame]:
    """Yield the frames of all ``sources``, one in memory at a time, the next one being decoded meanwhile.

    ``report`` is called with what cannot be read, when its turn comes; the others go on. ``starts``: source -> first
    frame that is wanted of it, 0 where it is not named.
    """
    starts = starts or {}
    remaining = iter(sources)
    source = next(remaining, None)
    while source is not None:
        following = next(remaining, None)
        frames = read_frames(source, starts.get(source, 0))
        while True:
            try:
                frame = next(frames, None)
            except InputError as problem:
                report(problem)
                continue
            if following is not None and not starts.get(following):
                announce_source(following)
            if frame is None:
                break
            yield frame
        source = following


def read_mask(source: str | os.PathLike[str]) -> BoolArray:
    """Return the (H, W) mask in ``source``, True where masked (pyFAI's convention: not zero is masked)."""
    masks = [frame.data != 0 for frame in read_frames(source)]
    if len(masks) != 1:
        raise InputError(f"{source} holds {len(masks)} images: a mask is one image")
    return masks[0]


def read_mean(sources: Sequence[str | os.PathLike[str]]) -> tuple[NDArray[np.float32], int]:
    """Return the (H, W) mean of all frames in ``sources`` (a dark or a flat), NaN where bad, and their number."""
    frame, count = sum_frames(frame for source in sources for frame in read_frames(source))
    mean = np.asarray(frame.data / count, np.float32)
    mean[frame.bad] = np.nan
    return mean, count

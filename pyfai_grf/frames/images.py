"""Reading detector frames: EDF, CBF, TIFF and the like by fabio, HDF5 and NeXus by h5py."""

from __future__ import annotations

import glob
import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.frame import Frame, check_image, find_bad_pixels, make_frame

__all__ = ["Frame", "find_sources", "make_frame", "read_frames", "read_mask", "read_mean"]

#: metadata name -> spellings in EDF headers, lower case, the preferred one first
_HEADER_KEYS = {
    "exposure_time_s": ("exposuretime", "exposure_time", "count_time", "exptime", "acq_expo_time"),
    "monitor": ("intensity1", "monitor", "mon", "i1", "i0"),
}


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


def read_frames(source: str | os.PathLike[str]) -> Iterator[Frame]:
    """Yield the frames of ``source`` (a file, or ``file.h5::/path``), one in memory at a time.

    Raises
    ------
    InputError
        If the file cannot be read, holds no image, is cut short, or is an HDF5 file with several images to choose
        from (the message lists them).
    """
    import h5py

    name = os.fspath(source)
    path, _, inner = name.partition("::")
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}" if not os.path.isdir(path) else f"{path} is a folder: name a file")
    if h5py.is_hdf5(path):
        from pyfai_grf.frames.hdf5 import read_hdf5_frames

        yield from read_hdf5_frames(path, inner)
    elif inner:
        raise InputError(f"{path} is not an HDF5 file: leave out ::{inner}")
    else:
        yield from _read_fabio_frames(path)


def _read_fabio_frames(path: str) -> Iterator[Frame]:
    import fabio

    try:
        with fabio.open(path) as image:
            count = int(image.nframes)
            for index in range(count):
                frame = image if count == 1 else image.get_frame(index)
                yield _convert_fabio_frame(frame, path, index)
    except InputError:
        raise
    except Exception as problem:  # each of fabio's forty readers fails in its own way (OSError, AssertionError ...)
        is_told = str(problem) and not isinstance(problem, AttributeError | TypeError | NameError | LookupError)
        reason = str(problem) if is_told else "it is no readable image"  # the others speak of fabio's insides
        raise InputError(f"cannot read {path}: {reason}: is it a detector image, and complete?") from problem


def _convert_fabio_frame(image: Any, path: str, index: int) -> Frame:
    if image.data is None or getattr(image, "incomplete_data", False):
        # fabio fills what is missing with zeros, which would pass for a measurement
        raise InputError(f"{path}: frame {index} is cut short: wait until it is written, or copy it again")
    data = np.asarray(image.data)
    if data.ndim > 2:
        data = data.reshape(data.shape[-2:]) if math.prod(data.shape[:-2]) == 1 else data
    check_image(data, path)
    header = {str(key).lower(): value for key, value in (image.header or {}).items()}
    dectris = _parse_dectris_text(header)
    bad = find_bad_pixels(data, dectris.pop("count_cutoff", None))
    dummy = _to_float(header.get("dummy"))
    if dummy and not (dummy < 0 and data.dtype.kind in "iu"):  # zero stands for "none"; negative counts are bad anyway
        bad |= np.abs(data - dummy) <= abs(_to_float(header.get("ddummy")) or 0.1)
    return Frame(data, bad, path, index, {**_parse_header(header), **dectris})


def _parse_header(header: dict[str, Any]) -> dict[str, Any]:
    """Return what an EDF-like header says under names of ours."""
    found: dict[str, Any] = {}
    for name, spellings in _HEADER_KEYS.items():
        values = (_to_float(header.get(spelling)) for spelling in spellings)
        value = next((v for v in values if v is not None), None)
        if value is not None:
            found[name] = value
    wavelength = _to_float(header.get("wavelength"))
    if wavelength:  # the SAXS package writes metres; whatever else is there is in Angstrom
        found["wavelength_nm"] = wavelength * (1e9 if wavelength < 1e-6 else 0.1)
    if header.get("title"):
        found["title"] = str(header["title"])
    return found


def _parse_dectris_text(header: dict[str, Any]) -> dict[str, Any]:
    """Return what the text header of a Dectris CBF or TIFF says: ``# Exposure_time 1.0 s`` and so on."""
    text = str(header.get("_array_data.header_contents") or header.get("imagedescription") or "")
    names = {"exposure_time": ("exposure_time_s", 1.0), "wavelength": ("wavelength_nm", 0.1)}
    found: dict[str, Any] = {}
    for key, value in re.findall(r"#\s*(Exposure_time|Wavelength|Count_cutoff)[\s:=]+([0-9.eE+-]+)", text):
        number = _to_float(value)
        if number:
            name, factor = names.get(key.lower(), ("count_cutoff", 1.0))
            found[name] = number * factor
    return found


def _to_float(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def read_mask(source: str | os.PathLike[str]) -> BoolArray:
    """Return the (H, W) mask in ``source``, True where masked (pyFAI's convention: not zero is masked)."""
    masks = [frame.data != 0 for frame in read_frames(source)]
    if len(masks) != 1:
        raise InputError(f"{source} holds {len(masks)} images: a mask is one image")
    return masks[0]


def read_mean(sources: Sequence[str | os.PathLike[str]]) -> tuple[NDArray[np.float32], int]:
    """Return the (H, W) mean of all frames in ``sources`` (a dark or a flat), NaN where bad, and their number."""
    from pyfai_grf.frames.frame import sum_frames

    frame, count = sum_frames(frame for source in sources for frame in read_frames(source))
    mean = np.asarray(frame.data / count, np.float32)
    mean[frame.bad] = np.nan
    return mean, count

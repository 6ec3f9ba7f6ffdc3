"""Finding and reading detector images in HDF5 and NeXus files."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the decompressors that detectors write with)
import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.detector_info import DetectorInfo, get_class, read_detector_info
from pyfai_grf.frames.frame import Frame, check_image, find_bad_pixels

_LOGGER = logging.getLogger(__name__)

#: two-dimensional things beside the data of a detector that are no frames
_NOT_FRAMES = re.compile(
    r"mask|flat|dark|offset|distance|calibration|error|uncertaint|weight|countrate|trimbit|thumb|background", re.I
)
_EIGER_PART = re.compile(r"data_\d+$")
_SMALLEST_IMAGE = 8
_DEEPEST = 9


def read_hdf5_frames(path: str, inner: str = "") -> Iterator[Frame]:
    """Yield the frames of the image dataset at ``inner`` in the HDF5 file ``path`` (or of its only one)."""
    source = f"{path}::{inner}" if inner else path
    try:
        with _open(path) as file:
            parts = _find_images(file, inner, path)
            if not inner:
                source = f"{path}::{parts[0] if len(parts) == 1 else parts[0].rpartition('/')[0]}"
            info = read_detector_info(file, parts[0])
            index = 0
            for part in parts:
                for image in _read_images(file[part], source):
                    yield _make_frame(image, info, source, index)
                    index += 1
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as problem:
        if isinstance(problem, InputError):
            raise
        raise InputError(f"cannot read {source}: {_explain(problem)}") from problem


def _open(path: str) -> h5py.File:
    try:
        return h5py.File(path, "r", locking=False)
    except OSError:
        return h5py.File(path, "r", locking=False, swmr=True)  # still open in its writer


def _explain(problem: Exception) -> str:
    text = str(problem.args[0]) if problem.args else type(problem).__name__
    if "filter" in text or "plugin" in text:
        return f"{text}: the data are compressed by a filter that hdf5plugin does not offer"
    return f"{text}: is the file complete, and are the files beside it that it links to?"


def _make_frame(image: np.ndarray, info: DetectorInfo, source: str, index: int) -> Frame:
    check_image(image, source)
    bad = find_bad_pixels(image, info.ceiling, info.floor)
    if info.mask is not None:
        if info.mask.shape != image.shape:
            raise InputError(f"{source}: its pixel_mask has shape {info.mask.shape}, the frame {image.shape}")
        bad |= info.mask
    return Frame(image, bad, source, index, info.get_metadata(index))


def _read_images(dataset: h5py.Dataset, source: str) -> Iterator[np.ndarray]:
    """Yield the images of one dataset of two, three, or four dimensions (two of them images, one of them 1)."""
    shape = dataset.shape
    if dataset.ndim == 2:
        yield dataset[()]
    elif dataset.ndim == 3:
        for index in range(shape[0]):
            yield dataset[index]
    elif dataset.ndim == 4 and 1 in shape[:2]:
        for first in range(shape[0]):
            for second in range(shape[1]):
                yield dataset[first, second]
    else:
        raise InputError(f"{source} has shape {shape}: give one image or one stack of images")


def _find_images(file: h5py.File, inner: str, path: str) -> list[str]:
    """Return the paths of the datasets that together are the wanted frames (several only for an Eiger master)."""
    node = _get(file, inner or "/", path)
    if isinstance(node, h5py.Dataset):
        return [inner]
    start = inner.rstrip("/")
    by_default = _follow_default(file, start)
    if by_default:
        return by_default
    named: dict[Any, list[str]] = {}
    others: dict[Any, list[str]] = {}
    _walk(file, start, named, others, set())
    candidates = list((named or others).values())
    if not candidates:
        raise InputError(f"{path}::{inner or '/'} holds no image: name one as {path}::/path/to/data")
    if len(candidates) > 1:
        choices = ", ".join(f"{path}::{paths[0]}" for paths in candidates[:20])
        raise InputError(f"{path} holds {len(candidates)} images or stacks, choose one of: {choices}")
    return candidates[0]


def _get(file: h5py.File, inner: str, path: str) -> Any:
    try:
        return file[inner]
    except KeyError:
        broken = file.get(inner, getlink=True) if inner in _list_links(file, inner) else None
        reason = f"links to a missing file or dataset ({_describe_link(broken)})" if broken else "does not exist"
        raise InputError(f"{path}::{inner} {reason}: check the path, or name only the file") from None


def _list_links(file: h5py.File, inner: str) -> list[str]:
    parent, _, name = inner.rpartition("/")
    group = file.get(parent or "/")
    return [inner] if isinstance(group, h5py.Group) and name in list(group) else []


def _describe_link(link: Any) -> str:
    return f"{getattr(link, 'filename', '')}::{getattr(link, 'path', '')}"


def _follow_default(file: h5py.File, start: str) -> list[str]:
    """Return what the chain of ``@default`` and ``@signal`` from ``start`` leads to, if that is an image."""
    path = start
    for _ in range(_DEEPEST):
        group = file.get(path or "/")
        if not isinstance(group, h5py.Group):
            return []
        images = _get_own_images(group, path)
        if images:
            return images
        name = _get_text(group, "default")
        if not name:
            entries = [key for key in group if get_class(group.get(key)) == "NXentry"]
            name = entries[0] if not path and len(entries) == 1 else ""
        if not name:
            return []
        path = name if name.startswith("/") else f"{path}/{name}"
    return []


def _get_own_images(group: h5py.Group, path: str) -> list[str]:
    """Return the images that an NXdata, an NXdetector or an Eiger data group presents as its own."""
    parts = sorted(key for key in group if _EIGER_PART.match(key))
    if parts:
        there = [f"{path}/{key}" for key in parts if _is_image(group.get(key))]
        if 0 < len(there) < len(parts):
            _LOGGER.warning("%s: %d of %d linked data files are missing", path, len(parts) - len(there), len(parts))
        if there:
            return there
    if get_class(group) not in ("NXdata", "NXdetector") and "signal" not in group.attrs:
        return []
    name = _get_text(group, "signal") or "data"
    return [f"{path}/{name}"] if _is_image(group.get(name)) else []


def _walk(file: h5py.File, path: str, named: dict, others: dict, seen: set) -> None:
    """Collect below ``path`` the images that NeXus names as such, and all others, each object once."""
    group = file.get(path or "/")
    if not isinstance(group, h5py.Group) or path.count("/") > _DEEPEST or _identify(group) in seen:
        return
    seen.add(_identify(group))
    own = _get_own_images(group, path)
    if own:
        named.setdefault(_identify(file[own[0]]), own)
    for key in sorted(group):
        child = group.get(key)  # None for a broken link
        if isinstance(child, h5py.Group):
            _walk(file, f"{path}/{key}", named, others, seen)
        elif f"{path}/{key}" not in own and _is_image(child, _SMALLEST_IMAGE) and not _NOT_FRAMES.search(key):
            others.setdefault(_identify(child), [f"{path}/{key}"])


def _identify(node: Any) -> tuple[str, int]:
    """Return file and address: a linked file that was closed in between is opened again under another number."""
    name = h5py.h5f.get_name(node.id).decode("utf-8", "surrogateescape")
    return os.path.realpath(name), h5py.h5o.get_info(node.id).addr


def _is_image(node: Any, smallest: int = 2) -> bool:
    return (
        isinstance(node, h5py.Dataset)
        and node.dtype.kind in "iuf"
        and 2 <= node.ndim <= 4
        and min(node.shape[-2:]) >= smallest
        and (node.ndim < 4 or 1 in node.shape[:2])
    )


def _get_text(group: h5py.Group, name: str) -> str:
    value = group.attrs.get(name, "")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""

"""Finding the detector images in an HDF5 file: by the path given, by what NeXus calls the default, or by looking."""

from __future__ import annotations

import logging
import os
import re
from typing import Any

import h5py

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.detector_info import get_class

_LOGGER = logging.getLogger(__name__)

#: two-dimensional things beside the data of a detector that are no frames
_NOT_FRAMES = re.compile(
    r"mask|flat|dark|offset|distance|calibration|error|uncertaint|weight|countrate|trimbit|thumb|background", re.I
)
_EIGER_PART = re.compile(r"data_\d+$")
_SMALLEST_IMAGE = 8
_DEEPEST = 9


def find_images(file: h5py.File, inner: str, path: str) -> list[str]:
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

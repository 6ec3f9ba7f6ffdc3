"""Walking through HDF5 files of others: groups behind links, attributes of any kind, text."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from pyfai_grf.core.errors import InputError

#: what h5py raises on damaged files
HDF5_FAILURES = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)

_SEARCH_DEPTH = 12
#: a file with more groups than this is searched only where the user points
_MAX_GROUPS = 20_000


def walk_groups(top: h5py.Group, place: str) -> Iterator[tuple[str, h5py.Group, set[str]]]:
    """Yield place, group and classes of every group below ``top``, once, through links too (ewoksxrpd has such).

    Raises
    ------
    InputError
        If there are too many groups to search them all.
    """
    seen: set[Any] = set()
    waiting = [(place, top, 0)]
    while waiting:
        at, group, depth = waiting.pop()
        kinds = get_classes(group)
        if depth:
            yield at, group, kinds
        if depth > _SEARCH_DEPTH or "NXnote" in kinds:
            continue
        below = []
        for link in group:
            name = decode_name(link)
            item = get_item(group, name) if _leads_to_file(group, name) else None
            if not isinstance(item, h5py.Group) or (identity := _identify(item)) in seen:
                continue
            seen.add(identity)
            below.append((posixpath.join(at, name), item, depth + 1))
        if len(seen) > _MAX_GROUPS:
            raise InputError(
                f"{group.file.filename}: more than {_MAX_GROUPS} groups: name the one with the curve, FILE.h5::/path"
            )
        waiting.extend(reversed(below))


def decode_name(name: str | bytes) -> str:
    """Return a name as text; h5py gives bytes where it is not UTF-8, which become surrogates as in names of files."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def encode_name(name: str) -> bytes:
    """Return the bytes of a name or a path: the opposite of ``decode_name``."""
    return name.encode("utf-8", "surrogateescape")


def _leads_to_file(group: h5py.Group, name: str) -> bool:
    """Return whether ``name`` is not a link to a pipe or a device, which to open may never end."""
    try:
        if group.id.links.get_info(encode_name(name)).type != h5py.h5l.TYPE_EXTERNAL:
            return True
        file_name, _ = group.id.links.get_val(encode_name(name))
        target = os.path.join(os.path.dirname(group.file.filename), os.fsdecode(file_name))
        return not os.path.exists(target) or os.path.isfile(target)
    except HDF5_FAILURES:
        return False


def get_item(group: h5py.Group, name: str) -> Any:
    """Return what ``group`` has under ``name``; None if nothing, or a link that leads nowhere."""
    try:
        return group.get(encode_name(name))
    except HDF5_FAILURES:
        return None


def _identify(group: h5py.Group) -> tuple[str, int]:
    """Return file and address: a linked file that was closed in between is opened again under another number."""
    name = h5py.h5f.get_name(group.id).decode("utf-8", "surrogateescape")
    return os.path.realpath(name), h5py.h5o.get_info(group.id).addr


def get_classes(group: h5py.Group) -> set[str]:
    """Return the classes that the group says it has, of NeXus and of canSAS."""
    return {read_text(read_attribute(group, name)) for name in ("canSAS_class", "NX_class")}


def get_name(item: h5py.HLObject) -> str:
    """Return the last part of an object's name."""
    return posixpath.basename(decode_name(item.name or ""))


def read_attribute(item: h5py.HLObject, name: str) -> Any:
    """Return an attribute, None if it is missing or of a kind that cannot be read."""
    try:
        return item.attrs.get(name)
    except HDF5_FAILURES:
        return None


def read_text(value: Any) -> str:
    """Return an attribute or a scalar dataset as text: files hold str, bytes, numbers and arrays of one of them."""
    if value is None or isinstance(value, h5py.Empty):
        return ""
    if isinstance(value, np.ndarray):
        return read_text(value.flat[0]) if value.size == 1 else ""
    return value.decode("utf-8", errors="replace").strip() if isinstance(value, bytes) else str(value).strip()


def read_names(value: Any) -> list[str]:
    """Return the names in an ``axes`` attribute: an array of them, or the older "a,b", "a:b" and "a b"."""
    if isinstance(value, np.ndarray) and value.size != 1:
        return [read_text(name) for name in value.flat]
    text = read_text(value).strip("[]")
    return [name for name in re.split(r"[\s,:]+", text) if name]

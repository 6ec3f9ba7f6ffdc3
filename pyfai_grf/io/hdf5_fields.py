"""Small pieces of NeXus: groups with a class, arrays with a unit, text that HDF5 can hold."""

from __future__ import annotations

import json
from typing import Any

import h5py
import numpy as np

_UNITS = {"_nm1": "1/nm", "_nm": "nm"}


def create_group(parent: h5py.Group, name: str, nx_class: str, **attributes: Any) -> h5py.Group:
    """Return a new group with its NeXus class and attributes."""
    # by name, whatever the process asks of h5py: pyFAI's azint writer turns creation order on for everybody
    group = parent.create_group(name, track_order=False)
    group.attrs["NX_class"] = nx_class
    for key, value in attributes.items():
        group.attrs[key] = value
    return group


def write_array(group: h5py.Group, name: str, values: Any, unit: str, long_name: str) -> h5py.Dataset:
    """Write ``values`` with their unit and the label of their axis, and return the dataset.

    An array carries a checksum, so that a reader does not take a damaged one for a curve.
    """
    dataset = group.create_dataset(name, data=values, fletcher32=np.size(values) > 1)
    dataset.attrs["units"] = unit
    dataset.attrs["long_name"] = long_name
    return dataset


def find_unit(name: str) -> str:
    """Return the unit that the end of a column's name stands for ("" where it says none)."""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def clean_text(text: str) -> str:
    """Return ``text`` fit for an HDF5 string: NUL and the undecodable bytes of a file name are spelled out."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")


def dump_json(value: Any) -> str:
    """Return ``value`` as one line of ASCII JSON; arrays become lists, what JSON does not know becomes text."""
    return json.dumps(value, default=_to_plain)


def _to_plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def cut_text(text: str, width: int) -> bytes:
    """Return the first ``width`` bytes of ``text`` in UTF-8, never half a character."""
    return clean_text(text).encode()[:width].decode("utf-8", "ignore").encode()

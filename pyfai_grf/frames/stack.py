"""A source as a stack of frames, whatever its format: how many there are, and any of them."""

from __future__ import annotations

from typing import Protocol

import h5py

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.files import check_regular_file
from pyfai_grf.frames.frame import Frame


class Stack(Protocol):
    """The frames of an open source; ``count`` is their number."""

    count: int

    def read(self, index: int) -> Frame:
        """Return frame ``index``; raises InputError if it is damaged."""

    def close(self) -> None:
        """Close the file."""


def open_stack(path: str, inner: str, name: str) -> Stack:
    """Return the frames at ``inner`` ("" to search) in the file ``path``, which is called ``name`` in messages.

    Raises
    ------
    InputError
        If the file cannot be read, holds no image, or is an HDF5 file with several images to choose from.
    """
    check_regular_file(path)
    if h5py.is_hdf5(path):
        from pyfai_grf.frames.hdf5 import Hdf5Stack

        return Hdf5Stack(path, inner, name)
    if inner:
        raise InputError(f"{name} is not an HDF5 file: leave out ::{inner}")
    from pyfai_grf.frames.fabio_images import FabioStack

    return FabioStack(path, name)

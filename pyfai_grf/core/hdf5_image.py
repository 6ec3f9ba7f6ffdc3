"""HDF5 files made in memory: HDF5 that meets a full disk on closing a file takes the interpreter with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import h5py

from pyfai_grf.core.hdf5_superblock import seal_superblock

#: HDF5 takes two files of one name for the same
_count = itertools.count()


def build_image(
    fill: Callable[[h5py.File], None], block_size: int = 2**20, libver: tuple[str, str] | None = None
) -> bytes:
    """Return the content of the HDF5 file that ``fill`` makes; in memory it grows by ``block_size`` bytes at a time.

    ``libver`` is the oldest and the newest format, as h5py spells them.
    """
    name = f"image-{next(_count)}"
    options = {"driver": "core", "backing_store": False, "block_size": block_size}
    with h5py.File(name, "w", libver=libver, track_order=False, **options) as h5:
        fill(h5)
        h5.flush()
        return seal_superblock(bytes(h5.id.get_file_image()))

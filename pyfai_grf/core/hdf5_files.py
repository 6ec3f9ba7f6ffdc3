"""Opening HDF5 files of others: without a lock, and also while their writer writes."""

from __future__ import annotations

import os

import h5py

from pyfai_grf.core.errors import InputError, describe_problem
from pyfai_grf.core.files import check_regular_file
from pyfai_grf.core.hdf5_unclosed import check_unclosed


def open_hdf5(path: str | os.PathLike[str]) -> h5py.File:
    """Return the HDF5 file at ``path``, open for reading; nobody is kept from writing to it.

    Raises
    ------
    InputError
        If it is not a regular file, or HDF5 cannot open it: one line.
    """
    name = os.fspath(path)
    check_regular_file(name)
    try:
        try:
            return h5py.File(name, "r", locking=False)
        except OSError as problem:
            # a file that is being written, or whose writer was killed, bears a mark that HDF5 wants h5clear for; only
            # then is SWMR right: on a file cut short it waits for the missing part for hours
            if "h5clear" not in str(problem):
                raise
        check_unclosed(name)  # where something is damaged, SWMR waits for hours too
        return h5py.File(name, "r", libver="latest", swmr=True, locking=False)
    except (OSError, RuntimeError, ValueError) as problem:
        raise InputError(f"cannot read {name} as HDF5: {describe_problem(problem)}") from problem

"""HDF5 files open in whatever state their writer left them, or say in one line why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.hdf5_files import open_hdf5

_WRITER = """
import os, sys, h5py
file = h5py.File(sys.argv[1], "w", libver="latest")
data = file.create_dataset("data", (0, 4), maxshape=(None, 4), chunks=(1, 4), dtype="i4")
file.swmr_mode = True
data.resize(3, axis=0)
data[...] = 7
data.flush()
os._exit(1)
"""


@pytest.mark.kills
def test_a_file_whose_swmr_writer_was_killed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "killed.h5"
    subprocess.run([sys.executable, "-c", _WRITER, str(path)], check=False)
    with pytest.raises(OSError, match="h5clear"):
        h5py.File(path, "r")
    with open_hdf5(path) as file:
        np.testing.assert_array_equal(file["data"], np.full((3, 4), 7))


@pytest.mark.parametrize("size", [0, 7, 20, 48, 100, 600, 1500])
def test_a_file_cut_short_is_refused_in_one_line_and_not_waited_for(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["data"] = np.arange(1000)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=r"cannot read .*cut\.h5 as HDF5: .") as caught:
        open_hdf5(path)
    assert "\n" not in str(caught.value)


def test_what_is_not_hdf5_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError, match=r"text\.h5 as HDF5"):
        open_hdf5(tmp_path / "text.h5")
    with pytest.raises(InputError, match="no such file"):
        open_hdf5(tmp_path / "none.h5")

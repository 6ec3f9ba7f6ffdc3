"""Files that were not closed: whole ones are read, damaged ones refused in seconds, where HDF5 would wait for hours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.hdf5_files import open_hdf5
from pyfai_grf.core.hdf5_unclosed import check_unclosed

WRITER = """
import os, sys, h5py
file = h5py.File(sys.argv[1], "w", libver="latest")
data = file.create_dataset("group/data", (0, 4), maxshape=(None, 4), chunks=(1, 4), dtype="i4")
file.swmr_mode = True
data.resize(40, axis=0)
data[...] = 7
data.flush()
os._exit(1)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    path = tmp_path / "killed.h5"
    subprocess.run([sys.executable, "-c", WRITER, str(path)], check=False)
    return path


@pytest.mark.kills
def test_a_whole_one_is_read_and_left_alone(killed: Path) -> None:
    before = killed.read_bytes()
    check_unclosed(killed)
    with open_hdf5(killed) as h5:
        np.testing.assert_array_equal(h5["group/data"], np.full((40, 4), 7))
    assert killed.read_bytes() == before


@pytest.mark.kills
def test_a_damaged_one_is_not_waited_for(killed: Path) -> None:
    """Zeros over each part of it in turn: superblock, groups, the index of the chunks, the chunks."""
    content = killed.read_bytes()
    refused = 0
    for start in range(0, len(content), 256):
        killed.write_bytes(content[:start] + bytes(256) + content[start + 256 :])
        try:
            with open_hdf5(killed) as h5:
                assert h5["group/data"][()].shape == (40, 4)
        except (InputError, OSError, KeyError):
            refused += 1
    assert refused > 5

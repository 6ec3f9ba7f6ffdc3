"""The images in an HDF5 file are found by the path given, by the default, or by looking."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.frames.images import read_frames

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


def test_the_default_chain_chooses_among_several(tmp_path: Path) -> None:
    path = f"{tmp_path}/default.h5"
    with h5py.File(path, "w") as file:
        file["other/image"] = IMAGE
        data = file.create_group("scan/plot")
        data["frames"] = IMAGE + 5
        file.attrs["default"] = "scan"
        file["scan"].attrs["default"] = "plot"
        data.attrs.update(NX_class="NXdata", signal="frames")
    (frame,) = read_frames(path)
    np.testing.assert_array_equal(frame.data, IMAGE + 5)
    assert frame.source == f"{path}::/scan/plot/frames"


@pytest.mark.parametrize("inner", ["", "/last", "/last/measurement/eiger", "/sample_1.1/instrument/eiger/data"])
def test_one_stack_behind_several_links_is_one_stack(inner: str, tmp_path: Path) -> None:
    """As in a master file of BLISS: the scans are links to another file, and links within the master lead to them."""
    stack = np.arange(800, dtype=np.uint32).reshape(2, 20, 20)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["1.1/instrument/eiger/data"] = stack
        file["1.1"].attrs["NX_class"] = "NXentry"
        file["1.1/instrument/eiger"].attrs["NX_class"] = "NXdetector"
        file["1.1/measurement/eiger"] = h5py.SoftLink("/1.1/instrument/eiger/data")
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["sample_1.1"] = h5py.ExternalLink("scan.h5", "/1.1")
        file["last"] = h5py.SoftLink("/sample_1.1")
    frames = list(read_frames(f"{tmp_path}/master.h5::{inner}" if inner else tmp_path / "master.h5"))
    np.testing.assert_array_equal([frame.data for frame in frames], stack)

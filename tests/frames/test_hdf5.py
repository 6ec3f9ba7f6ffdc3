"""Frames of HDF5 files come back as they were written, from one dataset or from those that a master chains."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import read_frames

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


def test_compressed_stack_under_a_path(tmp_path: Path) -> None:
    path = f"{tmp_path}/stack.h5"
    stack = np.stack([IMAGE, IMAGE + 1, IMAGE + 2]).astype(np.uint32)
    with h5py.File(path, "w") as file:
        file.create_dataset("raw/images", data=stack, chunks=(1, 30, 40), **hdf5plugin.Bitshuffle())
        file["raw/four"] = stack[np.newaxis]
        file["raw/curve"] = np.arange(5.0)
    for inner in ("/raw/images", "raw/four"):
        frames = list(read_frames(f"{path}::{inner}"))
        assert [frame.index for frame in frames] == [0, 1, 2]
        np.testing.assert_array_equal([frame.data for frame in frames], stack)
        assert frames[0].source == f"{path}::{inner}"
    with pytest.raises(InputError, match=r"shape \(5,\)"):
        next(read_frames(f"{path}::/raw/curve"))
    with pytest.raises(InputError, match="does not exist"):
        next(read_frames(f"{path}::/raw/nothing"))
    with pytest.raises(InputError, match=r"choose one of: .*raw/four, .*raw/images"):
        next(read_frames(path))


def write_eiger(folder: Path, parts: int) -> str:
    with h5py.File(folder / "x_master.h5", "w") as file:
        for name, nx_class in (("entry", "NXentry"), ("entry/data", "NXdata"), ("entry/instrument", "NXinstrument")):
            file.create_group(name).attrs["NX_class"] = nx_class
        detector = file.create_group("entry/instrument/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector["detectorSpecific/pixel_mask"] = (IMAGE > 12).astype(np.uint32)
        detector["detectorSpecific/flatfield"] = np.ones(IMAGE.shape)
        for part in range(1, parts + 1):
            name = f"data_{part:06d}"
            file[f"entry/data/{name}"] = h5py.ExternalLink(f"x_{name}.h5", "/entry/data/data")
            with h5py.File(folder / f"x_{name}.h5", "w") as other:
                other["entry/data/data"] = np.stack([IMAGE + 10 * part, IMAGE + 10 * part + 1]).astype(np.uint16)
    return str(folder / "x_master.h5")


@pytest.mark.parametrize("inner", ["", "::/entry/data", "::/entry"])
def test_eiger_master_chains_its_data_files(tmp_path: Path, inner: str) -> None:
    frames = list(read_frames(write_eiger(tmp_path, 2) + inner))
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [int(frame.data[0, 0] - IMAGE[0, 0]) for frame in frames] == [10, 11, 20, 21]
    for frame in frames:
        np.testing.assert_array_equal(frame.bad, IMAGE > 12)


def test_eiger_master_without_its_data_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    master = write_eiger(tmp_path, 2)
    (tmp_path / "x_data_000002.h5").unlink()
    assert len(list(read_frames(master))) == 2
    assert "1 of 2 linked data files are missing" in caplog.text
    (tmp_path / "x_data_000001.h5").unlink()
    with pytest.raises(InputError, match="holds no image"):
        next(read_frames(master))
    with pytest.raises(InputError, match="links to a missing file"):
        next(read_frames(f"{master}::/entry/data/data_000001"))


def test_hdf5_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.stack([IMAGE] * 20)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(InputError, match=r"cut\.h5"):
        list(read_frames(str(path)))

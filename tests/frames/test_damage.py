"""Files that claim more than they hold are refused at once, in one line that can be printed, and cost no memory."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import fabio.cbfimage
import fabio.edfimage
import fabio.tifimage
import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import read_frames

IMAGE = np.random.default_rng(3).poisson(5.0, (60, 70)).astype(np.int32)


def write_huge_edf(path: Path) -> None:
    fabio.edfimage.EdfImage(data=IMAGE).write(str(path))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Dim_1 = 70 ;", b"Dim_1 = 160000 ;").replace(b"Dim_2 = 60", b"Dim_2 = 160000"))


def write_huge_cbf(path: Path) -> None:
    fabio.cbfimage.CbfImage(data=IMAGE).write(str(path))
    content = path.read_bytes()
    for old, new in ((b"Elements: 4200", b"Elements: 25600000000"), (b"Dimension: 70", b"Dimension: 160000")):
        assert old in content
        content = content.replace(old, new)
    path.write_bytes(content.replace(b"Dimension: 60", b"Dimension: 160000"))


def write_huge_tiff(path: Path) -> None:
    fabio.tifimage.TifImage(data=IMAGE.astype(np.uint16)).write(str(path))
    content = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", content, 4)
    for index in range(*struct.unpack_from("<H", content, directory)):
        place = directory + 2 + 12 * index
        (tag,) = struct.unpack_from("<H", content, place)
        if tag in (256, 257, 278):  # width, height, rows a strip
            struct.pack_into("<HII", content, place + 2, 4, 1, 230_000)
    path.write_bytes(content)


def write_huge_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<i4", "fortran_order": False, "shape": (160_000, 160_000)}
        )


def write_huge_dataset(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (160_000, 160_000), "i4")


def write_huge_chunk(path: Path) -> None:
    with h5py.File(path, "w") as file:
        try:
            file.create_dataset("data", (10**6, 1000, 1000), "i8", chunks=(600, 1000, 1000))
        except ValueError as problem:
            pytest.skip(f"HDF5 before version 2 has no such pieces: {problem}")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_huge_edf, "more memory|larger than any detector"),
        (write_huge_cbf, "cannot read"),
        (write_huge_tiff, "cut short"),
        (write_huge_npy, "more memory|cannot read"),
        (write_huge_dataset, r"shape \(160000, 160000\), no detector has so many pixels"),
        (write_huge_chunk, r"pieces of shape \(600, 1000, 1000\), too large"),
    ],
)
def test_a_shape_of_100_gigabytes_is_refused(write: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    path = tmp_path / "huge"
    write(path)
    with pytest.raises(InputError, match=words) as caught:
        next(read_frames(path))
    assert "huge" in str(caught.value)


def test_huge_things_beside_the_frames_are_left_alone(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "n.h5", "w") as file:
        file["entry/instrument/detector/data"] = IMAGE
        file["entry"].attrs["NX_class"] = "NXentry"
        file["entry/instrument"].attrs["NX_class"] = "NXinstrument"
        detector = file["entry/instrument/detector"]
        detector.attrs["NX_class"] = "NXdetector"
        detector.create_dataset("pixel_mask", (10, 10**5, 10**5), "u4")
        detector.create_dataset("count_time", (10**11,), "f8")
    (frame,) = read_frames(tmp_path / "n.h5")
    np.testing.assert_array_equal(frame.data, IMAGE)
    assert not frame.bad.any()
    assert "exposure_time_s" not in frame.metadata


def test_an_edf_header_that_claims_more_pixels_than_bytes_is_refused(tmp_path: Path) -> None:
    """fabio fills up with zeros, which would pass for pixels without photons."""
    path = tmp_path / "a.edf"
    fabio.edfimage.EdfImage(data=IMAGE).write(str(path))
    path.write_bytes(path.read_bytes().replace(b"Dim_2 = 60", b"Dim_2 = 90"))
    with pytest.raises(InputError, match="frame 0 is cut short"):
        next(read_frames(path))


def test_what_a_library_repeats_from_the_file_can_be_printed(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, IMAGE)
    path.write_bytes(path.read_bytes().replace(b"'<i4'", b"'\x1b[1'"))
    with pytest.raises(InputError, match=re.escape("a.npy")) as caught:
        next(read_frames(path))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("place", [300, 800, 1500, 2500, 4000])
def test_hdf5_damaged_anywhere_is_one_line(place: int, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for number in range(20):
            file[f"entry_{number}/data"] = IMAGE[:10, :10]
    content = bytearray(path.read_bytes())
    content[place : place + 500] = bytes(range(250, 0, -1)) * 2
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        next(read_frames(path))
    assert "\n" not in str(caught.value)

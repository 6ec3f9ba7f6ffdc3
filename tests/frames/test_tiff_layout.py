"""Compressed TIFF files that end too early are noticed; libtiff reads them as zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tifffile

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import read_frames
from pyfai_grf.frames.tiff_layout import is_cut_short

IMAGE = np.random.default_rng(3).poisson(50.0, (96, 128)).astype(np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_big", [False, True])
@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 8}, {"tile": (32, 32)}], ids=["strip", "strips", "tiles"])
def test_the_end_of_the_pixels_is_found(order: Literal["<", ">"], is_big: bool, layout: dict, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=is_big, byteorder=order) as file:
        for _ in range(2):
            file.write(IMAGE, compression="zlib", **layout)
    assert not is_cut_short(str(path))
    whole = path.read_bytes()
    for missing in (20, len(whole) // 3):
        path.write_bytes(whole[:-missing])
        assert is_cut_short(str(path))


def test_a_cut_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, compression="zlib", rowsperstrip=8)
    (frame,) = read_frames(path)
    np.testing.assert_array_equal(frame.data, IMAGE)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"a\.tif is cut short"):
        next(read_frames(path))


@pytest.mark.parametrize(
    "content", [b"", b"II", b"II*\0", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\xff\xff", b"{ HeaderID"]
)
def test_what_is_no_tiff_is_left_to_its_reader(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert not is_cut_short(str(tmp_path / "a"))


def test_directories_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, compression="zlib")
    content = bytearray(path.read_bytes())
    start = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[start : start + 2], "little")
    content[start + 2 + 12 * count : start + 6 + 12 * count] = content[4:8]  # the next one is the first one
    path.write_bytes(content)
    assert not is_cut_short(str(path))

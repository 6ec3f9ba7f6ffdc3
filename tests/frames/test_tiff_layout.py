"""TIFF files that end too early are noticed: readers give zeros for compressed pixels, and no word of later pages."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tifffile
from PIL import Image

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import read_frames
from pyfai_grf.frames.tiff_layout import Layout, read_layout

IMAGE = np.random.default_rng(3).poisson(50.0, (96, 128)).astype(np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_big", [False, True])
@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 8}, {"tile": (32, 32)}], ids=["strip", "strips", "tiles"])
def test_the_end_of_the_pixels_is_found(order: Literal["<", ">"], is_big: bool, layout: dict, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=is_big, byteorder=order) as file:
        for _ in range(2):
            file.write(IMAGE, compression="zlib", **layout)
    assert read_layout(str(path)) == Layout()
    whole = path.read_bytes()
    for missing in (20, len(whole) // 3):
        path.write_bytes(whole[:-missing])
        assert read_layout(str(path)).is_cut_short


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
    assert read_layout(str(tmp_path / "a")) == Layout()


def test_directories_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, compression="zlib")
    content = bytearray(path.read_bytes())
    start = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[start : start + 2], "little")
    content[start + 2 + 12 * count : start + 6 + 12 * count] = content[4:8]  # the next one is the first one
    path.write_bytes(content)
    assert read_layout(str(path)) == Layout()


def _read_all(path: Path) -> tuple[list[int], list[str]]:
    """Return which of the images the frames are, and the errors among them."""
    found: list[int] = []
    problems: list[str] = []
    frames = read_frames(path)
    while True:
        try:
            frame = next(frames, None)
        except InputError as problem:
            problems.append(str(problem))
            continue
        if frame is None:
            return found, problems
        found.append(next(n for n in range(4) if np.array_equal(frame.data, IMAGE + n)))


def _write_pages(path: Path, kind: str) -> None:
    """Write four pages: a directory before the pixels of each, all directories behind all pixels, or behind each."""
    pages = np.array([IMAGE + n for n in range(4)])
    if kind == "apart":
        with tifffile.TiffWriter(path) as file:
            for page in pages:
                file.write(page, contiguous=False)
    elif kind == "pillow":
        first, *others = (Image.fromarray(page.astype(np.int32)) for page in pages)
        first.save(path, save_all=True, append_images=others)
    else:
        tifffile.imwrite(path, pages, photometric="minisblack", imagej=kind == "imagej")


@pytest.mark.parametrize("kind", ["apart", "together", "imagej", "pillow"])
def test_pages_that_are_cut_off_are_not_lost_in_silence(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    _write_pages(path, kind)
    assert _read_all(path) == ([0, 1, 2, 3], [])
    whole = path.read_bytes()
    page = IMAGE.nbytes * (2 if kind == "pillow" else 1)
    for size in (int(1.2 * page), int(2.4 * page), len(whole) - page, len(whole) - 200, len(whole) - 3):
        path.write_bytes(whole[:size])
        found, problems = _read_all(path)
        assert found == list(range(len(found)))  # fabio gives the first one, or all but the last
        assert len(problems) == (len(found) < 4), size  # the last bytes of a file may be nobody's
        assert all("a.tif" in problem for problem in problems)


def test_a_cut_between_pages_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    _write_pages(path, "apart")
    path.write_bytes(path.read_bytes()[: IMAGE.nbytes + 1000])
    found, (problem,) = _read_all(path)
    assert found == [0]
    assert problem.startswith(f"{path} is cut short: of the frames from 1 on nothing can be read: ")


def test_a_stack_of_which_only_the_first_page_is_described(tmp_path: Path) -> None:
    """As ImageJ writes what is larger than 4 GB."""
    path = tmp_path / "a.tif"
    text = "ImageJ=1.53t\nimages=4\nslices=4\nloop=false\n"
    tifffile.imwrite(path, IMAGE, description=text, metadata=None)
    path.write_bytes(path.read_bytes() + 3 * IMAGE.tobytes())
    found, problems = _read_all(path)
    assert found == [0]
    assert len(problems) == 1

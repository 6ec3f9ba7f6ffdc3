"""EDF, CBF and TIFF frames come back as they were written, with what their headers say."""

from __future__ import annotations

from pathlib import Path

import fabio.cbfimage
import fabio.edfimage
import fabio.tifimage
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import read_frames

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


def test_edf_with_several_frames(tmp_path: Path) -> None:
    path = str(tmp_path / "stack.edf")
    header = {"ExposureTime": "2.5", "WaveLength": "1e-10", "title": "sample 7", "Monitor": "12"}
    image = fabio.edfimage.EdfImage(data=IMAGE, header=header)
    image.append_frame(data=IMAGE + 1, header=header)
    image.write(path)
    frames = list(read_frames(path))
    assert [frame.index for frame in frames] == [0, 1]
    np.testing.assert_array_equal(frames[1].data, IMAGE + 1)
    assert frames[0].data.dtype == np.int32
    assert frames[0].metadata == {"exposure_time_s": 2.5, "monitor": 12.0, "wavelength_nm": 0.1, "title": "sample 7"}
    assert not frames[0].bad.any()


def test_edf_dummy_marks_pixels_and_negative_floats_stay(tmp_path: Path) -> None:
    data = IMAGE.astype(np.float32)
    data[0, :4] = -7.0, np.nan, 9999.2, np.inf
    path = str(tmp_path / "dummy.edf")
    fabio.edfimage.EdfImage(data=data, header={"Dummy": "9999", "DDummy": "0.5"}).write(path)
    (frame,) = read_frames(path)
    np.testing.assert_array_equal(np.argwhere(frame.bad), [[0, 1], [0, 2], [0, 3]])


def test_edf_cut_short_gives_the_complete_frames_first(tmp_path: Path) -> None:
    path = tmp_path / "cut.edf"
    image = fabio.edfimage.EdfImage(data=IMAGE)
    image.append_frame(data=IMAGE)
    image.write(str(path))
    path.write_bytes(path.read_bytes()[:-1000])
    frames = read_frames(str(path))
    np.testing.assert_array_equal(next(frames).data, IMAGE)
    with pytest.raises(InputError, match="frame 1 is cut short"):
        next(frames)


def test_cbf_gaps_and_count_cutoff(tmp_path: Path) -> None:
    data = IMAGE.copy()
    data[1, :4] = -1, -2, 1_048_500, 1_048_499
    path = str(tmp_path / "frame.cbf")
    text = "# Exposure_time 0.9970000 s\r\n# Wavelength 0.9800 A\r\n# Count_cutoff 1048500 counts"
    fabio.cbfimage.CbfImage(data=data, header={"_array_data.header_contents": text}).write(path)
    (frame,) = read_frames(path)
    np.testing.assert_array_equal(frame.data, data)
    np.testing.assert_array_equal(np.argwhere(frame.bad), [[1, 0], [1, 1], [1, 2]])
    assert frame.metadata == pytest.approx({"exposure_time_s": 0.997, "wavelength_nm": 0.098})


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_tiff_saturation_is_the_largest_value_of_its_type(tmp_path: Path, dtype: type) -> None:
    data = IMAGE.astype(dtype)
    data[2, 3] = np.iinfo(dtype).max
    path = str(tmp_path / "frame.tif")
    fabio.tifimage.TifImage(data=data).write(path)
    (frame,) = read_frames(path)
    np.testing.assert_array_equal(frame.data, data)
    np.testing.assert_array_equal(np.argwhere(frame.bad), [[2, 3]])


def test_tiff_with_several_pages(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pages = [pillow.fromarray(IMAGE.astype(np.float32) + page) for page in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    frames = list(read_frames(tmp_path / "pages.tif"))
    np.testing.assert_array_equal([frame.data for frame in frames], [IMAGE, IMAGE + 1, IMAGE + 2])


@pytest.mark.parametrize("name", ["frame.cbf", "frame.tif", "empty.edf", "text.edf"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "frame.cbf":
        fabio.cbfimage.CbfImage(data=IMAGE).write(str(path))
    elif name == "frame.tif":
        fabio.tifimage.TifImage(data=IMAGE.astype(np.uint16)).write(str(path))
    path.write_bytes(path.read_bytes()[:900] if path.exists() else b"hello" if name == "text.edf" else b"")
    with pytest.raises(InputError, match=name):
        list(read_frames(str(path)))


def test_fabio_s_insides_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / "frame.cbf"
    path.write_bytes(b"###CBF: VERSION 1.5\nno image at all\n" * 20)
    with pytest.raises(InputError, match="no readable image") as caught:
        list(read_frames(path))
    assert "NoneType" not in str(caught.value)

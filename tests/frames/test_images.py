"""Frames come back as they were written, and pixels that hold no measurement are marked."""

from __future__ import annotations

from pathlib import Path

import fabio.cbfimage
import fabio.edfimage
import fabio.tifimage
import h5py
import hdf5plugin
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import find_sources, read_frames, read_mask, read_mean

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


def test_globs_sort_naturally_and_keep_the_order_of_patterns(tmp_path: Path) -> None:
    for name in ("f_10.edf", "f_2.edf", "a.h5"):
        (tmp_path / name).touch()
    found = find_sources([f"{tmp_path}/f_*.edf", f"{tmp_path}/a.h5::/entry/data", f"{tmp_path}/f_2.edf"])
    assert found == [f"{tmp_path}/f_2.edf", f"{tmp_path}/f_10.edf", f"{tmp_path}/a.h5::/entry/data"]


@pytest.mark.parametrize(
    ("pattern", "words"), [("x*.edf", "no file matches"), ("x.edf", "no such file"), (".", "folder")]
)
def test_a_pattern_that_matches_no_file_is_an_error(tmp_path: Path, pattern: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_sources([str(tmp_path / pattern)])


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


def test_missing_file_folder_and_inner_path_of_a_plain_image(tmp_path: Path) -> None:
    fabio.edfimage.EdfImage(data=IMAGE).write(str(tmp_path / "a.edf"))
    with pytest.raises(InputError, match="no such file"):
        next(read_frames(str(tmp_path / "b.edf")))
    with pytest.raises(InputError, match="is a folder"):
        next(read_frames(str(tmp_path)))
    with pytest.raises(InputError, match="not an HDF5 file"):
        next(read_frames(f"{tmp_path}/a.edf::/entry"))


def test_masks_and_means(tmp_path: Path) -> None:
    path = str(tmp_path / "mask.edf")
    fabio.edfimage.EdfImage(data=(IMAGE > 7).astype(np.int8)).write(path)
    np.testing.assert_array_equal(read_mask(path), IMAGE > 7)
    marked = IMAGE.copy()
    marked[0, 0] = -1
    np.save(tmp_path / "dark.npy", marked)
    np.save(tmp_path / "dark2.npy", IMAGE + 1)
    mean, count = read_mean([str(tmp_path / "dark.npy"), str(tmp_path / "dark2.npy")])
    assert count == 2
    assert np.isnan(mean[0, 0])
    np.testing.assert_allclose(mean[1:], IMAGE[1:] + 0.5)
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["data"] = np.zeros((2, 30, 40), np.int8)
    with pytest.raises(InputError, match="a mask is one image"):
        read_mask(f"{tmp_path}/two.h5")


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


def write_nexus(path: Path, image: np.ndarray) -> h5py.File:
    file = h5py.File(path, "w")
    classes = {
        "entry": "NXentry",
        "entry/instrument": "NXinstrument",
        "entry/instrument/detector": "NXdetector",
        "entry/instrument/beam": "NXbeam",
        "entry/control": "NXmonitor",
        "entry/data": "NXdata",
    }
    for name, nx_class in classes.items():
        file.create_group(name).attrs["NX_class"] = nx_class
    file["entry/instrument/detector/data"] = image
    file["entry/data/data"] = file["entry/instrument/detector/data"]
    file["entry/instrument/beam/incident_wavelength"] = 1.2
    file["entry/instrument/beam/incident_wavelength"].attrs["units"] = "angstrom"
    return file


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


def test_nexus_detector_knows_its_bad_pixels_and_exposures(tmp_path: Path) -> None:
    stack = np.stack([IMAGE, IMAGE]).astype(np.uint32)
    stack[:, 0, :4] = 2**32 - 1, 60_000, 59_999, 2**31
    mask = np.zeros(IMAGE.shape, np.uint32)
    mask[5, 6] = 8
    with write_nexus(tmp_path / "n.h5", stack) as file:
        detector = file["entry/instrument/detector"]
        detector["detectorSpecific/pixel_mask"] = mask
        detector["saturation_value"] = 60_000
        detector["count_time"] = [1.0, 2.0]
        file["entry/control/data"] = [100.0, 50.0]
        file["entry/title"] = "carbon"
    first, second = read_frames(f"{tmp_path}/n.h5")
    np.testing.assert_array_equal(np.argwhere(second.bad), [[0, 0], [0, 1], [0, 3], [5, 6]])
    assert second.metadata == pytest.approx(
        {"exposure_time_s": 2.0, "monitor": 50.0, "wavelength_nm": 0.12, "title": "carbon"}
    )
    assert first.metadata["exposure_time_s"] == 1.0


@pytest.mark.parametrize(("name", "value"), [("countrate_correction_count_cutoff", 900), ("bit_depth_image", 16)])
def test_other_limits_of_a_nexus_detector(tmp_path: Path, name: str, value: int) -> None:
    image = IMAGE.astype(np.uint32)
    image[0, 0] = 2**16 - 1
    with write_nexus(tmp_path / "n.h5", image) as file:
        file[f"entry/instrument/detector/{name}"] = value
        file["entry/instrument/detector/saturation_value"] = 0  # not known
    (frame,) = read_frames(f"{tmp_path}/n.h5")
    np.testing.assert_array_equal(np.argwhere(frame.bad), [[0, 0]])


def test_values_below_the_underload_value_are_no_measurements(tmp_path: Path) -> None:
    image = IMAGE.astype(np.float32)
    image[0, 0] = -50.0
    image[0, 1] = -5.0
    with write_nexus(tmp_path / "n.h5", image) as file:
        file["entry/instrument/detector/underload_value"] = -10.0
    (frame,) = read_frames(f"{tmp_path}/n.h5")
    np.testing.assert_array_equal(np.argwhere(frame.bad), [[0, 0]])


def test_pixel_mask_of_another_shape_is_an_error(tmp_path: Path) -> None:
    with write_nexus(tmp_path / "n.h5", IMAGE) as file:
        file["entry/instrument/detector/pixel_mask"] = np.zeros((3, 4), np.uint32)
    with pytest.raises(InputError, match=r"\(3, 4\).*\(30, 40\)"):
        next(read_frames(f"{tmp_path}/n.h5"))


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


def test_fabio_s_insides_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / "frame.cbf"
    path.write_bytes(b"###CBF: VERSION 1.5\nno image at all\n" * 20)
    with pytest.raises(InputError, match="no readable image") as caught:
        list(read_frames(path))
    assert "NoneType" not in str(caught.value)

"""What a NeXus file says about its detector goes into masks and metadata."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import read_frames

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


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

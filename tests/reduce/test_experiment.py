"""What the user gives stands above what the configuration says, and what does not fit is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import fabio.edfimage
import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.frame import make_frame
from pyfai_grf.reduce.experiment import ReductionSettings, check_shapes, complete_geometry, iterate_frames
from pyfai_grf.reduce.geometry import Geometry, wrap_integrator


def write_image(path: Path, data: np.ndarray) -> str:
    fabio.edfimage.EdfImage(data=data).write(str(path))
    return str(path)


@pytest.fixture
def square(setup: Any) -> np.ndarray:
    """(H, W) True in a square."""
    square = np.zeros(setup.shape, bool)
    square[20:40, 10:90] = True
    return square


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [0.0, -1.0, np.nan, np.inf])
def test_impossible_gain(gain: float) -> None:
    with pytest.raises(InputError, match=f"the gain is {gain}"):
        ReductionSettings("x.poni", gain=gain)


@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf, 1e300, -1e10])
def test_impossible_background_scale(scale: float) -> None:
    with pytest.raises(InputError, match=re.escape(f"background scale is {scale}: ")):
        ReductionSettings("x.poni", background_scale=scale)


@pytest.mark.parametrize("scale", [0.0, -0.5, 1e6])
def test_background_scales_that_are_possible(scale: float) -> None:
    assert ReductionSettings("x.poni", background_scale=scale, gain=1e-3).background_scale == scale


def test_description_names_files_and_the_types_of_what_is_none(setup: Any) -> None:
    settings = ReductionSettings(
        setup.integrator, Path("m.edf"), ["d1.edf", Path("d2.edf")], np.ones(3), iter([]), 0.5, gain=2.0
    )
    described = settings.describe()
    assert described == {
        "geometry": "AzimuthalIntegrator",
        "mask": "m.edf",
        "dark": ["d1.edf", "d2.edf"],
        "flat": "ndarray",
        "background": "list_iterator",
        "background_scale": 0.5,
        "gain": 2.0,
    }
    assert json.loads(json.dumps(described)) == described


# --- the geometry ------------------------------------------------------------------------------------------------


def test_geometry_in_every_form(setup: Any, poni: str) -> None:
    for given in (poni, Path(poni), setup.integrator, wrap_integrator(setup.integrator)):
        geometry = complete_geometry(ReductionSettings(given))
        assert geometry.shape == setup.shape
        assert (geometry.mask, geometry.dark, geometry.flat, geometry.has_user_mask) == (None, None, None, False)
    with pytest.raises(InputError, match="not int"):
        complete_geometry(ReductionSettings(7))


@pytest.mark.parametrize("form", ["flags", "integers", "floats", "masked", "file", "path", "stack"])
def test_mask_in_every_form(form: str, setup: Any, square: np.ndarray, tmp_path: Path) -> None:
    name = write_image(tmp_path / "m.edf", square.astype(np.int8))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["mask"] = square.astype(np.uint8)[np.newaxis]
    given: Any = {
        "flags": square,
        "integers": square.astype(np.int8) * -3,
        "floats": np.where(square, np.nan, 0.0),
        "masked": np.ma.masked_array(np.zeros(setup.shape), square),
        "file": name,
        "path": Path(name),
        "stack": f"{tmp_path}/m.h5::/mask",
    }[form]
    geometry = complete_geometry(ReductionSettings(setup.integrator, mask=given))
    np.testing.assert_array_equal(geometry.mask, square)
    assert geometry.mask.dtype == bool
    assert geometry.has_user_mask


def test_masks_are_joined_and_nothing_given_is_changed(setup: Any, square: np.ndarray) -> None:
    integrator = setup.copy_integrator()
    integrator.detector.mask = np.eye(200, dtype=np.int8)
    wrapped = wrap_integrator(integrator)
    before = square.copy()
    geometry = complete_geometry(ReductionSettings(wrapped, mask=square))
    np.testing.assert_array_equal(geometry.mask, square | np.eye(200, dtype=bool))
    np.testing.assert_array_equal(square, before)
    np.testing.assert_array_equal(wrapped.mask, np.eye(200, dtype=bool))


@pytest.mark.parametrize("name", ["dark", "flat"])
def test_dark_and_flat_in_every_form(name: str, setup: Any, square: np.ndarray, tmp_path: Path) -> None:
    one, three = (np.full(setup.shape, value, np.float32) for value in (1.0, 3.0))
    files = [write_image(tmp_path / f"{number}.edf", image) for number, image in enumerate((one, three))]

    def read(given: Any) -> tuple[np.ndarray, int]:
        geometry = complete_geometry(ReductionSettings(setup.integrator, **{name: given}))
        return getattr(geometry, name), geometry.dark_frames if name == "dark" else 0

    for given, value, frames in (
        (one, 1.0, 1),
        (one.astype(int), 1.0, 1),
        (files[1], 3.0, 1),
        (Path(files[1]), 3.0, 1),
        (files, 2.0, 2),
        (iter(files), 2.0, 2),
    ):
        image, count = read(given)
        np.testing.assert_array_equal(image, value)
        assert image.dtype == np.float32
        assert count == (frames if name == "dark" else 0)
    image, _ = read(np.ma.masked_array(one, square))
    np.testing.assert_array_equal(np.isnan(image), square)
    assert (one == 1).all()


def test_dark_of_the_user_takes_the_place_of_the_configurations(setup: Any) -> None:
    geometry = Geometry(setup.integrator, dark=np.full(setup.shape, 9.0, np.float32), dark_frames=50)
    found = complete_geometry(ReductionSettings(geometry, dark=np.ones(setup.shape)))
    assert (found.dark[0, 0], found.dark_frames) == (1.0, 1)
    assert complete_geometry(ReductionSettings(geometry)).dark_frames == 50


def test_files_that_are_not_there(setup: Any, tmp_path: Path) -> None:
    for name in ("mask", "dark", "flat"):
        given: dict[str, Any] = {name: tmp_path / "gone.edf"}
        with pytest.raises(InputError, match=r"no such file.*gone\.edf"):
            complete_geometry(ReductionSettings(setup.integrator, **given))
    with pytest.raises(InputError, match="no frame"):
        complete_geometry(ReductionSettings(setup.integrator, dark=[]))


def test_mask_that_does_not_fit_the_detectors(setup: Any) -> None:
    integrator = setup.copy_integrator()
    integrator.detector.mask = np.zeros(setup.shape, np.int8)
    with pytest.raises(InputError, match=r"\(5, 6\).*\(200, 200\)"):
        complete_geometry(ReductionSettings(integrator, mask=np.zeros((5, 6))))


@pytest.mark.parametrize("name", ["mask", "dark", "flat"])
def test_shapes_that_do_not_fit_are_named(name: str, setup: Any) -> None:
    images: dict[str, Any] = {name: np.zeros((5, 6))}
    geometry = Geometry(setup.integrator, **images)
    check_shapes(geometry, (5, 6))
    with pytest.raises(InputError, match=rf"the {name} has shape \(5, 6\).*\(200, 200\)"):
        check_shapes(geometry, setup.shape)
    check_shapes(Geometry(setup.integrator), setup.shape)


# --- frames ------------------------------------------------------------------------------------------------------


def test_frames_in_every_form(tmp_path: Path) -> None:
    images = np.arange(24).reshape(2, 3, 4)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["stack"] = images
    stack = f"{tmp_path}/s.h5::/stack"
    single = make_frame(images[0], "given")
    for given, expected in (
        (stack, images),
        (single, images[:1]),
        (images[1], images[1:]),
        ([single, images[1]], images),
        (iter([images[1], [stack, single]]), [images[1], *images, images[0]]),
        ([], []),
    ):
        found = list(iterate_frames(given))
        assert len(found) == len(expected)
        for frame, image in zip(found, expected, strict=True):
            np.testing.assert_array_equal(frame.data, image)
    assert next(iterate_frames(single)) is single
    masked = np.ma.masked_array(images[0], images[0] > 5)
    np.testing.assert_array_equal(next(iterate_frames(masked)).bad, images[0] > 5)


@pytest.mark.parametrize("given", [np.ones(5), np.ones((2, 3, 4)), np.full((3, 3), "a"), np.zeros((0, 4))])
def test_what_is_no_frame(given: np.ndarray) -> None:
    with pytest.raises(InputError, match="background array"):
        list(iterate_frames(given))

"""What pyFAI-integrate saved is used as it was meant, and a damaged or hostile file is refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pyFAI.containers import PolarizationDescription
from pyFAI.detectors import detector_factory
from pyFAI.integrator.azimuthal import AzimuthalIntegrator
from pyFAI.io.integration_config import WorkerConfig
from pyFAI.io.ponifile import PoniFile

from pyfai_grf.core.errors import InputError
from pyfai_grf.reduce.configuration import load_configuration, load_geometry
from pyfai_grf.reduce.geometry import Geometry


@pytest.fixture
def write(setup: Any, tmp_path: Path) -> Any:
    """``write(name=value)``: the path of a configuration that pyFAI saved, with values changed afterwards."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "c.json"
        WorkerConfig(poni=PoniFile(setup.integrator), unit="q_nm^-1").save(str(path))
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        return path

    return write


def refuse(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_geometry(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


# --- what is used ------------------------------------------------------------------------------------------------


def test_configuration_of_pyfai_integrate(setup: Any, tmp_path: Path) -> None:
    mask = np.zeros(setup.shape, np.int8)
    mask[3, 4] = 1
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "dark1.npy", np.full(setup.shape, 2.0))
    np.save(tmp_path / "dark2.npy", np.full(setup.shape, 4.0))
    np.save(tmp_path / "flat.npy", np.full(setup.shape, 1.5))
    config = WorkerConfig(
        poni=PoniFile(setup.integrator),
        application="pyfai-integrate",
        unit="q_A^-1",
        nbpt_rad=77,
        mask_file="mask.npy",  # beside the configuration, not in the working folder
        dark_current=[str(tmp_path / "dark1.npy"), "dark2.npy"],
        flat_field=str(tmp_path / "flat.npy"),
        polarization_description=PolarizationDescription(0.95, 0.1),
        normalization_factor=3.0,
        azimuth_range=[10.0, 80.0],
        radial_range=[0.02, 0.2],
        val_dummy=-3.0,
        delta_dummy=0.5,
        integrator_method="sigma_clip_ng",
    )
    path = tmp_path / "azimint.json"
    config.save(str(path))
    geometry = load_geometry(path)
    assert geometry.mask is not None
    assert np.argwhere(geometry.mask).tolist() == [[3, 4]]
    assert geometry.dark is not None
    assert geometry.flat is not None
    assert (geometry.dark[0, 0], geometry.dark_frames, geometry.flat[0, 0]) == (3.0, 2, 1.5)
    assert geometry.polarization == (0.95, 0.1)
    assert geometry.normalization_factor == 3.0
    assert geometry.azimuth_range == (10.0, 80.0)
    assert geometry.q_range_nm1 == pytest.approx((0.2, 2.0))
    assert geometry.dummy == (-3.0, 0.5)
    assert geometry.has_user_mask
    assert "sigma_clip_ng" in geometry.notes[0]
    q = geometry.integrator.array_from_unit(setup.shape, "center", "q_nm^-1", scale=True)
    np.testing.assert_allclose(q, setup.q, rtol=1e-9)


def test_configuration_that_asks_for_nothing(write: Any) -> None:
    geometry = load_geometry(write())
    nothing = Geometry(geometry.integrator, source=geometry.source)
    assert geometry == nothing
    assert geometry.source.endswith("c.json")


def test_what_is_not_done_is_noted(write: Any) -> None:
    notes = load_geometry(
        write(integrator_method="medfilt1d_ng", monitor_name="/entry/diode", correct_solid_angle=False)
    ).notes
    assert len(notes) == 3
    for words, note in zip(("medfilt1d_ng", "/entry/diode", "solid angle"), notes, strict=True):
        assert words in note


@pytest.mark.parametrize(
    ("given", "used"), [([-1], (-1.0, 0.0)), ([0.9], (0.9, 0.0)), ([0.9, None], (0.9, 0.0)), ([None, 0.2], None)]
)
def test_polarization(given: list, used: tuple[float, float] | None, write: Any) -> None:
    assert load_geometry(write(polarization_description=given)).polarization == used


@pytest.mark.parametrize(("delta", "used"), [(None, 0.0), (1.5, 1.5)])
def test_dummy_of_zero_is_one(delta: float | None, used: float, write: Any) -> None:
    assert load_geometry(write(val_dummy=0, delta_dummy=delta)).dummy == (0.0, used)


@pytest.mark.parametrize("factor", [None, 0, 1])
def test_no_normalization_is_by_one(factor: float | None, write: Any) -> None:
    assert load_geometry(write(normalization_factor=factor)).normalization_factor == 1.0


ANGLES = 4 * np.pi / 0.1 * np.sin(np.radians([0.5, 1.0]))  # q = 4 pi sin(theta) / wavelength, 0.1 nm


@pytest.mark.parametrize(
    ("unit", "given", "used"),
    [
        ("q_nm^-1", [0.2, 2.0], (0.2, 2.0)),
        ("q_nm^-1", [2.0, 0.2], (0.2, 2.0)),
        ("q_A^-1", [0.02, 0.2], (0.2, 2.0)),
        ("2th_deg", [1.0, 2.0], tuple(ANGLES)),
        ("2th_rad", list(np.radians([1.0, 2.0])), tuple(ANGLES)),
        (None, [1.0, 2.0], tuple(ANGLES)),  # pyFAI's own default
    ],
)
def test_radial_range_is_converted(unit: str | None, given: list[float], used: tuple, write: Any) -> None:
    assert load_geometry(write(unit=unit, radial_range=given)).q_range_nm1 == pytest.approx(used, rel=1e-12)


def test_radial_range_on_the_detector_is_not_understood(write: Any) -> None:
    assert "r_mm" in refuse(write(unit="r_mm", radial_range=[1.0, 2.0]))


def test_geometry_alone_as_json(setup: Any, tmp_path: Path) -> None:
    content = PoniFile(setup.integrator).as_dict()
    assert load_configuration("g.json", json.dumps(content)).shape == setup.shape
    del content["wavelength"]
    with pytest.raises(InputError, match=r"g\.json .*wavelength"):
        load_configuration("g.json", json.dumps(content))


# --- files that it names -----------------------------------------------------------------------------------------


def test_file_is_taken_from_where_it_is_before_beside_the_configuration(
    write: Any, setup: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    np.save(tmp_path / "flat.npy", np.full(setup.shape, 2.0))
    path = write(flat_field="flat.npy")
    monkeypatch.chdir(tmp_path / "work")
    assert load_geometry(path).flat[0, 0] == 2.0
    np.save("flat.npy", np.full(setup.shape, 3.0))
    assert load_geometry(path).flat[0, 0] == 3.0


@pytest.mark.parametrize("url", ["d.h5::/dark", "silx:d.h5?/dark", "silx:{folder}/d.h5?path=/dark", "d.h5?path=/dark"])
def test_image_in_hdf5_is_named_as_users_and_silx_do(url: str, write: Any, setup: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["dark"] = np.stack([np.full(setup.shape, 2.0), np.full(setup.shape, 4.0)])
        file["other"] = np.zeros(setup.shape)
    geometry = load_geometry(write(dark_current=url.replace("{folder}", str(tmp_path))))
    assert (geometry.dark[0, 0], geometry.dark_frames) == (3.0, 2)


def test_mask_that_does_not_fit_the_detector(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", np.zeros((5, 6), np.int8))
    integrator = AzimuthalIntegrator(dist=1.0, detector=detector_factory("Pilatus300k"), wavelength=1e-10)
    config = WorkerConfig(poni=PoniFile(integrator), mask_file=str(tmp_path / "mask.npy"))
    config.save(str(tmp_path / "c.json"))
    message = refuse(tmp_path / "c.json")
    assert "(5, 6)" in message
    assert "(619, 487)" in message


@pytest.mark.parametrize("key", ["mask_file", "dark_current", "flat_field"])
@pytest.mark.parametrize("name", ["gone.npy", "../../gone.npy", "a\0b", "silx:///gone.h5?/a", ".", "/etc/passwd"])
def test_file_that_is_none_is_named(key: str, name: str, write: Any) -> None:
    assert name.replace("\0", "\\x00").removeprefix("silx://").partition("?")[0] in refuse(write(**{key: name}))


# --- files that are none, or mean harm ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        "{",
        "[1, 2]",
        '{"a": 1}',
        '{"poni": 3, "version": 5}',
        '{"poni_version": 2.1}',
        '{"poni_version": "x"}',
        "[" * 100_000,  # deeper than Python goes
        '{"a":' * 100_000,
        "{}\0",
    ],
)
def test_files_that_hold_no_geometry(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.poni"
    path.write_text(text)
    assert "x.poni" in refuse(path)


@pytest.mark.parametrize(
    "change",
    [
        {"val_dummy": "abc"},
        {"val_dummy": -1, "delta_dummy": [1]},
        {"normalization_factor": "x"},
        {"normalization_factor": -1},
        {"normalization_factor": float("nan")},
        {"normalization_factor": float("inf")},
        {"azimuth_range": [1]},
        {"azimuth_range": ["a", "b"]},
        {"azimuth_range": [10, None]},
        {"azimuth_range": 7},
        {"radial_range": [1]},
        {"radial_range": ["a", "b"]},
        {"radial_range": {"low": 1}},
        {"dark_current": 5},
        {"dark_current": [5]},
        {"flat_field": {"a": 1}},
        {"dark_current": [None]},
        {"radial_range": [[], 3]},
        {"radial_range": ["x", 3]},
        {"azimuth_range": ["x", 3]},
        {"mask_file": 7},
        {"mask_file": [1]},
        {"polarization_description": "x"},
        {"polarization_description": ["a", 0]},
        {"polarization_description": [50, 0]},
        {"polarization_description": [-1.01]},
        {"polarization_description": [float("nan"), 0]},
        {"integrator_method": 5},
        {"version": "x"},
        {"poni": None},
        {"poni": "x"},
    ],
)
def test_values_that_are_not_what_they_should_be(change: dict[str, Any], write: Any) -> None:
    message = refuse(write(**change))
    if "flat_field" not in change:  # whose key is taken for the name of a file
        assert "c.json" in message


def test_a_file_too_large_for_a_geometry_is_not_read(tmp_path: Path) -> None:
    for name in ("large.poni", "large.json"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**33)  # a hole: it takes no room, and more than there may be of memory to read it
        assert f"{name} has 8192 MiB: a geometry has less than 16 MiB" in refuse(tmp_path / name)


def test_missing_file(tmp_path: Path) -> None:
    assert refuse(tmp_path / "none.poni").startswith("no such file")
    assert "folder" in refuse(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes with a path")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.poni")
    assert "pipe.poni is a pipe" in refuse(tmp_path / "pipe.poni")

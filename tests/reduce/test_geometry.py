"""The geometry comes from a .poni or from pyFAI-integrate's JSON, complete or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyFAI.containers import PolarizationDescription
from pyFAI.detectors import detector_factory
from pyFAI.integrator.azimuthal import AzimuthalIntegrator
from pyFAI.io.integration_config import WorkerConfig
from pyFAI.io.ponifile import PoniFile

from pyfai_grf.core.errors import InputError
from pyfai_grf.reduce.configuration import load_geometry
from pyfai_grf.reduce.geometry import wrap_integrator


def test_poni(setup: Any, poni: str) -> None:
    geometry = load_geometry(poni)
    assert geometry.shape == setup.shape
    assert geometry.source == poni
    assert geometry.mask is None
    assert geometry.polarization is None
    q = geometry.integrator.array_from_unit(setup.shape, "center", "q_nm^-1", scale=True)
    np.testing.assert_allclose(q, setup.q, rtol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Wavelength", "Colour", "no wavelength"),
        ("Distance", "Way", "Distance missing"),
        ("Distance: 0.5", "Distance: half", "damaged"),
        ("Distance: 0.5", "Distance: -0.5", "impossible geometry"),
        ("Detector: Detector", "Detector: Pilatus77M", "damaged"),
    ],
)
def test_damaged_poni(poni: str, old: str, new: str, words: str) -> None:
    path = Path(poni)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=words):
        load_geometry(poni)


@pytest.mark.parametrize("text", ["", "hello\n", "{", "[1, 2]", '{"a": 1}', '{"poni": 3, "version": 5}'])
def test_files_that_hold_no_geometry(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.poni"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.poni"):
        load_geometry(path)


def test_poni_cut_in_the_middle(poni: str) -> None:
    text = Path(poni).read_text()
    Path(poni).write_text(text[: text.index("Poni2")])
    with pytest.raises(InputError, match="Poni2, Rot1, Rot2, Rot3 missing"):
        load_geometry(poni)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*none\.poni"):
        load_geometry(tmp_path / "none.poni")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes with a path")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.poni")
    with pytest.raises(InputError, match=r"pipe\.poni is a pipe"):
        load_geometry(tmp_path / "pipe.poni")


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


def test_radial_range_in_degrees(setup: Any, tmp_path: Path) -> None:
    config = WorkerConfig(poni=PoniFile(setup.integrator), unit="2th_deg", radial_range=[1.0, 2.0])
    config.save(str(tmp_path / "c.json"))
    # q = 4 pi sin(theta) / wavelength, 0.1 nm
    expected = 4 * np.pi / 0.1 * np.sin(np.radians([0.5, 1.0]))
    assert load_geometry(tmp_path / "c.json").q_range_nm1 == pytest.approx(tuple(expected))


def test_geometry_alone_as_json(setup: Any, tmp_path: Path) -> None:
    content = PoniFile(setup.integrator).as_dict()
    (tmp_path / "g.json").write_text(json.dumps(content))
    assert load_geometry(tmp_path / "g.json").shape == setup.shape
    del content["wavelength"]
    (tmp_path / "g.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="no wavelength"):
        load_geometry(tmp_path / "g.json")


def test_mask_that_does_not_fit_the_detector(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", np.zeros((5, 6), np.int8))
    integrator = AzimuthalIntegrator(dist=1.0, detector=detector_factory("Pilatus300k"), wavelength=1e-10)
    config = WorkerConfig(poni=PoniFile(integrator), mask_file=str(tmp_path / "mask.npy"))
    config.save(str(tmp_path / "c.json"))
    with pytest.raises(InputError, match=r"\(5, 6\).*\(619, 487\)"):
        load_geometry(tmp_path / "c.json")


def test_integrator_stays_as_it_is(setup: Any) -> None:
    integrator = setup.copy_integrator()
    integrator.detector.mask = np.eye(200, dtype=np.int8)
    integrator.detector.darkcurrent = np.full(setup.shape, 2.0, np.float32)
    geometry = wrap_integrator(integrator)
    assert geometry.mask is not None
    assert geometry.dark is not None
    np.testing.assert_array_equal(geometry.mask, np.eye(200, dtype=bool))
    assert geometry.has_user_mask
    assert integrator.detector.darkcurrent is not None
    assert geometry.integrator.detector.darkcurrent is None


def test_not_an_integrator(setup: Any) -> None:
    with pytest.raises(InputError, match="not dict"):
        wrap_integrator({})
    integrator = setup.copy_integrator()
    integrator._wavelength = None
    with pytest.raises(InputError, match="no wavelength"):
        wrap_integrator(integrator)

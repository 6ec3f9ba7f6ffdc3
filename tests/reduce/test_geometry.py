"""The geometry comes from a .poni or from pyFAI-integrate's JSON, complete or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

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


def test_poni_cut_in_the_middle(poni: str) -> None:
    text = Path(poni).read_text()
    Path(poni).write_text(text[: text.index("Poni2")])
    with pytest.raises(InputError, match="Poni2, Rot1, Rot2, Rot3 missing"):
        load_geometry(poni)


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

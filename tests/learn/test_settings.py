"""What a training run can be asked for, and what is refused before any work is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import MATERIALS
from pyfai_grf.core.published import PAPER_LAYER_DENSITY, PAPER_Q_NM1
from pyfai_grf.learn.settings import TrainSettings


def test_defaults_are_the_published_setting() -> None:
    settings = TrainSettings("three-phase-high-porosity@paper")
    np.testing.assert_array_equal(settings.q_nm1, PAPER_Q_NM1)
    assert (settings.layer_density, settings.length_scale) == (PAPER_LAYER_DENSITY, 1.0)
    assert settings.spectrum is None


@pytest.mark.parametrize("name", MATERIALS)
def test_name_says_class_and_flavour(name: str) -> None:
    paper = TrainSettings(f"{name}@paper")
    assert paper.material is MATERIALS[name]
    assert (paper.is_paper, paper.flavour) == (True, "paper")
    if MATERIALS[name].phases == 2:
        measured = TrainSettings(name)
        assert measured.material is MATERIALS[name]
        assert (measured.is_paper, measured.flavour) == (False, "measured")
    else:
        with pytest.raises(InputError, match=f"{name} for measured samples is not available yet: train {name}@paper"):
            TrainSettings(name)


def test_settings_keep_the_canonical_text() -> None:
    settings = TrainSettings("two-phase-low-porosity", spectrum=" Power : n = 8")
    assert settings.spectrum == "roding2022"
    with pytest.raises(InputError, match="no spectrum is called"):
        TrainSettings("two-phase-low-porosity", spectrum="nothing")
    with pytest.raises(InputError, match="Debye-Bueche"):
        TrainSettings("two-phase-low-porosity@paper", spectrum="dab")


def test_measured_samples_have_any_spectrum_unless_one_is_pinned() -> None:
    for spectrum, is_fitted in ((None, True), ("fitted", True), ("roding2022", False)):
        settings = TrainSettings("two-phase-low-porosity", spectrum=spectrum)
        assert (settings.is_fitted, settings.spectrum) == (is_fitted, spectrum)
    assert not TrainSettings("two-phase-low-porosity@paper").is_fitted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "wood"}, "'wood'"),
        ({"name": "two-phase-low-porosity@papers"}, "'two-phase-low-porosity@papers'"),
        ({"name": ""}, "''"),
        ({"length_scale": 0.0}, "length scale is 0.0"),
        ({"length_scale": -1.0}, "length scale is -1.0"),
        ({"length_scale": np.inf}, "length scale is inf"),
        ({"length_scale": np.nan}, "length scale is nan"),
        ({"layer_density": -0.1}, "layer density is -0.1"),
        ({"layer_density": 1.1}, "layer density is 1.1"),
        ({"layer_density": np.nan}, "layer density is nan"),
        ({"examples": 999}, "1000 examples"),
        ({"draws": 0}, "1 noise draw"),
        ({"spectrum": "fitted"}, "structures of one spectrum"),
    ],
)
def test_settings_that_make_no_sense(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        replace(TrainSettings("two-phase-low-porosity@paper"), **changes)
    assert "\n" not in str(caught.value)


def test_ends_of_the_ranges_are_inside() -> None:
    for changes in ({"layer_density": 0.0}, {"layer_density": 1.0}, {"examples": 1000}, {"draws": 1}):
        settings = TrainSettings("three-phase-low-porosity@paper", **changes)
        assert changes.items() <= vars(settings).items()

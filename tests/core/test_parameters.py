"""The parameter table agrees with itself and with the published ranges."""

from __future__ import annotations

import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import MATERIALS, PARAMETERS, get_material


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=lambda p: p.name)
def test_design_range_encloses_the_published_range(parameter) -> None:
    assert parameter.design_low < parameter.low < parameter.high < parameter.design_high
    assert parameter.meaning


def test_fractions_leave_every_phase_some_volume() -> None:
    for name in ("porosity", "layer_fraction"):
        assert PARAMETERS[name].unit == ""
        assert 0 < PARAMETERS[name].design_low < PARAMETERS[name].design_high < 1


def test_column_carries_the_unit() -> None:
    assert [p.column for p in PARAMETERS.values()] == ["a_nm", "porosity", "layer_fraction"]


def test_published_ranges() -> None:
    """Röding et al. 2022, section 2: a in 0.8 to 8 nm, porosity 0.1 to 0.9, layer fraction 0.05 to 0.5."""
    found = {name: (p.low, p.high) for name, p in PARAMETERS.items()}
    assert found == {"a": (0.8, 8.0), "porosity": (0.1, 0.9), "layer_fraction": (0.05, 0.5)}


@pytest.mark.parametrize("material", MATERIALS.values(), ids=lambda m: m.name)
def test_classes_are_what_their_names_say(material) -> None:
    assert material.parameters == ("a", "porosity", "layer_fraction")[: material.phases]
    assert material.name.startswith("two" if material.phases == 2 else "three")
    low, high = material.get_range("porosity")
    assert (low, high) == ((0.1, 0.5) if "-low-" in material.name else (0.5, 0.9))
    for name in material.parameters:
        low, high = material.get_range(name)
        assert PARAMETERS[name].low <= low < high <= PARAMETERS[name].high


def test_class_is_found_with_and_without_flavour() -> None:
    assert get_material("two-phase-low-porosity") is get_material("two-phase-low-porosity@paper")


def test_unknown_class_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"'two-phase'.*two-phase-low-porosity.*three-phase-high-porosity"):
        get_material("two-phase")

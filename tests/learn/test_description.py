"""A description survives its way through model.json, lacks nothing, and names what is known here."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import MATERIALS
from pyfai_grf.learn.bundle_files import find_bundled, read_description
from pyfai_grf.learn.description import ModelDescription
from pyfai_grf.theory.spectra import get_spectrum

DESCRIPTION = ModelDescription(
    material="three-phase-low-porosity",
    flavour="paper",
    spectrum="power:n=6",
    layer_density=0.65,
    length_scale=2.5,
    model_version=1,
    interval_level=0.9,
    provenance={"seed": 3, "structures": {"train": 10}},
    errors={"a": {"mse": 1e-3}},
    misfit_limit=None,
)


def test_round_trip_through_json() -> None:
    text = json.loads(json.dumps(DESCRIPTION.to_json()))
    assert ModelDescription.from_json(text) == DESCRIPTION
    # model.json holds more beside it
    assert ModelDescription.from_json({**text, "features": {}, "of a later version": 1}) == DESCRIPTION


@pytest.mark.parametrize("name", [field.name for field in fields(ModelDescription)])
def test_every_part_must_be_there(name: str) -> None:
    text = DESCRIPTION.to_json()
    del text[name]
    with pytest.raises(KeyError, match=name):
        ModelDescription.from_json(text)


def test_what_is_done_to_the_text_is_not_done_to_the_model() -> None:
    text = DESCRIPTION.to_json()
    text["provenance"]["structures"]["train"] = 0
    text["errors"]["a"].clear()
    assert DESCRIPTION.provenance["structures"] == {"train": 10}
    assert DESCRIPTION.errors == {"a": {"mse": 1e-3}}


def test_names_become_what_they_name() -> None:
    assert DESCRIPTION.get_material() is MATERIALS["three-phase-low-porosity"]
    assert DESCRIPTION.get_spectrum() is get_spectrum("power:n=6")
    assert replace(DESCRIPTION, spectrum="fitted").get_spectrum() is None
    with pytest.raises(InputError, match="'wood'"):
        replace(DESCRIPTION, material="wood").get_material()
    with pytest.raises(InputError, match="'pink'"):
        replace(DESCRIPTION, spectrum="pink").get_spectrum()


@pytest.mark.parametrize("name", find_bundled())
def test_bundled_models_are_described_whole(name: str) -> None:
    text = read_description(find_bundled()[name])
    known = ModelDescription.from_json(text)
    assert known.to_json().items() <= text.items()
    assert known.material + ("@paper" if known.flavour == "paper" else "") == name
    assert (known.layer_density is None) == (known.get_material().phases == 2)
    assert (known.misfit_limit is None) == (known.flavour == "paper" or known.get_spectrum() is None)
    assert set(known.errors) == set(known.get_material().parameters)

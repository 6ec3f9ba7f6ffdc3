"""Digests tell whether the inputs of a reduction are what they were, whatever their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fabio
import numpy as np
import pytest

from pyfai_grf.reduce.digest import digest_inputs
from pyfai_grf.reduce.experiment import ReductionSettings, complete_geometry


def _digest(geometry: Any, **given: Any) -> dict[str, str]:
    settings = ReductionSettings(geometry, **given)
    return digest_inputs(settings, complete_geometry(settings))


def _write_image(path: Path, value: int, shape: tuple[int, int]) -> Path:
    image = np.zeros(shape, np.int32)
    image[:value] = 1
    fabio.edfimage.EdfImage(data=image).write(str(path))
    return path


@pytest.fixture
def folder(setup: Any, tmp_path: Path) -> Path:
    setup.integrator.save(str(tmp_path / "setup.poni"))
    for name in ("mask", "dark", "flat", "background"):
        _write_image(tmp_path / f"{name}.edf", 3, setup.q.shape)
    return tmp_path


@pytest.mark.parametrize("changed", ["setup.poni", "mask.edf", "dark.edf", "flat.edf", "background.edf"])
def test_each_file_that_changes_is_noticed(changed: str, folder: Path, setup: Any) -> None:
    given: dict[str, Any] = {name: str(folder / f"{name}.edf") for name in ("mask", "dark", "flat", "background")}
    before = _digest(folder / "setup.poni", **given)
    assert before == _digest(folder / "setup.poni", **given)
    assert set(before) == {"geometry", *given}
    path = folder / changed
    if changed == "setup.poni":
        text = path.read_text().splitlines()
        path.write_text("\n".join("Distance: 0.61" if line.startswith("Distance") else line for line in text))
    else:
        _write_image(path, 4, setup.q.shape)
    after = _digest(folder / "setup.poni", **given)
    name = {"setup.poni": "geometry"}.get(changed, path.stem)
    assert {key for key in before if before[key] != after[key]} == {name}


def test_a_mask_that_a_configuration_names_is_an_input(folder: Path, setup: Any) -> None:
    poni: dict[str, Any] = {
        "dist": 0.5,
        "poni1": 0.01,
        "poni2": 0.01,
        "rot1": 0.0,
        "rot2": 0.0,
        "rot3": 0.0,
        "wavelength": 1e-10,
    }
    detector = {"pixel1": 1e-4, "pixel2": 1e-4, "max_shape": list(setup.q.shape)}
    poni |= {"poni_version": 2.1, "detector": "Detector", "detector_config": detector}
    config = {"application": "pyfai-integrate", "version": 4, "poni": poni, "mask_file": "mask.edf"}
    (folder / "a.json").write_text(json.dumps({**config, "do_mask": True}))
    before = _digest(folder / "a.json")
    _write_image(folder / "mask.edf", 5, setup.q.shape)
    after = _digest(folder / "a.json")
    assert before["geometry"] == after["geometry"]
    assert before["mask"] != after["mask"]


def test_objects_have_digests_too(setup: Any) -> None:
    before = _digest(setup.integrator)
    assert before == _digest(setup.integrator)
    mask = np.zeros(setup.q.shape, bool)
    mask[0] = True
    assert _digest(setup.integrator, mask=mask)["mask"] != before.get("mask")

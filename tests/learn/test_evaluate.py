"""Errors are measured on what was not trained on, stand beside the published ones only where these compare, and a
description holds what a user must know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.metrics import compute_mape, compute_mse
from pyfai_grf.core.published import PAPER_TABLE_2
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.learn.evaluate import describe_model, evaluate_model, format_table, get_published_errors
from pyfai_grf.library.shard import Shard
from pyfai_grf.theory.closed_form import compute_surface_per_volume

ERROR = {"mse": 0.001234, "mape_percent": 1.5, "coverage": 0.913, "structures": 250}


@pytest.fixture(scope="module")
def published() -> Model:
    return load_model("two-phase-low-porosity@paper")


def split_row(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


# --- measuring ------------------------------------------------------------------------------------------------------


def test_only_test_structures_inside_the_published_range_count(paper_model: Model, shard: Shard) -> None:
    a, porosity = shard.get_column("a"), shard.get_column("porosity")
    inside = (shard.get_splits() == "test") & (a >= 0.8) & (a <= 8.0) & (porosity >= 0.1) & (porosity <= 0.9)
    found = evaluate_model(paper_model, [shard], seed=2)
    for name, error in found.errors.items():
        assert error["structures"] == np.count_nonzero(inside)
        assert error["mse"] == pytest.approx(compute_mse(found.truth[name], found.predicted[name]))
        assert error["mape_percent"] == pytest.approx(compute_mape(found.truth[name], found.predicted[name]))
    np.testing.assert_allclose(np.unique(found.truth["a"]), np.unique(a[inside]))
    folded = np.minimum(porosity, 1 - porosity)  # by Babinet
    np.testing.assert_allclose(np.unique(found.truth["porosity"]), np.unique(folded[inside]))


def test_seed_draws_the_noise_and_nothing_else(paper_model: Model, shard: Shard) -> None:
    one, same, other = (evaluate_model(paper_model, [shard], seed) for seed in (2, 2, 3))
    assert one.errors == same.errors
    assert one.errors["a"]["mse"] != other.errors["a"]["mse"]
    np.testing.assert_array_equal(one.truth["a"], other.truth["a"])


def test_evaluation_draws_other_noise_than_the_training(paper_model: Model, shard: Shard) -> None:
    """Whatever seed is given: the training's own would flatter the model."""
    seed = paper_model.description.provenance["seed"]
    found = evaluate_model(paper_model, [shard], seed).errors["a"]
    assert found["mse"] != paper_model.description.errors["a"]["mse"]


@pytest.mark.parametrize("kept", ["train", "calibration"])
def test_a_library_without_test_structures(paper_model: Model, shard: Shard, kept: str) -> None:
    numbers = np.array(sorted(shard.structures))[shard.get_splits() == kept]
    rest = replace(shard, structures={int(n): shard.structures[int(n)] for n in numbers})
    with pytest.raises(InputError, match="no test structure"):
        evaluate_model(paper_model, [rest], 2)


def test_no_library_at_all(paper_model: Model) -> None:
    with pytest.raises(InputError, match=r"LIBRARY\.h5"):
        evaluate_model(paper_model, [], 2)


def test_measured_model_is_measured_on_fresh_curves(model: Model) -> None:
    found = evaluate_model(model, [], seed=2)
    count = found.truth["a"].size
    # of 20 000 curves those without the margins: 7.2 of 8.1 nm and 0.4 of 0.43
    assert count == pytest.approx(20_000 * 7.2 / 8.1 * 0.4 / 0.43, rel=0.02)
    for name, error in found.errors.items():
        assert (error["examples"], error["structures"]) == (count, count)
        # 4000 curves trained, 511 of them calibrated and 511 tested
        assert abs(error["coverage"] - 0.9) < 3 * np.sqrt(0.09 / 511) + 0.01
        assert error["mse"] == pytest.approx(model.description.errors[name]["mse"], rel=1)


# --- beside the published ones --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAPER_TABLE_2)
def test_published_errors_stand_beside_models_of_the_published_setting(name: str) -> None:
    assert get_published_errors(load_model(f"{name}@paper")) == PAPER_TABLE_2[name]


def test_published_errors_do_not_compare_with_other_settings(published: Model, model: Model) -> None:
    assert get_published_errors(model) == {}
    known, spec = published.description, published.spec
    changes: list[dict[str, Any]] = [
        {"length_scale": 2.0},
        {"spectrum": "power:n=6"},
        {"layer_density": 0.5},
        {"provenance": {**known.provenance, "box": "256^3 voxels of 0.5 nm"}},
        {"flavour": "measured"},
    ]
    others = [replace(published, description=replace(known, **change)) for change in changes]
    others.append(replace(published, spec=replace(spec, q_nm1=spec.q_nm1 * 1.001)))
    assert [get_published_errors(other) for other in others] == [{}] * 6


def test_table_has_a_row_for_each_output(published: Model, model: Model) -> None:
    table = format_table(published, {"a": ERROR, "porosity": {**ERROR, "coverage": 0.5}}).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert split_row(table[2]) == ["a", "1.234e-03", "1.500", "91 %", "250", "4.215e-03", "0.707"]
    assert split_row(table[3]) == ["porosity", "1.234e-03", "1.500", "50 %", "250", "3.766e-04", "4.190"]
    assert split_row(format_table(model, {"a": ERROR}).splitlines()[2])[5:] == ["-", "-"]


def test_table_of_nothing_is_its_head(model: Model) -> None:
    assert len(format_table(model, {}).splitlines()) == 2


# --- descriptions ---------------------------------------------------------------------------------------------------


def test_description_names_class_range_and_errors(model: Model) -> None:
    text = describe_model(model)
    assert text.startswith("two-phase-low-porosity  [measured]")
    assert "q 0.05 to 2.5 1/nm, 120 points" in text
    assert "a 0.8 to 8 nm, porosity 0.1 to 0.5" in text
    drawn = "n 4 to 16; spread of a up to 0.3; low-q upturn q^-p, p 3 to 4.5"
    assert f"spectrum fitted ({drawn}); from closed form" in text
    # a mean chord is four times the volume over the surface; of the spectra, the first and the last
    spectra = ("power:n=4", "power:n=16")
    chords = [
        4 * p / float(compute_surface_per_volume(a, p, s)) for a in (0.8, 8.0) for p in (0.1, 0.5) for s in spectra
    ]
    assert f"mean pore chords {min(chords):.2g} to {max(chords):.3g} nm" in text
    for line in format_table(model, model.description.errors).splitlines():
        assert line in text
    assert "CAUTION" not in text
    assert "layer density" not in text


def test_lengths_of_a_scaled_model_are_scaled(model: Model) -> None:
    scaled = replace(model, description=replace(model.description, length_scale=10.0))
    assert "a 8 to 80 nm" in describe_model(scaled)


def test_few_structures_behind_the_intervals_are_a_caution(paper_model: Model, shard: Shard) -> None:
    count = np.count_nonzero(shard.get_splits() == "calibration")
    assert count < 60
    assert f"CAUTION: the intervals rest on {count} structures only" in describe_model(paper_model)


def test_density_of_the_layer_is_stated() -> None:
    assert "layer density 0.65 of the solid's" in describe_model(load_model("three-phase-low-porosity@paper"))

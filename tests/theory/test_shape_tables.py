"""How Matern and shell curves are laid out over their shape parameter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pyfai_grf.fit.log_table import make_grid
from pyfai_grf.theory import shape_tables
from pyfai_grf.theory.scale_free import compute_scale_free_intensity
from pyfai_grf.theory.shape_tables import PLANS, ShapePlan, compute_curves, save_curves


@pytest.mark.parametrize("name", PLANS)
def test_a_place_is_that_of_the_parameter(name: str) -> None:
    plan = PLANS[name]
    nodes = plan.offset + np.geomspace(plan.first - plan.offset, plan.last - plan.offset, plan.count)
    inside = np.flatnonzero((nodes > plan.low) & (nodes < plan.high))
    numbers = np.array([plan.write(node) for node in nodes[inside]])
    places, slopes = plan.locate(numbers)
    np.testing.assert_allclose(places, inside, atol=1e-9)
    steps = 1e-6 * numbers
    # the range holds enough nodes beyond either end for a spline: the effect of the end is 0.27 a node
    assert inside[0] >= 2
    assert inside[-1] <= plan.count - 3
    ahead, behind = plan.locate(numbers + steps)[0], plan.locate(numbers - steps)[0]
    np.testing.assert_allclose(slopes, (ahead - behind) / (2 * steps), rtol=1e-5)
    assert plan.read(plan.write(plan.low)) == pytest.approx(plan.low)
    # what lies outside is held at the ends
    ends = sorted(float(plan.locate(np.array([plan.write(end)]))[0][0]) for end in (plan.low, plan.high))
    assert sorted(plan.locate(np.array([1e-4, 9.0]))[0]) == pytest.approx(ends)


def test_curves_are_the_quadrature_from_end_to_end() -> None:
    """Constant below, Porod's law beyond x = 50; two nodes are enough to see it."""
    shell = PLANS["shell"]
    plan = ShapePlan("width", shell.make, 0.2, 0.3, 0.2, 0.3, 0.0, 2, 1.6, None)
    log_x = np.linspace(-18.0, 8.0, 40)
    found = compute_curves(plan, log_x)
    assert found.shape[::2] == (2, 40)
    for row, width in enumerate((0.2, 0.3)):
        expected = compute_scale_free_intensity(np.exp(log_x), 0.5, shell.make(width))
        np.testing.assert_allclose(found[row, 0], np.log(expected), atol=2e-5)


def test_what_is_stored_is_what_is_computed() -> None:
    """Whole numbers of 2e-6; a row of each table, for all of them take seconds."""
    log_x = make_grid()
    for plan in PLANS.values():
        one = replace(plan, count=2, last=plan.first * (1 + 1e-9))  # another layout: it is computed
        assert np.abs(compute_curves(plan, log_x)[0] - compute_curves(one, log_x)[0]).max() < 2e-6


def test_without_what_is_stored_curves_are_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_x = np.linspace(-3.0, 3.0, 20)
    small = replace(PLANS["matern"], count=3, t_step=1.6)
    before = compute_curves(small, log_x)
    monkeypatch.setattr(shape_tables, "PLANS", {"matern": small})
    monkeypatch.setattr(shape_tables.importlib.resources, "files", lambda package: tmp_path)
    assert_array_equal(compute_curves(small, log_x), before)
    save_curves(tmp_path / "shape-tables.npz", log_x)
    monkeypatch.setattr(shape_tables, "_compute_near", None)  # nothing is computed any more
    np.testing.assert_allclose(compute_curves(small, log_x), before, atol=1.1e-6)
    (tmp_path / "shape-tables.npz").write_bytes(b"PK")
    with pytest.raises(TypeError):
        compute_curves(small, log_x)

"""Does a curve cover a grid, and does the command that is offered work?"""

from __future__ import annotations

import re

import numpy as np
import pytest

from pyfai_grf.cli.hints import word_problem
from pyfai_grf.core.errors import QRangeError, TrainingGrid
from pyfai_grf.core.records import Points
from pyfai_grf.features.coverage import check_coverage, suggest_grid
from pyfai_grf.theory.closed_form import expected_intensity

GRID = np.linspace(0.04, 3.0, 500)
STEP = GRID[1] - GRID[0]


def make_points(q, a=4.0, porosity=0.3, **metadata):
    intensity = expected_intensity(q, a, porosity)
    return Points(q, intensity, 0.01 * intensity, metadata=metadata)


@pytest.mark.parametrize(
    ("q", "hint"),
    [
        (GRID / 10, "in 1/Angstrom"),
        (np.linspace(0.003, 0.4, 800), "in 1/Angstrom"),
        (GRID * 10, "in 1/nm"),
        (np.linspace(0.36, 17.7, 400), None),
        (np.linspace(0.06, 3, 500), None),
        (np.linspace(0.04, 2.9, 500), None),
        (np.linspace(0.04, 3, 160), None),
    ],
)
def test_coverage_message_says_what_to_do(q, hint):
    with pytest.raises(QRangeError) as caught:
        check_coverage(make_points(q), GRID, "two-phase-low-porosity")
    message = str(caught.value)
    assert f"covers {q[0]:.3g} to {q[-1]:.3g} per nm" in message
    assert "needs 0.04 to 3 per nm" in message or "needs 0.04 to 3:" in message
    assert ("is q, read as" in message) == (hint is not None)
    assert hint is None or hint in message
    offered = re.search(r"for (\d+) points from (\S+) to (\S+) per nm( and lengths \S+ times|$)", message)
    grid = np.linspace(float(offered[2]), float(offered[3]), int(offered[1]))
    check_coverage(make_points(q), grid)  # the model that is offered takes the curve
    command = word_problem(caught.value).removeprefix(message)
    values = rf"--q-min {offered[2]} --q-max {offered[3]} --q-points {offered[1]}( --length-scale \S+)? -o my-model"
    assert re.fullmatch(rf" \(pyfai-grf train --material two-phase-low-porosity {values}\)", command)


def test_coverage_tolerates_one_step_at_the_ends():
    check_coverage(make_points(np.linspace(0.04 + STEP, 3 - STEP, 600)), GRID)
    for low, high in ((0.04 + 1.01 * STEP, 3.0), (0.04, 3 - 1.01 * STEP)):
        with pytest.raises(QRangeError):
            check_coverage(make_points(np.linspace(low, high, 600)), GRID)


def test_suggested_grid_stays_on_the_longer_part_beside_a_gap():
    q = np.concatenate([np.linspace(0.1, 0.2, 30), np.linspace(1.0, 5.0, 400)])
    assert suggest_grid(make_points(q)) == TrainingGrid(1.0, 5.0, 400)
    assert suggest_grid(make_points(np.linspace(0.3604, 17.7391, 200))) == TrainingGrid(0.361, 17.7, 200)


@pytest.mark.parametrize("state", ["file", "given"])
def test_a_unit_that_was_stated_is_not_doubted(state):
    with pytest.raises(QRangeError) as caught:
        check_coverage(make_points(GRID / 10, q_unit_from=state), GRID)
    assert "is q, read as" not in str(caught.value)


@pytest.mark.parametrize("q", [np.geomspace(0.03, 3.2, 90), np.geomspace(0.001, 3.2, 160)])
def test_logarithmic_bins_are_no_gaps(q):
    """8 % of q and less from point to point: the curve is smooth over that."""
    check_coverage(make_points(q), GRID)


@pytest.mark.parametrize(("a", "scale"), [(0.2, 0.08), (4.0, 1.0), (40.0, 20.0)])
def test_lengths_beyond_the_published_ones_are_suggested(a, scale):
    """0.8 to 8 nm, its middle 2.5 nm; the shoulder is at q a = 0.8."""
    grid = suggest_grid(make_points(np.geomspace(0.1, 10, 400) / a, a))
    assert grid.length_scale == pytest.approx(scale, rel=0.25)

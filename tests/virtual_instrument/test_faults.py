"""Faults change the photons where they say, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyfai_grf.virtual_instrument.faults import lay_bar, move_centre, orient, shade_sector

FLAT = np.full((200, 200), 10.0)


def locate(setup: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return how many pixels each lies below and right of the beam."""
    down, across = np.mgrid[0:200, 0:200] + 0.5
    return down - 95.3, across - 101.6


def test_a_shadow_lies_between_two_azimuths_and_two_q(setup: Any) -> None:
    shaded = shade_sector(setup.integrator, FLAT, (30.0, 80.0), (0.5, 1.0), 0.25)
    down, across = locate(setup)
    chi = np.degrees(np.arctan2(down, across))  # pyFAI's chi: 0 along the second axis, 90 along the first
    inside = (chi > 30) & (chi < 80) & (setup.q > 0.5) & (setup.q < 1.0)
    np.testing.assert_array_equal(shaded, np.where(inside, 2.5, 10.0))
    across_180 = shade_sector(setup.integrator, FLAT, (170.0, -170.0), passes=3.0)
    np.testing.assert_array_equal(across_180, np.where(np.abs(chi) > 170, 30.0, 10.0))


def test_a_bar_is_as_wide_everywhere(setup: Any) -> None:
    barred = lay_bar(setup.integrator, FLAT, 0.0, 7.0, passes=0.0)
    down, across = locate(setup)
    np.testing.assert_array_equal(barred == 0, (np.abs(down) < 3.5) & (across > 0))


def test_an_oriented_sample_keeps_its_mean(setup: Any) -> None:
    oriented = orient(setup.integrator, FLAT, 0.2, 30.0)
    down, across = locate(setup)
    ring = np.abs(np.hypot(down, across) - 80) < 10
    # some 10,000 pixels all around
    assert oriented[ring].mean() == pytest.approx(10.0, rel=2e-3)
    assert oriented.max() == pytest.approx(12.0, rel=1e-3)
    assert oriented[np.unravel_index(oriented.argmin(), FLAT.shape)] == pytest.approx(8.0, rel=1e-3)


@pytest.mark.parametrize(("chi", "row", "column"), [(0.0, 0.0, 4.0), (90.0, 4.0, 0.0), (-135.0, -(8**0.5), -(8**0.5))])
def test_the_beam_lies_where_it_is_said_to_be(setup: Any, chi: float, row: float, column: float) -> None:
    moved = move_centre(setup.integrator, 4.0, chi)
    true = np.array([setup.integrator.poni1, setup.integrator.poni2]) / 172e-6
    assert true - np.array([moved.poni1, moved.poni2]) / 172e-6 == pytest.approx([row, column], abs=1e-9)
    q = moved.array_from_unit(setup.shape, "center", "q_nm^-1", scale=True)
    assert not np.array_equal(q, setup.q)
    assert setup.integrator.poni1 == pytest.approx(95.3 * 172e-6)

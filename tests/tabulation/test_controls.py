"""Control variates: what the solids explain is taken out exactly, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.tabulation.controls import control_boxes, control_modes, get_band, measure_boxes, regress_modes
from pyfai_grf.tabulation.store import BoxFolder
from pyfai_grf.tabulation.sums import Sums, read_sums


@pytest.fixture(scope="module")
def sums(small_folder: BoxFolder) -> Sums:
    """Coarse boxes whose films are the solids of the three porosities themselves: all is known about them."""
    found = read_sums(small_folder, "coarse")
    low = found.controls.shape[-1]
    dd, sd = found.dd.copy(), found.sd.copy()
    dd[..., :low] = np.einsum("bkks->bks", found.controls)[:, np.newaxis]
    sd[..., :low] = found.controls
    mixed = np.broadcast_to(found.controls[:, np.newaxis], found.mixed.shape)
    return replace(found, dd=dd, sd=sd, mixed=mixed)


def test_a_film_that_is_a_solid_is_explained_by_it(sums: Sums) -> None:
    """The ridge of 1e-7 is what keeps beta from being exactly 1."""
    beta = regress_modes(sums)
    expected = np.broadcast_to(np.eye(3)[np.newaxis, :, :, np.newaxis], beta.shape)
    np.testing.assert_allclose(beta, expected, atol=1e-3)


def test_what_is_explained_is_replaced_by_its_expectation(sums: Sums) -> None:
    """No scatter is left: every box has the exact curves."""
    low = sums.controls.shape[-1]
    dd, sd = (values[..., :low] for values in control_modes(sums, regress_modes(sums)))
    exact = np.einsum("kks->ks", sums.exact_controls)
    np.testing.assert_allclose(dd, np.broadcast_to(exact, dd.shape), rtol=5e-3)
    np.testing.assert_allclose(sd, np.broadcast_to(sums.exact_controls, sd.shape), rtol=5e-3, atol=1e-3 * exact.max())


def test_real_films_scatter_less(small_folder: BoxFolder) -> None:
    """Below x = 2 the solids explain 70 % of a film's modes and more: its standard deviation at least halves."""
    sums = read_sums(small_folder, "coarse")
    controlled, _ = control_modes(sums, regress_modes(sums))
    part = sums.shells.x < 2
    before, after = (values[..., part].std(axis=0).mean() for values in (sums.dd, controlled))
    assert after < 0.5 * before


def test_an_area_that_explains_all_leaves_nothing(sums: Sums) -> None:
    """Values in proportion to a box's realised area; a ridge of 1e-3 leaves about that part of it."""
    known = measure_boxes(sums, get_band(sums))[:, :, 0]
    envelope = np.ones((3, 3, 8))
    values = envelope + 0.7 * known[:, :, np.newaxis, np.newaxis]
    controlled = control_boxes(sums, values, envelope, np.zeros((3, 2)))
    np.testing.assert_allclose(controlled, 1, atol=0.05 * np.abs(values - 1).max())


def test_the_band_reaches_the_end(sums: Sums, small_folder: BoxFolder) -> None:
    low, high = get_band(sums)
    assert (low, high) == (5.0, sums.shells.x[-1])
    low, high = get_band(read_sums(small_folder, "wide"))
    assert low == pytest.approx(0.6 * high)

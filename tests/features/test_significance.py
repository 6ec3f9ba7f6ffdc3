"""Points that say nothing by themselves are merged: sums stay, every point becomes significant."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Points
from pyfai_grf.features.significance import merge_nonpositive
from pyfai_grf.theory.closed_form import expected_intensity

GRID = np.linspace(0.04, 3.0, 500)


def test_merging_leaves_a_good_curve_untouched():
    truth = expected_intensity(GRID, 4.0, 0.3)
    curve = Points(GRID, truth, 0.1 * truth)
    merged, fraction = merge_nonpositive(curve)
    assert merged is curve
    assert fraction == 0


def test_merging_a_single_point():
    q = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    weight = np.array([1.0, 1.0, 3.0, 1.0, 1.0])
    curve = Points(q, np.array([9.0, -1.0, 3.0, 2.0, 2.0]), np.full(5, 0.5), weight)
    merged, fraction = merge_nonpositive(curve)
    # (-1 + 3 x 3) / 4, with the error sqrt(1 + 9) x 0.5 / 4
    np.testing.assert_allclose(merged.intensity, [9, 2, 2, 2, 2])
    np.testing.assert_allclose(merged.sigma, [0.5, *[np.sqrt(10) / 8] * 2, 0.5, 0.5])
    assert fraction == pytest.approx(0.4)
    np.testing.assert_array_equal(merged.q_nm1, q)


def test_merging_backwards_at_the_end():
    q = np.array([1.0, 2.0, 3.0, 4.0])
    merged, fraction = merge_nonpositive(Points(q, np.array([8.0, 4.0, 1.0, -2.0]), np.full(4, 1e-9), np.ones(4)))
    np.testing.assert_allclose(merged.intensity, [8, 1, 1, 1])
    assert fraction == pytest.approx(0.75)
    hopeless, fraction = merge_nonpositive(Points(q, np.array([1.0, -4.0, 1.0, -2.0]), np.full(4, 1e-9), np.ones(4)))
    np.testing.assert_allclose(hopeless.intensity, -1)
    assert fraction == 1


def test_merging_keeps_the_sum_and_makes_every_point_significant():
    rng = np.random.default_rng(2)
    truth = expected_intensity(GRID, 4.0, 0.3)
    sigma = np.full(500, 3 * truth[-1])  # the tail after background subtraction
    curve = Points(GRID, rng.normal(truth, sigma), sigma)
    assert (curve.intensity <= 0).any()
    merged, fraction = merge_nonpositive(curve, significance=3.0)
    assert 0.1 < fraction < 0.9
    assert np.all(merged.intensity > 3 * merged.sigma)
    weight = GRID  # equidistant, no weights known: pixels go as q
    assert np.sum(weight * merged.intensity) == pytest.approx(np.sum(weight * curve.intensity), rel=1e-9)
    alone = merged.sigma == sigma
    np.testing.assert_array_equal(merged.intensity[alone], curve.intensity[alone])
    assert 1 - alone.mean() == pytest.approx(fraction)


def test_what_is_not_finite_cannot_be_merged():
    with pytest.raises(InputError, match="must be finite to be merged"):
        merge_nonpositive(Points(GRID, np.where(GRID > 1, np.nan, 1.0), np.ones(500)))

"""Pooling of count rates, on counts alone."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.reduce.counting import estimate_counts, estimate_scatter, pool_rate


def test_rich_bins_keep_their_own_counts() -> None:
    counts = np.array([5000.0, 2000.0, 3000.0])
    exposure = np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(estimate_counts(counts, exposure, np.array([1.0, 2.0, 3.0])), counts)


def test_poor_bins_share_one_rate() -> None:
    q = np.linspace(1.0, 2.0, 101)
    exposure = np.linspace(1.0, 3.0, 101)
    expected = 2.0 * exposure
    counts = np.random.default_rng(0).poisson(expected).astype(float)
    assert (counts == 0).any()
    found = estimate_counts(counts, exposure, q)
    # about 400 counts in all, 200 or more a window: 4 standard errors of 7 %
    np.testing.assert_allclose(found, expected, rtol=0.28)


def test_a_bin_without_exposure_takes_no_part() -> None:
    counts, exposure = np.array([3.0, 0.0, 5.0]), np.array([1.0, 0.0, 1.0])
    rate = pool_rate(counts, exposure, np.array([1.0, 2.0, 3.0]), counts)
    np.testing.assert_allclose(rate, 4.0)
    assert estimate_counts(counts, exposure, np.array([1.0, 2.0, 3.0]))[1] == 0.0


@pytest.mark.parametrize("size", [1, 2, 7])
def test_no_counts_at_all(size: int) -> None:
    zeros = np.zeros(size)
    np.testing.assert_array_equal(estimate_counts(zeros, zeros + 1.0, np.arange(1.0, size + 1)), zeros)


def test_a_window_without_scatter_grows() -> None:
    sem, pixels = np.zeros(50), np.full(50, 200.0)
    sem[0] = 0.5
    variance = estimate_scatter(sem, pixels, np.arange(1.0, 51.0))
    assert (variance > 0).all()
    assert variance[0] == pytest.approx(sem[0] ** 2 * 200 / 199)
    # the smallest window about the last bin that holds a deviation is at most the whole curve
    assert variance[-1] >= sem[0] ** 2 * 200 / 199 / 50 * (1 - 1e-12)

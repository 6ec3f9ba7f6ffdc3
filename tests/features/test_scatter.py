"""Errors from the scatter of neighbours: right for known noise, never 0, and what they say of errors given."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.features.scatter import compare_sigma, estimate_sigma
from pyfai_grf.theory.closed_form import expected_intensity

GRID = np.linspace(0.04, 3.0, 500)


@pytest.mark.parametrize("q", [GRID, np.geomspace(0.04, 3.0, 500)])
@pytest.mark.parametrize("level", [0.005, 0.03])
def test_estimated_sigma_of_known_noise(q, level):
    rng = np.random.default_rng(9)
    truth = expected_intensity(q, 4.0, 0.3)
    draws = 30
    ratio = [estimate_sigma(q, rng.normal(truth, level * truth)) / (level * truth) for _ in range(draws)]
    # third differences of white noise: sum of squared correlations 2.3, efficiency of the median 0.37
    standard_error = 1 / np.sqrt(2 * 0.37 * draws * 500 / 2.3)
    # the median over a short window reads low: 1.3 / 31 of a variance for each independent difference
    assert np.mean(ratio) == pytest.approx(1, abs=5 * standard_error + 0.02)
    # and one window of 31 points knows it to 1 / sqrt(2 x 0.37 x 31 / 2.3) = 0.32
    assert np.std(ratio) < 0.4


def test_estimated_sigma_where_noise_swamps_the_curve():
    rng = np.random.default_rng(10)
    truth = expected_intensity(GRID, 4.0, 0.3)
    sigma = np.full(500, 2 * truth[-1])
    draws = 30
    found = np.mean([estimate_sigma(GRID, rng.normal(truth, sigma)) for _ in range(draws)], axis=0)
    tail = GRID > 2.5
    standard_error = 1 / np.sqrt(2 * 0.37 * draws * tail.sum() / 2.3)
    assert np.mean(found[tail] / sigma[tail]) == pytest.approx(1, abs=5 * standard_error + 0.02)
    assert np.all(found > 0)


def test_estimated_sigma_of_a_smooth_curve_is_small():
    for a in (0.8, 4.0, 8.0):
        truth = expected_intensity(GRID, a, 0.3)
        assert np.max(estimate_sigma(GRID, truth) / truth) < 0.003


@pytest.mark.parametrize("mean", [0.1, 0.5, 2.0, 20.0])
def test_estimated_sigma_of_sparse_counts(mean):
    """Poisson counts of which most are nought: a median of their differences would be 0."""
    rng = np.random.default_rng(4)
    draws = 40
    found = [estimate_sigma(GRID, rng.poisson(mean, 500).astype(float)) for _ in range(draws)]
    assert np.all(np.array(found) > 0)
    # the variance of a mean square is (2 + 1 / mean) / points, of correlated differences 2.3 times that; the root of
    # one window of 31 reads low by an eighth of its relative variance, 4 % at most
    error = np.sqrt((2 + 1 / mean) * 2.3 / (500 * draws)) / 2
    assert np.mean(found) / np.sqrt(mean) == pytest.approx(1 - 0.02, abs=5 * error + 0.02)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_estimated_sigma_is_never_zero(value):
    assert np.all(estimate_sigma(GRID, np.full(500, value)) > 0)
    spike = np.full(500, value)
    spike[250] += 1
    assert np.all(estimate_sigma(GRID, spike) > 0)


def test_comparison_with_errors_that_are_given():
    rng = np.random.default_rng(12)
    truth = expected_intensity(GRID, 4.0, 0.3)
    ratio = [compare_sigma(GRID, rng.normal(truth, 0.02 * truth), 0.01 * truth) for _ in range(20)]
    # twice the errors given; a window knows it to 0.3, 20 draws of 16 windows to 2 %, and reads 2 % low
    assert np.mean(ratio) == pytest.approx(2.0, rel=0.06)


def test_too_few_points_and_points_in_disorder():
    with pytest.raises(InputError, match="8 points"):
        estimate_sigma(GRID[:5], GRID[:5])
    with pytest.raises(InputError, match="q must increase"):
        estimate_sigma(GRID[::-1], GRID)


@pytest.mark.parametrize("count", [20, 40, 80])
def test_right_errors_of_few_points_are_right_though_they_differ_a_hundredfold(count):
    """A step scan: as many photons per intensity at every q, 1e7 at the first and a handful at the last."""
    rng = np.random.default_rng(3)
    q = np.geomspace(0.04, 3.0, count)
    truth = expected_intensity(q, 4.0, 0.3)
    per_unit = 1e7 / truth[0]
    sigma = np.sqrt(truth / per_unit)
    smooth = rng.normal(0.0, 1.0, (20, count)) * sigma  # without the curve's own shape, which counts as scatter
    ratio = np.array([compare_sigma(q, noise, sigma) for noise in smooth])
    assert np.ptp(np.log10(sigma / truth)) > 2
    # a window of 17 differences or more knows it to 0.45, their mean over 20 draws to 0.1
    assert np.abs(ratio.mean(axis=0) - 1).max() < 0.35
    assert np.mean(ratio < 0.4) < 0.02

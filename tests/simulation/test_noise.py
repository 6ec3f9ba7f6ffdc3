"""The paper's lognormal noise: mean I, variance alpha I, positive."""

from __future__ import annotations

import numpy as np
import pytest

import pyfai_grf as grf
from pyfai_grf.core.errors import InputError
from pyfai_grf.simulation.noise import add_noise

#: standard errors allowed
K = 5.0


@pytest.mark.parametrize("alpha", [1e2, 1e4, 10**5.5])
def test_mean_and_variance(alpha):
    draws = 20_000
    intensity = np.geomspace(30 * alpha, 1e6 * alpha, 12)  # sigma/I from 18 % down, the published range at 3 per nm
    noisy = add_noise(np.broadcast_to(intensity, (draws, 12)), alpha, seed=1)
    assert np.all(noisy > 0)
    variance = alpha * intensity
    assert np.all(np.abs(noisy.mean(axis=0) - intensity) < K * np.sqrt(variance / draws))
    # the variance's own error from the lognormal law: excess kurtosis w^4 + 2 w^3 + 3 w^2 - 6, w = 1 + alpha/I
    w = 1 + alpha / intensity
    error = variance * np.sqrt((w**4 + 2 * w**3 + 3 * w**2 - 4) / draws)
    assert np.all(np.abs(noisy.var(axis=0) - variance) < K * error)
    # the logarithm is normal: no skewness (its error is sqrt(6/draws)), and neighbours in q are independent
    deviation = np.log(noisy) - np.log(noisy).mean(axis=0)
    skewness = np.mean(deviation**3, axis=0) / np.mean(deviation**2, axis=0) ** 1.5
    assert np.all(np.abs(skewness) < K * np.sqrt(6 / draws))
    correlation = np.corrcoef(deviation.T) - np.eye(12)
    assert np.abs(correlation).max() < K / np.sqrt(draws)


def test_stays_positive_where_noise_is_larger_than_the_intensity():
    noisy = add_noise(np.full(10_000, 1.0), 1e4)
    assert np.all(noisy > 0)
    # mean of the logarithm of a lognormal of mean 1 and variance 1e4
    spread = np.log1p(1e4)
    assert np.log(noisy).mean() == pytest.approx(-spread / 2, abs=K * np.sqrt(spread / 10_000))


def test_one_alpha_a_curve():
    intensity = np.full((2, 50_000), 1e6)
    noisy = add_noise(intensity, np.array([[1e2], [1e4]]), seed=3)
    assert noisy.shape == intensity.shape
    # relative error of a standard deviation: 1/sqrt(2 draws)
    assert noisy.std(axis=1) == pytest.approx(np.sqrt([1e8, 1e10]), rel=K / np.sqrt(1e5))


def test_seeds_and_generators():
    intensity = np.linspace(1e5, 1e6, 100)
    one = grf.add_noise(intensity, alpha=1e4, seed=1)
    np.testing.assert_array_equal(one, grf.add_noise(intensity, alpha=1e4, seed=1))
    np.testing.assert_array_equal(one, add_noise(intensity, 1e4, np.random.default_rng(1)))
    assert not np.any(one == grf.add_noise(intensity, alpha=1e4, seed=2))
    np.testing.assert_array_equal(intensity, np.linspace(1e5, 1e6, 100))  # the input is left alone


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_intensities_must_be_positive(bad):
    with pytest.raises(InputError, match="positive, finite intensities"):
        add_noise(np.array([1e5, bad]), 1e4)


@pytest.mark.parametrize("alpha", [0.0, -1.0, np.nan, np.inf, np.array([[1e3], [0.0]])])
def test_alpha_must_be_positive(alpha):
    with pytest.raises(InputError, match="must be above 0"):
        add_noise(np.full((2, 3), 1e5), alpha)

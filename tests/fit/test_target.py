"""What a point measures of a curve: its bin, its resolution, and a variance without its own noise."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.records import Points
from pyfai_grf.fit.target import make_target, widen_bins
from pyfai_grf.theory.closed_form import expected_intensity

Q = np.linspace(0.04, 3.0, 500)


def make(q: np.ndarray, intensity: np.ndarray, sigma: np.ndarray) -> Points:
    return Points(q, intensity, sigma)


def test_a_bin_of_a_reduction_is_a_mean_weighted_by_q() -> None:
    """Against a thousand points in each bin, where the shoulder of a large a bends within one."""
    intensity = expected_intensity(Q, 8.0, 0.3)
    target = make_target(make(Q, intensity, 0.01 * intensity))
    fine = Q + (np.arange(-499.5, 500)[:, np.newaxis] / 1000) * (Q[1] - Q[0])
    truth = (fine * expected_intensity(fine, 8.0, 0.3)).sum(axis=0) / fine.sum(axis=0)
    found = target.raster.average(expected_intensity(target.raster.nodes, 8.0, 0.3))
    np.testing.assert_allclose(found, truth, rtol=1e-5)
    assert np.abs(intensity / truth - 1).max() > 1e-3  # which the middle of the bin is not


def test_a_step_scan_is_taken_at_its_points() -> None:
    q = np.geomspace(0.02, 5, 60)
    target = make_target(make(q, q**-2, 0.01 * q**-2))
    np.testing.assert_array_equal(target.raster.nodes, q[np.newaxis])
    np.testing.assert_allclose(target.variance, (0.01 * q**-2) ** 2, rtol=1e-12)


def test_no_point_is_known_much_better_than_its_neighbours() -> None:
    """The end of a sparse curve: a dozen empty bins, whose scatter says that they are known exactly."""
    sigma = np.full(Q.size, 0.01)
    sigma[-12:] = 1e-9
    variance = make_target(make(Q, np.ones_like(Q), sigma)).variance
    assert np.all(variance[-12:] > 0.1e-4)
    assert variance[250] == pytest.approx(1e-4, rel=1e-9)
    # where points are far apart, each stands for itself
    q = np.geomspace(0.02, 5, 60)
    steep = np.geomspace(1, 1e-6, 60)
    assert make_target(make(q, steep, 0.01 * steep)).variance[-1] == pytest.approx((0.01 * steep[-1]) ** 2)


def test_a_point_that_is_said_to_be_hardly_known_counts_for_little() -> None:
    """Weights do not follow each point's own noise, but a hole that was filled with a guess says so in its error."""
    sigma = np.full(Q.size, 0.01)
    sigma[[100, 250]] = 1.0, 0.02
    target = make_target(make(Q, np.ones_like(Q), sigma))
    assert target.variance[100] == 1.0
    assert target.variance[250] == pytest.approx(1e-4 * 4 ** (1 / 49), rel=1e-9)  # twice: the mean of 49 logarithms


def test_a_resolution_smears_a_peak() -> None:
    """A Gaussian peak of width s, seen with a resolution r, has the width sqrt(s^2 + r^2)."""
    q = np.linspace(1.0, 3.0, 400)
    target = make_target(make(q, np.ones_like(q), np.ones_like(q)), resolution=0.05)
    seen = target.raster.average(np.exp(-0.5 * ((target.raster.nodes - 2.0) / 0.1) ** 2))
    width = np.hypot(0.1, 0.05)
    wanted = 0.1 / width * np.exp(-0.5 * ((q - 2.0) / width) ** 2)
    # the nodes of the resolution; on the detector's plane it shifts the peak by r^2 / 2q
    np.testing.assert_allclose(seen, wanted, atol=0.02)


def test_variances_do_not_follow_the_noise_of_each_point() -> None:
    """Poisson counts with the errors that a program writes: low points claim to be better known."""
    rng = np.random.default_rng(1)
    mean = 100 / (1 + Q**2)
    counts = rng.poisson(mean)
    target = make_target(make(Q, counts.astype(float), np.sqrt(np.maximum(counts, 1))))
    own = np.corrcoef(counts - mean, np.maximum(counts, 1) / mean)[0, 1]
    smoothed = np.corrcoef(counts - mean, target.variance / mean)[0, 1]
    assert own > 0.7
    assert smoothed < 0.4
    assert np.mean(target.variance / mean) == pytest.approx(1, abs=0.03)


def test_only_logarithmic_points_may_be_logarithmic_bins() -> None:
    q = np.geomspace(0.02, 5, 60)
    wide = widen_bins(make_target(make(q, q**-2, 0.01 * q**-2)))
    assert wide is not None
    assert wide.raster.has_log_bins
    # bins meet: the ends of one are the geometric means with its neighbours, whose middle in q is not q
    step = q[1] / q[0]
    assert np.all(wide.raster.nodes[0] > q / np.sqrt(step))
    assert np.all(wide.raster.nodes[-1] < q * np.sqrt(step))
    assert widen_bins(make_target(make(Q, Q**-2, 0.01 * Q**-2))) is None
    uneven = np.sort(np.random.default_rng(1).uniform(0.1, 3, 60))
    assert widen_bins(make_target(make(uneven, uneven**-2, 0.01 * uneven**-2))) is None


def test_pixels_that_do_not_lie_evenly_in_a_bin_are_part_of_the_variance() -> None:
    """Over many draws of N pixels in a bin the mean of a slope scatters by slope x step / sqrt(12 N)."""
    q = np.linspace(0.04, 3.0, 200)
    slope, step, pixels = -5.0, q[1] - q[0], 50
    intensity = 20.0 + slope * q
    means = slope * np.random.default_rng(2).uniform(-step / 2, step / 2, (4000, pixels)).mean(axis=1)
    points = Points(q, intensity, 1e-3 * np.ones(q.size), weight=np.full(q.size, float(pixels)))
    plain = make_target(Points(q, intensity, points.sigma)).variance
    # a variance of 4000 draws is known to 2.2 %
    np.testing.assert_allclose(make_target(points).variance - plain, means.var(), rtol=0.08)
    # weights that are no numbers of pixels say nothing of them
    few = Points(q, intensity, points.sigma, weight=np.full(q.size, 1e-3))
    np.testing.assert_array_equal(make_target(few).variance, plain)

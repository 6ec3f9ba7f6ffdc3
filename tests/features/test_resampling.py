"""Resampling, against curves that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError, QRangeError
from pyfai_grf.core.records import Curve, Points
from pyfai_grf.features.points import clean_curve, compute_bins
from pyfai_grf.features.resampling import resample
from pyfai_grf.theory.closed_form import expected_intensity

GRID = np.linspace(0.04, 3.0, 500)
STEP = GRID[1] - GRID[0]
SOURCES = {
    "finer x2, other phase": np.arange(0.038, 3.01, STEP / 2),
    "finer x1.3": np.linspace(0.04, 3.0, 650),
    "finer x1.7": np.linspace(0.038, 3.002, 850),
    "finer x5.7": np.linspace(0.04, 3.0, 2850),
    "finer x20": np.linspace(0.041, 2.999, 10_000),
    "the same, shifted up by half a bin": GRID + STEP / 2,
    "the same, shifted down by half a bin": GRID - STEP / 2,
    "coarser x1.3": np.linspace(0.04, 3.001, 385),
    "coarser x2": np.arange(0.037, 3.02, 2 * STEP),
    "coarser x3": np.arange(0.037, 3.02, 3 * STEP),
    "logarithmic, all finer": np.geomspace(0.03, 3.2, 1500),
    "logarithmic, finer to coarser": np.geomspace(0.03, 3.2, 900),
    "far beyond both ends": np.geomspace(0.002, 30, 4000),
    "one step short at both ends": np.linspace(0.04 + 0.99 * STEP, 3.0 - 0.99 * STEP, 1733),
}


def make_points(q, a=4.0, porosity=0.3, sigma=None, weight=None):
    intensity = expected_intensity(q, a, porosity)
    return Points(q, intensity, 0.01 * intensity if sigma is None else sigma, weight)


def sum_invariant(curve):
    return np.sum(curve.intensity * curve.q_nm1**2)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("a", [0.8, 2.0, 4.0, 8.0])
def test_resampling_keeps_the_curve_and_its_invariant(name, a):
    for porosity in (0.1, 0.5):
        found = resample(make_points(SOURCES[name], a, porosity), GRID)
        truth = make_points(GRID, a, porosity)
        np.testing.assert_array_equal(found.q_nm1, GRID)
        assert sum_invariant(found) == pytest.approx(sum_invariant(truth), rel=1e-3)
        # a bin mean is off by I'' h^2 (1 + 1/n^2) / 24: at the shoulder I''/I is some 4000 nm^2 at a = 8, so 1 %
        np.testing.assert_allclose(found.intensity, truth.intensity, rtol=0.012 if a == 8 else 0.004)


def test_identity_is_bit_for_bit():
    rng = np.random.default_rng(3)
    fine = np.sort(np.concatenate([GRID, GRID[:-1] + STEP * rng.uniform(0.1, 0.9, 499)]))
    for q, keep in (
        (GRID, slice(None)),
        (np.concatenate([GRID[0] - STEP * np.arange(5, 0, -1), GRID]), slice(5, None)),  # a contiguous part
        (fine, np.searchsorted(fine, GRID)),  # points in between
        (GRID + 4e-7 * STEP, slice(None)),  # rounding of a file
    ):
        intensity, sigma, weight = rng.uniform(0.5, 1, (3, len(q)))
        curve = Points(q, intensity, sigma, weight, counts=5.0, metadata={"source": "x"})
        found = resample(curve, GRID)
        np.testing.assert_array_equal(found.q_nm1, GRID)
        for name in ("intensity", "sigma", "weight"):
            np.testing.assert_array_equal(getattr(found, name), getattr(curve, name)[keep])
        assert found.counts == 5.0
        assert found.metadata == {"source": "x"}


def test_resampling_is_linear_in_the_scale_and_leaves_the_curve_alone():
    q = SOURCES["logarithmic, finer to coarser"]
    curve = make_points(q, sigma=np.ones(len(q)))
    before = curve.intensity.copy()
    found = resample(curve, GRID)
    np.testing.assert_array_equal(curve.intensity, before)
    scaled = resample(Points(q, 1e6 * before, sigma=np.full(len(q), 1e6)), GRID)
    np.testing.assert_allclose(scaled.intensity, 1e6 * found.intensity, rtol=1e-10)
    np.testing.assert_allclose(scaled.sigma, 1e6 * found.sigma, rtol=1e-10)


def test_averaging_uses_the_weights():
    # two source bins a grid bin; all weight lies on the points with the higher value
    grid = np.arange(1.0, 2.0, 0.02)
    q = np.arange(0.905, 2.1, 0.01)
    high = np.arange(len(q)) % 2 == 0
    weight = np.where(high, 1.0, 1e-9)
    found = resample(Points(q, np.where(high, 3.0, 1.0), np.ones(len(q)), weight), grid)
    np.testing.assert_allclose(found.intensity, 3.0, rtol=1e-7)
    np.testing.assert_allclose(found.weight, 1.0, rtol=1e-7)
    # unknown weights go as q, which is nearly equal within a bin
    np.testing.assert_allclose(
        resample(Points(q, np.where(high, 3.0, 1.0), np.ones(len(q))), grid).intensity, 2.0, rtol=0.01
    )


@pytest.mark.parametrize("name", SOURCES)
def test_averaging_reduces_sigma_by_no_more_than_the_points_averaged(name):
    q = SOURCES[name]
    found = resample(make_points(q, sigma=np.full(len(q), 2.0), weight=np.ones(len(q))), GRID)
    left, right = compute_bins(q)
    points_per_bin = STEP / np.interp(GRID, q, right - left)
    gain = (2.0 / found.sigma) ** 2
    # 1 %: the step of a logarithmic source changes within a grid bin
    assert np.all(gain <= 1.01 * np.maximum(points_per_bin, 1))
    # a point that several grid points share counts once: its error is theirs together
    assert np.all(gain >= 0.99 * np.minimum(points_per_bin, 1))
    if "finer x5.7" in name:  # and what is averaged is not thrown away either
        assert gain.sum() == pytest.approx(len(q), rel=0.01)
    # the weight of the source is shared out, none is made: within one bin at each end
    inside = np.count_nonzero((q > GRID[0] - STEP / 2) & (q < GRID[-1] + STEP / 2))
    assert found.weight.sum() == pytest.approx(inside, rel=0.01)


@pytest.mark.parametrize("name", ["finer x1.3", "finer x5.7", "coarser x2", "the same, shifted up by half a bin"])
def test_sigma_covers_the_scatter(name):
    q = SOURCES[name]
    rng = np.random.default_rng(11)
    intensity = expected_intensity(q, 4.0, 0.3)
    sigma = 0.02 * intensity
    draws = 100
    found = [resample(Points(q, rng.normal(intensity, sigma), sigma), GRID) for _ in range(draws)]
    scatter = np.std([curve.intensity for curve in found], axis=0)
    stated = np.mean([curve.sigma for curve in found], axis=0)
    ratio = np.sqrt(np.mean((scatter / stated)[5:-5] ** 2))
    # never larger than stated (interpolation and shared bins scatter less, by a factor 0.7 at most); neighbours
    # share points, so the mean square over 490 points stands on some 150 independent ones of 100 draws each
    standard_error = 1 / np.sqrt(2 * 150 * draws)
    # a point of the coarser source is shared by two: stated larger by the root of 2
    assert (0.4 if "coarser" in name else 0.6) < ratio < 1 + 5 * standard_error


def test_gaps_are_bridged_up_to_three_steps():
    intensity = expected_intensity(GRID, 4.0, 0.3)
    truth = intensity.copy()
    intensity[[100, 101]] = np.nan  # a gap of three steps
    gap = np.isfinite(intensity)
    found = resample(Points(GRID[gap], intensity[gap], 0.01 * truth[gap], GRID[gap]), GRID)
    np.testing.assert_allclose(found.intensity, truth, rtol=1e-3)
    beside = np.arange(99, 103)  # two points stand for four: each of them is less well known
    np.testing.assert_allclose(np.delete(found.sigma, beside), 0.01 * np.delete(truth, beside), rtol=0.01)
    assert np.all(found.sigma[beside] > 0.0099 * truth[beside])
    # the two points beside the gap share their weight with those inside, and none is made
    np.testing.assert_allclose(found.weight[:99], GRID[:99], rtol=1e-12)
    assert found.weight.sum() == pytest.approx(GRID.sum() - GRID[100:102].sum(), rel=1e-4)
    # at q = 0.64 per nm 8 % of q are 8 steps: a gap of 9 is too wide, at 0.1 per nm (1.4 steps) one of 4
    for first, count in ((100, 8), (10, 3)):
        keep = np.ones(500, bool)
        keep[first : first + count] = False
        with pytest.raises(QRangeError, match=r"no points between .* \(a gap of up to .* per nm is bridged there\)"):
            resample(make_points(GRID[keep]), GRID)


def test_gaps_of_a_finer_curve_and_empty_bins():
    q = np.arange(0.038, 3.01, STEP / 4)
    weight = q.copy()
    hole = (q > 1.0) & (q < 1.0 + 2.5 * STEP)
    weight[hole] = 0  # empty bins of a frame: no pixels, intensity 0
    intensity = np.where(hole, 0.0, expected_intensity(q, 4.0, 0.3))
    found = resample(clean_curve(Curve(q, intensity, weight=weight)), GRID)
    np.testing.assert_allclose(found.intensity, expected_intensity(GRID, 4.0, 0.3), rtol=4e-3)
    assert np.all(found.weight > 0)


def test_points_that_are_not_positive_stay_in_the_mean():
    rng = np.random.default_rng(5)
    q = np.linspace(0.04, 3.0, 1700)
    intensity = rng.normal(0.3, 1.0, q.size)
    found = resample(Points(q, intensity, np.ones(q.size)), GRID)
    assert np.isfinite(found.intensity).all()
    # no bias: pixel weights go as q, so compare with that mean; 5 standard errors of the interpolated ends
    weighted = np.average(found.intensity, weights=GRID), np.average(intensity, weights=q)
    assert weighted[0] == pytest.approx(weighted[1], abs=0.01)


def test_unusable_grids():
    with pytest.raises(InputError, match="a model grid is"):
        resample(make_points(GRID), GRID[::-1])

"""Resampling, coverage, merging and estimated errors, against curves that are known exactly."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError, QRangeError
from pyfai_grf.core.records import Curve
from pyfai_grf.features.coverage import suggest_grid
from pyfai_grf.features.points import compute_bins, select_usable
from pyfai_grf.features.resampling import (
    check_coverage,
    estimate_sigma,
    explain_merging,
    merge_nonpositive,
    resample,
)
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


def make_curve(q, a=4.0, porosity=0.3, **fields):
    return Curve(q, expected_intensity(q, a, porosity), **fields)


def sum_invariant(curve):
    return np.sum(curve.intensity * curve.q_nm1**2)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("a", [0.8, 2.0, 4.0, 8.0])
def test_resampling_keeps_the_curve_and_its_invariant(name, a):
    for porosity in (0.1, 0.5):
        found = resample(make_curve(SOURCES[name], a, porosity), GRID)
        truth = make_curve(GRID, a, porosity)
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
        curve = Curve(q, *rng.uniform(0.5, 1, (3, len(q))), counts=5.0, metadata={"source": "x"})
        found = resample(curve, GRID)
        np.testing.assert_array_equal(found.q_nm1, GRID)
        for name in ("intensity", "sigma", "weight"):
            np.testing.assert_array_equal(getattr(found, name), getattr(curve, name)[keep])
        assert found.counts == 5.0
        assert found.metadata == {"source": "x"}


def test_resampling_is_linear_in_the_scale_and_leaves_the_curve_alone():
    q = SOURCES["logarithmic, finer to coarser"]
    curve = make_curve(q, sigma=np.ones(len(q)))
    before = curve.intensity.copy()
    found = resample(curve, GRID)
    np.testing.assert_array_equal(curve.intensity, before)
    scaled = resample(Curve(q, 1e6 * before, sigma=np.full(len(q), 1e6)), GRID)
    np.testing.assert_allclose(scaled.intensity, 1e6 * found.intensity, rtol=1e-10)
    np.testing.assert_allclose(scaled.sigma, 1e6 * found.sigma, rtol=1e-10)


def test_averaging_uses_the_weights():
    # two source bins a grid bin; all weight lies on the points with the higher value
    grid = np.arange(1.0, 2.0, 0.02)
    q = np.arange(0.905, 2.1, 0.01)
    high = np.arange(len(q)) % 2 == 0
    weight = np.where(high, 1.0, 1e-9)
    found = resample(Curve(q, np.where(high, 3.0, 1.0), weight=weight), grid)
    np.testing.assert_allclose(found.intensity, 3.0, rtol=1e-7)
    np.testing.assert_allclose(found.weight, 1.0, rtol=1e-7)
    # unknown weights go as q, which is nearly equal within a bin
    np.testing.assert_allclose(resample(Curve(q, np.where(high, 3.0, 1.0)), grid).intensity, 2.0, rtol=0.01)


@pytest.mark.parametrize("name", SOURCES)
def test_averaging_reduces_sigma_by_no_more_than_the_points_averaged(name):
    q = SOURCES[name]
    found = resample(make_curve(q, sigma=np.full(len(q), 2.0), weight=np.ones(len(q))), GRID)
    left, right = compute_bins(q)
    points_per_bin = STEP / np.interp(GRID, q, right - left)
    gain = (2.0 / found.sigma) ** 2
    # 1 %: the step of a logarithmic source changes within a grid bin
    assert np.all(gain <= 1.01 * np.maximum(points_per_bin, 1))
    assert np.all(gain >= 1 - 1e-12)
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
    found = [resample(Curve(q, rng.normal(intensity, sigma), sigma), GRID) for _ in range(draws)]
    scatter = np.std([curve.intensity for curve in found], axis=0)
    stated = np.mean([curve.sigma for curve in found], axis=0)
    ratio = np.sqrt(np.mean((scatter / stated)[5:-5] ** 2))
    # never larger than stated (interpolation and shared bins scatter less, by a factor 0.7 at most); neighbours
    # share points, so the mean square over 490 points stands on some 150 independent ones of 100 draws each
    standard_error = 1 / np.sqrt(2 * 150 * draws)
    assert 0.6 < ratio < 1 + 5 * standard_error


def test_gaps_are_bridged_up_to_three_steps():
    intensity = expected_intensity(GRID, 4.0, 0.3)
    truth = intensity.copy()
    intensity[[100, 101]] = np.nan  # a gap of three steps
    found = resample(Curve(GRID, intensity, sigma=0.01 * truth, weight=GRID.copy()), GRID)
    np.testing.assert_allclose(found.intensity, truth, rtol=1e-3)
    np.testing.assert_allclose(found.sigma, 0.01 * truth, rtol=0.01)
    # the two points beside the gap share their weight with those inside, and none is made
    np.testing.assert_allclose(found.weight[:99], GRID[:99], rtol=1e-12)
    assert found.weight.sum() == pytest.approx(GRID.sum() - GRID[100:102].sum(), rel=1e-4)
    intensity[102] = np.nan
    with pytest.raises(QRangeError, match=r"no points between .* \(4\.0 grid steps, 3 are allowed\)"):
        resample(Curve(GRID, intensity), GRID)


def test_gaps_of_a_finer_curve_and_empty_bins():
    q = np.arange(0.038, 3.01, STEP / 4)
    weight = q.copy()
    hole = (q > 1.0) & (q < 1.0 + 2.5 * STEP)
    weight[hole] = 0  # empty bins of a frame: no pixels, intensity 0
    intensity = np.where(hole, 0.0, expected_intensity(q, 4.0, 0.3))
    found = resample(Curve(q, intensity, weight=weight), GRID)
    np.testing.assert_allclose(found.intensity, expected_intensity(GRID, 4.0, 0.3), rtol=4e-3)
    assert np.all(found.weight > 0)


def test_points_that_are_not_positive_stay_in_the_mean():
    rng = np.random.default_rng(5)
    q = np.linspace(0.04, 3.0, 1700)
    intensity = rng.normal(0.3, 1.0, q.size)
    found = resample(Curve(q, intensity, np.ones(q.size)), GRID)
    assert np.isfinite(found.intensity).all()
    # no bias: pixel weights go as q, so compare with that mean; 5 standard errors of the interpolated ends
    weighted = np.average(found.intensity, weights=GRID), np.average(intensity, weights=q)
    assert weighted[0] == pytest.approx(weighted[1], abs=0.01)


def test_all_nan_sigma_means_unknown():
    assert resample(make_curve(GRID, sigma=np.full(500, np.nan)), GRID).sigma is None


@pytest.mark.parametrize(
    ("q", "hint"),
    [
        (GRID / 10, "--unit A"),
        (np.linspace(0.003, 0.4, 800), "--unit A"),
        (GRID * 10, "--unit nm"),
        (np.linspace(0.36, 17.7, 400), None),
        (np.linspace(0.06, 3, 500), None),
        (np.linspace(0.04, 2.9, 500), None),
        (np.linspace(0.04, 3, 160), None),
    ],
)
def test_coverage_message_says_what_to_do(q, hint):
    with pytest.raises(QRangeError) as caught:
        check_coverage(make_curve(q), GRID, "two-phase-low-porosity")
    message = str(caught.value)
    assert f"covers {q[0]:.3g} to {q[-1]:.3g} per nm" in message
    assert "needs 0.04 to 3 per nm" in message or "needs 0.04 to 3:" in message
    assert ("is q in" in message) == (hint is not None)
    assert hint is None or hint in message
    command = re.search(
        r"pyfai-grf train --material two-phase-low-porosity --q-min (\S+) --q-max (\S+) --q-points (\d+) -o BUNDLE",
        message,
    )
    grid = np.linspace(float(command[1]), float(command[2]), int(command[3]))
    check_coverage(make_curve(q), grid)  # the model that the command trains takes the curve


def test_coverage_tolerates_one_step_at_the_ends():
    check_coverage(make_curve(np.linspace(0.04 + STEP, 3 - STEP, 600)), GRID)
    for low, high in ((0.04 + 1.01 * STEP, 3.0), (0.04, 3 - 1.01 * STEP)):
        with pytest.raises(QRangeError):
            check_coverage(make_curve(np.linspace(low, high, 600)), GRID)


def test_suggested_grid_stays_on_the_longer_part_beside_a_gap():
    q = np.concatenate([np.linspace(0.1, 0.2, 30), np.linspace(1.0, 5.0, 400)])
    assert suggest_grid(q) == (1.0, 5.0, 400)
    assert suggest_grid(np.linspace(0.3604, 17.7391, 200)) == (0.361, 17.7, 200)


def test_merging_leaves_a_good_curve_untouched():
    curve = make_curve(GRID, sigma=0.1 * expected_intensity(GRID, 4.0, 0.3))
    merged, fraction = merge_nonpositive(curve)
    assert merged is curve
    assert fraction == 0


def test_merging_a_single_point():
    q = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    weight = np.array([1.0, 1.0, 3.0, 1.0, 1.0])
    curve = Curve(q, np.array([9.0, -1.0, 3.0, 2.0, 2.0]), np.full(5, 0.5), weight)
    merged, fraction = merge_nonpositive(curve)
    # (-1 + 3 x 3) / 4, with the error sqrt(1 + 9) x 0.5 / 4
    np.testing.assert_allclose(merged.intensity, [9, 2, 2, 2, 2])
    np.testing.assert_allclose(merged.sigma, [0.5, *[np.sqrt(10) / 8] * 2, 0.5, 0.5])
    assert fraction == pytest.approx(0.4)
    np.testing.assert_array_equal(merged.q_nm1, q)


def test_merging_backwards_at_the_end_and_without_sigma():
    q = np.array([1.0, 2.0, 3.0, 4.0])
    merged, fraction = merge_nonpositive(Curve(q, np.array([8.0, 4.0, 1.0, -2.0]), weight=np.ones(4)))
    np.testing.assert_allclose(merged.intensity, [8, 1, 1, 1])
    assert merged.sigma is None
    assert fraction == pytest.approx(0.75)
    hopeless, fraction = merge_nonpositive(Curve(q, np.array([1.0, -4.0, 1.0, -2.0]), weight=np.ones(4)))
    np.testing.assert_allclose(hopeless.intensity, -1)
    assert fraction == 1
    assert "100%" in explain_merging(fraction)
    assert explain_merging(0.05) == ""


def test_merging_keeps_the_sum_and_makes_every_point_significant():
    rng = np.random.default_rng(2)
    truth = expected_intensity(GRID, 4.0, 0.3)
    sigma = np.full(500, 3 * truth[-1])  # the tail after background subtraction
    curve = Curve(GRID, rng.normal(truth, sigma), sigma)
    assert (curve.intensity <= 0).any()
    merged, fraction = merge_nonpositive(curve, significance=3.0)
    assert 0.1 < fraction < 0.9
    assert np.all(merged.intensity > 3 * merged.sigma)
    weight = GRID  # equidistant, no weights known: pixels go as q
    assert np.sum(weight * merged.intensity) == pytest.approx(np.sum(weight * curve.intensity), rel=1e-9)
    alone = merged.sigma == sigma
    np.testing.assert_array_equal(merged.intensity[alone], curve.intensity[alone])
    assert 1 - alone.mean() == pytest.approx(fraction)


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


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (Curve(GRID, GRID[:-1]), "500 q values and 499 of intensity"),
        (Curve(GRID, GRID, sigma=-GRID), "sigma must not be negative"),
        (Curve(GRID[::-1], GRID), "q must increase"),
        (Curve(GRID, np.full(500, np.nan)), "0 usable points of 500"),
        (Curve(np.ones((2, 2)), np.ones((2, 2))), "one column"),
    ],
)
def test_unusable_curves(curve, message):
    with pytest.raises(InputError, match=message):
        resample(curve, GRID)


def test_unusable_grids_and_points():
    with pytest.raises(InputError, match="a model grid is"):
        resample(make_curve(GRID), GRID[::-1])
    with pytest.raises(InputError, match="must be finite to be merged"):
        merge_nonpositive(Curve(GRID, np.where(GRID > 1, np.nan, 1.0)))
    with pytest.raises(InputError, match="8 points"):
        estimate_sigma(GRID[:5], GRID[:5])
    with pytest.raises(InputError, match="q must increase"):
        estimate_sigma(GRID[::-1], GRID)


def test_usable_points():
    q = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    curve = Curve(q, np.array([1, 2, np.nan, 4, 5, 6.0]), np.array([1, 1, 1, np.nan, 1, 1.0]), np.array([1] * 5 + [0]))
    points = select_usable(curve)
    np.testing.assert_array_equal(points.q_nm1, [1, 4])
    np.testing.assert_array_equal(points.intensity, [2, 5])

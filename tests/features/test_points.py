"""The one door: which points count, which zeros are empty bins, which errors are believed."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.features.points import clean_curve, fill_masked, select_window
from pyfai_grf.theory.closed_form import expected_intensity

GRID = np.linspace(0.04, 3.0, 500)
TRUTH = expected_intensity(GRID, 4.0, 0.3)


def list_warnings(points):
    return points.metadata.get("warnings", [])


def draw_counts(photons, seed=1):
    """Counts in bins of a flat detector (pixels go as q), as intensity per pixel, with the true standard error."""
    rng = np.random.default_rng(seed)
    pixels = GRID * 1000
    expected = TRUTH * pixels
    expected *= photons / expected.sum()
    return rng.poisson(expected) / pixels, np.sqrt(expected) / pixels, pixels


def test_what_is_usable():
    q = np.concatenate([[0.0, 1.0, 1.5], np.arange(2.0, 14.0), [20.0]])
    intensity = np.arange(1.0, 17.0)
    intensity[2] = np.nan
    sigma, weight = 0.1 * np.ones(16), np.ones(16)
    weight[-1] = 0
    points = clean_curve(Curve(q, intensity, sigma, weight))
    np.testing.assert_array_equal(points.q_nm1, [1.0, *np.arange(2.0, 14.0)])
    np.testing.assert_array_equal(points.intensity, [2.0, *np.arange(4.0, 16.0)])
    told = " ".join(list_warnings(points))
    assert "q <= 0" in told
    assert "intensity not finite" in told
    assert "no pixel in the bin" in told
    assert clean_curve(points) is points


def test_masked_points_are_left_out():
    intensity = np.ma.masked_array(TRUTH, np.arange(500) % 7 == 0)
    points = clean_curve(Curve(GRID, intensity))
    np.testing.assert_array_equal(points.intensity, TRUTH[np.arange(500) % 7 != 0])


def test_points_without_an_error_of_their_own_stay():
    """ewoksxrpd gives NaN wherever I <= 0: leaving those out would censor the low values."""
    intensity, true_sigma, _ = draw_counts(1e6)
    intensity -= 0.5 * TRUTH[-1]  # a background: some are negative
    sigma = np.where(intensity > 0, true_sigma, np.nan)
    assert 5 < np.isnan(sigma).sum() < 100
    points = clean_curve(Curve(GRID, intensity, sigma))
    np.testing.assert_array_equal(points.intensity, intensity)
    given = ~np.isnan(sigma)
    np.testing.assert_array_equal(points.sigma[given], sigma[given])
    assert np.all(points.sigma > 0)
    # where it was missing: what the scatter says, to the 30 % of one window, at most three times that
    assert np.all(np.abs(np.log(points.sigma[~given] / true_sigma[~given])) < 0.9)


@pytest.mark.parametrize("photons", [1e5, 1e6, 1e7])
def test_errors_that_the_scatter_contradicts_are_not_believed(photons):
    """pyFAI's Poisson model: max(1, counts) on each pixel."""
    intensity, true_sigma, pixels = draw_counts(photons)
    counts = intensity * pixels
    wrong = np.sqrt(np.maximum(counts, pixels - counts * (counts < pixels))) / pixels
    points = clean_curve(Curve(GRID, intensity, wrong))
    assert any("not believed" in text for text in list_warnings(points))
    # the mean over the curve of the variance ratio: 16 windows of 30 % each in sigma
    assert np.mean(np.log(points.sigma / true_sigma)) == pytest.approx(0, abs=0.25)


@pytest.mark.parametrize(
    ("noise_model", "name"),
    [
        (None, "the errors given"),
        ("counts", "the errors taken from counts"),
        ("assumed counts (the frame holds floating-point values)", "the errors taken from assumed counts"),
        ("counts of 3 each, as given", "the errors taken from counts of 3 each"),
        (
            "scatter of the pixels within a bin (negative values)",
            "the errors taken from scatter of the pixels within a bin",
        ),
        ("pyFAI's error model", "the errors taken from pyFAI's error model"),
    ],
)
def test_errors_are_named_for_what_they_come_from(noise_model, name):
    """Nobody has given errors that were counted, and what is stored names the errors that are used."""
    intensity, true_sigma, _ = draw_counts(1e7)
    metadata = {} if noise_model is None else {"noise_model": noise_model}
    right = clean_curve(Curve(GRID, intensity, true_sigma, metadata=metadata)).metadata
    assert (right["noise_model"], right.get("warnings")) == (noise_model or "given", None)
    wrong = clean_curve(Curve(GRID, intensity, true_sigma / 5, metadata=metadata)).metadata
    (text,) = wrong["warnings"]
    assert re.match(rf"{name} are \S+ times too small for the scatter of \d+% of the points", text)
    assert text.endswith("not believed, errors are taken from that scatter")
    assert wrong["noise_model"] == f"scatter of neighbouring points ({name} are not believed)"


def test_errors_that_are_missing_are_named():
    intensity, true_sigma, _ = draw_counts(1e7)
    for sigma in (None, np.zeros(500), np.where(GRID < 2, np.nan, true_sigma)):
        points = clean_curve(
            Curve(GRID, intensity, sigma, metadata={"noise_model": "counts"} if sigma is not None else {})
        )
        assert points.metadata["noise_model"] == "scatter of neighbouring points"
    some = clean_curve(Curve(GRID, intensity, np.where(GRID > 2.8, np.nan, true_sigma)))
    assert some.metadata["noise_model"] == f"given; of {np.sum(GRID > 2.8)} points scatter of neighbouring points"


@pytest.mark.parametrize("photons", [1e5, 1e6, 1e7, 1e9])
def test_right_errors_are_believed(photons):
    exact = 0
    for seed in range(20):
        intensity, true_sigma, _ = draw_counts(photons, seed)
        points = clean_curve(Curve(GRID, intensity, true_sigma))
        assert list_warnings(points) == []
        exact += np.array_equal(points.sigma, true_sigma)
        np.testing.assert_allclose(points.sigma / true_sigma, 1, atol=0.42)
    # a correlation of neighbours is seen where there is none in 4 to 10 of 100 curves, and widens then
    assert exact >= 15


@pytest.mark.parametrize(("share", "correlation"), [(0.15, 0.29), (0.25, 0.45)])
@pytest.mark.parametrize("is_known", [True, False])
def test_errors_of_split_pixels_hold_for_means(share, correlation, is_known):
    """Bins share photons, by 0.29 as pyFAI splits pixels at 500 bins: means scatter more than points say."""
    rng = np.random.default_rng(3)
    widening = []
    for _ in range(30):
        noise = np.convolve(rng.standard_normal(502), [share, 1, share], mode="valid") / np.sqrt(1 + 2 * share**2)
        points = clean_curve(Curve(GRID, TRUTH * (1 + 0.01 * noise), 0.01 * TRUTH if is_known else None))
        assert list_warnings(points) == []
        widening.append(np.exp(np.mean(np.log(points.sigma / (0.01 * TRUTH)))))
    expected = np.sqrt(1 + 2 * correlation)
    # 0.29 is at the limit of what can be told: a quarter of the curves keeps the narrower errors
    assert np.mean(widening) == pytest.approx(expected, rel=0.15)


def test_a_column_that_says_nothing_is_no_error():
    for sigma in (np.full(500, np.nan), np.zeros(500)):
        points = clean_curve(Curve(GRID, TRUTH, sigma))
        assert np.all(points.sigma > 0)
        assert np.max(points.sigma / TRUTH) < 0.003


@pytest.mark.parametrize("photons", [1e5, 1e7])
@pytest.mark.parametrize("sigma", [None, "zero", "nan"])
def test_empty_bins_are_told_from_bins_that_counted_nothing(photons, sigma):
    """A beamstop's shadow and a gap in the shoulder are empty; the zeros of the tail are measurements."""
    intensity, true_sigma, _ = draw_counts(photons)
    zeros = intensity == 0
    empty = np.zeros(500, bool)
    empty[:3] = empty[20:23] = True
    intensity[empty] = 0.0
    errors = None
    if sigma is not None:
        errors = np.where(intensity > 0, true_sigma, 0.0 if sigma == "zero" else np.nan)
    points = clean_curve(Curve(GRID, intensity, errors))
    np.testing.assert_array_equal(points.q_nm1, GRID[~empty])
    assert np.count_nonzero(points.intensity == 0) == np.count_nonzero(zeros & ~empty)


@pytest.mark.parametrize("sigma", [None, "zero", "nan"])
@pytest.mark.parametrize("every", [2, 6])
def test_empty_bins_beside_empty_bins(every, sigma):
    """Bins finer than the pixels: they come in numbers, and do not vouch for each other."""
    intensity, true_sigma, _ = draw_counts(1e8)
    empty = np.zeros(500, bool)
    empty[20:60:every] = True
    intensity[empty] = 0.0
    errors = None if sigma is None else np.where(empty, 0.0 if sigma == "zero" else np.nan, true_sigma)
    np.testing.assert_array_equal(clean_curve(Curve(GRID, intensity, errors)).q_nm1, GRID[~empty])


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (Curve(GRID, GRID[:-1]), "500 values of q and 499 of intensity"),
        (Curve(GRID, GRID, sigma=-GRID), "sigma is negative"),
        (Curve(GRID[::-1], GRID), "q must increase"),
        (Curve(np.repeat(GRID, 2), np.repeat(GRID, 2)), "500 repeated values"),
        (Curve(GRID, np.full(500, np.nan)), "only 0 of 500 points"),
        (Curve(GRID[:9], GRID[:9]), "only 9 of 9 points"),
        (Curve(GRID, -GRID), "no intensity is positive"),
        (Curve(np.ones((2, 2)), np.ones((2, 2))), "one column"),
    ],
)
def test_unusable_curves(curve, message):
    with pytest.raises(InputError, match=message):
        clean_curve(curve)


def test_window():
    curve = Curve(GRID, TRUTH, 0.1 * TRUTH)
    assert select_window(curve) is curve
    part = select_window(curve, 0.1, 1.0)
    inside = np.flatnonzero((GRID >= 0.1) & (GRID <= 1.0))
    np.testing.assert_array_equal(part.q_nm1, GRID[inside[0] - 1 : inside[-1] + 2])  # and the next points beyond
    assert len(part.sigma) == len(part.intensity) == len(part.q_nm1)
    np.testing.assert_array_equal(select_window(curve, q_max=1.0).q_nm1, GRID[: inside[-1] + 2])
    with pytest.raises(InputError, match=r"0 points lie between 4 and inf per nm, the curve covers 0\.04 to 3"):
        select_window(curve, q_min=4.0)


def test_masked_values_are_missing_ones():
    filled = fill_masked(np.ma.array([1, 2, 3], mask=[False, True, False]))
    np.testing.assert_array_equal(filled, [1.0, np.nan, 3.0])
    assert filled.dtype == np.float64
    assert not np.ma.isMaskedArray(filled)

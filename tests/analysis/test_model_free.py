"""Porod constant and correlation length against the closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad, trapezoid

from pyfai_grf.analysis.model_free import (
    compute_correlation_length,
    compute_porod_constant,
    summarise,
)
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve, Points
from pyfai_grf.features.invariant import compute_invariant
from pyfai_grf.features.points import clean_curve
from pyfai_grf.theory.closed_form import compute_surface_per_volume, compute_threshold, expected_intensity
from pyfai_grf.theory.covariance import compute_covariance

A, POROSITY = 4.0, 0.3
GRID = np.linspace(0.04, 3.0, 500)
WIDE = np.linspace(0.001, 20.0, 20_000)


def make_points(q, intensity=None, sigma=None):
    """The closed form at ``q``; without a sigma, that of its scatter (next to none)."""
    intensity = expected_intensity(q, A, POROSITY) if intensity is None else intensity
    return clean_curve(Curve(q, intensity)) if sigma is None else Points(q, intensity, sigma)


@pytest.mark.parametrize("background", [0.0, 1e-4, -1e-4])
def test_porod_constant_is_the_surface(background):
    curve = make_points(WIDE)
    found, error = compute_porod_constant(make_points(WIDE, curve.intensity + background))
    # Porod's next term at the start of the fit, q a = 40, is 0.17 / 40^2 = 1e-4
    assert found == pytest.approx(2 * np.pi * compute_surface_per_volume(A, POROSITY), rel=5e-4)
    assert 0 <= error < 1e-3 * found


def test_porod_constant_of_a_short_range_and_of_a_chosen_start():
    truth = 2 * np.pi * compute_surface_per_volume(A, POROSITY)
    # from q a = 6 on the next term is 0.17 / 36 = 0.5 %, from 10 on 0.17 %; the fitted background enlarges it a little
    assert compute_porod_constant(make_points(GRID))[0] == pytest.approx(truth, rel=6e-3)
    assert compute_porod_constant(make_points(GRID), start_nm1=2.5)[0] == pytest.approx(truth, rel=2.5e-3)


@pytest.mark.parametrize("is_known", [True, False])
def test_error_of_the_porod_constant(is_known):
    rng = np.random.default_rng(4)
    q = np.linspace(2.5, 20.0, 700)
    truth = make_points(q).intensity
    sigma = 0.05 * truth + 1e-4
    constant = 2 * np.pi * compute_surface_per_volume(A, POROSITY)
    draws = 200
    pulls = []
    for _ in range(draws):
        curve = make_points(q, rng.normal(truth, sigma), sigma if is_known else None)
        found, error = compute_porod_constant(curve)
        pulls.append((found - constant) / error)
    # estimated weights follow the noise a little, and spread > 1 enlarges the error of half the curves
    slack = 0.03 if is_known else 0.25
    assert np.std(pulls) == pytest.approx(1, abs=5 / np.sqrt(2 * draws) + slack)
    assert np.mean(pulls) == pytest.approx(0, abs=5 / np.sqrt(draws))


def test_correlation_length_is_the_integral_over_the_measured_range():
    def integrate(power):
        return quad(lambda q: q**power * expected_intensity(q, A, POROSITY), 0.04, 3.0, epsrel=1e-8, limit=200)[0]

    expected = np.pi * integrate(1) / integrate(2)
    # the trapezoid on 500 points: of the order of (h a)^2 / 12 = 5e-5
    assert compute_correlation_length(make_points(GRID)) == pytest.approx(expected, rel=2e-4)
    assert compute_correlation_length(make_points(GRID, 7.3 * make_points(GRID).intensity)) == pytest.approx(
        expected, rel=2e-3
    )


def test_correlation_length_over_all_q_is_that_of_the_correlation_function():
    r = np.linspace(0, 60, 6001)
    covariance = compute_covariance(r, np.atleast_1d(compute_threshold(POROSITY)))[0]
    length = 2 * trapezoid(covariance, r) / covariance[0] * A
    # the range ends at 20 per nm: 0.5 % of the invariant lies beyond, and 4e-5 of the first moment
    assert compute_correlation_length(make_points(WIDE)) == pytest.approx(length, rel=7e-3)
    # and an early end makes it too long
    assert compute_correlation_length(make_points(GRID)) > length


def test_summary():
    curve = make_points(GRID, sigma=0.01 * expected_intensity(GRID, A, POROSITY))
    found = summarise(curve)
    assert set(found) == {"invariant", "porod_constant", "porod_constant_error", "correlation_length_nm"}
    assert all(type(value) is float for value in found.values())
    assert found["invariant"] == compute_invariant(curve.q_nm1, curve.intensity)
    assert (found["porod_constant"], found["porod_constant_error"]) == compute_porod_constant(curve)
    assert found["correlation_length_nm"] == compute_correlation_length(curve)


@pytest.mark.parametrize("index", [0, 250, 400, 499])
def test_one_sigma_far_too_small_holds_the_line_at_its_point(index):
    truth = expected_intensity(GRID, A, POROSITY)
    intensity = 3.0 + 0.2 / GRID**4 + 0.01 * np.sin(50 * GRID)
    sigma = 0.01 * truth
    sigma[index] *= 1e-10
    found, error = compute_porod_constant(Points(GRID, intensity, sigma))
    part = GRID >= 1.5
    if part[index]:  # the line goes through this point, its slope is that of the others seen from there
        x, y = GRID[part] ** -4.0 - GRID[index] ** -4.0, intensity[part] - intensity[index]
        others = part[part] & (GRID[part] != GRID[index])
        weight = sigma[part][others] ** -2.0
        expected = np.sum(weight * x[others] * y[others]) / np.sum(weight * x[others] ** 2)
        assert found == pytest.approx(expected, rel=1e-6)  # rounding, times the 1e10 of the weights
    assert 0 < error < 1


@pytest.mark.parametrize(("length", "scale"), [(1.0, 1e-250), (1.0, 1e90), (1e90, 1.0), (1e-90, 1.0), (1.0, 1e-300)])
def test_numbers_of_any_size_are_numbers_or_nan(length, scale, capfd):
    """Neither an error nor a line of a library's own."""
    truth = expected_intensity(GRID, A, POROSITY)
    ordinary = compute_porod_constant(Points(GRID, truth, 0.01 * truth))
    found = compute_porod_constant(Points(length * GRID, scale * truth, scale * 0.01 * truth))
    if length == 1 and scale > 1e-260:  # nothing is lost to numbers below 2e-308
        assert found == pytest.approx(tuple(scale * value for value in ordinary), rel=1e-6)
    else:
        assert all(np.isnan(value) or value >= 0 for value in found)
    assert np.isnan(length_nm := compute_correlation_length(Points(length * GRID, truth, truth))) or length_nm > 0
    assert capfd.readouterr() == ("", "")


def test_summary_of_a_poor_curve():
    few = summarise(make_points(np.linspace(0.1, 1, 12)))
    assert np.isnan(few["porod_constant"])
    assert few["invariant"] > 0
    negative = summarise(Points(GRID, -np.ones(500), np.ones(500)))
    assert np.isnan(negative["correlation_length_nm"])


def test_bad_input():
    with pytest.raises(InputError, match="8 points"):
        compute_porod_constant(make_points(GRID), start_nm1=2.99)

"""The expected two-phase curve against theory, against sum rules and against a deliberately dumb evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad, simpson, trapezoid

from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.closed_form import (
    compute_mean_chords,
    compute_scale_free_intensity,
    compute_surface_per_volume,
    compute_threshold,
    expected_intensity,
)
from pyfai_grf.theory.covariance import compute_correlation, compute_covariance
from pyfai_grf.theory.spectra import spectral_density

POROSITIES = np.array([0.02, 0.1, 0.3, 0.5, 0.77, 0.9, 0.98])
R = np.linspace(0, 80, 8001)


def correlate_by_sum(r):
    """g(r) by the trapezoidal rule: exact for a smooth even integrand up to aliases at r = 2 pi / 0.02 = 314."""
    k = np.arange(0, 12, 0.02)
    weight = k**2 * spectral_density(k, 1.0)
    return np.array([np.sum(weight * np.sinc(k * s / np.pi)) for s in r]) / weight.sum()


@pytest.fixture(scope="module")
def dumb_correlation():
    return correlate_by_sum(R)


def covary_by_sum(g, porosity):
    """C by Simpson's rule in the angle, 401 points whatever g."""
    fraction = np.linspace(0, 1, 401)
    angle = np.arcsin(np.clip(g, -1, 1))[:, np.newaxis] * fraction
    values = np.exp(-(compute_threshold(porosity) ** 2) / (1 + np.sin(angle)))
    return simpson(values, x=fraction, axis=1) * angle[:, -1] / (2 * np.pi)


def test_correlation_is_the_transform_of_the_spectral_density(dumb_correlation):
    np.testing.assert_allclose(compute_correlation(R), dumb_correlation, rtol=0, atol=1e-12)


@pytest.mark.parametrize("porosity", POROSITIES)
def test_agrees_with_a_dumb_evaluation(dumb_correlation, porosity):
    x = np.array([0.0, 1e-3, 0.03, 0.2, 0.5, 0.8, 1.0, 1.3, 1.7, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0])
    covariance = covary_by_sum(dumb_correlation, porosity)
    dumb = [4 * np.pi * trapezoid(R**2 * covariance * np.sinc(s * R / np.pi), R) for s in x]
    # Euler-Maclaurin: the trapezoid is off by h^4 x c_1 / 120, at x = 20 a relative 1e-5
    np.testing.assert_allclose(compute_scale_free_intensity(x, porosity), dumb, rtol=3e-5)
    np.testing.assert_allclose(expected_intensity(x, 1.0, porosity), dumb, rtol=3e-5)


@pytest.mark.parametrize(("x", "porosity"), [(40.0, 0.1), (70.0, 0.5), (200.0, 0.3)])
def test_tail_agrees_with_an_oscillatory_quadrature(x, porosity):
    threshold = np.atleast_1d(compute_threshold(porosity))

    def integrand(r):
        return r * compute_covariance(np.array([r]), threshold)[0, 0]

    pieces = [
        quad(integrand, start, start + 10, weight="sin", wvar=x, epsabs=1e-14, epsrel=1e-12)[0]
        for start in range(0, 90, 10)
    ]
    # rounding of 1e-14 a piece against 2 c_1 / x^3, about 1e-8 at x = 200
    np.testing.assert_allclose(expected_intensity(x, 1.0, porosity), 4 * np.pi * np.sum(pieces) / x, rtol=2e-5)


def test_table_agrees_with_the_exact_routine_everywhere():
    x = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 701)])
    porosity = np.concatenate([np.linspace(0.02, 0.98, 33), [1e-4, 0.001, 0.999]])
    exact = compute_scale_free_intensity(x, porosity)
    # measured 2.7e-6; the goal of the table is 1e-4
    np.testing.assert_allclose(expected_intensity(x, 1.0, porosity), exact, rtol=1e-5)


def test_positive_and_falling_past_the_shoulder():
    x = np.geomspace(1e-3, 1e3, 4001)
    curves = expected_intensity(x, 1.0, POROSITIES)
    assert np.all(curves > 0)
    assert np.all(np.diff(curves[:, x > 1.5], axis=1) < 0)


@pytest.mark.parametrize("porosity", POROSITIES)
def test_invariant_and_covariance_at_zero_are_the_variance_of_the_phases(porosity):
    covariance = compute_covariance(np.zeros(1), np.atleast_1d(compute_threshold(porosity)))[0, 0]
    assert covariance == pytest.approx(porosity * (1 - porosity), rel=1e-12)
    x = np.linspace(0, 400, 200_001)
    curve = expected_intensity(x, 1.0, porosity)
    tail = 2 * np.pi * compute_surface_per_volume(1.0, porosity) / x[-1]  # Porod, the next term is 1e-6 of it
    invariant = (simpson(x**2 * curve, x=x) + tail) / (2 * np.pi**2)
    assert invariant == pytest.approx(porosity * (1 - porosity), rel=1e-5)


def test_small_q_limit_is_the_volume_integral_of_the_covariance():
    a, porosity = 3.0, 0.3
    covariance = compute_covariance(R, np.atleast_1d(compute_threshold(porosity)))[0]
    plateau = 4 * np.pi * trapezoid(R**2 * covariance, R) * a**3
    curvature = trapezoid(R**4 * covariance, R) / trapezoid(R**2 * covariance, R) * a**2 / 6
    assert expected_intensity(0.0, a, porosity) == pytest.approx(plateau, rel=1e-5)
    q = 0.02
    drop = 1 - expected_intensity(q, a, porosity) / expected_intensity(0.0, a, porosity)
    # the quartic term is (q a)^2 = 0.004 of the quadratic one, times a number of order ten
    assert drop == pytest.approx(curvature * q**2, rel=0.05)


@pytest.mark.parametrize(("porosity", "tolerance"), [(0.5, 0.0025), (0.1, 0.005)])
def test_porod_law(porosity, tolerance):
    a = 2.5
    q = np.geomspace(8, 1000, 200) / a
    porod = 2 * np.pi * compute_surface_per_volume(a, porosity) / q**4
    np.testing.assert_allclose(expected_intensity(q, a, porosity), porod, rtol=tolerance)
    np.testing.assert_allclose(expected_intensity(1e4, a, porosity), porod[0] * (q[0] / 1e4) ** 4, rtol=1e-6)


def test_babinet():
    q = np.linspace(0, 3, 100)
    dyadic = np.array([0.125, 0.25, 0.375])  # 1 - porosity has no rounding there, so the curves are equal to the bit
    np.testing.assert_array_equal(expected_intensity(q, 4.0, dyadic), expected_intensity(q, 4.0, 1 - dyadic))
    np.testing.assert_allclose(expected_intensity(q, 4.0, 0.3), expected_intensity(q, 4.0, 0.7), rtol=1e-13)


def test_scaling_law():
    q = np.geomspace(0.01, 30, 300)
    scaled = 5.0**3 * expected_intensity(q * 5.0, 1.6, 0.3)
    np.testing.assert_allclose(expected_intensity(q, 8.0, 0.3), scaled, rtol=1e-12)


def test_shapes_and_blocks_make_no_difference():
    rng = np.random.default_rng(7)
    q = np.linspace(0.04, 3.0, 500)
    a, porosity = rng.uniform(0.8, 8, 1500), rng.uniform(0.05, 0.95, 1500)  # more than one block
    curves = expected_intensity(q, a, porosity)
    assert curves.shape == (1500, 500)
    for i in (0, 700, 1499):
        np.testing.assert_array_equal(curves[i], expected_intensity(q, a[i], porosity[i]))
    assert expected_intensity(0.5, 4.0, 0.3).shape == ()
    assert expected_intensity(q.reshape(4, 125), [1.0, 2.0], 0.3).shape == (2, 4, 125)
    np.testing.assert_array_equal(expected_intensity(q, 4.0, [0.3, 0.4])[1], expected_intensity(q, 4.0, 0.4))
    assert compute_scale_free_intensity(q[:3], [0.3, 0.4]).shape == (2, 3)


def test_structure_numbers():
    # at porosity 1/2 the threshold is 0, S_V = 2/(pi sqrt 5 a), and both chords are 2/S_V
    assert compute_threshold(0.5) == 0
    assert compute_surface_per_volume(4.0, 0.5) == pytest.approx(2 / (np.pi * np.sqrt(5) * 4.0), rel=1e-12)
    assert compute_mean_chords(4.0, 0.5) == pytest.approx((4 * np.pi * np.sqrt(5),) * 2, rel=1e-12)
    pore, solid = compute_mean_chords([4.0, 4.0], [0.1, 0.9])
    assert pore[0] == pytest.approx(solid[1], rel=1e-12)
    assert pore / 4.0 == pytest.approx([3.2, 28.7], rel=0.01)  # 4 (0.1, 0.9) / (0.2847 exp(-1.2816^2 / 2))
    # minus the slope of the covariance at zero is S_V / 4; its next term is of relative order r^2
    r = np.array([0.0, 1e-3])
    covariance = compute_covariance(r, np.atleast_1d(compute_threshold(0.2)))[0]
    slope = (covariance[0] - covariance[1]) / r[1]
    assert slope == pytest.approx(compute_surface_per_volume(1.0, 0.2) / 4, rel=1e-5)


@pytest.mark.parametrize(
    ("q", "a", "porosity", "message"),
    [
        ([0.1, np.nan], 4.0, 0.3, "q must be finite"),
        ([0.1, -0.1], 4.0, 0.3, "found -0.1"),
        ([0.1, np.inf], 4.0, 0.3, "q must be finite"),
        ([0.1], 0.0, 0.3, "a must be a positive length"),
        ([0.1], np.nan, 0.3, "a must be a positive length"),
        ([0.1], 4.0, 0.0, "porosity must lie between 0 and 1"),
        ([0.1], 4.0, [0.3, 1.0], "found 1"),
        ([0.1], 4.0, np.nan, "porosity must lie between 0 and 1"),
        ([0.1], [4.0, 5.0], [0.3, 0.4, 0.5], "cannot be broadcast together"),
        ([0.1], [[4.0]], 0.3, "one axis"),
    ],
)
def test_bad_input(q, a, porosity, message):
    with pytest.raises(InputError, match=message):
        expected_intensity(q, a, porosity)


def test_three_phases_are_answered_by_the_table_and_refused_without_one():
    q = np.array([0.1, 1.0])
    two, three = expected_intensity(q, 4.0, 0.7), expected_intensity(q, 4.0, 0.7, 0.2, 0.65)
    assert np.all(three != two)
    np.testing.assert_allclose(expected_intensity(q, 4.0, 0.7, 0.0, 0.65), two)
    with pytest.raises(InputError, match=r"no table of expected three-phase .* power:n=6: make one"):
        expected_intensity(q, 4.0, 0.7, 0.2, spectrum="power:n=6")

"""The spectral densities that are shipped: their formulas, transforms and moments, by independent quadrature."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import quad

from pyfai_grf.theory.spectra import MaternSpectrum, Spectrum, get_spectrum, spectral_density


def integrate(function, **options):
    """Over k from 0 to infinity, in pieces that no peak falls through."""
    edges = [*np.arange(0, 2, 0.25), 2, 4, 8]
    total = sum(quad(function, low, high, epsabs=1e-13, **options)[0] for low, high in itertools.pairwise(edges))
    return total + quad(function, 8, np.inf, epsabs=1e-11, limlst=500, **options)[0]


@pytest.mark.parametrize(
    ("text", "k", "expected"),
    [
        ("roding2022", 1.0, 0.25),
        ("roding2022", 2.0, (1 + 256) ** -2.0),
        ("power:n=6", 2.0, 65**-2.0),
        ("power:n=12", 0.5, (1 + 2**-12) ** -2.0),
        ("matern:nu=2.5", 1.0, 1 / 16),
        ("matern:nu=1.5", 3.0, 1e-3),
        ("shell:width=0.1", 1.0, 1.0),
        ("shell:width=0.1", 1.1, np.exp(-0.5)),
        ("shell:width=0.5", 0.0, 2 * np.exp(-2)),
    ],
)
def test_density_is_the_formula(text, k, expected):
    assert get_spectrum(text).density(k) == pytest.approx(expected, rel=1e-12)
    assert spectral_density(k / 4.0, 4.0, text) == pytest.approx(expected, rel=1e-12)


def test_density_is_positive_and_at_most_about_one(text):
    density = get_spectrum(text).density(np.linspace(0, 20, 2001))
    assert np.all(density >= 0)
    assert density.max() == pytest.approx(1, abs=1e-3)
    assert get_spectrum(text).density(np.ones(3, dtype=np.float32)).dtype == np.float32


def test_correlation_is_the_transform_of_the_density(text):
    spectrum = get_spectrum(text)
    norm = integrate(lambda k: k**2 * spectrum.density(k))
    for r in (0.1, 0.3, 0.7, 1.0, 3.0, 8.0, 20.0):
        expected = integrate(lambda k: k * spectrum.density(k), weight="sin", wvar=r) / (r * norm)
        # the quadrature's own error: 1e-11 a piece over r times a norm of about 0.1
        assert spectrum.correlation(np.array([r]))[0] == pytest.approx(expected, abs=3e-9)


def test_correlation_begins_with_the_second_moment_and_ends(text):
    spectrum = get_spectrum(text)
    assert spectrum.correlation(np.zeros(2)) == pytest.approx([1, 1], abs=1e-15)
    r = np.array([1e-6, 1e-5, 1e-4])
    # 1 - g = <k^2> r^2 / 6 up to r^4, or r^(2 nu): relative 1e-4 to the power 2 (nu - 1) = 0.5 is 1 % for nu = 1.25
    slack = 0.03 if text == "matern:nu=1.25" else 2e-3
    assert spectrum.decrement(r) * 6 / r**2 == pytest.approx(np.full(3, spectrum.second_moment), rel=slack)
    np.testing.assert_allclose(spectrum.decrement(r + 0j), spectrum.decrement(r), rtol=1e-9)
    # along the imaginary axis g grows; the seams of series and formula do not show
    s = np.linspace(0.01, 0.6, 200)
    values = -spectrum.decrement(1j * s).real
    assert np.all(np.diff(values) > 0)
    assert np.all(np.abs(np.diff(np.log(values), 3)[30:]) < 1e-3)
    assert abs(spectrum.correlation(np.array([spectrum.cutoff_radius]))[0]) < 1e-13


def test_moments_and_tail(text):
    spectrum = get_spectrum(text)
    norm = integrate(lambda k: k**2 * spectrum.density(k))
    assert spectrum.second_moment == pytest.approx(integrate(lambda k: k**4 * spectrum.density(k)) / norm, rel=1e-7)
    if spectrum.tail_power > 7:
        fourth = integrate(lambda k: k**6 * spectrum.density(k)) / norm
        assert spectrum.moment(4) == pytest.approx(fourth, rel=1e-6)
    else:
        assert spectrum.moment(4) == np.inf
    k = np.array([1e3, 1e4])
    if spectrum.tail_power < 20:
        slope = -np.diff(np.log(spectrum.density(k)))[0] / np.log(10)
        assert slope == pytest.approx(spectrum.tail_power, rel=1e-5)
    # what is found for a spectrum that comes without formulas is the same
    assert Spectrum.moment(spectrum, 2) == pytest.approx(spectrum.second_moment, rel=1e-8)
    r = np.array([0.01, 0.3, 1.0, 4.0, 15.0])
    # what lies beyond k = 3200 is left out of the sine transform: 3200^-2.5 for nu = 1.25
    np.testing.assert_allclose(Spectrum.correlation(spectrum, r), spectrum.correlation(r), atol=3e-9)


def test_half_integer_matern_is_elementary():
    r = np.linspace(0, 30, 301)
    np.testing.assert_allclose(MaternSpectrum(1.5).correlation(r), (1 + r) * np.exp(-r), rtol=1e-12)
    np.testing.assert_allclose(MaternSpectrum(2.5).correlation(r), (1 + r + r * r / 3) * np.exp(-r), rtol=1e-12)

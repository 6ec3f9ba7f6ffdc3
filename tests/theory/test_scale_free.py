"""The exact two-phase theory for every spectral density that is shipped."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import quad, simpson, trapezoid
from scipy.special import ndtri

from pyfai_grf.core.errors import InputError
from pyfai_grf.theory import scale_free
from pyfai_grf.theory.closed_form import (
    average_curves,
    compute_mean_chords,
    compute_scale_free_intensity,
    compute_surface_per_volume,
    expected_intensity,
)
from pyfai_grf.theory.covariance import compute_covariance, compute_threshold
from pyfai_grf.theory.spectra import MaternSpectrum, get_spectrum

#: by the names of the paper, elementary formulas, and a transform done by hand
ELEMENTARY = {
    "matern:nu=1.5": lambda r: (1 + r) * np.exp(-r),
    "matern:nu=2.5": lambda r: (1 + r + r * r / 3) * np.exp(-r),
    "shell:width=0.2": lambda r: np.exp(-0.02 * r * r) * (np.sinc(r / np.pi) + 0.04 * np.cos(r)) / 1.04,
}
POROSITIES = np.array([0.02, 0.1, 0.3, 0.5, 0.77])


@pytest.mark.parametrize("text", ELEMENTARY)
@pytest.mark.parametrize("porosity", [0.1, 0.5])
def test_agrees_with_a_dumb_evaluation(text, porosity):
    """Elementary g, Simpson's rule for the covariance, the trapezoidal rule for the curve."""
    r = np.linspace(0, 60, 12001)
    fraction = np.linspace(0, 1, 201)
    angle = np.arcsin(np.clip(ELEMENTARY[text](r), -1, 1))[:, np.newaxis] * fraction
    values = np.exp(-(ndtri(porosity) ** 2) / (1 + np.sin(angle)))
    covariance = simpson(values, x=fraction, axis=1) * angle[:, -1] / (2 * np.pi)
    x = np.array([0.0, 0.1, 0.5, 0.9, 1.0, 1.2, 1.7, 2.5, 5.0, 10.0])
    dumb = [4 * np.pi * trapezoid(r**2 * covariance * np.sinc(s * r / np.pi), r) for s in x]
    # Euler-Maclaurin: the trapezoid is off by h^4 x c_1 / 120, at x = 10 a relative 1e-7; near r = 0 arcsin has
    # only half the digits of g
    np.testing.assert_allclose(compute_scale_free_intensity(x, porosity, text), dumb, rtol=2e-5)
    np.testing.assert_allclose(expected_intensity(x, 1.0, porosity, spectrum=text), dumb, rtol=3e-5)


def test_table_agrees_with_the_exact_routine_everywhere(text):
    x = np.concatenate([[0.0], np.geomspace(1e-3, 1e5, 501), np.linspace(0.5, 4, 201)])
    exact = compute_scale_free_intensity(x, POROSITIES, text)
    # measured: 9e-6 for shell:width=0.2, 2e-6 at most for the others but narrow shells (6e-6)
    np.testing.assert_allclose(expected_intensity(x, 1.0, POROSITIES, spectrum=text), exact, rtol=1.2e-5)


def test_both_contours_give_the_same_integral(text, monkeypatch):
    """Along the real axis, where the integrand oscillates, and along the imaginary one, where it decays."""
    x = np.linspace(31, 60, 30)
    imaginary = compute_scale_free_intensity(x, POROSITIES, text)
    monkeypatch.setattr(scale_free, "_X_TURN", np.inf)
    real = compute_scale_free_intensity(x, POROSITIES, text)
    # rounding: 1e-16 times the integral of r C against f, which is 1e-7 of it
    np.testing.assert_allclose(real, imaginary, rtol=2e-7)


@pytest.mark.parametrize("text", ["matern:nu=1.25", "matern:nu=2", "power:n=6", "shell:width=0.2"])
@pytest.mark.parametrize("x", [40.0, 200.0])
def test_tail_agrees_with_an_oscillatory_quadrature(text, x):
    threshold = np.atleast_1d(compute_threshold(0.3))

    def integrand(r):
        return r * compute_covariance(np.array([r]), threshold, text)[0, 0]

    edges = [0, 1e-3, 1e-2, 0.1, 1, *range(5, 70, 5)]
    pieces = [
        quad(integrand, low, high, weight="sin", wvar=x, epsabs=1e-14, epsrel=1e-12, limit=200)[0]
        for low, high in itertools.pairwise(edges)
    ]
    # rounding of 1e-14 a piece against 2 c_1 / x^3, about 1e-8 at x = 200
    found = expected_intensity(x, 1.0, 0.3, spectrum=text)
    np.testing.assert_allclose(found, 4 * np.pi * np.sum(pieces) / x, rtol=2e-5)


def test_porod_law_and_its_next_term(text):
    """I -> 2 pi S_V x^-4; what is left falls as x^-2, or as x^-(2 nu - 2) where <k^4> is infinite."""
    spectrum = get_spectrum(text)
    x = np.array([1e2, 1e3, 1e4])
    porod = 2 * np.pi * compute_surface_per_volume(1.0, 0.3, text) * x**-4
    rest = expected_intensity(x, 1.0, 0.3, spectrum=text) / porod - 1
    if text == "matern:nu=1.25":
        # x^-1/2, x^-1 ...: the second is 1/sqrt(x) of the first times a number of order 1
        assert rest[1] / rest[0] == pytest.approx(10**-0.5, rel=0.1)
        assert rest[2] / rest[1] == pytest.approx(10**-0.5, rel=0.03)
        assert abs(rest[0]) < 0.1
    elif text in ("matern:nu=1.5", "matern:nu=2"):
        # at nu = 1.5 the term of x^-1 has the factor sin(pi) = 0; at nu = 2 it is x^-2 log x
        assert abs(rest[0]) < 2e-3
        assert abs(rest[1]) < 3e-5
    else:
        m2, m4 = spectrum.second_moment, spectrum.moment(4)
        t2 = float(compute_threshold(0.3)) ** 2
        # the Taylor series of g gives C = C(0) - c_1 r - c_3 r^3 ..., and b = -12 c_3 / c_1
        b = 12 * (m4 / (40 * m2) - m2 / 72) + t2 * m2 / 6
        # b / x^2 at 100 is 1e-5 to 1e-4; table and terms of x^-3 and x^-4 together 1e-5
        assert rest[0] == pytest.approx(b / 1e4, abs=1.2e-5)
        assert rest[1:] == pytest.approx([0, 0], abs=1.2e-5)


@pytest.mark.parametrize("porosity", [0.1, 0.5])
def test_invariant(text, porosity):
    """The integral of x^2 f is 2 pi^2 porosity (1 - porosity), table, tail and all."""
    x = np.geomspace(1e-3, 1e7, 20_001)
    total = simpson(x**3 * expected_intensity(x, 1.0, porosity, spectrum=text), x=np.log(x))
    assert total / (2 * np.pi**2) == pytest.approx(porosity * (1 - porosity), rel=1e-5)


def test_scaling_and_babinet(text):
    q = np.geomspace(0.01, 30, 100)
    curve = expected_intensity(q, 8.0, 0.3, spectrum=text)
    np.testing.assert_allclose(curve, 5.0**3 * expected_intensity(q * 5.0, 1.6, 0.3, spectrum=text), rtol=1e-12)
    np.testing.assert_allclose(curve, expected_intensity(q, 8.0, 0.7, spectrum=text), rtol=1e-12)


def test_surface_and_chords(text):
    """S_V is four times the slope of the covariance at zero, and (2/pi) sqrt(<k^2>/3) at porosity 1/2."""
    surface = compute_surface_per_volume(2.0, 0.5, text)
    assert surface == pytest.approx(np.sqrt(get_spectrum(text).second_moment / 3) / np.pi, rel=1e-12)
    pore, solid = compute_mean_chords(2.0, 0.2, text)
    assert 4 * 0.2 / pore == pytest.approx(4 * 0.8 / solid) == pytest.approx(compute_surface_per_volume(2.0, 0.2, text))
    # r as short as the digits of arcsin near 1 allow: 1e-8 against 1e-4 S_V / 4; g has an r^2.5 term for nu = 1.25
    r = np.array([0.0, 1e-4])
    covariance = compute_covariance(r, np.atleast_1d(compute_threshold(0.2)), text)[0]
    slope = (covariance[0] - covariance[1]) / r[1]
    slack = 0.01 if text == "matern:nu=1.25" else 1e-3
    assert slope == pytest.approx(compute_surface_per_volume(1.0, 0.2, text) / 4, rel=slack)


def test_spinodal_curves_have_their_peak_at_one_over_a():
    q = np.linspace(0.05, 1.0, 2000)
    for width in (0.05, 0.1, 0.2):
        curve = expected_intensity(q, 4.0, 0.5, spectrum=f"shell:width={width}")
        # the peak of Gamma, moved by the slope of the broad scattering of higher orders below it
        assert q[np.argmax(curve)] == pytest.approx(1 / 4.0, rel=width**2 + 0.002)


def test_text_and_object_are_the_same_spectrum():
    q = np.linspace(0.05, 3, 50)
    by_text = expected_intensity(q, 3.0, 0.3, spectrum="matern:nu=2.5")
    np.testing.assert_array_equal(by_text, expected_intensity(q, 3.0, 0.3, spectrum=MaternSpectrum(2.5)))
    np.testing.assert_array_equal(
        expected_intensity(q, 3.0, 0.3), expected_intensity(q, 3.0, 0.3, spectrum="power:n=8")
    )
    a, porosity = np.array([2.0, 5.0]), np.array([0.2, 0.4])
    fine = np.linspace(0.5, 0.6, 200)
    averaged = average_curves(fine, a, porosity, "matern:nu=2.5")
    np.testing.assert_allclose(averaged, expected_intensity(fine, a, porosity, spectrum="matern:nu=2.5"), rtol=1e-5)
    with pytest.raises(InputError, match="no spectrum is called"):
        expected_intensity(q, 3.0, 0.3, spectrum="nothing")
    with pytest.raises(InputError, match="fractal"):
        compute_mean_chords(3.0, 0.3, "dab")

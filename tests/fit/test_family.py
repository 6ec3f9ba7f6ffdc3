"""The family of curves that is fitted, beside the theory that each of them comes from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.theory.spectra import get_spectrum

Q = np.geomspace(0.02, 6, 200)


def make_shape(a: float, porosity: float, n: float = 8.0, spread: float = 0.0) -> Shape:
    return Shape(np.log(a), float(ndtri(porosity)) ** 2, 1 / n, spread**2)


@pytest.mark.parametrize("n", [4, 6.5, 8, 14])
def test_a_shape_is_the_expected_curve(n: float) -> None:
    found = Family(None, True).evaluate(Q, make_shape(3.0, 0.3, n))
    np.testing.assert_allclose(found, expected_intensity(Q, 3.0, 0.3, spectrum=f"power:n={n}"), rtol=2e-4)


@pytest.mark.parametrize("text", ["roding2022", "matern:nu=2.5", "shell:width=0.2"])
def test_a_pinned_spectrum_is_that_spectrum(text: str) -> None:
    family = Family(get_spectrum(text), False)
    assert family.names == ("log_a", "u")
    found = family.evaluate(Q, make_shape(3.0, 0.3, n=5))
    np.testing.assert_allclose(found, expected_intensity(Q, 3.0, 0.3, spectrum=text), rtol=1e-4)


@pytest.mark.parametrize(("spread", "tolerance"), [(0.05, 3e-5), (0.3, 2e-4), (0.5, 6e-4)])
def test_a_spread_is_the_mean_over_a_lognormal_distribution(spread: float, tolerance: float) -> None:
    """By volume: each volume of the sample has its a. Against 1201 points of the distribution, to 6 deviations."""
    z = np.linspace(-6, 6, 1201)
    weights = np.exp(-0.5 * z**2)
    curves = expected_intensity(Q, 3.0 * np.exp(spread * z), np.full(z.size, 0.3))
    found = Family(None, True).evaluate(Q, make_shape(3.0, 0.3, spread=spread))
    np.testing.assert_allclose(found, weights @ curves / weights.sum(), rtol=tolerance)


def test_many_lengths_at_once() -> None:
    family, shape = Family(None, True), make_shape(1.0, 0.2, 5)
    lengths = np.array([0.5, 2.0, 7.0])
    curves = family.evaluate_lengths(Q, lengths, shape)
    for length, curve in zip(lengths, curves, strict=True):
        np.testing.assert_allclose(curve, family.evaluate(Q, make_shape(length, 0.2, 5)), rtol=1e-12)


def test_a_curve_of_many_points_is_computed_at_fewer() -> None:
    """By a spline between: as exact as the table."""
    family, shape = Family(None, True), make_shape(4.0, 0.3, 8, 0.1)
    q = np.linspace(0.03, 4.0, 3000)
    few = np.concatenate([family.evaluate(part, shape) for part in np.array_split(q, 300)])
    np.testing.assert_allclose(family.evaluate(q, shape), few, rtol=2e-6)

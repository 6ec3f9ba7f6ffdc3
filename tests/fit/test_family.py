"""The family of curves that is fitted, beside the theory that each of them comes from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.fit.log_table import STEP
from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.theory.power_family import load_family
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
    family, shape = Family(None, True), make_shape(1.0, 0.2, 5, 0.1)
    log_a = np.log(0.5) + STEP * np.array([0, 40, 100])
    log_q = np.log(0.02) + STEP * np.arange(250)
    shapes = np.array([[0.0, shape.u, shape.inverse_n, shape.variance], [0.0, 1.0, 0.1, 0.0]])
    curves = family.draw_lengths(log_q[0], log_q.size, log_a, shapes)
    assert curves.shape == (2, 3, 250)
    for place, curve in zip(log_a, curves[0], strict=True):
        np.testing.assert_allclose(curve, family.evaluate(np.exp(log_q), replace(shape, log_a=place)), rtol=1e-6)


@pytest.mark.parametrize("spread", [0.0, 0.004, 0.02, 0.3])
def test_a_shift_by_part_of_a_step_is_exact(spread: float) -> None:
    """As exact as the table, a hundred times below its own error; a spread may be less than a step, too."""
    z = np.linspace(-6, 8, 801) if spread else np.zeros(1)
    weights = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    lengths = 3.3 * np.exp(spread * z)
    exact = sum(w * a**3 * load_family().evaluate(Q * a, 0.5, 8.0) for w, a in zip(weights, lengths, strict=True))
    shape = Shape(np.log(3.3), 0.25, 0.125, spread**2)
    np.testing.assert_allclose(Family(None, True).evaluate(Q, shape), exact, rtol=3e-6)


def test_bounds_are_those_of_the_parameters() -> None:
    family = Family(None, True)
    assert family.get_bound("inverse_n") == (1 / 20, 1 / 3.2)
    assert family.get_bound("power") == (1.0, 4.5)
    assert family.get_bound("log_a") == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("form", "value", "text"), [("matern", 1.7, "matern:nu=1.7"), ("shell", 0.13, "shell:width=0.13")]
)
def test_other_forms_have_a_free_parameter_as_well(form: str, value: float, text: str) -> None:
    family = Family(None, True, form)
    assert family.names == ("log_a", "u", "inverse_n", "variance")
    low, high = family.bounds["inverse_n"]
    shape = replace(make_shape(3.0, 0.3), inverse_n=family.write_parameter(value))
    assert low < shape.inverse_n < high
    assert family.read_parameter(shape.inverse_n) == pytest.approx(value)
    # as the table over 1 / n, within 1e-4 of the quadrature
    np.testing.assert_allclose(family.evaluate(Q, shape), expected_intensity(Q, 3.0, 0.3, spectrum=text), rtol=2e-4)


def test_a_family_names_its_spectrum() -> None:
    assert Family(None, True).name_spectrum({"spectrum_n": 6.0213}) == "power:n=6.021"
    assert Family(None, True).name_spectrum({"spectrum_n": 8.0}) == "roding2022"
    assert Family(None, False, "matern").name_spectrum({"nu": 2.4781}) == "matern:nu=2.478"
    assert Family(get_spectrum("shell"), False).name_spectrum({}) == get_spectrum("shell").text

"""What is found by quadrature for a density without formulas, against densities that have them."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.sampled_spectrum import check_density, integrate_moment, measure_tail_power, transform_density


def gauss(k):
    return np.exp(-k * k / 2)


def make_power(power):
    return lambda k: (1 + k * k) ** (-power / 2)


@pytest.mark.parametrize(("order", "expected"), [(0, 1.0), (1, np.sqrt(8 / np.pi)), (2, 3.0), (4, 15.0)])
def test_moments_of_a_gauss_density_are_those_of_maxwell(order, expected):
    assert integrate_moment(gauss, order) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("power", [5.5, 6.0, 8.0, 12.0])
def test_a_power_has_its_tail(power):
    assert measure_tail_power(make_power(power)) == pytest.approx(power, rel=1e-6)
    assert measure_tail_power(gauss) == np.inf


def test_a_moment_beyond_the_tail_is_infinite():
    """(1 + k^2)^-4 has <k^2> = 3 / (2 (nu - 1)) with nu = 5/2, and no <k^5>."""
    assert integrate_moment(make_power(8.0), 2) == pytest.approx(1.0, rel=1e-9)
    assert integrate_moment(make_power(8.0), 5) == np.inf


def test_the_transform_of_a_gauss_density_is_one_too():
    correlation, cutoff = transform_density(gauss)
    r = np.linspace(0, 7, 200)
    np.testing.assert_allclose(correlation(r), np.exp(-r * r / 2), atol=1e-9)
    assert np.exp(-(cutoff**2) / 2) < 1e-9


def test_a_correlation_that_does_not_end_is_refused():
    """A peak of relative width 1e-3 rings on over a thousand a."""
    with pytest.raises(InputError, match=r"its correlation is still .* at a distance of 256 a"):
        transform_density(lambda k: np.exp(-((k - 1) ** 2) / 2e-6))


@pytest.mark.parametrize(
    ("density", "message"),
    [
        (lambda k: -gauss(k), r"density\(0\) is -1: it must be finite, 0 or more"),
        (lambda k: np.full_like(k, np.nan), "must be finite"),
        (lambda k: 3 * gauss(k), "its largest density is 3: scale it to 1"),
        (lambda k: gauss(k)[:-1], "gave shape"),
        (make_power(4.0), r"falls as k\^-4: it must fall faster than k\^-5, otherwise <q\^2> is infinite"),
        (lambda k: gauss(k / 100), r"<k\^2> is .*define a so that it lies between"),
    ],
)
def test_impossible_densities(density, message):
    with pytest.raises(InputError, match=message):
        check_density(density)


def test_a_possible_density_passes():
    check_density(gauss)
    check_density(make_power(6.0))

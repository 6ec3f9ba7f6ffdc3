"""The exact two-phase theory in real space: volume fractions, surfaces, and what joins them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erfinv

from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.covariance import (
    compute_correlation,
    compute_covariance,
    compute_flat_film,
    compute_imaginary_covariance,
    compute_surface,
    compute_threshold,
    validate_porosity,
)
from pyfai_grf.theory.spectra import get_spectrum

POROSITIES = np.array([0.05, 0.3, 0.5, 0.9])


def test_the_threshold_is_the_papers() -> None:
    """Eq. 8."""
    np.testing.assert_allclose(compute_threshold(POROSITIES), np.sqrt(2) * erfinv(2 * POROSITIES - 1), atol=1e-14)


@pytest.mark.parametrize("porosity", [0.0, 1.0, -0.1, np.nan])
def test_impossible_porosities(porosity: float) -> None:
    for function in (validate_porosity, compute_threshold):
        with pytest.raises(InputError, match="between 0 and 1, exclusive, found"):
            function([0.5, porosity])


def test_the_covariance_begins_with_the_variance_and_ends(text: str) -> None:
    thresholds = compute_threshold(POROSITIES)
    covariance = compute_covariance(np.array([0.0, get_spectrum(text).cutoff_radius]), thresholds, text)
    # arcsin takes the square root of what rounding leaves of 1 - g
    np.testing.assert_allclose(covariance[:, 0], POROSITIES * (1 - POROSITIES), rtol=1e-7)
    np.testing.assert_allclose(covariance[:, 1], 0, atol=1e-11)


def test_the_surface_is_the_slope_of_the_covariance(text: str) -> None:
    """Debye: C(r) = C(0) - S_V r / 4 + ...; next comes r^3 for a smooth interface, r^(2 nu - 1) for a rough one."""
    if text == "matern:nu=1.25":
        pytest.skip("the next term, r^1.5, is as large as the first at any distance with digits to spare")
    thresholds, r = compute_threshold(POROSITIES), 1e-4
    start, near = compute_covariance(np.array([0.0, r]), thresholds, text).T
    np.testing.assert_allclose(4 * (start - near) / r, compute_surface(thresholds, text), rtol=2e-3)


def test_the_imaginary_covariance_begins_with_the_surface() -> None:
    thresholds, s = compute_threshold(POROSITIES), np.array([1e-5])
    found = compute_imaginary_covariance(s, thresholds, get_spectrum("roding2022"))
    np.testing.assert_allclose(4 * found[:, 0] / s, compute_surface(thresholds), rtol=1e-6)


def test_the_published_surface() -> None:
    """<k^2> = 3/5 for (1 + k^8)^-2."""
    np.testing.assert_allclose(compute_surface(np.array([0.0, 1.0])), [2, 2 / np.exp(0.5)] / (np.pi * np.sqrt(5)))


def test_correlation_of_the_published_field_is_flat_at_first() -> None:
    r = np.array([0.0, 0.01])
    np.testing.assert_allclose(compute_correlation(r), 1 - 0.6 * r**2 / 6, atol=1e-9)


def test_a_flat_film_has_the_volume_of_the_layer(text: str) -> None:
    layer = np.array([0.0, 0.2, 0.5])[:, np.newaxis]
    thickness = compute_flat_film(POROSITIES, layer, text)
    assert thickness.shape == (3, 4)
    surface = compute_surface(compute_threshold(POROSITIES), text)
    np.testing.assert_allclose(thickness * surface, POROSITIES * layer, rtol=1e-12)

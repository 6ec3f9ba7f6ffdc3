"""Cross spectra of level sets: the bivariate normal distribution, and on the diagonal the two-phase curves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from pyfai_grf.theory.covariance import compute_correlation
from pyfai_grf.theory.cross_spectra import compute_cross_covariance, compute_cross_spectra
from pyfai_grf.theory.scale_free import compute_scale_free_intensity


def test_cross_covariance_is_the_bivariate_normal() -> None:
    thresholds = np.array([-1.0, 0.2, 1.3])
    r = np.array([0.1, 0.7, 2.0, 5.0])
    found = compute_cross_covariance(r, thresholds, "roding2022")
    for n, g in enumerate(compute_correlation(r)):
        normal = multivariate_normal([0, 0], [[1, g], [g, 1]])
        for i, one in enumerate(thresholds):
            for j, other in enumerate(thresholds):
                expected = normal.cdf([one, other]) - ndtr(one) * ndtr(other)
                assert found[i, j, n] == pytest.approx(expected, abs=1e-7)  # SciPy's own precision


def test_cross_spectra_hold_the_two_phase_curves() -> None:
    x, thresholds = np.array([0.1, 1.0, 5.0, 20.0]), np.array([-0.8, 0.3])
    spectra = compute_cross_spectra(x, thresholds, "roding2022")
    expected = compute_scale_free_intensity(x, ndtr(thresholds))
    np.testing.assert_allclose(np.einsum("jjx->jx", spectra), expected, rtol=1e-9)

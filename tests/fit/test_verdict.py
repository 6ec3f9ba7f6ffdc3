"""Three verdicts: it fits, it fits within x %, it does not fit and where."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.records import Curve, Points
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.target import Target, make_target
from pyfai_grf.fit.verdict import MODEL_ERROR, judge_residual, widen_variance

Q = np.linspace(0.05, 3.0, 400)
CURVE = 1 / (1 + (2 * Q) ** 4) + 1e-3


def measure(error: float, bend: float, seed: int = 1) -> Target:
    """Return points with a relative ``error``, of a curve that is off by the part ``bend`` in waves."""
    truth = CURVE * (1 + bend * np.sin(8 * Q))
    intensity = np.random.default_rng(seed).normal(truth, error * CURVE)
    return make_target(clean_curve(Curve(Q, intensity, error * CURVE)))


def test_noise_alone_is_a_fit() -> None:
    """At 4 standard deviations of chi-square, one of 30,000 is refused: none of 200."""
    found = [judge_residual(measure(0.01, 0.0, seed), CURVE, 5) for seed in range(200)]
    assert all(verdict.is_applicable and not verdict.reason and verdict.model_error == 0 for verdict in found)
    # 400 points less 5: chi-square has a standard deviation of 0.07, its mean over 200 of 0.005
    assert np.mean([verdict.chi2 for verdict in found]) == pytest.approx(400 / 395, abs=0.02)


def test_a_small_smooth_misfit_is_named_and_counted() -> None:
    verdict = judge_residual(measure(0.001, 0.005), CURVE, 5)
    assert verdict.is_applicable
    # waves of 0.5 % have a root mean square of 0.35 %
    assert verdict.model_error == pytest.approx(0.0035, rel=0.25)
    assert verdict.reason.startswith("the curve fits within 0.3% (chi-square 13") or "within 0." in verdict.reason
    target = measure(0.001, 0.005)
    wider = widen_variance(target, CURVE, verdict.model_error)
    np.testing.assert_allclose(wider - target.variance, 20 * (verdict.model_error * CURVE) ** 2)


def test_a_large_misfit_is_placed() -> None:
    target = measure(0.001, 0.0)
    peak = 0.2 * CURVE * np.exp(-0.5 * ((Q - 1.5) / 0.05) ** 2)
    off = Target(target.intensity + peak, target.variance, target.raster)
    verdict = judge_residual(off, CURVE, 5)
    assert not verdict.is_applicable
    assert verdict.model_error == MODEL_ERROR
    assert "the data lie above the fit most from 1.4" in verdict.reason
    assert verdict.worst > 100


def test_points_that_share_their_noise_scatter_less_than_their_errors() -> None:
    """Errors of means over many, of neighbours with a correlation of 0.3, are 1.26 times those of a point."""
    rng = np.random.default_rng(2)
    white = rng.normal(size=Q.size + 1)
    noise = (white[1:] + 0.382 * white[:-1]) / np.hypot(1, 0.382)  # r_1 = 0.333
    correlation = 0.382 / (1 + 0.382**2)
    sigma = 0.01 * CURVE * np.sqrt(1 + 2 * correlation)
    plain = make_target(Points(Q, CURVE + 0.01 * CURVE * noise, sigma))
    target = Target(plain.intensity, plain.variance, plain.raster, correlation)
    assert judge_residual(target, CURVE, 5).chi2 == pytest.approx(1, abs=0.3)
    assert judge_residual(target, CURVE, 5).is_applicable

"""Three verdicts: it fits, it fits within x %, it does not fit and where or why; and a doubt about the unit of q."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.core.records import Curve, Points
from pyfai_grf.core.rounding import format_percent
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.curve_fit import fit_curve
from pyfai_grf.fit.misfit import make_misfit
from pyfai_grf.fit.target import Target, make_target
from pyfai_grf.fit.verdict import (
    MODEL_ERROR,
    Verdict,
    find_correlation,
    judge_residual,
    judge_values,
    warn_of_scale,
    widen_variance,
)
from pyfai_grf.learn.examples import count_photons
from pyfai_grf.theory.closed_form import average_curves

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
    assert verdict.reason.startswith(f"the curve fits within {format_percent(verdict.model_error)} (chi-square ")
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
    assert np.abs(make_misfit(off, CURVE, 5).residual).max() > 100


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


def test_a_peak_is_refused_though_chi_square_is_not_large() -> None:
    """Nine standard deviations over 16 points add 81 to a sum of 400 +- 28: within 4 of chi-square's own."""
    target = measure(0.01, 0.0)
    bump = np.zeros(Q.size)
    bump[200:216] = 0.01 * 9 / 4 * CURVE[200:216]
    off = replace(target, intensity=target.intensity + bump)
    verdict = judge_residual(off, CURVE, 5)
    assert verdict.chi2 < 1.28
    assert not verdict.is_applicable
    assert re.match(
        "the data lie above the fit most from 1.5[0-9]* to 1.6.* fits everywhere else: leave that", verdict.reason
    )
    # where the whole curve waves, none of its places is a peak
    assert measure_bend(0.005).is_applicable


def measure_bend(bend: float) -> Verdict:
    """Return the verdict on a smooth misfit."""
    return judge_residual(measure(0.001, bend), CURVE, 5)


FITS = Verdict(1.0, 0.0, True, "")
NEAR = Verdict(1.5, 0.003, True, "the curve fits within 0.3%")


def judge(verdict: Verdict, half: float, **values: float) -> Verdict:
    """Return the verdict on values with intervals of +- ``half`` of each."""
    named = {"a": 4.0, "spectrum_n": 8.0, "spread": 0.1, "porosity": 0.3} | values
    low, high = ({name: value * (1 + sign * half) for name, value in named.items()} for sign in (-1, 1))
    return judge_values(verdict, named, low, high, 3.0)


def test_shapes_that_follow_anything_are_no_fit() -> None:
    assert judge(FITS, 0.01) == FITS
    assert judge(NEAR, 0.01) == NEAR
    low = judge(FITS, 0.02, spectrum_n=3.3)
    assert not low.is_applicable
    assert "the spectrum's exponent n is 3.3: below 3.4" in low.reason
    # it may be 3.5 or more: nothing is said against it
    assert judge(FITS, 0.1, spectrum_n=3.3).is_applicable
    wide = judge(NEAR, 0.05, spread=0.42)
    assert not wide.is_applicable
    assert wide.reason.startswith("the curve fits within 0.3%; the spread of a is 0.42")
    assert judge(FITS, 0.2, spread=0.42).is_applicable
    # a spectrum that is held has neither
    held = {"a": 4.0, "porosity": 0.3}
    assert judge_values(FITS, held, held, held, 3.0) == FITS


def test_a_fall_whose_end_is_not_seen_is_no_fit() -> None:
    assert judge(FITS, 0.01, a=0.7).is_applicable
    short = judge(FITS, 0.01, a=0.5)
    assert not short.is_applicable
    assert short.reason.startswith("the curve ends at q a = 1.5")
    assert short.reason.endswith("it takes points to 4 per nm or more")


def test_a_bound_is_named() -> None:
    assert judge(FITS, 0.3, spectrum_n=20.0).reason == "the fit ends at a bound: n at 20"
    assert judge(FITS, 0.3, spectrum_n=3.2).is_applicable
    assert judge(FITS, 0.3, spectrum_n=3.2).reason == "the fit ends at a bound: n at 3.2"
    # there, what noise does not explain is the family that wants to be another
    assert not judge(NEAR, 0.3, spectrum_n=3.2).is_applicable
    assert judge(FITS, 0.5, spread=0.5).reason == "the fit ends at a bound: the spread at 0.5"
    for porosity in (0.000687, 1 - 0.000687):
        sparse = judge(FITS, 0.5, porosity=porosity)
        assert not sparse.is_applicable
        assert sparse.reason.startswith("porosity is at the end of what is fitted, ")


@pytest.mark.parametrize("shared", [0.0, 0.115])
def test_the_residuals_tell_what_neighbours_share(shared: float) -> None:
    """A bin with 0.115 of either neighbour's noise is correlated with them by 0.29; a smooth misfit is not noise."""
    found = []
    for seed in range(40):
        white = np.random.default_rng(seed).normal(size=Q.size + 2)
        noise = (1 - 2 * shared) * white[1:-1] + shared * (white[:-2] + white[2:])
        curve = CURVE * (1 + 0.01 * noise + 0.005 * np.sin(8 * Q))
        plain = make_target(Points(Q, curve, 0.01 * CURVE))
        found.append(find_correlation(replace(plain, correlation=0.0), CURVE))
    # 400 points know it within 0.07; less than 3 times that is taken for none
    assert np.median(found) == pytest.approx(0.29 if shared else 0.0, abs=0.05)
    assert np.mean(np.array(found) > 0) == pytest.approx(1.0 if shared else 0.0, abs=0.2)


def expose(curve: np.ndarray, photons: float = 1e7) -> tuple[np.ndarray, np.ndarray]:
    """Return a curve (Q,) with photons on whole rings, and its errors."""
    rng = np.random.default_rng(4)
    measured, sigma = count_photons(curve[np.newaxis], Q[np.newaxis], np.array([photons]), rng)
    return measured[0], sigma[0]


@pytest.mark.parametrize("length", [0.8, 1.6, 2.5])
def test_an_exponentially_correlated_material_is_refused(length: float) -> None:
    """Debye, Anderson and Brumberger 1957: smooth, q^-4 at its end, and within noise of wide mixtures of the family."""
    curve = (1 + (length * Q) ** 2) ** -2.0
    fit = fit_curve(Q, *expose(curve + 0.02 * curve[-1]))
    assert not fit.is_applicable, fit
    assert "exponent n is 3" in fit.reason or "the spread of a is 0." in fit.reason


def test_a_bragg_peak_is_refused_until_it_is_left_out() -> None:
    curve = average_curves(Q, np.array([4.0]), np.array([0.3]))[0]
    measured, sigma = expose(curve)
    peak = np.exp(-0.5 * ((Q - 1.2) / 0.02) ** 2)
    near = peak > np.exp(-2)
    noise = np.sqrt(np.sum(sigma[near] ** 2))
    off = measured + 10 * noise * peak / np.sum(peak[near])
    fit = fit_curve(Q, off, sigma)
    assert not fit.is_applicable
    assert "fits everywhere else: leave that range out" in fit.reason
    assert fit_curve(Q, off, sigma, exclude=[(1.1, 1.3)]).is_applicable


def test_a_wrong_unit_of_q_fits_and_is_doubted() -> None:
    measured, sigma = expose(average_curves(Q, np.array([4.0]), np.array([0.3]))[0])
    right = fit_curve(Q, measured, sigma)
    assert warn_of_scale(right) == ""
    small = fit_curve(Q / 10, measured, sigma)  # in 1/A, taken for 1/nm
    assert small.is_applicable
    assert warn_of_scale(small).startswith("a = 40 nm, from a curve that ends at 0.3 per nm, is unusually large")
    assert warn_of_scale(small).endswith("if its q is in 1/A, a is 4 nm")
    large = fit_curve(Q, measured, sigma, unit="A^-1")
    assert warn_of_scale(large).startswith("a = 0.4 nm, from a curve that ends at 30 per nm, is unusually small")
    assert warn_of_scale(large).endswith("a is 4 nm")
    assert warn_of_scale(replace(right, values={**right.values, "a": np.nan})) == ""
    # a long ultra-small-angle curve that does end in the usual place has large lengths
    assert warn_of_scale(replace(right, values={**right.values, "a": 60.0})) == ""

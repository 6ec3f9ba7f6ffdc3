"""What is left of the data: noise has no place where it agrees with itself, a peak has one."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.records import Curve
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.misfit import Misfit, make_misfit
from pyfai_grf.fit.target import make_target

Q = np.linspace(0.05, 3.0, 400)
#: a hundred counts a point, in standard deviations
CURVE = np.full(Q.size, 10.0)


def draw(seed: int, correlation: float = 0.0) -> Misfit:
    """Return unit noise, whose neighbours have a correlation."""
    white = np.random.default_rng(seed).normal(size=Q.size + 1)
    share = (1 - np.sqrt(1 - 4 * correlation**2)) / (2 * correlation) if correlation else 0.0
    return Misfit(Q, (white[1:] + share * white[:-1]) / np.hypot(1, share), CURVE, correlation, 5)


@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_sums_of_noise_stay_small(correlation: float) -> None:
    """Of 1500 sums over neighbours, which overlap, none of 300 curves has one beyond 6 (a chance of 1e-9 each)."""
    sizes = [draw(seed, correlation).find_largest().size for seed in range(300)]
    assert max(sizes) < 5.5
    # as many independent normal numbers as there are points have a largest of about 3
    assert np.median(sizes) == pytest.approx(3.2, abs=0.4)


def test_a_peak_is_found_where_it_is() -> None:
    """Ten standard deviations over 16 points, of which no single one is remarkable."""
    noise = draw(1)
    bump = 10 / np.sqrt(16) * ((Q > 1.5) & (np.arange(Q.size) < np.searchsorted(Q, 1.5) + 16))
    place = Misfit(Q, noise.residual + bump, CURVE, 0.0, 5).find_largest()
    assert place.size == pytest.approx(10, abs=2.5)
    assert place.ends == pytest.approx((1.5, 1.5 + 15 * (Q[1] - Q[0])), abs=0.05)
    assert place.height == pytest.approx(0.25, abs=0.07)
    assert str(place).startswith("the data lie above the fit most from 1.")
    assert "standard deviations, 2" in str(place)
    rest = Misfit(Q, noise.residual + bump, CURVE, 0.0, 5).leave_out(place)
    assert rest.residual.size == pytest.approx(Q.size - 48, abs=24)
    assert rest.find_largest().size < 4.5


def test_a_smooth_error_of_the_model_explains_a_smooth_misfit() -> None:
    off = Misfit(Q, 0.01 * 1000 * np.sin(8 * Q), np.full(Q.size, 1000.0), 0.0, 5)
    assert off.find_largest().size > 40
    # the sums hold 1 % of the curve at most, and count in units of that
    assert off.find_largest(0.01).size < 1.01
    assert off.reduce(0.01) == pytest.approx(0.5, rel=0.05)


def test_few_counts_are_too_skew_to_tell() -> None:
    """Three counts where 0.01 are expected are 30 standard deviations, and nothing."""
    residual = np.zeros(Q.size)
    residual[200] = 30.0
    assert Misfit(Q, residual, np.full(Q.size, 0.1), 0.0, 5).find_largest().size == 0
    assert Misfit(Q, residual, CURVE, 0.0, 5).find_largest().size > 10


def test_residuals_are_in_standard_deviations() -> None:
    target = make_target(clean_curve(Curve(Q, 100 + np.random.default_rng(3).normal(size=Q.size), np.ones(Q.size))))
    misfit = make_misfit(target, np.full(Q.size, 100.0), 0)
    assert np.std(misfit.residual) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(misfit.curve, 100, rtol=0.1)
    assert misfit.reduce() == pytest.approx(1, abs=0.2)

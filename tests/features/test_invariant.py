"""The invariant is Eq. 12: exact where its integral is, linear in the curve, and a number of nm^-3."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.published import PAPER_Q_NM1
from pyfai_grf.features.invariant import compute_invariant
from pyfai_grf.theory.closed_form import compute_surface_per_volume, expected_intensity

A, POROSITY = 4.0, 0.3
CURVE = expected_intensity(PAPER_Q_NM1, A, POROSITY)


def test_invariant_is_equation_12() -> None:
    step = PAPER_Q_NM1[1] - PAPER_Q_NM1[0]
    by_hand = sum(4 * np.pi * i * q**2 * step for q, i in zip(PAPER_Q_NM1, CURVE, strict=True))
    assert compute_invariant(PAPER_Q_NM1, CURVE) == pytest.approx(by_hand, rel=1e-12)


def test_gaussian_curve_has_its_exact_integral() -> None:
    """int 4 pi q^2 exp(-q^2 s^2) dq = (pi / s^2)^(3/2); the sum over an even, analytic function is as exact."""
    q, size = np.linspace(0.0, 12.0, 200), 1.7
    assert compute_invariant(q, np.exp(-((q * size) ** 2))) == pytest.approx((np.pi / size**2) ** 1.5, rel=1e-12)


def test_over_a_wide_range_it_is_the_variance_of_the_phases() -> None:
    q = np.linspace(0.001, 20.0, 20_000)
    # what lies beyond q = 20 is 4 pi K / 20, 0.5 % of it
    tail = 4 * np.pi * 2 * np.pi * compute_surface_per_volume(A, POROSITY) / q[-1]
    found = compute_invariant(q, expected_intensity(q, A, POROSITY)) + tail
    assert found == pytest.approx(8 * np.pi**3 * POROSITY * (1 - POROSITY), rel=1e-4)


def test_each_point_stands_for_its_own_step() -> None:
    """I = q^-2 leaves the sum of the steps: from end to end, and half a step beyond each."""
    q = np.geomspace(0.04, 3.0, 57)
    width = q[-1] - q[0] + (q[1] - q[0]) / 2 + (q[-1] - q[-2]) / 2
    assert compute_invariant(q, q**-2.0) == pytest.approx(4 * np.pi * width, rel=1e-12)
    # so that it does not matter how a curve is binned
    found = compute_invariant(q, expected_intensity(q, A, POROSITY))
    fine = np.geomspace(0.04, 3.0, 570)
    assert found == pytest.approx(compute_invariant(fine, expected_intensity(fine, A, POROSITY)), rel=2e-2)


def test_points_need_not_be_equidistant_or_complete() -> None:
    whole = compute_invariant(PAPER_Q_NM1, CURVE)
    q = np.geomspace(0.04, 3.0, 500)
    assert compute_invariant(q, expected_intensity(q, A, POROSITY)) == pytest.approx(whole, rel=2e-3)
    kept = np.delete(np.arange(500), [200, 201, 202])
    assert compute_invariant(PAPER_Q_NM1[kept], CURVE[kept]) == pytest.approx(whole, rel=1e-4)


def test_stack_of_curves_is_each_by_itself() -> None:
    stack = CURVE * np.arange(1.0, 7.0).reshape(2, 3, 1)
    found = compute_invariant(PAPER_Q_NM1, stack)
    assert found.shape == (2, 3)
    # 1 to 6 times the same; the order of the sum may differ
    np.testing.assert_allclose(found.ravel(), compute_invariant(PAPER_Q_NM1, CURVE) * np.arange(1, 7), rtol=1e-13)


def test_background_counts_with_the_square_of_q() -> None:
    """int 4 pi q^2 b dq = 4 pi b (q2^3 - q1^3) / 3; the ends count with a whole step: half a step more on each side."""
    step = PAPER_Q_NM1[1] - PAPER_Q_NM1[0]
    low, high = PAPER_Q_NM1[0] - step / 2, PAPER_Q_NM1[-1] + step / 2
    added = compute_invariant(PAPER_Q_NM1, CURVE + 0.01) - compute_invariant(PAPER_Q_NM1, CURVE)
    # mid-points of 500 steps: step^2 / 4 / (q2^2 + q1 q2 + q1^2) = 1e-6
    assert added == pytest.approx(4 * np.pi * 0.01 * (high**3 - low**3) / 3, rel=2e-6)


def test_unit_of_q_counts_with_its_cube() -> None:
    in_angstrom = compute_invariant(PAPER_Q_NM1 / 10, CURVE)
    assert in_angstrom == pytest.approx(compute_invariant(PAPER_Q_NM1, CURVE) / 1000, rel=1e-12)


def test_a_hole_is_not_passed_over_in_silence() -> None:
    holes = np.stack([CURVE, CURVE])
    holes[1, 20] = np.nan
    found = compute_invariant(PAPER_Q_NM1, holes)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])

"""Steps go down, stay within bounds, and end where a general least-squares solver ends."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.amplitudes import separate
from pyfai_grf.fit.descent import Slope, descend_all, find_hopeless
from pyfai_grf.fit.family import Family
from pyfai_grf.fit.raster import make_raster

Q = np.linspace(0.04, 3.0, 200)
TRUTH = np.array([np.log(3.0), 0.3, 0.13, 0.01, 3.2])


def make_slope() -> Slope:
    raster = make_raster(Q)
    return Slope(Family(None, True), raster.matrix, raster.log_q, Q[0], True, True)


def measure(slope: Slope, row: FloatArray, upturn: float, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return a curve with noise of 1 %, and 1 / its standard deviation."""
    seen, rise = slope.draw(row[np.newaxis])
    assert rise is not None
    curve = seen[0, 0] + 0.05 * seen[0, 0, -1] + upturn * seen[0, 0, 0] * rise[0, 0]
    noise = np.random.default_rng(seed).normal(size=Q.size)
    return curve * (1 + 0.01 * noise), 100 / curve


def test_it_ends_where_a_general_solver_does() -> None:
    slope = make_slope()
    intensity, root = measure(slope, TRUTH, 0.5, 1)

    def residual(x: FloatArray) -> FloatArray:
        seen, rise = slope.draw(x[np.newaxis])
        assert rise is not None
        return separate(
            seen[:, 0] * root, rise[:, 0] * root, True, root[np.newaxis], (intensity * root)[np.newaxis]
        ).rest[0]

    low, high = np.array([slope.family.get_bound(name) for name in slope.names]).T
    start = np.array([np.log(2.8), 0.4, 0.15, 0.02, 3.5])
    other = least_squares(
        residual, start, bounds=(low, high), x_scale=[0.05, 0.3, 0.02, 0.01, 0.5], xtol=1e-12, ftol=1e-12
    )
    x, chi2 = descend_all(slope, intensity[np.newaxis], root[np.newaxis], start[np.newaxis], 60)
    # it ends where a step would gain 1e-6: a thousandth of a standard error
    np.testing.assert_allclose(chi2[0], 2 * other.cost, atol=1e-4)
    np.testing.assert_allclose(x[0], other.x, atol=1e-2)


def test_rows_do_not_see_each_other() -> None:
    slope = make_slope()
    curves = [measure(slope, TRUTH + 0.02 * seed, 0.3, seed) for seed in range(3)]
    intensity, root = (np.stack(part) for part in zip(*curves, strict=True))
    start = np.tile([np.log(2.8), 0.4, 0.15, 0.02, 3.5], (3, 1))
    x, chi2 = descend_all(slope, intensity, root, start, 60)
    for item in range(3):
        part = slice(item, item + 1)
        alone, least = descend_all(slope, intensity[part], root[part], start[part], 60)
        np.testing.assert_allclose(alone[0], x[item], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(least[0], chi2[item], rtol=1e-9)


def test_bounds_hold() -> None:
    """A curve of porosity 0.5 without a spread ends within them, from outside."""
    slope = make_slope()
    intensity, root = measure(slope, np.array([np.log(3.0), 0.0, 0.05, 0.0, 3.5]), 0.0, 2)
    start = np.array([[np.log(3.0), -1.0, 0.01, -1.0, 9.0]])
    x, chi2 = descend_all(slope, intensity[np.newaxis], root[np.newaxis], start, 60)
    low, high = np.array([slope.family.get_bound(name) for name in slope.names]).T
    assert np.all((x[0] >= low) & (x[0] <= high))
    assert chi2[0] < 1.3 * Q.size  # a standard deviation is 0.1


def test_a_start_far_above_another_that_fits_is_hopeless() -> None:
    chi2, owner = np.array([60.0, 1e4, 1e4, 90.0]), np.array([0, 0, 1, 0])
    arrived = np.array([True, False, False, False])
    np.testing.assert_array_equal(find_hopeless(chi2, owner, arrived, 64), [False, True, False, False])
    # one that has arrived and does not fit says nothing
    np.testing.assert_array_equal(find_hopeless(100 * chi2, owner, arrived, 64), [False] * 4)
    # of one that is under way only those far above
    chi2[1:] = 1e4, 1e4, 5000.0
    np.testing.assert_array_equal(find_hopeless(chi2, owner, arrived & False, 64), [False, True, False, False])

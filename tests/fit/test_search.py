"""The search finds the place without prior knowledge, and its derivatives are those of the curve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from pyfai_grf.core.records import Points
from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.fit.raster import make_raster
from pyfai_grf.fit.search import (
    Problem,
    descend,
    differentiate,
    draw_without,
    find_minima,
    find_minimum,
    make_row,
    try_log_bins,
)
from pyfai_grf.fit.target import make_target
from pyfai_grf.theory.spectra import get_spectrum

Q = np.linspace(0.04, 3.0, 300)


def make_problem(shape: Shape, family: Family, upturn: float = 0.0) -> Problem:
    """Return a problem without noise, 1 % errors: curve, 2 % of background, and an upturn q^-4."""
    raster = make_raster(Q)
    curve = raster.average(family.evaluate(raster.nodes, shape))
    curve = curve + 0.02 * curve[-1] + upturn * curve[0] * (Q / Q[0]) ** -4.0
    return Problem(make_target(Points(Q, curve, 0.01 * curve)), family)


@pytest.mark.parametrize("n", [4.5, 8.0, 15.0])
@pytest.mark.parametrize(("a", "porosity"), [(0.9, 0.12), (3.0, 0.3), (7.5, 0.45)])
@pytest.mark.parametrize("upturn", [0.0, 0.5])
def test_a_curve_without_noise_comes_back(a: float, porosity: float, n: float, upturn: float) -> None:
    truth = Shape(np.log(a), float(ndtri(porosity)) ** 2, 1 / n, 0.06**2)
    found = find_minimum(make_problem(truth, Family(None, True), upturn))
    # a thousandth of an error of 1 % a point, which the variance's smoothing may bend
    assert found.amplitudes.chi2 < 1e-3 * Q.size
    assert found.shape.a == pytest.approx(a, rel=2e-3)
    assert 1 / found.shape.inverse_n == pytest.approx(n, rel=0.03)
    assert found.shape.u == pytest.approx(truth.u, abs=0.02)
    assert (found.amplitudes.upturn > 0.3 * found.amplitudes.curve[0]) == bool(upturn)


def test_a_pinned_spectrum_has_two_parameters() -> None:
    family = Family(get_spectrum("shell:width=0.2"), False)
    truth = Shape(np.log(2.0), float(ndtri(0.35)) ** 2)
    problem = replace(make_problem(truth, family), has_upturn=False)
    assert problem.names == ("log_a", "u")
    found = find_minimum(problem)
    assert found.shape.a == pytest.approx(2.0, rel=1e-3)
    assert found.shape.u == pytest.approx(truth.u, abs=0.01)


def test_derivatives_are_those_of_the_curve() -> None:
    truth = Shape(np.log(3.0), 0.3, 0.13, 0.005)
    problem = make_problem(truth, Family(None, True), 0.5)
    minimum = descend(problem, truth, 4.0)
    names, rows = differentiate(problem, minimum)
    assert names == ("log_a", "u", "inverse_n", "variance", "power", "scale", "background", "amplitude")
    assert rows.shape == (8, Q.size)
    derivatives = dict(zip(names, rows, strict=True))
    # of the amplitudes exactly; of ln a by Euler's theorem: a^3 f(qa) has d/d ln a = 3 + d/d ln q
    np.testing.assert_array_equal(derivatives["background"], 1.0)
    shape = minimum.amplitudes.scale * derivatives["scale"]
    slope = 3 * shape + Q * np.gradient(shape, Q)
    inner = slice(5, -5)
    np.testing.assert_allclose(
        derivatives["log_a"][inner], slope[inner], atol=5e-3 * np.abs(slope).max()
    )  # the gradient over bins is a difference, too


def test_an_upturn_of_nothing_has_no_exponent() -> None:
    truth = Shape(np.log(3.0), 0.3, 0.13, 0.005)
    problem = make_problem(truth, Family(None, True))
    rising = replace(
        problem.target, intensity=problem.target.intensity - 0.02 * problem.target.intensity[0] * (Q < 0.06)
    )
    minimum = find_minimum(replace(problem, target=rising))
    assert minimum.amplitudes.upturn == 0
    names, rows = differentiate(problem, minimum)
    assert "power" not in names
    assert "amplitude" not in names
    assert len(rows) == len(names)


def test_derivatives_are_differences_of_the_curve() -> None:
    """By every nonlinear parameter, with a spread and an upturn; differences over 1e-4 of each scale."""
    truth = Shape(np.log(3.0), 0.3, 0.13, 0.02)
    problem = make_problem(truth, Family(None, True), 0.5)
    minimum = problem.solve(truth, 4.0)
    steps = {"log_a": 1e-4, "u": 1e-4, "inverse_n": 1e-5, "variance": 1e-4, "power": 1e-4}
    for name, row in zip(problem.names, minimum.derivatives, strict=True):
        curves = []
        for sign in (-1, 1):
            moved = {} if name == "power" else {name: getattr(truth, name) + sign * steps[name]}
            power = 4.0 + sign * steps[name] * (name == "power")
            seen, rise = problem.slope.draw(make_row(replace(truth, **moved), power)[np.newaxis])
            assert rise is not None
            curves.append(minimum.amplitudes.scale * seen[0, 0] + minimum.amplitudes.upturn * rise[0, 0])
        difference = (curves[1] - curves[0]) / (2 * steps[name])
        np.testing.assert_allclose(row, difference, atol=1e-5 * np.abs(difference).max())


def test_many_searches_at_once_end_where_each_does() -> None:
    """Within 1e-6 of the curve's errors: rows share nothing but the call."""
    rng = np.random.default_rng(2)
    problems = []
    for n in (5.0, 8.0, 14.0):
        problem = make_problem(Shape(np.log(3.0), 0.3, 1 / n, 0.005), Family(None, True), 0.3)
        noisy = problem.target.intensity + rng.normal(size=Q.size) * np.sqrt(problem.target.variance)
        problems.append(replace(problem, target=replace(problem.target, intensity=noisy)))
    together = find_minima(problems, [()] * 3)
    for problem, found in zip(problems, together, strict=True):
        alone = find_minimum(problem)
        shift = (found.amplitudes.curve - alone.amplitudes.curve) / np.sqrt(problem.target.variance)
        assert np.abs(shift).max() < 1e-6


def test_a_start_is_one_more_place_to_begin() -> None:
    truth = Shape(np.log(3.0), 0.3, 0.13, 0.005)
    problem = make_problem(truth, Family(None, True), 0.3)
    assert find_minimum(problem, [truth]).amplitudes.chi2 <= find_minimum(problem).amplitudes.chi2 + 1e-4


@pytest.mark.parametrize("are_bins", [True, False])
def test_logarithmic_points_are_what_describes_them(are_bins: bool) -> None:
    """At 50 points bins are 9 % wide, and their means up to 2 % above the values: errors are 0.3 %.

    A spread of a is to a curve what bins are, so that it tells them where there is none.
    """
    q = np.geomspace(0.04, 3.0, 50)
    raster = make_raster(q, None, are_bins)
    family, truth = Family(get_spectrum("roding2022"), False), Shape(np.log(3.0), 0.3)
    curve = raster.average(family.evaluate(raster.nodes, truth))
    problem = Problem(make_target(Points(q, curve, 0.003 * curve)), family)
    chosen, found = try_log_bins(problem, find_minimum(problem))
    assert chosen.target.raster.has_log_bins == are_bins
    assert found.shape.u == pytest.approx(0.3, abs=0.02)


def test_what_is_left_without_the_material() -> None:
    """An upturn and a background alone come back; without either there is nothing."""
    truth = Shape(np.log(3.0), 0.3)
    problem = make_problem(truth, Family(None, True))
    curve = 3.0 * problem.slope.draw_upturns(np.array([2.3]))[0] + 0.1
    rest = replace(problem, target=replace(problem.target, intensity=curve, variance=(0.01 * curve) ** 2))
    np.testing.assert_allclose(draw_without(rest), curve, rtol=1e-6)
    flat = replace(rest, has_upturn=False)
    assert np.ptp(draw_without(flat)) == 0
    assert not draw_without(replace(flat, has_background=False)).any()

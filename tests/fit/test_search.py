"""The search finds the place without prior knowledge, and its derivatives are those of the curve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from pyfai_grf.core.records import Points
from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.fit.search import Problem, descend, differentiate, find_minimum
from pyfai_grf.fit.target import make_target
from pyfai_grf.theory.spectra import get_spectrum

Q = np.linspace(0.04, 3.0, 300)


def make_problem(shape: Shape, family: Family, upturn: float = 0.0) -> Problem:
    """Return a problem without noise, 1 % errors: curve, 2 % of background, and an upturn q^-4."""
    nodes = make_target(Points(Q, np.ones_like(Q), np.ones_like(Q)))
    curve = nodes.average(family.evaluate(nodes.nodes, shape))
    curve = curve * (1 + 0.0) + 0.02 * curve[-1] + upturn * curve[0] * (Q / Q[0]) ** -4.0
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

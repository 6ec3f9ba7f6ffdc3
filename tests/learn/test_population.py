"""Materials of measured-sample training: their ranges, and curves that are those of the fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pyfai_grf.fit.curve_fit import fit_curve
from pyfai_grf.learn.population import N_TRAINED, Population, describe_population, draw_population
from pyfai_grf.theory.closed_form import average_curves

Q_NM1 = np.linspace(0.05, 2.5, 120)


def make(spread: float = 0.0, crossing: float = np.nan, n: float = 8.0) -> Population:
    """One material of a = 3 nm and porosity 0.3, with an upturn q^-4 where it has any."""
    columns = (3.0, 0.3, 1 / n, spread, 4.0, crossing)
    return Population(*(np.array([value]) for value in columns))


def draw(population: Population) -> np.ndarray:
    return population.draw_curves(Q_NM1, slice(0, 1))[0]


@pytest.fixture(scope="module")
def drawn() -> Population:
    rng = np.random.default_rng(1)
    return draw_population(rng.uniform(0.75, 8.4, 4000), rng.uniform(0.07, 0.5, 4000), Q_NM1, rng)


def test_ranges_are_those_that_are_stated(drawn: Population) -> None:
    said = describe_population()
    assert json.loads(json.dumps(said)) == said
    assert said["spectrum_n"] == list(N_TRAINED)
    for values, (low, high) in ((1 / drawn.inverse_n, said["spectrum_n"]), (drawn.power, said["upturn_power"])):
        # 4000 draws come close to both ends
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() <= high
    assert said["spread"][1] - 0.01 < drawn.spread.max() <= said["spread"][1]
    # five standard errors of a binomial
    slack = 5 * np.sqrt(0.25 / 4000)
    assert np.mean(drawn.spread == 0) == pytest.approx(said["without_spread"], abs=slack)
    assert np.mean(np.isnan(drawn.crossing_nm1)) == pytest.approx(said["without_upturn"], abs=slack)
    # uniform in 1 / n: half of them below the harmonic mean of the ends
    assert np.mean(1 / drawn.inverse_n < 2 / (1 / N_TRAINED[0] + 1 / N_TRAINED[1])) == pytest.approx(0.5, abs=slack)


def test_an_upturn_leaves_the_shoulder_to_be_seen(drawn: Population) -> None:
    seen = np.isfinite(drawn.crossing_nm1)
    crossing = drawn.crossing_nm1[seen]
    assert Q_NM1[0] / 3 <= crossing.min() < Q_NM1[0] / 2.9
    tenth = Q_NM1[0] + (Q_NM1[-1] - Q_NM1[0]) / 10
    assert 0.95 * tenth < crossing.max() <= tenth
    # the shoulder is at q a = 0.8; an upturn below the first q is none that could hide it
    assert np.all((crossing * drawn.a[seen] <= 0.4 + 1e-12) | (crossing <= Q_NM1[0]))


def test_classes_part_the_exponents_and_the_spreads(drawn: Population) -> None:
    classes = drawn.classify()
    assert classes.shape == (4000, 2)
    exponents = 1 / drawn.inverse_n
    for number, (low, high) in enumerate(((4, 5), (5, 7), (7, 10), (10, 16))):
        own = exponents[classes[:, 0] == number]
        assert low <= own.min() < own.max() <= high
        assert own.size > 500  # a fifth each, about: enough to say what holds in it
    np.testing.assert_array_equal(classes[:, 1] == 0, drawn.spread == 0)
    assert set(classes[:, 1]) == {0, 1, 2}


def test_lengths_may_be_of_any_scale() -> None:
    one, other = (
        draw_population(scale * np.full(50, 3.0), np.full(50, 0.3), Q_NM1 / scale, np.random.default_rng(2))
        for scale in (1.0, 10.0)
    )
    np.testing.assert_allclose(other.crossing_nm1, one.crossing_nm1 / 10, rtol=1e-12)
    np.testing.assert_array_equal(other.inverse_n, one.inverse_n)
    curves = one.draw_curves(Q_NM1, slice(0, 9)), other.draw_curves(Q_NM1 / 10, slice(0, 9))
    np.testing.assert_allclose(curves[1], 1000 * curves[0], rtol=1e-9)


def test_without_spread_and_upturn_it_is_the_closed_form() -> None:
    exact = average_curves(Q_NM1, np.array([3.0]), np.array([0.3]))[0]
    # the table of the power family is right to 6e-5
    np.testing.assert_allclose(draw(make()), exact, rtol=1e-4)


def test_porosity_and_the_rest_give_one_curve() -> None:
    """Babinet: one set of curves serves the classes on both sides."""
    low = make(0.2, 0.1)
    high = Population(**{**vars(low), "porosity": 1 - low.porosity})
    np.testing.assert_allclose(draw(high), draw(low), rtol=1e-12)


def test_an_upturn_is_as_high_as_the_curve_where_they_cross() -> None:
    crossing = float(Q_NM1[6])
    rise = draw(make(0.1, crossing)) - draw(make(0.1))
    # at a crossing on the grid; averages over a bin of a sixth of q differ from the middle of it by that much
    assert rise[6] == pytest.approx(draw(make(0.1))[6], rel=0.02)
    slope = np.diff(np.log(rise[-20:])) / np.diff(np.log(Q_NM1[-20:]))
    np.testing.assert_allclose(slope, -4, rtol=1e-3)


@pytest.mark.parametrize(("n", "spread", "crossing"), [(5.0, 0.0, 0.06), (12.0, 0.2, 0.1)])
def test_the_fit_finds_what_a_curve_was_drawn_from(n: float, spread: float, crossing: float) -> None:
    """What a model learns is what the fit behind it fits: nothing is left of a curve without noise."""
    curve = draw(make(spread, crossing, n))
    fit = fit_curve(Q_NM1, curve, 1e-3 * curve)
    assert fit.chi2 < 1e-3
    assert fit.values["a"] == pytest.approx(3.0, rel=1e-3)
    assert fit.values["porosity"] == pytest.approx(0.3, abs=2e-3)
    assert fit.values["spectrum_n"] == pytest.approx(n, rel=0.02)
    assert fit.values["spread"] == pytest.approx(spread, abs=0.02)

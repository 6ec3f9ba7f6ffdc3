"""Errors of predictions against sums by hand, and what they tend to for errors of a known law."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.learn.accuracy import measure_errors


def test_measures_by_hand() -> None:
    truth, value = np.array([1.0, 2.0, 4.0, 8.0]), np.array([1.5, 2.0, 3.0, 8.0])
    lower, upper = np.array([1.0, 2.5, 2.0, 7.0]), np.array([2.0, 3.0, 3.5, 8.0])
    assert measure_errors(truth, value, lower, upper) == {
        "mse": (0.25 + 0 + 1 + 0) / 4,
        "mape_percent": 100 * (0.5 + 0 + 0.25 + 0) / 4,
        "bias": (0.5 - 1.0) / 4,
        "coverage": 0.5,  # the first and the last, each on a bound
        "mean_width": (1.0 + 0.5 + 1.5 + 1.0) / 4,
        "examples": 4,
    }


def test_one_example() -> None:
    (one,) = np.array([[2.0]])
    found = measure_errors(one, one, one, one)
    assert found == {"mse": 0, "mape_percent": 0, "bias": 0, "coverage": 1, "mean_width": 0, "examples": 1}


def test_measures_are_plain_numbers() -> None:
    """They are written as JSON into a bundle."""
    found = measure_errors(*np.ones((4, 3)))
    assert {type(value) for name, value in found.items() if name != "examples"} == {float}
    assert type(found["examples"]) is int


def test_an_interval_that_is_not_known_holds_nothing() -> None:
    nothing = np.full(3, np.nan)
    assert measure_errors(np.ones(3), np.ones(3), nothing, nothing)["coverage"] == 0


def test_normal_errors() -> None:
    """Bias b and spread s: MSE b^2 + s^2, and 90 % within 1.645 s of a value without bias."""
    rng, count, spread, bias = np.random.default_rng(6), 40_000, 0.2, 0.05
    truth = rng.uniform(5, 6, count)
    value = rng.normal(truth + bias, spread)
    middle = value - bias
    found = measure_errors(truth, value, middle - 1.6449 * spread, middle + 1.6449 * spread)
    # five standard errors
    assert found["bias"] == pytest.approx(bias, abs=5 * spread / np.sqrt(count))
    assert found["mse"] == pytest.approx(bias**2 + spread**2, rel=5 * np.sqrt(2 / count))
    assert found["coverage"] == pytest.approx(0.9, abs=5 * np.sqrt(0.09 / count))
    assert found["mean_width"] == pytest.approx(2 * 1.6449 * spread)

"""What is read from a minimum: ends at bounds, the mirrored porosity, the calibration of q."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.fit import intervals
from pyfai_grf.fit.calibration import TWO_SIDED, Calibration
from pyfai_grf.fit.curve_fit import fit_curve
from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.fit.intervals import measure_room, read_parameters
from pyfai_grf.theory.closed_form import expected_intensity

FREE = Family(None, True)
NAMES = ("log_a", "u", "inverse_n", "variance", "power", "scale", "background", "amplitude")
COVARIANCE = np.diag([1e-4, 0.0025, 1e-6, 1e-6, 1.0, 1.0, 1.0, 1.0])


@pytest.fixture(autouse=True)
def _without_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "load_calibration", lambda: Calibration(np.zeros(0), {}))


def test_values_errors_and_ends() -> None:
    found = read_parameters(FREE, Shape(np.log(4.0), 0.25, 0.1, 0.01), NAMES, COVARIANCE)
    assert found.values == pytest.approx({"a": 4, "porosity": 0.3085375, "spectrum_n": 10, "spread": 0.1})
    assert found.lower["a"] == pytest.approx(4 * np.exp(-TWO_SIDED * 0.01))
    # u = 0.25 +- 0.08224: the threshold is 0.5, between 0.4096 and 0.5764
    assert [found.lower["porosity"], found.upper["porosity"]] == pytest.approx([0.28217, 0.34106], abs=2e-5)
    assert found.errors["a"] == pytest.approx(0.04, rel=1e-3)
    assert found.upper["spread"] ** 2 - 0.01 == pytest.approx(TWO_SIDED * 1e-3)


def test_a_mirrored_porosity_has_the_mirrored_interval() -> None:
    low, high = (read_parameters(FREE, Shape(1.0, 0.25), NAMES, COVARIANCE, mirrored) for mirrored in (False, True))
    assert high.values["porosity"] == 1 - low.values["porosity"]
    assert [high.lower["porosity"], high.upper["porosity"]] == [1 - low.upper["porosity"], 1 - low.lower["porosity"]]


def test_ends_stop_at_bounds() -> None:
    found = read_parameters(FREE, Shape(1.0, 0.001, 1 / 19.9, 0.0), NAMES, COVARIANCE)
    assert found.upper["porosity"] == 0.5
    assert found.upper["spectrum_n"] == pytest.approx(20.0)
    assert (found.values["spread"], found.lower["spread"]) == (0.0, 0.0)
    assert found.upper["spread"] ** 2 == pytest.approx(TWO_SIDED * 1e-3)


def test_the_calibration_of_q_is_added_to_a_alone() -> None:
    exact, usual = (read_parameters(FREE, Shape(1.0, 0.25), NAMES, COVARIANCE, False, e) for e in (0.0, 0.02))
    assert np.log(usual.upper["a"]) - 1 == pytest.approx(TWO_SIDED * np.hypot(0.01, 0.02))
    assert {**usual.upper, "a": 0} == {**exact.upper, "a": 0}


def test_a_length_that_nothing_tells_has_an_end() -> None:
    found = read_parameters(FREE, Shape(1.0, 0.25), NAMES, np.diag([1e9, *np.diag(COVARIANCE)[1:]]))
    assert np.isfinite(found.upper["a"])


def test_a_pinned_spectrum_has_neither_exponent_nor_spread() -> None:
    pinned = Family(FREE.spectrum, False)
    assert set(pinned.bounds) == {"u", "inverse_n"}
    found = read_parameters(pinned, Shape(1.0, 0.25), ("log_a", "u", "inverse_n"), COVARIANCE[:3, :3])
    assert set(found.values) == {"a", "porosity", "spectrum_n"}


def test_an_upturn_of_zero_may_be_a_little_more() -> None:
    """Where none is found the interval of porosity is longer than for a curve that cannot have any."""
    q = np.linspace(0.04, 3.0, 500)
    curve = expected_intensity(q, 3.0, 0.3)
    # less at the first points than any curve with an upturn has
    measured = np.random.default_rng(1).normal(curve, 0.01 * curve) * (1 - 0.02 * np.exp(-20 * q))
    some, none = (fit_curve(q, measured, 0.01 * curve, "two-phase-low-porosity", upturn=u) for u in (True, False))
    assert "amplitude" in some.names
    assert "power" not in some.names
    assert measure_room(FREE, Shape(1.0, 0.25), some.names)["amplitude"] == (0.0, np.inf)
    assert "amplitude" not in measure_room(FREE, Shape(1.0, 0.25), none.names)
    assert some.values["porosity"] == pytest.approx(none.values["porosity"], abs=1e-3)
    assert some.errors["porosity"] > none.errors["porosity"]


def test_a_curve_without_noise_is_known_as_well_as_a_model_is() -> None:
    q = np.linspace(0.04, 3.0, 500)
    curve = expected_intensity(q, 3.0, 0.3)
    fit = fit_curve(q, curve + 0.02 * curve[-1], calibration_error=0.0)
    assert fit.is_applicable
    assert fit.model_error == 0.01
    assert fit.reason == "the curve has no noise: intervals are those of an error of 1.0%"
    assert fit.values["a"] == pytest.approx(3.0, rel=1e-3)
    # a smooth error of 1 % with 20 independent parts: no better than 1 % over the root of 20, for what it tells of a
    assert 0.05 * 0.01 < fit.errors["a"] / 3.0 < 0.02
    assert fit.lower["porosity"] < 0.3 < fit.upper["porosity"]


def test_forty_points_of_a_step_scan_are_fitted_with_their_own_errors() -> None:
    rng = np.random.default_rng(4)
    q = np.geomspace(0.04, 3.0, 40)
    curve = expected_intensity(q, 4.0, 0.3)
    per_unit = 1e7 / curve.sum()
    sigma = np.sqrt(curve / per_unit)
    fit = fit_curve(q, rng.normal(curve, sigma), sigma)
    assert fit.is_applicable
    # 33 degrees of freedom know it to 0.25
    assert fit.chi2 == pytest.approx(1.0, abs=0.9)

"""Intervals hold the truth nine times in ten at a bound and beside one; their factors are read and checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from pyfai_grf.core.errors import InputError
from pyfai_grf.fit import calibration
from pyfai_grf.fit.calibration import (
    FREE,
    TWO_SIDED,
    Calibration,
    find_reach,
    find_state,
    load_calibration,
    shorten_reach,
)

NAMES = ("log_a", "u", "variance")
ROOM = {"u": (5.0, 90.0), "variance": (0.0, 9.0)}


def correlate(correlation: float) -> np.ndarray:
    """Return the covariance of log_a, u and variance, of which the first and the last are correlated."""
    return np.array([[4.0, 0.0, 2 * correlation], [0.0, 1.0, 0.0], [2 * correlation, 0.0, 1.0]])


def test_far_from_bounds_an_interval_is_the_usual_one() -> None:
    room = {"u": (50.0, 90.0), "variance": (20.0, 20.0)}
    for name, deviation in (("log_a", 2.0), ("u", 1.0), ("variance", 1.0)):
        reach = find_reach(name, NAMES, correlate(0.7), room)
        assert reach == pytest.approx((TWO_SIDED * deviation,) * 2, rel=1e-12)


@pytest.mark.parametrize("truth", [0.0, 0.3, 1.0, 1.5, 2.0, 3.0, 6.0])
def test_at_a_bound_an_interval_holds_each_truth(truth: float) -> None:
    """Of estimates max(truth + noise, 0); by the integral over the noise, whose step costs 1e-3 at most."""
    noise = np.arange(-8, 8, 1e-3)
    weight = np.exp(-0.5 * noise**2)
    estimate = np.maximum(truth + noise, 0.0)
    reach = np.array([shorten_reach(distance) for distance in estimate])
    held = (estimate - reach <= truth + 1e-12) & (truth <= estimate + TWO_SIDED)
    part = weight[held].sum() / weight.sum()
    # between 1.28 and 1.64 both sides leave out a twentieth or less
    assert 0.899 < part < 0.951


def test_longer_standard_errors_never_shorten_an_interval() -> None:
    for name in NAMES:
        for place in (0.0, 0.5, 2.0, 3.0):
            room = {**ROOM, "variance": (place, 9.0)}
            reach = np.array([find_reach(name, NAMES, k**2 * correlate(0.9), room) for k in np.geomspace(0.1, 10, 60)])
            assert (np.diff(reach, axis=0) > -1e-12).all()


@pytest.mark.parametrize("truth", [0.0, 0.5, 1.0, 2.0, 6.0])
@pytest.mark.parametrize("correlation", [0.0, 0.7, -0.95, 1.0])
def test_beside_a_bound_an_interval_holds_each_truth(correlation: float, truth: float) -> None:
    """The estimate of the one moves with that of the other, which cannot be below 0."""
    count = 1500
    rng = np.random.default_rng(7)
    covariance = correlate(correlation)
    draws = rng.multivariate_normal([0.0, truth], covariance[np.ix_([0, 2], [0, 2])], count, method="eigh")
    variance = np.maximum(draws[:, 1], 0.0)
    log_a = draws[:, 0] + covariance[0, 2] * (variance - draws[:, 1])
    reach = np.array([find_reach("log_a", NAMES, covariance, {**ROOM, "variance": (v, 99.0)}) for v in variance])
    held = (log_a - reach[:, 0] <= 1e-9) & (log_a + reach[:, 1] >= -1e-9)
    # 3.5 standard errors of a share of 1500; one side alone errs at the bound: up to 95 % are held
    assert 0.9 - 0.027 < held.mean() < 0.95 + 0.02
    if truth == 0 and abs(correlation) > 0.9:
        assert reach.sum(axis=1).mean() < 0.9 * 2 * TWO_SIDED * 2.0  # and it is shorter


def test_the_side_that_a_bound_closes_is_the_shorter_one() -> None:
    below, above = find_reach("log_a", NAMES, correlate(0.9), ROOM)
    # the spread is at 0: it can only grow, and log a with it
    assert below == pytest.approx(TWO_SIDED * 2 * np.sqrt(1 - 0.9**2))
    assert above == pytest.approx(TWO_SIDED * 2)
    assert find_reach("log_a", NAMES, correlate(-0.9), ROOM) == pytest.approx((above, below))
    assert find_reach("variance", NAMES, correlate(0.9), ROOM) == (0.0, pytest.approx(TWO_SIDED))


def test_the_state_is_the_parameter_at_a_bound() -> None:
    assert find_state(NAMES, correlate(0.5), ROOM) == "variance"
    assert find_state(NAMES, correlate(0.5), {**ROOM, "variance": (0.3, 9.0)}) == FREE
    assert find_state(NAMES, correlate(0.5), {}) == FREE
    assert find_state(NAMES, correlate(0.5), {"u": (0.01, 9.0), "variance": (0.04, 9.0)}) == "u"


def make_calibration() -> Calibration:
    factors = {"log_a": np.array([1.0, 1.25]), "u": np.array([0.9, 2.0])}
    return Calibration(np.array([0.5]), factors, {"variance": {"log_a": 1.5}}, {"cases": [30, 40]})


def test_factors_depend_on_the_error_and_the_state() -> None:
    made = make_calibration()
    assert made.get_factor("log_a", 0.1) == 1.0
    assert made.get_factor("log_a", 0.6) == 1.25
    assert made.get_factor("log_a", 0.6, "variance") == pytest.approx(1.25 * 1.5)
    assert made.get_factor("u", 0.6, "variance") == 2.0
    assert made.get_factor("nu", 0.6) == 1.0
    # the standard error of u is 1 here, and the spread at its bound
    longer = made.find_reach("log_a", NAMES, correlate(0.9), ROOM)
    assert longer == pytest.approx(tuple(1.875 * side for side in find_reach("log_a", NAMES, correlate(0.9), ROOM)))


def test_a_calibration_is_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fit-calibration.json"
    made = make_calibration()
    made.save(path)
    monkeypatch.setattr(calibration.importlib.resources, "files", lambda name: tmp_path)
    load = load_calibration.__wrapped__
    read = load()
    np.testing.assert_array_equal(read.edges, made.edges)
    assert {name: values.tolist() for name, values in read.factors.items()} == {"log_a": [1, 1.25], "u": [0.9, 2]}
    assert read.states == made.states
    assert read.provenance == made.provenance
    good = json.loads(path.read_text())
    for damaged in (
        {**good, "format": "another"},
        {**good, "factors": {"u": [1.0]}},
        {**good, "factors": {"u": [1.0, -1.0]}},
        {**good, "states": {"u": {"log_a": float("inf")}}},
        {"format": good["format"]},
        [],
    ):
        path.write_text(json.dumps(damaged))
        with pytest.raises(InputError, match="is not the calibration of the fit"):
            load()
    path.write_text("nothing")
    with pytest.raises(InputError, match="install pyfai-grf again"):
        load()
    path.unlink()
    with pytest.raises(InputError, match="is not the calibration of the fit"):
        load()


def test_the_bundled_factors_are_those_of_enough_cases() -> None:
    bundled = load_calibration()
    assert set(bundled.factors) == {"log_a", "u", "inverse_n", "variance"}
    assert sum(bundled.provenance["cases"]) >= 3000
    assert min(bundled.provenance["cases"]) >= 500
    for values in bundled.factors.values():
        # the covariance is nearly right: whatever is far from it is a fault of the fit
        assert ((values > 0.8) & (values < 1.4)).all()


def test_one_standard_deviation_is_what_it_is() -> None:
    assert ndtr(TWO_SIDED) - ndtr(-TWO_SIDED) == pytest.approx(0.9, abs=1e-5)
    assert ndtr(calibration.ONE_SIDED) == pytest.approx(0.9, abs=1e-5)

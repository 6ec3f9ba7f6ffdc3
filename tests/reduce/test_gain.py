"""The scatter of the pixels tells photon counts from what is not, on frames that are dim or bright, flat or steep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pyfai_grf.reduce.gain import Scatter, measure_scatter

NOTHING = np.zeros((200, 200), bool)


def measure(frame: np.ndarray) -> Scatter:
    scatter = measure_scatter(frame, NOTHING, NOTHING)
    assert scatter is not None
    return scatter


@pytest.mark.parametrize("counts", [1e4, 1e5, 1e6, 1e7, 1e8, 1e9])
@pytest.mark.parametrize("steep", [False, True])
def test_counts_are_counts(setup: Any, counts: float, steep: bool) -> None:
    expected = setup.expect_frame(counts, (lambda q: 1 / (1 + (20 * q) ** 4)) if steep else None)
    rng = np.random.default_rng(int(counts))
    for _ in range(10):
        scatter = measure(rng.poisson(expected))
        assert not scatter.is_none_of_counts
        assert scatter.gain == pytest.approx(1.0, abs=5 * scatter.error)


def test_pixels_of_unequal_response_are_no_gain(setup: Any) -> None:
    rng = np.random.default_rng(1)
    response = rng.normal(1.0, 0.03, setup.shape)
    for counts in (1e6, 1e8, 1e9):
        assert not measure(rng.poisson(setup.expect_frame(counts) * response)).is_none_of_counts


def test_structure_hot_and_dead_pixels_are_no_gain(setup: Any) -> None:
    rng = np.random.default_rng(2)
    rings = setup.expect_frame(1e7, lambda q: 1e-3 + np.exp(-(((q - 1.0) / 0.02) ** 2)))
    frame = rng.poisson(rings)
    where = rng.choice(frame.size, 200, replace=False)
    frame.flat[where[:100]] = 0
    frame.flat[where[100:]] += 100_000
    assert not measure(frame).is_none_of_counts


@pytest.mark.parametrize("gain", [2, 17, 1000])
@pytest.mark.parametrize("counts", [1e5, 1e6, 1e8])
def test_a_constant_times_counts(setup: Any, gain: int, counts: float) -> None:
    rng = np.random.default_rng(gain)
    scatter = measure(gain * rng.poisson(setup.expect_frame(counts)))
    assert scatter.is_wide
    assert scatter.is_steady
    assert not scatter.is_shared
    assert scatter.gain == pytest.approx(gain, rel=5 * scatter.error)


def test_the_mean_of_frames(setup: Any) -> None:
    frame = np.random.default_rng(3).poisson(setup.expect_frame(1e9, lambda q: 1 / (1 + q**2))) / 10
    scatter = measure(np.rint(frame))
    assert scatter.is_narrow
    assert scatter.is_steady
    assert scatter.gain == pytest.approx(0.1, rel=0.1)


def test_photons_that_neighbours_share(setup: Any) -> None:
    frame = np.random.default_rng(4).poisson(setup.expect_frame(1e7)) * 20.0
    scatter = measure(np.rint(gaussian_filter(frame, 1.0)))
    assert scatter.is_shared
    assert scatter.is_none_of_counts


def test_a_pedestal_is_no_gain(setup: Any) -> None:
    rng = np.random.default_rng(5)
    frame = 2 * rng.poisson(setup.expect_frame(1e7)) + 100 + rng.normal(0.0, 3.0, setup.shape)
    scatter = measure(np.rint(frame))
    assert scatter.is_narrow
    assert not scatter.is_steady


def test_what_says_nothing() -> None:
    empty, flat = np.zeros((200, 200), np.int32), np.full((200, 200), 7, np.int32)
    few = empty.copy()
    few[10:30, 10:30] = 1
    few[::7] = 0
    for frame in (empty, flat, few):
        assert measure_scatter(frame, NOTHING, NOTHING) is None
    assert measure_scatter(flat, ~NOTHING, NOTHING) is None
    assert measure_scatter(np.ones((1, 2)), NOTHING[:1, :2], NOTHING[:1, :2]) is None

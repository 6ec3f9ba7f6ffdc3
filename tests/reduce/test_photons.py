"""Sigma is the standard error of the intensity also where the values of a frame are no photon counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pyfai_grf.core.records import Curve
from pyfai_grf.frames.frame import make_frame
from pyfai_grf.reduce.reducer import Bins, Reducer, ReductionSettings, reduce_frame

BINS = Bins(0.04, 0.015)


@pytest.mark.parametrize("counts", [1e5, 1e6, 1e8])
@pytest.mark.parametrize("gain", [3, 1000])
def test_a_gain_scales_sigma_and_counts(setup: Any, counts: float, gain: int) -> None:
    frame = np.random.default_rng(1).poisson(setup.expect_frame(counts))
    plain = reduce_frame(frame, setup.integrator, bins=BINS)
    assert plain.metadata["gain"] == 1.0
    assert plain.metadata["warnings"] == [
        "nothing masks the beamstop: the innermost points hold the direct beam or its shadow; draw a mask"
    ]
    found = reduce_frame(gain * frame, setup.integrator, bins=BINS)
    assert found.counts == pytest.approx(plain.counts, rel=0.1)
    # the gain is known to some percent, sigma to half of that
    np.testing.assert_allclose(found.sigma, gain * plain.sigma, rtol=0.1)
    assert found.metadata["gain"] == pytest.approx(gain, rel=0.1)
    assert any(
        "times what photon counts would have: taken as a gain" in text and text.endswith("unless the gain is given")
        for text in found.metadata["warnings"]
    )
    told = reduce_frame(gain * frame, setup.integrator, bins=BINS, gain=gain)
    assert told.counts == pytest.approx(plain.counts)
    np.testing.assert_allclose(told.sigma, gain * plain.sigma, rtol=1e-5)
    assert told.metadata["warnings"] == plain.metadata["warnings"]
    assert "as given" in told.metadata["noise_model"]


def test_a_gain_that_is_given_makes_counts_of_fractions(setup: Any) -> None:
    frame = np.random.default_rng(2).poisson(setup.expect_frame(1e6))
    plain = reduce_frame(frame, setup.integrator, bins=BINS)
    scaled = reduce_frame(0.37 * frame, setup.integrator, bins=BINS, gain=0.37)
    assert scaled.counts == pytest.approx(plain.counts, rel=1e-5)
    np.testing.assert_allclose(scaled.sigma, 0.37 * plain.sigma, rtol=1e-4)


@pytest.mark.parametrize(("gain", "given"), [(1000, 1), (1, 1000), (30, 1), (1, 0.1)])
def test_a_gain_that_the_scatter_contradicts_is_not_believed(setup: Any, gain: int, given: float) -> None:
    """Believed, it makes sigma wrong by its root, and chance into a shadow on the detector."""
    frame = gain * np.random.default_rng(5).poisson(setup.expect_frame(1e6))
    alone = reduce_frame(frame, setup.integrator, bins=BINS)
    told = reduce_frame(frame, setup.integrator, bins=BINS, gain=given)
    np.testing.assert_array_equal(told.sigma, alone.sigma)
    assert told.metadata["sectors"] is None
    (warning,) = [text for text in told.metadata["warnings"] if "not believed" in text]
    assert f"the gain given is {given:g}, but" in warning


def test_a_gain_is_believed_where_the_frame_does_not_tell(setup: Any) -> None:
    """Too few photons to see how they scatter; and a gain that is right to a factor of two, as data sheets have it."""
    for counts, true, given in ((50, 1, 1000), (1e6, 100, 50)):
        frame = true * np.random.default_rng(6).poisson(setup.expect_frame(counts))
        told = reduce_frame(frame, setup.integrator, bins=BINS, gain=given)
        assert told.metadata["gain"] == given
        assert "as given" in told.metadata["noise_model"]


def test_negative_values_are_no_counts_whatever_the_gain(setup: Any) -> None:
    frame = np.random.default_rng(3).normal(5.0, 4.0, setup.shape)
    curve = reduce_frame(frame, setup.integrator, bins=BINS, gain=2.0)
    assert curve.counts is None
    assert curve.metadata["gain"] is None
    assert "negative values" in curve.metadata["noise_model"]


def test_the_background_has_a_gain_too(setup: Any) -> None:
    rng = np.random.default_rng(4)
    sample, empty = rng.poisson(setup.expect_frame(1e6)), rng.poisson(setup.expect_frame(3e5))
    plain = reduce_frame(sample, setup.integrator, background=empty, bins=BINS)
    scaled = reduce_frame(10 * sample, setup.integrator, background=10 * empty, bins=BINS)
    np.testing.assert_allclose(scaled.sigma, 10 * plain.sigma, rtol=0.1)
    assert any(text.startswith("background: the scatter") for text in scaled.metadata["warnings"])


def compare_with_repeats(setup: Any, distort: Callable[[np.ndarray], np.ndarray]) -> tuple[float, Curve]:
    """Return the variance of repeats over sigma squared, and one curve."""
    rng = np.random.default_rng(5)
    expected = setup.expect_frame(1e7, lambda q: 1 / (1 + (4 * q) ** 4) + 0.02)
    reducer = Reducer(ReductionSettings(setup.integrator, bins=BINS))
    curves = [reducer.reduce(make_frame(distort(rng.poisson(expected)))) for _ in range(30)]
    intensity, sigma = (np.array([getattr(curve, part) for curve in curves]) for part in ("intensity", "sigma"))
    far = curves[0].q_nm1 > 0.3
    return float(np.mean(intensity.var(axis=0, ddof=1)[far] / np.mean(sigma**2, axis=0)[far])), curves[0]


def test_photons_that_neighbours_share(setup: Any) -> None:
    """A camera with a gain of 20 and a spread of one pixel: single pixels scatter like a gain of 0.15, bins do not."""
    ratio, curve = compare_with_repeats(setup, lambda frame: np.rint(gaussian_filter(20.0 * frame, 1.0)).astype(int))
    # the scatter of the arcs is known to some 5 %, that of 30 repeats in 180 bins to 2 %
    assert ratio == pytest.approx(1.0, abs=0.25)
    assert curve.metadata["gain"] > 1.5
    assert curve.metadata["sectors"] is None


def test_a_pedestal_with_read_out_noise(setup: Any) -> None:
    rng = np.random.default_rng(6)

    def distort(frame: np.ndarray) -> np.ndarray:
        return np.rint(2 * frame + 1000 + rng.normal(0.0, 3.0, frame.shape)).astype(int)

    ratio, curve = compare_with_repeats(setup, distort)
    assert ratio == pytest.approx(1.0, abs=0.25)
    assert curve.metadata["gain"] is None
    assert any("in no proportion to them" in text for text in curve.metadata["warnings"])


def test_means_that_were_rounded(setup: Any) -> None:
    ratio, curve = compare_with_repeats(setup, lambda frame: np.rint(frame / 10).astype(int))
    assert ratio == pytest.approx(1.0, abs=0.3)
    assert curve.metadata["warnings"]

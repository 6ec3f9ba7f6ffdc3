"""Bins lie where they were asked for, hold the pixels that lie in them, and know the variance of their counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.reduce.binning import Binner, Bins, BinSums
from pyfai_grf.reduce.geometry import Geometry, wrap_integrator

BINS = Bins(0.5, 0.05)


@pytest.fixture(scope="module")
def geometry(setup: Any) -> Geometry:
    return wrap_integrator(setup.integrator)


@pytest.fixture(scope="module")
def good(setup: Any) -> np.ndarray:
    """(H, W) no pixel is masked, or bad."""
    return np.zeros(setup.shape, bool)


@pytest.fixture(scope="module")
def binner(geometry: Geometry, good: np.ndarray) -> Binner:
    return Binner(geometry, good, BINS)


@pytest.fixture(scope="module")
def bright(setup: Any) -> np.ndarray:
    """(H, W) whole counts, so many that each bin has more than a thousand and stands for itself."""
    return np.rint(setup.expect_frame(1e10)).astype(np.int64)


def find_inside(setup: Any, binner: Binner, index: int) -> np.ndarray:
    """Return (H, W) True where the centre of a pixel lies in a bin."""
    half = binner.bins.step_nm1 / 2
    return (setup.q >= binner.q_nm1[index] - half) & (setup.q < binner.q_nm1[index] + half)


# --- where bins lie ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("origin", [0.04, np.nan, -np.inf])
def test_bins_that_are_none(step: float, origin: float) -> None:
    with pytest.raises(InputError, match=f"positive step.*{step}"):
        Bins(origin, step)


@pytest.mark.parametrize("origin", [np.nan, np.inf])
def test_bins_that_begin_nowhere(origin: float) -> None:
    with pytest.raises(InputError, match=f"from {origin}"):
        Bins(origin, 0.1)


def test_bin_centres_are_the_grid_that_was_asked_for(setup: Any, geometry: Geometry, good: np.ndarray) -> None:
    step = 2.96 / 499
    binner = Binner(geometry, good, Bins(0.04, step))
    numbers = (binner.q_nm1 - 0.04) / step
    np.testing.assert_allclose(numbers, np.rint(numbers), atol=1e-9)
    np.testing.assert_allclose(np.diff(numbers), 1.0, atol=1e-9)
    assert binner.q_nm1[0] > 0
    # the outermost pixel lies in the last bin
    assert binner.q_nm1[-1] - step / 2 <= setup.q.max() < binner.q_nm1[-1] + step / 2


@pytest.mark.parametrize("origin", [-7.0, 0.0, 0.51, 100.02])
def test_origin_may_be_any_centre_of_the_grid(origin: float, setup: Any, geometry: Geometry, good: np.ndarray) -> None:
    """Bins run through the origin, wherever it lies, and a bin centred on q = 0 is no point of a curve."""
    binner = Binner(geometry, good, Bins(origin, 0.05))
    np.testing.assert_allclose((binner.q_nm1 - origin) / 0.05, np.rint((binner.q_nm1 - origin) / 0.05), atol=1e-6)
    assert 0 < binner.q_nm1[0] <= 0.05 + 1e-9
    assert abs(binner.q_nm1[-1] - setup.q.max()) <= 0.025


def test_default_bins_are_about_a_pixel_wide(setup: Any, geometry: Geometry, good: np.ndarray) -> None:
    binner = Binner(geometry, good, None)
    pixel = 2 * np.pi / 0.1 * 172e-6 / 0.5
    # the mean of cos(2 theta)^3 and the like over the detector is within 2 % of 1
    assert binner.bins.step_nm1 == pytest.approx(pixel, rel=0.02)
    sums = binner.sum_frame(np.ones(setup.shape), good)
    assert (sums.pixels > 0).all()
    assert sums.pixels.sum() == setup.q.size  # none is left over


@pytest.mark.parametrize("step", [1e-6, 100.0])
def test_bins_too_fine_or_too_coarse_for_a_curve(step: float, geometry: Geometry, good: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"per nm.*check Distance \(m\) and Wavelength \(m\) in integrator.*step"):
        Binner(geometry, good, Bins(0.04, step))


def test_a_detector_of_one_row(setup: Any) -> None:
    integrator = setup.copy_integrator()
    integrator.detector.shape = integrator.detector.max_shape = (1, 200)
    integrator.poni1 = 86e-6
    binner = Binner(wrap_integrator(integrator), np.zeros((1, 200), bool), None)
    # the beam is at 101.6: q runs down and up again, so that the widest q is half of what the pixels span
    assert binner.pixel_step_nm1 == pytest.approx(np.ptp(binner.q_pixels) / 200)
    sums = binner.sum_frame(np.full((1, 200), 7), np.zeros((1, 200), bool))
    assert sums.values.sum() == pytest.approx(7 * sums.pixels.sum())


# --- what they hold ----------------------------------------------------------------------------------------------


def test_bins_sum_their_own_pixels(setup: Any, binner: Binner, good: np.ndarray) -> None:
    frame = np.random.default_rng(1).poisson(setup.expect_frame(1e5)).astype(np.int32)
    sums = binner.sum_frame(frame, good)
    for index in (0, 9, 14, 29, 59, len(binner.q_nm1) - 1):
        inside = find_inside(setup, binner, index)
        exposure = setup.solid_angle[inside].sum()
        assert sums.pixels[index] == inside.sum() > 0
        assert sums.values[index] == sums.signal[index] == frame[inside].sum()
        # single-precision normalisations in pyFAI
        assert sums.exposure[index] == pytest.approx(exposure, rel=1e-6)
        assert sums.intensity[index] == pytest.approx(frame[inside].sum() / exposure, rel=1e-6)
    assert sums.values.sum() == frame[setup.q >= binner.q_nm1[0] - 0.025].sum()
    assert (sums.gain, sums.frames) == (1.0, 1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.uint32, np.float32, np.float64, ">i4", bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_frames_of_any_type_are_read_and_left_as_they_were(
    kind: Any, order: Any, setup: Any, binner: Binner, good: np.ndarray
) -> None:
    frame = np.asarray(np.random.default_rng(1).integers(0, 2, setup.shape), dtype=kind, order=order)
    before = frame.copy()
    bad = good.copy()
    bad[40:60] = True
    sums = binner.sum_frame(frame, bad)
    assert sums.values.sum() == np.where(bad | binner.mask, 0, before.astype(int)).sum()
    np.testing.assert_array_equal(frame, before)


def test_bad_and_masked_pixels_are_left_out_whatever_they_hold(
    setup: Any, geometry: Geometry, good: np.ndarray
) -> None:
    frame, left_out = np.full(setup.shape, 3.0), good.copy()
    left_out[20:70, 10:150] = True
    frame[left_out] = np.resize([np.nan, np.inf, -1e30, 4e9], left_out.sum())
    masked = Binner(geometry, left_out, BINS).sum_frame(frame, good)
    marked = Binner(geometry, good, BINS).sum_frame(frame, left_out)
    for sums in (masked, marked):
        assert sums.values.sum() == 3 * sums.pixels.sum()
    np.testing.assert_array_equal(masked.pixels, marked.pixels)
    np.testing.assert_array_equal(masked.values, marked.values)


def test_bins_without_a_pixel_hold_zeros(setup: Any, geometry: Geometry, good: np.ndarray, bright: np.ndarray) -> None:
    ring = (setup.q > 1.0) & (setup.q < 1.3)
    for sums in (
        Binner(geometry, ring, BINS).sum_frame(bright, good),
        Binner(geometry, good, BINS).sum_frame(bright, ring),
    ):
        empty = sums.pixels == 0
        assert 4 <= empty.sum() < 10
        for name in ("signal", "intensity", "variance", "exposure", "values"):
            assert (getattr(sums, name)[empty] == 0).all(), name
            assert (getattr(sums, name)[~empty] > 0).all(), name


@pytest.mark.parametrize("kind", ["user", "flat", "dark"])
def test_nothing_left_is_refused(kind: str, geometry: Geometry, good: np.ndarray) -> None:
    changes: dict[str, Any] = {
        "user": {},
        "flat": {"flat": np.where(good, 1.0, np.nan).astype(np.float32)},
        "dark": {"dark": np.full(good.shape, np.inf, np.float32)},
    }[kind]
    with pytest.raises(InputError, match="no pixel"):
        Binner(replace(geometry, **changes), ~good if kind == "user" else good, BINS)


def test_pixels_that_dark_or_flat_do_not_know_are_masked(geometry: Geometry, good: np.ndarray) -> None:
    flat, dark = np.ones(good.shape, np.float32), np.zeros(good.shape, np.float32)
    flat[0, :4] = (np.nan, np.inf, 0.0, -1.0)
    dark[0, 4:6] = (np.nan, np.inf)
    binner = Binner(replace(geometry, flat=flat, dark=dark), good, BINS)
    assert np.argwhere(binner.masked).tolist() == [[0, column] for column in range(6)]
    outside = (binner.q_pixels < binner.q_nm1[0] - 0.025) | (binner.q_pixels >= binner.q_nm1[-1] + 0.025)
    np.testing.assert_array_equal(binner.mask, binner.masked | outside)
    assert binner.masked_fraction == binner.mask.mean()


# --- what is divided and subtracted ------------------------------------------------------------------------------


def test_corrections_are_those_of_the_definition(setup: Any, geometry: Geometry, good: np.ndarray) -> None:
    """Signal: values less dark; exposure: flat, solid angle, polarization and factor; intensity: their ratio."""
    rng = np.random.default_rng(4)
    flat, dark = (rng.uniform(low, 2.0, setup.shape).astype(np.float32) for low in (0.5, 1.0))
    frame = rng.poisson(setup.expect_frame(1e7) + 2.0)
    changed = replace(geometry, flat=flat, dark=dark, polarization=(0.9, 0.3), normalization_factor=2.5)
    binner = Binner(changed, good, BINS)
    sums = binner.sum_frame(frame, good)
    weight = 2.5 * flat * setup.solid_angle * np.asarray(setup.integrator.polarization(setup.shape, 0.9, 0.3))
    for index in (0, 12, 40):
        inside = find_inside(setup, binner, index)
        # single precision in pyFAI, of a difference of about the size of its terms
        assert sums.values[index] == pytest.approx(frame[inside].sum(), rel=1e-5)
        assert sums.signal[index] == pytest.approx((frame - dark)[inside].sum(), rel=1e-5)
        assert sums.exposure[index] == pytest.approx(weight[inside].sum(), rel=1e-5)
    np.testing.assert_allclose(sums.intensity, sums.signal / sums.exposure, rtol=1e-12)


def test_solid_angle_may_be_left_in(setup: Any, geometry: Geometry, good: np.ndarray) -> None:
    sums = Binner(replace(geometry, has_solid_angle=False), good, BINS).sum_frame(np.full(setup.shape, 9), good)
    np.testing.assert_array_equal(sums.exposure, sums.pixels)
    np.testing.assert_allclose(sums.intensity, 9.0, rtol=1e-6)


def test_sum_of_frames_is_their_mean(setup: Any, geometry: Geometry, good: np.ndarray, bright: np.ndarray) -> None:
    dark = np.full(setup.shape, 4.0, np.float32)
    binner = Binner(replace(geometry, dark=dark, dark_frames=10), good, BINS)
    one, five = binner.sum_frame(bright, good), binner.sum_frame(5 * bright, good, frames=5)
    np.testing.assert_allclose(five.intensity, one.intensity, rtol=1e-6)  # single precision
    np.testing.assert_allclose(five.values, 5 * one.values, rtol=1e-6)
    np.testing.assert_allclose(five.exposure, 5 * one.exposure, rtol=1e-12)
    np.testing.assert_array_equal(five.pixels, one.pixels)


def test_a_frame_that_is_its_dark_counts_as_zero(setup: Any, geometry: Geometry, good: np.ndarray) -> None:
    """Not as what single precision leaves of the subtraction: then nobody could tell that the shutter was closed."""
    dark = np.random.default_rng(5).uniform(5, 15, setup.shape).astype(np.float32)
    sums = Binner(replace(geometry, dark=dark), good, BINS).sum_frame(np.zeros(setup.shape), good)
    assert (sums.values == 0).all()


# --- variance ----------------------------------------------------------------------------------------------------


def check_variance(sums: BinSums, photons: np.ndarray) -> None:
    """The variance of an intensity is that of its photons over the square of what each of them adds."""
    gain = sums.gain
    np.testing.assert_allclose(sums.variance, photons * (gain / sums.exposure) ** 2, rtol=1e-9)


def test_rich_bins_have_the_variance_of_their_counts(binner: Binner, good: np.ndarray, bright: np.ndarray) -> None:
    sums = binner.sum_frame(bright, good)
    assert sums.values.min() > 1000
    check_variance(sums, sums.values)


@pytest.mark.parametrize(("frames", "dark_frames"), [(1, 1), (1, 10), (5, 10)])
def test_the_dark_has_a_variance_too(
    frames: int, dark_frames: int, setup: Any, geometry: Geometry, good: np.ndarray, bright: np.ndarray
) -> None:
    """Subtracted from ``frames`` frames is ``frames`` times the mean of ``dark_frames``: f D counts, of variance
    f^2 D / d."""
    dark = np.full(setup.shape, 100.0, np.float32)
    binner = Binner(replace(geometry, dark=dark, dark_frames=dark_frames), good, BINS)
    sums = binner.sum_frame(frames * (bright + 100), good, frames=frames)
    expected = sums.values + frames**2 * 100.0 * sums.pixels / dark_frames
    np.testing.assert_allclose(sums.variance, expected / sums.exposure**2, rtol=1e-5)  # single precision


@pytest.mark.parametrize("gain", [0.25, 1.0, 30.0])
def test_gain_turns_values_into_photons(gain: float, binner: Binner, good: np.ndarray, bright: np.ndarray) -> None:
    photons = binner.sum_frame(bright, good)
    sums = binner.sum_frame(bright * gain, good, gain=gain)
    assert sums.gain == gain
    np.testing.assert_allclose(sums.intensity, gain * photons.intensity, rtol=1e-6)  # single precision
    np.testing.assert_allclose(sums.variance, gain**2 * photons.variance, rtol=1e-6)
    again = binner.apply_gain(photons, gain)
    rich = photons.values / gain > 1000
    assert rich.sum() > 50
    # of fewer, larger photons; counts of a bin are differences of running sums
    np.testing.assert_allclose(again.variance[rich], gain * photons.variance[rich], rtol=1e-9)
    assert again.gain == gain
    np.testing.assert_array_equal(again.intensity, photons.intensity)


def test_without_a_gain_the_variance_is_that_of_the_scatter(setup: Any, binner: Binner, good: np.ndarray) -> None:
    """Noise of a known width on a flat field: the variance of the mean over n pixels is width^2 / n."""
    frame = np.random.default_rng(6).normal(100.0, 3.0, setup.shape)
    for frames in (1, 4):
        sums = binner.sum_frame(frame, good, frames=frames, gain=None)
        assert sums.gain is None
        many = sums.pixels > 200
        ratio = sums.variance[many] * frames**2 * sums.pixels[many] / 9.0
        # known to sqrt(2 / n) in each bin; the solid angle varies by 1 % over the detector, and so the mean
        assert np.mean(ratio) == pytest.approx(1.0, abs=4 * np.sqrt(2 / sums.pixels[many].sum()) + 0.03)


def test_sums_of_all_cells_are_the_sums(setup: Any, binner: Binner, good: np.ndarray, bright: np.ndarray) -> None:
    for gain in (1.0, 2.0, None):
        sums = binner.sum_frame(bright, good, gain=gain)
        kept = binner.keep_cells(sums, np.ones(sums.cells.signal.shape, bool))
        for name in ("signal", "exposure", "pixels", "values", "intensity", "variance"):
            np.testing.assert_allclose(getattr(kept, name), getattr(sums, name), rtol=1e-12, err_msg=name)
        assert (kept.gain, kept.cells) == (gain, None)


def test_no_cell_kept_is_no_pixel(binner: Binner, good: np.ndarray, bright: np.ndarray) -> None:
    for gain in (1.0, None):
        sums = binner.sum_frame(bright, good, gain=gain)
        nothing = binner.keep_cells(sums, np.zeros(sums.cells.signal.shape, bool))
        for name in ("signal", "exposure", "pixels", "values", "intensity"):
            assert (getattr(nothing, name) == 0).all(), name
        assert np.isfinite(nothing.variance).all()

"""Frames that are made of a curve look like a detector's, and integrate back to the curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.frame import make_frame
from pyfai_grf.frames.images import read_frames, read_mask
from pyfai_grf.reduce.configuration import load_geometry
from pyfai_grf.reduce.reducer import Bins, Reducer, ReductionSettings
from pyfai_grf.virtual_instrument.exposure import (
    Instrument,
    expose,
    make_exposure_geometry,
    make_instrument,
    measure_corner,
    project_curve,
    write_frame,
    write_geometry,
    write_mask,
)

Q_NM1 = np.linspace(0.0, 4.0, 8001)
BINS = Bins(0.1, 0.02)


def shape_curve(q: np.ndarray) -> np.ndarray:
    """A plateau, a shoulder and a power law, on a flat background."""
    return 1.0 / (1.0 + (2.0 * q) ** 4) + 1e-3


@pytest.fixture(scope="module")
def instrument(setup: Any) -> Instrument:
    return make_instrument(setup.copy_integrator(), seed=3)


@pytest.fixture(scope="module")
def reducer(instrument: Instrument) -> Reducer:
    return Reducer(ReductionSettings(instrument.integrator, mask=instrument.mask, bins=BINS))


def test_expected_frame_integrates_back_to_the_curve(instrument: Instrument, reducer: Reducer) -> None:
    expected = project_curve(instrument, Q_NM1, shape_curve(Q_NM1), 1e6)
    frame = make_frame(np.where(instrument.usable, expected, np.nan))
    curve = reducer.reduce(frame)
    inner = curve.q_nm1 < 2.9
    truth = shape_curve(curve.q_nm1)
    scale = np.median((curve.intensity / truth)[inner])
    # a bin is a mean over pixels that lie anywhere in its width: |dI/dq| step / 2 bounds what it may differ by; the
    # slope is exact here, 1e-6 is for the interpolation (h^2 I'' / 8) and single precision
    slope = 64 * curve.q_nm1**3 * (1.0 / (1.0 + (2.0 * curve.q_nm1) ** 4)) ** 2
    difference = np.abs(curve.intensity / scale - truth)
    assert (difference <= slope * BINS.step_nm1 / 2 + 2e-6 * truth)[inner].all()
    # and on the whole it does not differ at all: each bin errs by its own pixels, at random
    assert np.mean((curve.intensity / scale / truth)[inner]) == pytest.approx(1.0, abs=3e-3)


def test_counts_scatter_as_sigma_says(instrument: Instrument, reducer: Reducer) -> None:
    expected = project_curve(instrument, Q_NM1, shape_curve(Q_NM1), 3e5)
    truth = reducer.reduce(make_frame(np.where(instrument.usable, expected, np.nan)))
    pulls = []
    for frame in expose(instrument, expected, 40, seed=5):
        curve = reducer.reduce(make_frame(frame))
        np.testing.assert_array_equal(curve.q_nm1, truth.q_nm1)
        assert curve.sigma is not None
        pulls.append((curve.intensity - truth.intensity) / curve.sigma)
    squares = np.square(pulls)
    # 40 frames of 149 bins: the mean of chi^2 / bin is known to sqrt(2 / 5960) = 1.8 %; sigma itself to 4 % (its
    # counts are pooled over neighbouring bins)
    assert squares.shape[1] > 100
    assert squares.mean() == pytest.approx(1.0, abs=5 * np.sqrt(2 / squares.size) + 0.04)
    # nothing is shifted: the mean pull of a bin is normal with a variance of 1/40
    assert np.mean(pulls) == pytest.approx(0.0, abs=5 / np.sqrt(squares.size))


def test_a_frame_holds_the_photons_that_were_asked_for(instrument: Instrument) -> None:
    expected = project_curve(instrument, Q_NM1, shape_curve(Q_NM1), 2e5)
    assert expected[instrument.usable].sum() == pytest.approx(2e5)
    totals = [frame[instrument.usable].sum() for frame in expose(instrument, expected, 10, seed=1)]
    assert np.mean(totals) == pytest.approx(2e5, abs=5 * np.sqrt(2e5 / 10))
    # Poisson: the variance of ten totals is known to sqrt(2 / 9) = 47 %
    assert 0.1 < np.var(totals, ddof=1) / 2e5 < 1 + 5 * 0.47


def test_a_frame_depends_on_its_seed_and_number_only(instrument: Instrument) -> None:
    expected = project_curve(instrument, Q_NM1, shape_curve(Q_NM1), 1e5)
    two, five, other = (list(expose(instrument, expected, *which)) for which in ((2, 7), (5, 7), (2, 8)))
    for short, long in zip(two, five, strict=False):
        np.testing.assert_array_equal(short, long)
    assert not np.array_equal(two[0], two[1])
    assert not np.array_equal(two[0], other[0])


def test_faulty_pixels_are_marked_or_masked(instrument: Instrument, reducer: Reducer) -> None:
    expected = project_curve(instrument, Q_NM1, shape_curve(Q_NM1), 1e5)
    frame = next(expose(instrument, expected, 1, seed=2))
    assert frame.dtype == np.int32
    assert (frame[instrument.dead] == -2).all()
    assert instrument.dead.sum() > 0
    # nothing in the frame tells a hot pixel, and it counts at least 10^2.5 more than it should
    assert (frame[instrument.hot] > 200).all()
    assert not (instrument.hot & (instrument.dead | instrument.beamstop)).any()
    assert instrument.mask[instrument.hot].all()
    unmasked = Reducer(ReductionSettings(instrument.integrator, mask=instrument.beamstop, bins=BINS))
    spoiled, clean = unmasked.reduce(make_frame(frame)), reducer.reduce(make_frame(frame))
    assert clean.sigma is not None
    shared = np.isin(spoiled.q_nm1, clean.q_nm1)
    assert (spoiled.intensity[shared] - clean.intensity).max() > 20 * clean.sigma.max()


def test_the_mask_covers_the_beamstop_and_its_shadow(instrument: Instrument) -> None:
    assert instrument.passes.max() == 1.0
    assert instrument.passes.min() < 0.01
    assert instrument.mask[instrument.passes < 1].all()
    centre = int(instrument.integrator.poni1 / 172e-6), int(instrument.integrator.poni2 / 172e-6)
    assert instrument.passes[centre] < 0.01
    assert instrument.passes[centre[0], 0] < 0.01  # the arm
    assert instrument.passes[0, centre[1]] == 1.0
    assert instrument.mask.mean() < 0.1


def test_the_default_detector_covers_the_published_range() -> None:
    integrator = make_exposure_geometry()
    instrument = make_instrument(integrator)
    assert 0.05 < instrument.gaps.mean() < 0.1  # between the ten modules of a Pilatus 1M
    q = integrator.array_from_unit(instrument.passes.shape, "center", "q_nm^-1", scale=True)[instrument.usable]
    assert q.min() <= 0.04
    assert q.max() >= 3.05
    assert q.max() <= measure_corner(integrator)
    filled, _ = np.histogram(q, bins=np.arange(0.04, 3.05, 0.006))
    assert (filled > 50).all()  # no ring is lost in a gap


def test_files_come_back(instrument: Instrument, tmp_path: Path) -> None:
    expected = project_curve(instrument, Q_NM1, shape_curve(Q_NM1), 1e5)
    counts = next(expose(instrument, expected, 1, seed=4))
    write_frame(tmp_path / "frame.cbf", counts, instrument, exposure_time_s=0.5)
    write_mask(tmp_path / "mask.edf", instrument.mask)
    for _ in range(2):  # a second time must not append
        write_geometry(tmp_path / "setup.poni", instrument.integrator)
    (frame,) = read_frames(tmp_path / "frame.cbf")
    np.testing.assert_array_equal(frame.data, counts)
    np.testing.assert_array_equal(frame.bad, counts < 0)
    assert frame.metadata["exposure_time_s"] == 0.5
    assert frame.metadata["wavelength_nm"] == pytest.approx(0.1)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.edf"), instrument.mask)
    again = load_geometry(tmp_path / "setup.poni").integrator
    for name in ("dist", "poni1", "poni2", "wavelength"):
        assert getattr(again, name) == pytest.approx(getattr(instrument.integrator, name), rel=1e-12)
    assert (tmp_path / "setup.poni").read_text().count("Distance") == 1


@pytest.mark.parametrize(
    ("q", "intensity", "counts", "words"),
    [
        (Q_NM1, shape_curve(Q_NM1), 0.0, "counts is 0"),
        (Q_NM1, shape_curve(Q_NM1), np.nan, "counts is nan"),
        (Q_NM1, -shape_curve(Q_NM1), 1e5, "negative"),
        (Q_NM1, np.zeros_like(Q_NM1), 1e5, "all are zero"),
        (Q_NM1[::-1], shape_curve(Q_NM1), 1e5, "increasing"),
        (Q_NM1[:100], shape_curve(Q_NM1[:100]), 1e5, "extend it"),
        (Q_NM1[1:], shape_curve(Q_NM1[1:]), 1e5, "extend it"),
    ],
)
def test_a_curve_that_cannot_be_exposed_is_refused(
    instrument: Instrument, q: np.ndarray, intensity: np.ndarray, counts: float, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        project_curve(instrument, q, intensity, counts)


def test_a_geometry_without_a_detector_is_refused() -> None:
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    with pytest.raises(InputError, match="known shape and a wavelength"):
        make_instrument(AzimuthalIntegrator(dist=1.0, wavelength=1e-10))


def test_what_cannot_be_written_is_told_in_one_line(instrument: Instrument, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    missing = tmp_path / "file" / "x"
    frame = np.zeros(instrument.passes.shape, np.int32)
    for write in (
        lambda: write_frame(missing, frame, instrument),
        lambda: write_mask(missing, instrument.mask),
        lambda: write_geometry(missing, instrument.integrator),
    ):
        with pytest.raises(InputError, match="cannot write") as caught:
            write()
        assert "\n" not in str(caught.value)

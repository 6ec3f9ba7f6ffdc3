"""Sectors of a clean frame agree, at any number of photons, with gaps, and with whatever mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from pyfai_grf.frames.frame import make_frame
from pyfai_grf.reduce.azimuth import Bands, Ring, compare_sectors, expect_cells, lay_out_bands
from pyfai_grf.reduce.binning import Binner, Bins
from pyfai_grf.reduce.geometry import wrap_integrator
from pyfai_grf.reduce.reducer import Reducer, ReductionSettings
from pyfai_grf.reduce.sectors import SECTORS, Cells
from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.virtual_instrument.exposure import expose, make_instrument, measure_corner, project_curve


@pytest.fixture(scope="module")
def binner(setup: Any) -> Binner:
    return Binner(wrap_integrator(setup.integrator), np.zeros(setup.shape, bool), Bins(0.04, 0.015))


def sum_cells(binner: Binner, frame: np.ndarray) -> tuple[Cells, Ring]:
    sums = binner.sum_frame(frame, np.zeros(frame.shape, bool))
    assert sums.cells is not None
    return sums.cells, Ring(binner.q_nm1, sums.intensity, sums.variance)


def test_the_slope_of_the_curve_is_no_difference(setup: Any, binner: Binner) -> None:
    """Without noise the cells are what the rings let one expect, but for the curvature within a bin."""
    expected = setup.expect_frame(1e6, lambda q: 1 / (1 + (4 * q) ** 4) + 1e-3)
    cells, ring = sum_cells(binner, expected)
    wanted, _, _ = expect_cells(cells, ring)
    far = (cells.pixels > 0) & (binner.q_nm1 > 0.1)[:, np.newaxis]
    plain = cells.exposure * ring.intensity[:, np.newaxis]
    # I'' h^2 / 24 over I for q^-4: 20 / 24 (h / q)^2 = 2 % at 0.1 per nm; without the slope several times that
    assert np.abs(wanted / np.where(far, cells.signal, 1.0) - 1)[far].max() < 0.02
    assert np.abs(plain / np.where(far, cells.signal, 1.0) - 1)[far].max() > 0.05


@pytest.mark.parametrize("counts", [1e4, 1e5, 1e6, 1e7, 1e8])
def test_clean_frames_agree(setup: Any, binner: Binner, counts: float) -> None:
    """Cells are Poisson counts, so that frames are quickly drawn: by chance 6 of 10^7 cells alarm, of 10^5."""
    expected, ring = sum_cells(binner, setup.expect_frame(counts))
    bands = lay_out_bands(binner.q_nm1, np.zeros(ring.q_nm1.size))
    rng = np.random.default_rng(int(counts))
    exposure = expected.exposure.sum(axis=1)
    variance = expected.signal.sum(axis=1) / exposure**2
    alarms, scores = 0, []
    for _ in range(200):
        signal = rng.poisson(expected.signal).astype(float)
        drawn = Cells(signal, expected.exposure, expected.pixels, expected.offset)
        found = compare_sectors(drawn, Ring(ring.q_nm1, signal.sum(axis=1) / exposure, variance), bands)
        alarms += int(found.deviates.any())
        scores.append(found.z[found.weight > 0])
    assert alarms == 0
    # z is normal; comparing with a median and a mean of the same cells takes some percent off or adds them
    assert np.std(np.concatenate(scores)) == pytest.approx(1.0, abs=0.06)


def test_clean_frames_of_the_virtual_instrument_have_no_alternative(setup: Any) -> None:
    instrument = make_instrument(setup.copy_integrator(), seed=3)
    reducer = Reducer(ReductionSettings(instrument.integrator, mask=instrument.mask))
    rng = np.random.default_rng(4)
    polarization = setup.integrator.polarization(setup.shape, 0.99)  # left uncorrected
    for counts in (1e5, 1e7, 1e8):
        expected = setup.expect_frame(counts) * instrument.passes * polarization
        frames = []
        for _ in range(5):
            frame = rng.poisson(expected).astype(np.int32)
            frame[instrument.dead] = -2
            frames.append(make_frame(frame))
        for curve in (*map(reducer.reduce, frames), reducer.reduce(frames)):
            assert curve.alternative is None
            assert curve.metadata["sectors"] is None
            assert curve.metadata["warnings"] == []


@pytest.mark.parametrize("a", [2.0, 5.0, 8.0])
@pytest.mark.parametrize("counts", [1e5, 1e6, 1e7])
def test_coarse_pixels_are_no_difference(a: float, counts: float) -> None:
    """Pixels of 1.1 mm, 0.022 per nm: the curve bends within a bin, and each sector has its own pixels in it."""
    detector = Detector(1.1e-3, 1.1e-3, max_shape=(163, 153))
    integrator = AzimuthalIntegrator(3.1, 90e-3, 43e-3, detector=detector, wavelength=1e-10)
    instrument = make_instrument(integrator, 1)
    q = np.linspace(0, measure_corner(integrator), 8000)
    intensity = expected_intensity(q, a, 0.3) + 0.02 * expected_intensity(3.0, a, 0.3)
    reducer = Reducer(ReductionSettings(integrator, mask=instrument.mask))
    for frame in expose(instrument, project_curve(instrument, q, intensity, counts), 4, seed=3):
        assert reducer.reduce(make_frame(frame)).metadata["sectors"] is None


def test_bands_grow_with_q() -> None:
    q = 0.04 + 0.006 * np.arange(500, dtype=np.float64)
    bands = lay_out_bands(q, np.zeros(500))
    widths = np.bincount(bands.band)
    assert widths.min() >= 3
    assert widths.sum() == 500
    assert bands.number == widths.size < 25
    np.testing.assert_array_equal(bands.sum_bins(np.ones((500, 2))), np.column_stack([widths, widths]))


@pytest.mark.parametrize("size", [2, 5])
def test_few_bins_are_one_band(size: int) -> None:
    bands = lay_out_bands(np.linspace(1.0, 2.0, size), np.zeros(size))
    assert isinstance(bands, Bands)
    ones = np.ones((size, SECTORS))
    cells = Cells(50 * ones, ones, ones, 0 * ones)
    found = compare_sectors(
        cells, Ring(np.linspace(1.0, 2.0, size), np.full(size, 50.0), np.full(size, 50 / 36)), bands
    )
    assert not found.deviates.any()

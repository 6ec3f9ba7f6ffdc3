"""Sectors divide the circle, and what pyFAI puts into a cell is what lies in its ring and its sector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pyfai_grf.reduce.binning import Binner, Bins
from pyfai_grf.reduce.geometry import wrap_integrator
from pyfai_grf.reduce.sectors import SECTOR_DEG, SECTORS, Cells

BINS = Bins(0.04, 0.015)


@pytest.fixture(scope="module")
def binner(setup: Any) -> Binner:
    return Binner(wrap_integrator(setup.integrator), np.zeros(setup.shape, bool), BINS)


@pytest.fixture(scope="module")
def sector(setup: Any) -> np.ndarray:
    """(H, W) the number of the sector that a pixel's centre lies in, the first from -180 degrees on."""
    chi = setup.integrator.array_from_unit(setup.shape, "center", "chi_deg", scale=True)
    return np.floor((chi + 180) / SECTOR_DEG).astype(int)


def sum_cells(binner: Binner, frame: np.ndarray, frames: int = 1) -> Cells:
    cells = binner.sum_frame(frame, np.zeros(frame.shape, bool), frames).cells
    assert cells is not None
    return cells


def test_sectors_divide_the_circle() -> None:
    assert SECTORS * SECTOR_DEG == 360.0
    # narrow enough that a shadow of a few degrees does not hide in one, and that opposite ones lie opposite
    assert SECTORS % 4 == 0


def test_cells_are_the_pixels_of_a_ring_and_a_sector(setup: Any, binner: Binner, sector: np.ndarray) -> None:
    frame = np.random.default_rng(1).poisson(setup.expect_frame(1e6))
    cells = sum_cells(binner, frame)
    for index, number in ((3, 0), (60, 5), (150, 20), (150, 35)):
        inside = (np.abs(setup.q - binner.q_nm1[index]) < 0.0075) & (sector == number)
        assert cells.pixels[index, number] == inside.sum()
        assert cells.signal[index, number] == frame[inside].sum()
        # single precision in pyFAI
        assert cells.exposure[index, number] == pytest.approx(setup.solid_angle[inside].sum(), rel=1e-6)
        if inside.any():
            offset = (setup.q[inside].mean() - binner.q_nm1[index]) / 0.015
            assert cells.offset[index, number] == pytest.approx(offset, abs=1e-4)
    inside = (setup.q >= binner.q_nm1[0] - 0.0075) & (setup.q < binner.q_nm1[-1] + 0.0075)
    assert cells.signal.sum() == frame[inside].sum()


def test_cells_of_a_ring_add_up_to_it(setup: Any, binner: Binner) -> None:
    sums = binner.sum_frame(setup.expect_frame(1e6), np.zeros(setup.shape, bool))
    for name in ("signal", "exposure", "pixels"):
        cells = getattr(sums.cells, name)
        assert cells.shape == (binner.q_nm1.size, SECTORS)
        np.testing.assert_array_equal(cells.sum(axis=1), getattr(sums, name))
    # the mean q of the pixels lies in the bin
    assert np.abs(sums.cells.offset).max() <= 0.5 + 1e-6


def test_cells_without_a_pixel_hold_zeros(setup: Any, binner: Binner) -> None:
    cells = sum_cells(binner, setup.expect_frame(1e6))
    empty = cells.pixels == 0
    assert empty.any()
    for name in ("signal", "exposure", "offset"):
        assert (getattr(cells, name)[empty] == 0).all()
        assert np.isfinite(getattr(cells, name)).all()


def test_cells_of_several_frames(setup: Any, binner: Binner) -> None:
    frame = np.random.default_rng(2).poisson(setup.expect_frame(1e5))
    one, three = sum_cells(binner, frame), sum_cells(binner, 3 * frame, frames=3)
    np.testing.assert_array_equal(three.signal, 3 * one.signal)
    np.testing.assert_array_equal(three.exposure, 3 * one.exposure)
    np.testing.assert_array_equal(three.pixels, one.pixels)


@pytest.mark.parametrize(
    ("arc", "inside"),
    [
        ((10.0, 80.0), lambda chi: (chi >= 10) & (chi <= 80)),
        ((165.0, 195.0), lambda chi: np.abs(chi) >= 165),  # across the end of pyFAI's circle
        ((-195.0, -165.0), lambda chi: np.abs(chi) >= 165),
        ((370.0, 440.0), lambda chi: (chi >= 10) & (chi <= 80)),  # another turn
        ((-180.0, 180.0), lambda chi: np.abs(chi) <= 180),
    ],
)
def test_cells_of_an_arc_are_those_of_its_pixels(
    arc: tuple[float, float], inside: Callable[[np.ndarray], np.ndarray], setup: Any
) -> None:
    good = np.zeros(setup.shape, bool)
    frame = np.random.default_rng(4).poisson(setup.expect_frame(1e6))
    binner = Binner(replace(wrap_integrator(setup.integrator), azimuth_range=arc), good, BINS)
    chi = setup.integrator.array_from_unit(setup.shape, "center", "chi_deg", scale=True)
    np.testing.assert_array_equal(binner.masked, ~inside(chi))
    cells = sum_cells(binner, frame)
    assert cells.signal.sum() == frame[~binner.mask].sum() > 0
    numbers = np.floor((chi[~binner.mask] + 180) / SECTOR_DEG).astype(int)
    np.testing.assert_array_equal(cells.pixels.sum(axis=0), np.bincount(numbers, minlength=SECTORS))


@pytest.mark.parametrize("left_out", [[0], [35], [5, 6, 7, 23, 24]])
def test_without_some_cells_it_is_as_if_their_pixels_were_masked(
    left_out: list[int], setup: Any, binner: Binner, sector: np.ndarray
) -> None:
    frame = np.random.default_rng(3).poisson(setup.expect_frame(1e7))
    good = np.zeros(frame.shape, bool)
    kept = np.ones((binner.q_nm1.size, SECTORS), bool)
    kept[:, left_out] = False
    rest = binner.keep_cells(binner.sum_frame(frame, good), kept)
    masked = Binner(wrap_integrator(setup.integrator), np.isin(sector, left_out), BINS)
    expected = masked.sum_frame(frame, good)
    shared = np.searchsorted(binner.q_nm1, masked.q_nm1 - 1e-9)  # without its corners a detector reaches less far
    np.testing.assert_allclose(binner.q_nm1[shared], masked.q_nm1, rtol=1e-12)
    for name in ("signal", "pixels", "values"):
        np.testing.assert_array_equal(getattr(rest, name)[shared], getattr(expected, name))
    for name in ("exposure", "intensity", "variance"):
        # sums of single-precision solid angles in another order; rates are pooled up to the ends of the curve
        inner = slice(None, -20) if name == "variance" else slice(None)
        np.testing.assert_allclose(
            getattr(rest, name)[shared][inner], getattr(expected, name)[inner], rtol=1e-5, err_msg=name
        )
    assert rest.cells is None

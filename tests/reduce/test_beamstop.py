"""The beam is where q is smallest, and whoever left it unmasked is told so once."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.reduce.beamstop import describe_beamstop, find_beam_pixels

STEP = 0.02
FALL = 1.0 / (1.0 + np.linspace(0.0, 5.0, 60) ** 4)
SHADE = np.where(np.arange(60) < 3, 0.01, FALL)


def make_q(row: float, column: float, shape: tuple[int, int] = (20, 30)) -> np.ndarray:
    """Return q (H, W) around a beam that hits a place in pixels, STEP a pixel: small angles."""
    return STEP * np.hypot(np.arange(shape[0])[:, np.newaxis] - row, np.arange(shape[1]) - column)


def test_pixels_within_three_of_the_beam() -> None:
    """29 points of a square grid lie within a radius of 3 around one of them (Gauss's circle problem)."""
    rows, columns = find_beam_pixels(make_q(8, 12), STEP)
    assert len(rows) == 29
    assert np.hypot(rows - 8, columns - 12).max() == 3


@pytest.mark.parametrize(
    ("row", "column", "count"),
    [
        (0, 0, 11),  # a quarter of the circle, with its two edges
        (8.5, 12.5, 32),  # between four pixels
        (-0.99, 12, 11),  # the rows of pixels beside it, 5, 5 and 1 of them
    ],
)
def test_beam_at_the_edge(row: float, column: float, count: int) -> None:
    q = make_q(row, column)
    assert np.count_nonzero(q <= 3 * STEP) == count  # else this is not what the test is about
    assert len(find_beam_pixels(q, STEP)[0]) == count


@pytest.mark.parametrize(("row", "column"), [(-1.01, 12), (8, 31), (-50, -50)])
def test_beam_a_pixel_off_the_detector_is_on_it_no_more(row: float, column: float) -> None:
    assert find_beam_pixels(make_q(row, column), STEP) is None


def describe(intensity: np.ndarray, mask: tuple = (), bad: tuple = ()) -> str | None:
    """Return what is said of a frame with the beam at (8, 12) and single pixels masked or marked."""
    q = make_q(8, 12)
    masked, marked = np.zeros(q.shape, bool), np.zeros(q.shape, bool)
    masked[mask or ([], [])] = True
    marked[bad or ([], [])] = True
    return describe_beamstop(find_beam_pixels(q, STEP), masked, marked, intensity)


def test_one_pixel_near_the_beam_is_enough_of_a_mask() -> None:
    assert describe(FALL) is not None
    for place in ((8, 12), (8, 15), (6, 10)):
        assert describe(FALL, mask=place) is None
        assert describe(FALL, bad=place) is None
    assert describe(FALL, mask=(8, 16)) is not None  # four pixels away


def test_shadow_is_told_from_the_direct_beam() -> None:
    assert "look like its shadow" in describe(SHADE)
    assert "direct beam" in describe(FALL)


@pytest.mark.parametrize("intensity", [FALL[:1], FALL[:3], np.full(60, np.nan), np.zeros(60)])
def test_curves_that_do_not_tell(intensity: np.ndarray) -> None:
    assert "direct beam or its shadow" in describe(intensity)


def test_beam_off_the_detector_needs_no_mask() -> None:
    nothing = np.zeros((20, 30), bool)
    assert describe_beamstop(None, nothing, nothing, FALL) is None

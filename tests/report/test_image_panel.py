"""Measured pixels are drawn in colour, all others in grey, and never more of them than can be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pyfai_grf.report.image_panel import draw_frame

GREY = to_rgb("#b8b8b8")


def draw(frame: Any) -> tuple[Figure, Any]:
    """Return a figure that is fit to be drawn, and its image."""
    figure = Figure(figsize=(4, 4))
    panel = figure.add_subplot()
    draw_frame(panel, frame)
    figure.draw_without_rendering()
    (image,) = panel.images
    return figure, image


def find_grey(frame: Any) -> np.ndarray:
    """Return (H, W) True where the drawn pixel is grey."""
    _, image = draw(frame)
    return np.all(np.isclose(image.to_rgba(image.get_array())[..., :3], GREY, atol=0.01), axis=-1)


def make_frame(kind: Any = np.int32) -> np.ndarray:
    return np.random.default_rng(0).integers(50, 150, (8, 9)).astype(kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (np.int32, -1),
        (np.int32, -2),
        (np.int16, -32768),
        (np.float32, np.nan),
        (np.float32, np.inf),
        (np.float64, -0.5),
        (np.uint8, 255),
        (np.uint16, 65535),
        (np.uint32, 2**32 - 1),
        (np.uint64, 2**64 - 1),
    ],
)
def test_what_is_no_measurement_is_grey(kind: Any, value: float) -> None:
    frame = make_frame(kind)
    frame[1, 2] = value
    assert np.argwhere(find_grey(frame)).tolist() == [[1, 2]]


@pytest.mark.parametrize("value", [0, 7, -1, 2**31 - 1])
def test_what_is_masked_is_grey_whatever_it_holds(value: int) -> None:
    frame = np.ma.masked_array(make_frame(), mask=False)
    frame[3, 4] = value
    frame[3, 4] = np.ma.masked
    assert np.argwhere(find_grey(frame)).tolist() == [[3, 4]]
    assert np.count_nonzero(frame.mask) == 1  # the frame itself is left as it was


def test_pixels_that_counted_nothing_are_dark_and_not_grey() -> None:
    frame = make_frame(np.uint32)
    frame[0, 0] = 0
    _, image = draw(frame)
    colors = image.to_rgba(image.get_array())[..., :3]
    assert not find_grey(frame).any()
    assert colors[0, 0].sum() < colors[1:].sum(axis=-1).min()  # darker than all others


def test_colours_follow_the_counts_and_one_hot_pixel_does_not_set_the_scale() -> None:
    frame = np.arange(100, 10_100, dtype=float).reshape(100, 100)
    frame[50, 50] = 1e9
    _, image = draw(frame)
    assert image.norm.vmin == pytest.approx(200, rel=0.02)  # the first and the 99.8th percentile
    assert image.norm.vmax == pytest.approx(10_080, rel=0.02)
    brightness = image.to_rgba(image.get_array())[..., :3].sum(axis=-1)
    assert np.all(np.diff(brightness[10:90:10, 0]) > 0)


def test_row_0_is_at_the_bottom_and_axes_count_pixels() -> None:
    figure, image = draw(make_frame())
    assert image.origin == "lower"
    assert image.get_extent() == [-0.5, 8.5, -0.5, 7.5]
    assert figure.axes[0].get_ylim() == (-0.5, 7.5)


@pytest.mark.parametrize(("shape", "step"), [((1200, 30), 1), ((1201, 30), 2), ((30, 4800), 4)])
def test_large_frames_are_thinned_and_keep_their_axes(shape: tuple[int, int], step: int) -> None:
    frame = np.random.default_rng(1).integers(1, 100, shape)
    _, image = draw(frame)
    shown = image.get_array()
    assert max(shown.shape) <= 1200
    np.testing.assert_array_equal(np.maximum(frame[::step, ::step], image.norm.vmin * 0.5), shown)
    assert image.get_extent() == [-0.5, shape[1] - 0.5, -0.5, shape[0] - 0.5]


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((50, 60)),
        np.full((50, 60), np.nan),
        np.full((50, 60), -1),
        np.full((60, 200), 5, dtype=np.uint16),
        np.ma.masked_array(np.full((40, 40), 1e300), mask=True),
        np.ones((3000, 30), dtype=np.float32),
        np.ones((1, 1)),
        np.ones((1, 500), dtype=bool),
        np.full((20, 20), 1e-30),
        [[1, 2], [3, 4]],
    ],
    ids=["no count", "no pixel", "gap", "flat", "all masked", "long", "one pixel", "one row", "tiny", "list"],
)
def test_odd_frames_are_drawn_with_a_colour_bar(frame: Any) -> None:
    figure, image = draw(frame)
    bar = image.colorbar
    assert bar.ax.get_xlabel() + bar.ax.get_ylabel() == "counts"
    assert 0 < image.norm.vmin < image.norm.vmax < np.inf
    is_wide = np.shape(frame)[1] > 1.3 * np.shape(frame)[0]
    assert bar.orientation == ("horizontal" if is_wide else "vertical")
    assert bar.ax in figure.axes[0].child_axes  # takes no room from other panels


@pytest.mark.parametrize("span", [3.0, 30.0, 1e5])
def test_colour_bar_has_a_few_labels_whatever_the_span(span: float) -> None:
    frame = np.geomspace(100, 100 * span, 10_000).reshape(100, 100)
    _, image = draw(frame)
    bar = image.colorbar
    labels = [label.get_text() for label in bar.ax.get_yticklabels() if label.get_text()]
    low, high = bar.ax.get_ylim()
    shown = [place for place in bar.get_ticks() if low <= place <= high]
    assert 1 <= len(shown) <= 8
    assert len(set(labels)) == len(labels)

"""Residuals are drawn in standard errors: all in sight, or the largest in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyfai_grf.core.records import Curve
from pyfai_grf.report.residual_panel import draw_fitted_curve, draw_residuals
from tests.report.fits import I, Q, make_fit


@pytest.fixture
def panel() -> Iterator[Axes]:
    """A panel; what a test put on it must be fit to be drawn."""
    figure = Figure(figsize=(4, 2))
    panel = figure.add_subplot()
    yield panel
    figure.draw_without_rendering()


def draw(panel: Axes, residual: Any) -> None:
    draw_residuals(panel, Curve(Q, I), make_fit(residual=residual))


def get_points(panel: Axes, label: str = "residual") -> list[tuple[np.ndarray, np.ndarray]]:
    lines = [line for line in panel.lines if line.get_label() == label]
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in lines]


def get_levels(panel: Axes) -> set[float]:
    """Return where lines run from the left to the right end."""
    lines = [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in panel.lines]
    return {float(y[0]) for x, y in lines if x.tolist() == [0, 1]}


def test_residuals_of_a_good_fit_are_all_there_with_lines_at_two(panel: Axes) -> None:
    residual = 3 * np.sin(Q)
    residual[:10] = np.nan
    draw(panel, residual)
    ((x, y),) = get_points(panel)
    np.testing.assert_array_equal([x, y], [Q[10:], residual[10:]])
    assert get_levels(panel) == {-2, 0, 2}
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "linear")
    assert panel.get_ylim() == pytest.approx((-5.5, 5.5))
    assert not panel.texts


@pytest.mark.parametrize(("value", "words"), [(7.25, "largest: 7.25 at 0.784"), (-12.34, "largest: −12.3 at 0.784")])
def test_a_few_beyond_the_end_are_marked_there_and_the_largest_is_named(value: float, words: str, panel: Axes) -> None:
    residual = np.zeros(200)
    residual[50], residual[60] = value, 5.5
    draw(panel, residual)
    assert panel.get_ylim() == pytest.approx((-5.5, 5.5))
    marks = np.concatenate([np.stack(points, axis=1) for points in get_points(panel, "_beyond")])
    expected = [(Q[50], np.sign(value) * 5), (Q[60], 5)]
    np.testing.assert_allclose(sorted(map(tuple, marks)), expected)
    assert len(get_points(panel)[0][0]) == 198
    (text,) = panel.texts
    assert text.get_text().startswith(words)


@pytest.mark.parametrize(
    ("worst", "ticks"),
    [
        (40.0, [-10, -2, 0, 2, 10]),
        (700.0, [-100, -10, -2, 0, 2, 10, 100]),
        (5e4, [-1e4, -100, 0, 100, 1e4]),
        (1e7, [-1e6, -1e3, 0, 1e3, 1e6]),
    ],
)
def test_a_bad_fit_is_shown_whole_on_a_logarithmic_axis(worst: float, ticks: list[float], panel: Axes) -> None:
    residual = worst * np.sin(5 * Q)
    draw(panel, residual)
    assert panel.get_yscale() == "symlog"
    np.testing.assert_array_equal(get_points(panel)[0][1], residual)
    low, high = panel.get_ylim()
    assert low < residual.min() < residual.max() < high
    assert list(panel.get_yticks()) == pytest.approx(ticks)
    figure: Any = panel.figure
    figure.draw_without_rendering()
    labels = [label for label in panel.get_yticklabels() if label.get_text()]
    boxes = [label.get_window_extent() for label in labels]
    assert all(upper.y0 > lower.y0 for lower, upper in pairwise(boxes))
    assert labels[0].get_text().startswith("−")
    assert panel.texts[0].get_text().startswith("largest: ")


@pytest.mark.parametrize("worst", [5.5, 8.0, 19.0])
def test_a_fit_that_is_off_by_some_standard_errors_gets_a_longer_axis(worst: float, panel: Axes) -> None:
    residual = worst * np.sin(5 * Q)
    draw(panel, residual)
    assert panel.get_yscale() == "linear"
    np.testing.assert_array_equal(get_points(panel)[0][1], residual)
    assert panel.get_ylim() == pytest.approx((-1.15 * worst, 1.15 * worst), rel=0.01)
    assert 0 in panel.get_yticks()
    assert not panel.texts


def test_ranges_that_were_left_out_are_shaded(panel: Axes) -> None:
    draw(panel, np.where((Q > 1) & (Q < 2), np.nan, 0.0))
    (span,) = panel.patches
    low, high = span.get_extents().transformed(panel.transData.inverted()).intervalx
    assert (low, high) == pytest.approx((1, 2), abs=Q[1] - Q[0])


@pytest.mark.parametrize("residual", [np.full(200, np.nan), np.full(200, np.inf), np.zeros(200)])
def test_residuals_that_say_nothing(residual: np.ndarray, panel: Axes) -> None:
    draw(panel, residual)
    assert panel.get_ylim() == pytest.approx((-5.5, 5.5))


def test_curve_and_residuals_share_the_axis_and_the_names_stand_above() -> None:
    figure = Figure(figsize=(5, 5), layout="constrained")
    fit = make_fit(background=1.0)
    draw_fitted_curve(figure, figure.add_gridspec(1, 1)[0], Curve(Q, fit.curve, 0.1 * I), (0.1, 2.0), fit)
    figure.draw_without_rendering()
    upper, lower, names = figure.axes
    assert upper.get_shared_x_axes().joined(upper, lower)
    assert upper.get_xlim() == lower.get_xlim()
    assert (upper.get_xlabel(), lower.get_xlabel()) == ("", r"$q$ (nm$^{-1}$)")
    assert not any(label.get_visible() and label.get_text() for label in upper.get_xticklabels(which="both"))
    legend: Any = names.get_legend()
    assert legend.get_window_extent().y0 >= upper.get_window_extent().y1
    assert legend.get_window_extent().y1 <= figure.bbox.y1
    assert legend.get_window_extent().x1 <= figure.bbox.x1
    assert lower.get_window_extent().y1 < upper.get_window_extent().y0

"""Some curves of a series of any length stand one above the other, each with its fit and its frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyfai_grf.core.records import Curve, Fit, Prediction
from pyfai_grf.report.waterfall import CurveKeeper, draw_waterfall
from tests.report.fits import I, Q, make_fit


@pytest.fixture
def panel() -> Iterator[Axes]:
    """A panel; what a test put on it must be fit to be drawn."""
    figure = Figure(figsize=(5, 6))
    panel = figure.add_subplot()
    yield panel
    figure.draw_without_rendering()


def make_series(fits: list[Fit | None] | None, count: int = 30, applies: Any = True) -> Prediction:
    values = {"a": np.full(count, 4.0)}
    is_applicable = np.broadcast_to(np.asarray(applies), (count,))
    return Prediction(values, values, values, is_applicable, ("",) * count, fit=None if fits is None else tuple(fits))


def get_lines(panel: Axes, label: str) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata()) for line in panel.lines if str(line.get_label()) == label]


def test_curves_are_decades_apart_with_their_fits_and_frames(panel: Axes) -> None:
    fits: list[Fit | None] = [make_fit(reason="" if n < 15 else "no") for n in range(30)]
    curves = {n: Curve(Q, (1 + 0.01 * n) * I) for n in range(30)}
    frames = np.arange(30.0) + 100
    draw_waterfall(panel, curves, make_series(fits, applies=np.arange(30) < 15), frames)
    places = [0, 4, 8, 12, 17, 21, 25, 29]
    points = get_lines(panel, "data")
    assert len(points) == 8
    for shift, (place, drawn) in enumerate(zip(places, points, strict=True)):
        np.testing.assert_allclose(drawn, 10.0**shift * curves[place].intensity)
    lines = [*get_lines(panel, "fit"), *get_lines(panel, "fit, refused")]
    for shift, drawn in enumerate(lines):
        np.testing.assert_allclose(drawn, 10.0**shift * I)
    assert (len(get_lines(panel, "fit")), len(lines)) == (4, 8)
    names = [text.get_text() for text in panel.texts]
    assert names[0] == "100"
    assert names[1] == r"104  $\times 10^{1}$"
    assert names[-1] == r"129  $\times 10^{7}$"
    assert [text.get_color() for text in panel.texts] == ["#222222"] * 4 + ["#c8501e"] * 4
    assert panel.get_title() == "some curves, by frame; orange: not applicable"


def test_names_stand_at_the_ends_of_their_curves_and_apart(panel: Axes) -> None:
    """Also where curves end close together: steep and flat ones, and exposures that differ by decades."""
    curves = {n: Curve(Q, 10.0 ** (3 * (n % 3)) * (I if n % 2 else I**0.3)) for n in range(8)}
    draw_waterfall(panel, curves, make_series(None, 8), np.arange(8.0))
    figure: Any = panel.figure
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in panel.texts]
    assert len(boxes) == 8
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
        assert box.x0 > panel.get_window_extent().x1
    assert panel.get_title() == "some curves, by frame"


@pytest.mark.parametrize("fits", [None, [None] * 3])
def test_curves_without_fits_are_lines(fits: list[Fit | None] | None, panel: Axes) -> None:
    draw_waterfall(panel, {n: Curve(Q, I, 0.1 * I) for n in range(3)}, make_series(fits, 3, False), np.arange(3.0))
    assert len(get_lines(panel, "curve")) == 3
    assert {text.get_color() for text in panel.texts} == {"#c8501e"}


def test_a_fit_of_which_only_the_numbers_were_kept_has_no_line(panel: Axes) -> None:
    nothing = make_fit(np.zeros(0))
    draw_waterfall(panel, {0: Curve(Q, I)}, make_series([nothing], 1), np.zeros(1))
    assert len(get_lines(panel, "curve")) == 1
    assert not get_lines(panel, "fit")


def test_curves_that_cannot_be_shown_are_passed_over(panel: Axes) -> None:
    curves = {0: Curve(Q, -I), 1: Curve(Q, I), 2: Curve(Q, np.full(200, np.nan))}
    draw_waterfall(panel, curves, make_series(None, 3), np.arange(3.0))
    assert [text.get_text() for text in panel.texts] == ["1"]


def test_no_curve_to_be_shown_is_said(panel: Axes) -> None:
    draw_waterfall(panel, {0: Curve(Q, -I)}, make_series(None, 1), np.zeros(1))
    (text,) = panel.texts
    assert text.get_text() == "no curve that a logarithmic axis shows"


@pytest.mark.parametrize("count", [1, 8, 16, 17, 100, 5000])
def test_a_few_curves_are_kept_evenly_spread(count: int) -> None:
    keeper = CurveKeeper()
    most = 0
    for place in range(count):
        keeper.add(place, Curve(Q[:1], I[:1]))
        most = max(most, len(keeper.curves))
    assert most <= 16
    assert len(keeper.curves) >= min(count, 8)
    places = np.array(sorted(keeper.curves))
    assert places[0] == 0
    assert np.unique(np.diff(places)).size <= 1
    assert count - 1 - places[-1] < count / 8 + 1


def test_what_is_kept_is_said() -> None:
    keeper = CurveKeeper(1)
    assert [keeper.add(place, Curve(Q[:1], I[:1])) for place in range(5)] == [True, True, True, False, True]
    assert list(keeper.curves) == [0, 4]

"""Panels show the numbers that they were given, say what they cannot show, and take what is not a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib.text
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.records import Fit, Prediction
from pyfai_grf.report.panels import (
    ParameterBar,
    clean_panel,
    draw_bars,
    draw_chi_square,
    draw_parameter,
    draw_scatter,
    label_parameter,
    wrap_long_reason,
)
from tests.report.fits import make_fit


@pytest.fixture
def panel() -> Iterator[Axes]:
    """A panel; what a test put on it must be fit to be drawn."""
    figure = Figure(figsize=(4, 4))
    panel = figure.add_subplot()
    yield panel
    figure.draw_without_rendering()


def read_words(panel: Axes) -> list[str]:
    return [" ".join(t.get_text().split()) for t in panel.findobj(matplotlib.text.Text) if t.get_text()]


def get_line(panel: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    (line,) = [line for line in panel.lines if line.get_label() == label]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


# --- bars --------------------------------------------------------------------------------------------------------


def make_bar(name: str = "a", value: float = 4.0, half: float = 0.08, **more: Any) -> ParameterBar:
    return ParameterBar(name, value, value - half, value + half, **{"low": 1.0, "high": 9.0, **more})


@pytest.mark.parametrize(
    ("value", "half", "words"),
    [
        (4.0123, 0.08, "4.01 nm (3.93 to 4.09)"),  # a width of 0.16: hundredths
        (4.0123, 0.008, "4.012 nm (4.004 to 4.020)"),
        (4.0123, 0.8, "4.0 nm (3.2 to 4.8)"),  # a width of 1.6: tenths
        (412.3, 80.0, "412 nm (332 to 492)"),
        (4.0123, 1e-9, "4.012300000 nm (4.012299999 to 4.012300001)"),
        (4.0123, 0.0, "4.01 nm (4.01 to 4.01)"),
        (4.0123, np.nan, "4.01 nm"),
        (4.0123, np.inf, "4.01 nm"),
        (np.nan, 1.0, "no value"),
        (np.inf, 1.0, "no value"),
    ],
)
def test_digits_follow_the_width_of_the_interval(value: float, half: float, words: str, panel: Axes) -> None:
    draw_bars(panel, [make_bar(value=value, half=half)], {})
    assert words in read_words(panel)


def test_numbers_lie_where_they_belong_between_the_ends_of_the_class(panel: Axes) -> None:
    draw_bars(panel, [make_bar(value=3.0, half=1.0)], {"a": 5.0, "other": 1.0})
    whole, interval = (patch.get_extents().transformed(panel.transData.inverted()) for patch in panel.patches)
    assert (whole.x0, whole.x1) == pytest.approx((0, 1))
    assert (interval.x0, interval.x1) == pytest.approx((1 / 8, 3 / 8))
    value, truth = panel.lines
    assert np.ravel(value.get_xdata()) == pytest.approx(2 / 8)
    assert np.ravel(truth.get_xdata()) == pytest.approx(4 / 8)
    words = read_words(panel)
    assert {"a", "1 nm", "9 nm", "truth 5", "prediction (90 % interval)"} <= set(words)


@pytest.mark.parametrize(("value", "place"), [(-100.0, -0.04), (100.0, 1.04)])
def test_values_beyond_the_class_stay_on_the_panel(value: float, place: float, panel: Axes) -> None:
    draw_bars(panel, [make_bar(value=value)], {"a": value})
    for line in panel.lines:
        assert np.ravel(line.get_xdata()) == pytest.approx(place)


def test_a_long_reason_stands_below_the_panels(panel: Axes) -> None:
    draw_bars(panel, [make_bar(reason="the curve lies outside of the training data, " * 30)], {})
    assert read_words(panel)[0] == "not applicable, for the reason below"


def test_reason_is_told_and_what_it_is_about_is_hollow(panel: Axes) -> None:
    reason = "the curve lies $outside$ of the training data"
    draw_bars(panel, [make_bar(reason=reason), make_bar("porosity", 0.3, 0.1, low=0.0, high=0.5)], {"a": np.nan})
    words = read_words(panel)
    assert " ".join(words[0].split()) == f"not applicable: {reason}"
    assert "prediction (90 % interval)" not in words
    assert [line.get_markerfacecolor() for line in panel.lines] == ["white", "#1f5a94"]
    assert not any(text.startswith("truth") for text in words)


def test_no_bars_are_said_to_be_none(panel: Axes) -> None:
    draw_bars(panel, [], {"a": 4.0})
    assert read_words(panel) == ["no prediction"]


def test_bars_of_all_parameters_do_not_overlap(panel: Axes) -> None:
    draw_bars(panel, [make_bar(name, reason="r" * 500) for name in PARAMETERS], {})
    boxes = [patch.get_extents().transformed(panel.transData.inverted()) for patch in panel.patches]
    centres = [box.y0 for box in boxes if box.width == pytest.approx(1)]
    assert len(centres) == len(PARAMETERS)
    assert max(np.diff(centres)) < -0.05
    assert min(centres) >= 0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "prediction (90 % interval)"),
        ("fit", "fit (90 % interval)"),
        ("model", "model (90 % interval)"),
        ("model and fit", "fit, and the model agrees (90 % interval)"),
    ],
)
def test_whose_answer_it_is_is_said(source: str, words: str, panel: Axes) -> None:
    draw_bars(panel, [make_bar(source=source)], {})
    assert words in read_words(panel)


def find_color(panel: Axes, words: str) -> Any:
    (text,) = [t for t in panel.findobj(matplotlib.text.Text) if t.get_text() == words]
    return text.get_color()


def test_what_the_fit_found_beside_stands_below_with_its_verdict(panel: Axes) -> None:
    fit = make_fit(values={"a": 4.0, "porosity": 0.3, "spectrum_n": 8.04, "spread": 0.05}, chi2=1.034)
    draw_bars(panel, [make_bar(source="fit"), make_bar("porosity", 0.3, 0.01, low=0.1, high=0.5)], {}, fit)
    words = read_words(panel)
    assert words[-6:] == [
        "spectrum n", "8.04 (7.96 to 8.12)", "spread of a", "0.0500 (0.0495 to 0.0505)", "chi-square 1.03", "fits"
    ]  # fmt: skip
    assert find_color(panel, "fits") == find_color(panel, "8.04 (7.96 to 8.12)") == "#222222"


def test_a_fit_within_some_per_cent_and_a_spectrum_that_was_held(panel: Axes) -> None:
    draw_bars(panel, [make_bar()], {}, make_fit(spectrum="roding2022", model_error=0.0043, chi2=3.1))
    words = read_words(panel)
    assert words[-4:] == ["spectrum", "roding2022, held", "chi-square 3.1", "fits within 0.43 %"]


def test_what_a_refused_fit_found_is_grey_and_its_verdict_is_not(panel: Axes) -> None:
    fit = make_fit(values={"spectrum_n": 5.0}, chi2=1172.6, reason="no curve of this family fits")
    draw_bars(panel, [make_bar(reason=fit.reason)], {}, fit)
    assert read_words(panel)[0] == "not applicable: no curve of this family fits"
    assert find_color(panel, "spectrum n") == "#7a7a7a"
    assert find_color(panel, "chi-square 1173") == find_color(panel, "refused") == "#c8501e"


def test_texts_of_bars_and_fit_do_not_overlap(panel: Axes) -> None:
    values = {"spectrum_n": 8.0, "spread": 0.05}
    figure: Any = panel.figure
    figure.set_size_inches(4.5, 5.0)
    draw_bars(panel, [make_bar(name) for name in PARAMETERS], {"a": 4.0}, make_fit(values=values))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in panel.texts if text.get_text()]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :]), panel.texts[number].get_text()
    assert min(box.y0 for box in boxes) > panel.get_window_extent().y0


def test_the_reason_of_a_fit_is_said_once() -> None:
    fit = make_fit(reason="no curve of this family fits: chi-square 33")
    assert wrap_long_reason([make_bar()], fit=make_fit()) == []
    assert wrap_long_reason([make_bar()], fit=fit) == [f"fit refused: {fit.reason}"]
    assert wrap_long_reason([make_bar(reason=f"first; {fit.reason}")], fit=fit) == []
    both = wrap_long_reason([make_bar(reason="far from all training data, " * 30)], 400, fit)
    assert both[0].startswith("not applicable: far from")
    assert both[-1] == f"fit refused: {fit.reason}"


# --- a series ----------------------------------------------------------------------------------------------------


def make_series(value: np.ndarray, applies: np.ndarray) -> Prediction:
    reasons = tuple("" if flag else "why" for flag in applies)
    return Prediction({"a": value}, {"a": value - 0.5}, {"a": value + 0.5}, applies, reasons)


def test_series_shows_values_gaps_and_what_does_not_apply(panel: Axes) -> None:
    x = np.arange(6.0) * 10
    value = np.array([1.0, 2.0, 3.0, np.nan, 5.0, np.nan])
    draw_parameter(panel, x, "a", make_series(value, np.array([True, True, False, True, True, False])))
    np.testing.assert_array_equal(get_line(panel, "prediction"), [x, [1, 2, np.nan, np.nan, 5, np.nan]])
    np.testing.assert_array_equal(get_line(panel, "not applicable"), [[20], [3]])
    np.testing.assert_array_equal(get_line(panel, "no value")[0], [30, 50])
    band, sticks = panel.collections
    assert len(band.get_paths()) >= 1
    segments = np.array(sticks.get_segments())  # type: ignore[attr-defined]
    np.testing.assert_array_equal(segments[:, 0], [[0, 0.5], [10, 1.5], [40, 4.5]])
    np.testing.assert_array_equal(segments[:, 1], [[0, 1.5], [10, 2.5], [40, 5.5]])


@pytest.mark.parametrize("applies", [True, False])
@pytest.mark.parametrize("value", [[2.0], [np.nan, np.nan], np.linspace(1, 2, 300)])
def test_series_without_gaps_name_none(value: Any, applies: bool, panel: Axes) -> None:
    value = np.asarray(value)
    draw_parameter(panel, np.arange(value.size), "a", make_series(value, np.full(value.size, applies)))
    labels = {str(line.get_label()) for line in panel.lines}
    has_values = bool(np.isfinite(value).any())
    assert ("not applicable" in labels) == (has_values and not applies)
    assert ("no value" in labels) == (not has_values)


@pytest.mark.parametrize(("far", "marker"), [(60.0, "^"), (-50.0, "v")])
def test_a_refused_value_far_off_does_not_set_the_axis(far: float, marker: str, panel: Axes) -> None:
    value = np.array([3.0, 3.1, far, 3.2, 3.3])
    draw_parameter(panel, np.arange(5.0), "a", make_series(value, np.array([True, True, False, True, False])))
    # the intervals reach from 2.5 to 3.7, and as far beyond on either side
    assert panel.get_ylim() == pytest.approx((1.3, 4.9))
    (arrow,) = [line for line in panel.lines if line.get_label() == "not applicable, off the axis"]
    assert np.asarray(arrow.get_xdata()).tolist() == [2]
    assert arrow.get_marker() == marker


def test_all_refused_values_are_hollow_and_name_no_interval(panel: Axes) -> None:
    draw_parameter(panel, np.arange(3.0), "a", make_series(np.array([3.0, 60.0, 4.0]), np.zeros(3, dtype=bool)))
    assert get_line(panel, "not applicable")[1].tolist() == [3, 60, 4]
    assert not {"prediction", "90 % interval"} & set(panel.get_legend_handles_labels()[1])


def test_chi_square_is_drawn_over_the_frames(panel: Axes) -> None:
    x = np.arange(5.0) + 100
    fits: list[Fit | None] = [make_fit(chi2=1.1), make_fit(chi2=42.0, reason="no"), None, make_fit(chi2=0.9), None]
    applies = np.array([True, False, True, False, True])
    series = make_series(np.full(5, 3.0), applies)
    draw_chi_square(panel, x, Prediction(**{**vars(series), "fit": tuple(fits)}))
    assert panel.get_yscale() == "log"
    level, line, *_ = panel.lines
    assert set(np.ravel(level.get_ydata())) == {1}
    np.testing.assert_array_equal(line.get_ydata(), [1.1, np.nan, np.nan, np.nan, np.nan])
    # a fit that stands is hollow where its curve is refused for another reason
    np.testing.assert_array_equal(get_line(panel, "not applicable"), [[101, 103], [42, 0.9]])
    assert get_line(panel, "no value")[0].tolist() == [102, 104]
    low, high = panel.get_ylim()
    assert low < 0.9
    assert high > 42


@pytest.mark.parametrize("chi2", [[np.nan], [np.inf, 0.0], [1e9, 1e-9], [1.0]])
def test_chi_square_of_any_size(chi2: list[float], panel: Axes) -> None:
    series = make_series(np.full(len(chi2), 3.0), np.ones(len(chi2), dtype=bool))
    fits = tuple(make_fit(chi2=value) for value in chi2)
    draw_chi_square(panel, np.arange(float(len(chi2))), Prediction(**{**vars(series), "fit": fits}))
    assert all(np.isfinite(panel.get_ylim()))


# --- predicted over true -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1.0, 2.0, 4.0], [1.5, 0.5, 7.0]),
        ([2.0], [2.0]),
        ([], []),
        (np.linspace(1, 2, 1000), np.linspace(1, 2, 1000)),
        ([-1e-12, 0.0], [0.0, 1e-12]),
    ],
)
def test_scatter_has_equal_axes_and_the_diagonal(x: Any, y: Any, panel: Axes) -> None:
    x, y = np.asarray(x, float), np.asarray(y, float)
    draw_scatter(panel, x, y, "porosity")
    assert panel.get_xlim() == panel.get_ylim()
    low, high = panel.get_xlim()
    for values in (x, y):
        assert np.all((values > low) & (values < high))
    (diagonal,) = panel.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_array_equal(diagonal.get_xdata(), [low, high])
    offsets = np.asarray(panel.collections[0].get_offsets())
    np.testing.assert_array_equal(offsets.reshape(-1, 2), np.stack([x, y], axis=1))
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("true porosity", "predicted porosity")


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_has_a_label_with_its_unit(name: str) -> None:
    label = label_parameter(name)
    unit = PARAMETERS[name].unit
    assert "_" not in label
    assert label.endswith(f" ({unit})") == bool(unit)


def test_clean_panel_keeps_the_lines_with_a_scale(panel: Axes) -> None:
    clean_panel(panel)
    assert {side: panel.spines[side].get_visible() for side in ("left", "bottom", "top", "right")} == {
        "left": True, "bottom": True, "top": False, "right": False
    }  # fmt: skip

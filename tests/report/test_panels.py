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
from pyfai_grf.core.records import Curve, Prediction
from pyfai_grf.report.panels import (
    ParameterBar,
    clean_panel,
    draw_bars,
    draw_curve,
    draw_parameter,
    draw_scatter,
    label_parameter,
)

Q = np.linspace(0.04, 3.0, 200)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741


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


# --- a curve -----------------------------------------------------------------------------------------------------


def test_curve_is_drawn_as_it_is_on_logarithmic_axes(panel: Axes) -> None:
    draw_curve(panel, Curve(Q, I, metadata={"intensity_unit": "1/cm"}), (0.1, 2.0))
    np.testing.assert_array_equal(get_line(panel, "curve"), [Q, I])
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
    assert panel.get_ylabel() == "$I$ (1/cm)"
    (span,) = [patch for patch in panel.patches if patch.get_label() == "q range of the model"]
    low, high = span.get_extents().transformed(panel.transData.inverted()).intervalx
    assert (low, high) == pytest.approx((0.1, 2.0))
    assert not any("not shown" in text for text in read_words(panel))


def test_band_of_sigma_stays_above_zero(panel: Axes) -> None:
    sigma = np.where(Q > 1, 5 * I, 0.1 * I)
    sigma[3] = np.nan
    draw_curve(panel, Curve(Q, I, sigma), None)
    (band,) = panel.collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    assert corners[:, 1].min() > 0
    assert corners[:, 1].max() == pytest.approx((1.1 * I).max())
    assert "q range of the model" not in read_words(panel)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"intensity": (-1.0, 0.0)}, "2 of 200 points ≤ 0, not shown"),
        ({"intensity": (np.nan, -1.0)}, "2 of 200 points ≤ 0 or not finite, not shown"),
        ({"intensity": (np.inf, np.inf)}, "2 of 200 points ≤ 0 or not finite, not shown"),
        ({"q_nm1": (-0.1, 0.0)}, "2 of 200 points ≤ 0, not shown"),
    ],
)
def test_points_that_logarithms_cannot_show_are_counted(change: dict[str, Any], words: str, panel: Axes) -> None:
    columns = {"q_nm1": Q.copy(), "intensity": I.copy()}
    for name, values in change.items():
        columns[name][:2] = values
    draw_curve(panel, Curve(columns["q_nm1"], columns["intensity"], 0.1 * I), None)
    np.testing.assert_array_equal(get_line(panel, "curve"), [Q[2:], I[2:]])
    assert words in read_words(panel)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_curve_of_which_nothing_can_be_shown(value: float, panel: Axes) -> None:
    draw_curve(panel, Curve(Q, np.full(200, value), np.ones(200)), (0.1, 2.0))
    assert any(text.startswith("200 of 200 points") for text in read_words(panel))


@pytest.mark.parametrize("curve", [Curve(Q[:1], I[:1]), Curve(np.zeros(0), np.zeros(0)), Curve(Q, np.full(200, 7.0))])
def test_short_and_flat_curves(curve: Curve, panel: Axes) -> None:
    draw_curve(panel, curve, None)
    np.testing.assert_array_equal(get_line(panel, "curve"), [curve.q_nm1, curve.intensity])


@pytest.mark.parametrize("unit", ["$/cm$^", r"\frac{", "1/cm_{", "µ"])
def test_units_are_not_formulas(unit: str, panel: Axes) -> None:
    draw_curve(panel, Curve(Q, I, metadata={"intensity_unit": unit}), None)
    assert panel.get_ylabel().replace(r"\$", "$") == f"$I$ ({unit})"


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
        (4.0123, 1e-9, "4.01230 nm (4.01230 to 4.01230)"),  # five digits at most
        (4.0123, 0.0, "4.012 nm (4.012 to 4.012)"),
        (4.0123, np.nan, "4.012 nm"),
        (4.0123, np.inf, "4.012 nm"),
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

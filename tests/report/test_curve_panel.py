"""A curve is drawn as it is, its fit with all parts, and what the fit leaves out can be told from what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib.text
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyfai_grf.core.records import Curve
from pyfai_grf.report.curve_panel import draw_curve, draw_fit, draw_points, find_left_out, find_shown
from tests.report.fits import I, Q, make_fit

BLUE, ORANGE, INK, PALE_GREY = "#1f5a94", "#c8501e", "#222222", "#a8a8a8"


@pytest.fixture
def panel() -> Iterator[Axes]:
    """A panel; what a test put on it must be fit to be drawn."""
    figure = Figure(figsize=(4, 4))
    panel = figure.add_subplot()
    yield panel
    figure.draw_without_rendering()


def read_words(panel: Axes) -> list[str]:
    return [" ".join(t.get_text().split()) for t in panel.findobj(matplotlib.text.Text) if t.get_text()]


def find_line(panel: Axes, label: str) -> Any:
    (line,) = [line for line in panel.lines if str(line.get_label()).startswith(label)]
    return line


def get_line(panel: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    line = find_line(panel, label)
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def get_span(panel: Axes, label: str) -> tuple[float, float]:
    (span,) = [patch for patch in panel.patches if patch.get_label() == label]
    low, high = span.get_extents().transformed(panel.transData.inverted()).intervalx
    return low, high


# --- a curve alone ----------------------------------------------------------------------------------------------------


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


def test_points_above_zero_by_noise_alone_do_not_stretch_the_axis(panel: Axes) -> None:
    intensity = I.copy()
    intensity[-3:] = [1e-9, -1.0, np.nan]
    draw_curve(panel, Curve(Q, intensity), None)
    assert "3 of 200 points ≤ 0 or far below the others or not finite, not shown" in read_words(panel)
    assert panel.get_ylim()[0] > 0.4 * I[-4]
    np.testing.assert_array_equal(find_shown(Curve(Q, intensity)), np.arange(200) < 197)


# --- with its fit -----------------------------------------------------------------------------------------------------


def test_fit_is_drawn_with_all_its_parts(panel: Axes) -> None:
    upturn = 200.0 * (Q / Q[0]) ** -3.5
    fit = make_fit(background=0.5, upturn=upturn)
    draw_curve(panel, Curve(Q, fit.curve, 0.01 * fit.curve), (0.1, 2.0), fit)
    np.testing.assert_array_equal(get_line(panel, "data"), [Q, fit.curve])
    np.testing.assert_array_equal(get_line(panel, "fit"), [Q, fit.curve])
    np.testing.assert_allclose(get_line(panel, "material")[1], I, rtol=1e-12)
    assert set(get_line(panel, "background $0.5$")[1]) == {0.5}
    np.testing.assert_array_equal(get_line(panel, "upturn $q^{-3.5}$")[1], upturn)
    assert find_line(panel, "fit").get_color() == INK
    assert panel.get_ylim()[0] < 0.5  # below the last point, but in sight
    dashes = {find_line(panel, name).get_linestyle() for name in ("material", "background", "upturn")}
    assert dashes == {"--"}
    assert "q range of the model" in read_words(panel)
    assert not any("fitted" in text or "left out" in text for text in read_words(panel))


def test_parts_that_are_not_there_have_no_line(panel: Axes) -> None:
    draw_curve(panel, Curve(Q, I), None, make_fit())
    assert panel.get_legend_handles_labels()[1] == ["data", "fit"]


def test_a_background_below_zero_is_named_and_has_no_line(panel: Axes) -> None:
    draw_curve(panel, Curve(Q, I), None, make_fit(background=-0.02))
    assert np.isnan(get_line(panel, "background $-0.02$")[1]).all()
    assert panel.get_ylim()[0] == pytest.approx(0.5 * I.min())


def test_a_background_far_below_the_points_does_not_stretch_the_axis(panel: Axes) -> None:
    draw_curve(panel, Curve(Q, I), None, make_fit(background=1.2e-4))
    assert r"background $1.2 \cdot 10^{-4}$" in read_words(panel)
    assert panel.get_ylim()[0] == pytest.approx(0.5 * I.min())


def test_a_refused_fit_is_orange_and_says_so(panel: Axes) -> None:
    draw_curve(panel, Curve(Q, 2 * I, I), None, make_fit(reason="no curve fits"))
    assert find_line(panel, "fit, refused").get_color() == ORANGE
    assert "fit, refused" in read_words(panel)


def test_what_was_not_fitted_is_grey_and_ranges_in_between_are_shaded(panel: Axes) -> None:
    residual = np.zeros(200)
    out = (Q < 0.2) | (Q > 2.5) | ((Q > 1.4) & (Q < 1.6))
    residual[out] = np.nan
    fit = make_fit(residual=residual, background=1.0)
    curve = Curve(Q, fit.curve, 0.1 * fit.curve)
    draw_curve(panel, curve, None, fit)
    np.testing.assert_array_equal(get_line(panel, "data")[0], Q[~out])
    np.testing.assert_array_equal(get_line(panel, "not fitted")[0], Q[out])
    assert (find_line(panel, "data").get_color(), find_line(panel, "not fitted").get_color()) == (BLUE, PALE_GREY)
    # from half a step before the first point that was left out to half a step behind the last
    step = Q[1] - Q[0]
    low, high = get_span(panel, "left out of the fit")
    assert low == pytest.approx(Q[(Q > 1.4)][0] - step / 2)
    assert high == pytest.approx(Q[(Q < 1.6)][-1] + step / 2)
    # the line goes from the first to the last fitted point, a dotted one on
    inside = (Q >= 0.2) & (Q <= 2.5)
    np.testing.assert_array_equal(np.isfinite(get_line(panel, "fit")[1]), inside)
    (dotted,) = [line for line in panel.lines if line.get_linestyle() == ":"]
    shown = np.isfinite(np.asarray(dotted.get_ydata()))
    np.testing.assert_array_equal(shown[~inside], True)
    assert shown.sum() == np.count_nonzero(~inside) + 2
    np.testing.assert_array_equal(get_line(panel, "material")[0], Q[inside])


def test_several_ranges_are_named_once(panel: Axes) -> None:
    residual = np.where((np.abs(Q - 1) < 0.1) | (np.abs(Q - 2) < 0.1), np.nan, 0.0)
    residual[20] = np.nan  # a single point is a point, not a range
    fit = make_fit(residual=residual)
    curve = Curve(Q, I)
    draw_curve(panel, curve, None, fit)
    assert len(find_left_out(curve, fit)) == len(panel.patches) == 2
    assert panel.get_legend_handles_labels()[1].count("left out of the fit") == 1


def test_points_that_were_masked_are_not_a_range_that_was_left_out() -> None:
    masked = (Q > 1) & (Q < 1.3)
    curve = Curve(Q, np.where(masked, np.nan, I))
    assert find_left_out(curve, make_fit(residual=np.where(masked, np.nan, 0.0))) == []


@pytest.mark.parametrize(("count", "is_band"), [(40, False), (500, True)])
def test_few_points_have_bars_and_many_a_band(count: int, is_band: bool, panel: Axes) -> None:
    q = np.geomspace(0.05, 2.5, count)
    fit = make_fit(q)
    sigma = np.where(q > 2, 3 * fit.curve, 0.1 * fit.curve)
    draw_points(panel, Curve(q, fit.curve, sigma), fit)
    (errors,) = panel.collections
    ends = np.concatenate([path.vertices for path in errors.get_paths()])[:, 1]
    assert ends.min() > 0  # a bar that reaches 0 has no place on a logarithmic axis
    assert ends.max() == pytest.approx(1.1 * fit.curve[0])
    assert (len(errors.get_paths()) == 1) == is_band
    assert find_line(panel, "data").get_marker() == "o"


def test_a_band_has_gaps_where_points_were_not_fitted(panel: Axes) -> None:
    q = np.linspace(0.04, 3, 300)
    fit = make_fit(q, residual=np.where((q > 1) & (q < 2), np.nan, 0.0))
    panel.set(xscale="log", yscale="log")
    draw_points(panel, Curve(q, fit.curve, 0.01 * fit.curve), fit)
    fitted, _ = panel.collections
    assert len(fitted.get_paths()) == 2
    for path in fitted.get_paths():
        x = np.asarray(path.vertices)[:, 0]
        assert x.max() < 1 or x.min() > 2


def test_points_of_another_grid_are_told_by_the_range_that_was_fitted(panel: Axes) -> None:
    q = np.linspace(0.5, 2.0, 77)
    draw_curve(panel, Curve(Q, I), None, make_fit(q))
    np.testing.assert_array_equal(get_line(panel, "data")[0], Q[(Q >= 0.5) & (Q <= 2)])


def test_everything_is_shifted_by_the_factor(panel: Axes) -> None:
    fit = make_fit()
    draw_points(panel, Curve(Q, I, 0.1 * I), fit, 1e3)
    draw_fit(panel, fit, 1e3)
    for name in ("data", "fit"):
        np.testing.assert_allclose(get_line(panel, name)[1], 1e3 * I)


def test_negative_and_unknown_points_of_a_fitted_curve_are_counted(panel: Axes) -> None:
    intensity, q = I.copy(), Q.copy()
    intensity[-4:-1], intensity[-1], q[0] = -1.0, np.nan, -0.1
    fit = make_fit(q, material=np.where(np.isfinite(intensity), I, np.nan), residual=np.where(q > 0.1, 0.0, np.nan))
    draw_curve(panel, Curve(q, intensity, 0.1 * I), None, fit, legend=panel.figure.add_subplot())
    assert "5 of 200 points ≤ 0 or not finite, not shown" in read_words(panel)


def test_a_legend_of_its_own_leaves_the_panel_free(panel: Axes) -> None:
    other = panel.figure.add_subplot()
    draw_curve(panel, Curve(Q, I, 0.1 * I), None, make_fit(background=1.0), legend=other)
    assert panel.get_legend() is None
    assert read_words(other) == [r"data $\pm\sigma$", "fit", "material", "background $1$"]
    assert not other.axison


@pytest.mark.parametrize("residual", [np.nan, 0.0])
@pytest.mark.parametrize("value", [np.nan, -1.0, 0.0])
def test_a_fit_of_which_nothing_can_be_shown(value: float, residual: float, panel: Axes) -> None:
    fit = make_fit(material=value, upturn=value, background=value, residual=np.full(200, residual))
    draw_curve(panel, Curve(Q, np.full(200, -1.0), np.ones(200)), None, fit)
    assert any(text.startswith("200 of 200 points") for text in read_words(panel))


def test_a_fit_without_any_point(panel: Axes) -> None:
    draw_curve(panel, Curve(Q, I), None, make_fit(np.zeros(0)))
    assert get_line(panel, "not fitted")[0].size == 200

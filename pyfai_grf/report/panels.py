"""The panels that pictures are put together from: a prediction, a parameter of a series, a scatter."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.parameters import PARAMETERS, get_unit, name_parameter
from pyfai_grf.core.records import Fit, Prediction
from pyfai_grf.core.rounding import format_chi_square, format_value

#: letters a line, and lines, that the panel of the bars has for a reason
_PANEL_COLUMNS, _PANEL_LINES = 48, 6
#: height of a small line of that panel
_LINE = 0.052
#: no picture says more of a reason; the results file keeps the whole
_MOST_LINES, _CONTINUED = 16, " ... (the rest stands in the results file, sasprocess/reason)"
BLUE, ORANGE, GREY, PALE, INK = "#1f5a94", "#c8501e", "#7a7a7a", "#e4e4e4", "#222222"
#: of an axis that is cut, in parts of the published range
_LEAST_SPAN = 0.1
#: whose answer it is, as the panel of the bars says it
_ANSWERS = {"model and fit": "fit, and the model agrees", "fit": "fit", "model": "model", "": "prediction"}


@dataclass(frozen=True)
class ParameterBar:
    """One parameter of one prediction, as a picture shows it.

    Attributes
    ----------
    name : key of the parameter table.
    value, lower, upper : the prediction and its 90 % interval; NaN where there is none.
    low, high : the range of the material class.
    reason : why the model does not apply to the curve; "" where it does.
    source : whose answer it is, see ``core.records.PredictionRow``.
    """

    name: str
    value: float
    lower: float
    upper: float
    low: float
    high: float
    reason: str = ""
    source: str = ""


def draw_bars(panel: Axes, bars: Sequence[ParameterBar], truth: Mapping[str, float], fit: Fit | None = None) -> None:
    """Draw one bar a parameter, from the low to the high end of its class, with the value in words above it.

    What the fit found beside, its chi-square and its verdict stand below, in smaller lines.
    """
    panel.set_axis_off()
    panel.set(xlim=(-0.08, 1.06), ylim=(0, 1))
    top = _draw_head(panel, bars)
    lines = _describe_fit(bars, fit) if fit is not None else []
    step = min(0.31, (top - _LINE * len(lines)) / max(len(bars), 1))
    for number, row in enumerate(bars):
        _draw_row(panel, row, (top - number * step, step), truth.get(row.name))
    bottom = top - step * len(bars)
    for number, (name, text, color) in enumerate(lines):
        place: dict[str, Any] = {
            "y": bottom - number * _LINE,
            "va": "top",
            "fontsize": 8.5,
            "color": color,
            "parse_math": False,
        }
        panel.text(0, s=name, **place)
        panel.text(1, s=text, ha="right", **place)


def _draw_head(panel: Axes, bars: Sequence[ParameterBar]) -> float:
    """Say whose answer it is, or why there is none; return where the rest may begin."""
    reason, source = next(
        ((row.reason, row.source) for row in bars if row.reason), ("", bars[0].source if bars else "")
    )
    if reason or not bars:
        text = "not applicable, for the reason below" if wrap_long_reason(bars) else f"not applicable: {reason}"
        lines = textwrap.wrap(text if bars else "no prediction", _PANEL_COLUMNS)
        panel.text(0, 1, "\n".join(lines), va="top", fontsize=9, color=ORANGE, linespacing=1.3, parse_math=False)
        return 0.95 - 0.058 * len(lines)
    panel.text(1, 1, f"{_ANSWERS.get(source, source)} (90 % interval)", va="top", ha="right", fontsize=8, color=GREY)
    return 0.93


def _describe_fit(bars: Sequence[ParameterBar], fit: Fit) -> list[tuple[str, str, str]]:
    """Return (name, text, colour) of each line on a fit: what it found beside the bars, the spectrum, the verdict."""
    shown = {row.name for row in bars}
    color = INK if fit.is_applicable and not any(row.reason for row in bars) else GREY
    lines = [
        (name_parameter(name), format_value(value, fit.lower[name], fit.upper[name], get_unit(name)), color)
        for name, value in fit.values.items()
        if name not in shown and np.isfinite(value)
    ]
    if fit.spectrum != "fitted":
        lines.append(("spectrum", f"{fit.spectrum}, held", color))
    verdict = fit.verdict if fit.is_applicable else "refused"
    return [*lines, (f"chi-square {format_chi_square(fit.chi2)}", verdict, INK if fit.is_applicable else ORANGE)]


def wrap_long_reason(bars: Sequence[ParameterBar], columns: int = 120, fit: Fit | None = None) -> list[str]:
    """Return the lines, of ``columns`` letters, of a reason that is too long for the panel of the bars; [] if it fits.

    And why ``fit`` is refused, if that is another reason. One beyond all measure ends with an ellipsis and the place
    where the whole of it stands.
    """
    reason = next((f"not applicable: {row.reason}" for row in bars if row.reason), "")
    reasons = [reason] if len(textwrap.wrap(reason, _PANEL_COLUMNS)) > _PANEL_LINES else []
    if fit is not None and not fit.is_applicable and fit.reason not in reason:
        reasons.append(f"fit refused: {fit.reason}")
    wrapped = (textwrap.wrap(text, columns, max_lines=_MOST_LINES, placeholder=_CONTINUED) for text in reasons)
    return [line for lines in wrapped for line in lines]


def _draw_row(panel: Axes, row: ParameterBar, band: tuple[float, float], truth: float | None) -> None:
    """Draw one parameter into the band (top, height) of the panel."""
    unit, (top, height) = get_unit(row.name), band
    bar, thick = top - 0.5 * height, 0.045
    color = GREY if row.reason else BLUE

    def place(value: float) -> float:
        return float(np.clip((value - row.low) / (row.high - row.low), -0.04, 1.04))

    panel.text(0, top, name_parameter(row.name), fontsize=10, fontweight="bold", va="top", color=INK)
    panel.text(
        1, top, format_value(row.value, row.lower, row.upper, unit), fontsize=10, va="top", ha="right", color=color
    )
    panel.barh(bar, 1, height=thick, color=PALE, lw=0)
    if np.isfinite([row.lower, row.upper]).all():
        left, right = place(row.lower), place(row.upper)
        panel.barh(bar, max(right - left, 0.006), left=left, height=thick, color=color, alpha=0.5, lw=0)
    if np.isfinite(row.value):
        panel.plot(place(row.value), bar, "o", ms=6, color=color, mfc="white" if row.reason else color, mew=1.4)
    under = bar - 0.5 * thick
    if truth is not None and np.isfinite(truth):
        panel.plot(place(truth), under - 0.012, "^", ms=6, color=ORANGE, clip_on=False)
        panel.text(place(truth), under - 0.035, f"truth {truth:.4g}", color=ORANGE, fontsize=8, ha="center", va="top")
    for x, value, side in ((0, row.low, "left"), (1, row.high, "right")):
        panel.text(x, under - 0.012, f"{value:g} {unit}".rstrip(), fontsize=7.5, color=GREY, ha=side, va="top")


def draw_parameter(panel: Axes, x: FloatArray, name: str, prediction: Prediction) -> None:
    """Draw one parameter of a series over ``x`` with its 90 % band; hollow where the model does not apply."""
    value, lower, upper = (np.asarray(c[name], float) for c in (prediction.values, prediction.lower, prediction.upper))
    applies = np.asarray(prediction.is_applicable, dtype=bool) & np.isfinite(value)
    gap = ~applies
    low, high = (np.where(gap, np.nan, bound) for bound in (lower, upper))
    names = ("90 % interval", "prediction") if applies.any() else ("_interval", "_prediction")
    panel.fill_between(x, low, high, color=BLUE, alpha=0.22, lw=0, label=names[0])
    # a single frame between two gaps has no band: the bar shows its interval all the same
    panel.vlines(x[applies], lower[applies], upper[applies], color=BLUE, alpha=0.35, lw=1)
    size = 4 if len(x) < 150 else 2
    panel.plot(x, np.where(gap, np.nan, value), color=BLUE, lw=0.8, marker="o", ms=size, label=names[1], zorder=3)
    _mark_exceptions(panel, x, value, applies, size)
    if applies.any():
        known = np.concatenate([part[applies & np.isfinite(part)] for part in (value, lower, upper)])
        _cut_axis(panel, x, name, known, np.where(applies, np.nan, value))


def _cut_axis(panel: Axes, x: FloatArray, name: str, known: FloatArray, refused: FloatArray) -> None:
    """End the axis before ``refused`` values (N,) far from the ``known`` ones, and point to where they lie.

    A fit that failed may have ended anywhere, and must not squeeze the others into a line.
    """
    room = max(float(np.ptp(known)), _LEAST_SPAN * (PARAMETERS[name].high - PARAMETERS[name].low))
    low, high = known.min() - room, known.max() + room
    if not np.any((refused < low) | (refused > high)):
        return
    panel.set_ylim(low, high)
    for far, end, marker in ((refused < low, 0.03, "v"), (refused > high, 0.97, "^")):
        ends = np.full(np.count_nonzero(far), end)
        style: dict[str, Any] = {"ms": 5, "mfc": "white", "mec": GREY, "zorder": 3}
        if far.any():
            label = "not applicable, off the axis"
            panel.plot(x[far], ends, marker, label=label, transform=panel.get_xaxis_transform(), **style)


def _mark_exceptions(panel: Axes, x: FloatArray, value: FloatArray, applies: BoolArray, size: int) -> None:
    """Draw values that do not stand hollow, and where there is none a tick at the bottom."""
    hollow, missing = ~applies & np.isfinite(value), ~np.isfinite(value)
    if hollow.any():
        panel.plot(x[hollow], value[hollow], "o", ms=size, mfc="white", mec=GREY, label="not applicable", zorder=3)
    if missing.any():
        bottom = np.full(np.count_nonzero(missing), 0.02)
        panel.plot(x[missing], bottom, "|", color=GREY, ms=7, label="no value", transform=panel.get_xaxis_transform())


def draw_chi_square(panel: Axes, x: FloatArray, prediction: Prediction) -> None:
    """Draw the reduced chi-square of each fit of a series over ``x``; hollow where the fit or the curve is refused."""
    fits = prediction.fit or (None,) * len(x)
    chi2 = np.array([np.nan if fit is None or not fit.chi2 > 0 else fit.chi2 for fit in fits])
    applies = np.array([fit is not None and fit.is_applicable for fit in fits]) & prediction.is_applicable
    size = 4 if len(x) < 150 else 2
    panel.set_yscale("log")
    panel.axhline(1, color=GREY, lw=0.8, ls="--", zorder=1)
    panel.plot(x, np.where(applies, chi2, np.nan), color=BLUE, lw=0.8, marker="o", ms=size, zorder=3)
    _mark_exceptions(panel, x, chi2, applies, size)
    known = chi2[np.isfinite(chi2)]
    # a decade at least, with the line at 1 in it
    low, high = (known.min(), known.max()) if known.size else (1.0, 1.0)
    panel.set_ylim(min(0.4, 0.6 * low), max(4.0, 1.7 * high))
    panel.set_ylabel("chi-square")
    is_short = panel.get_ylim()[1] < 100 * panel.get_ylim()[0]
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if is_short else (1,)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def draw_scatter(panel: Axes, x: FloatArray, y: FloatArray, name: str) -> None:
    """Draw predicted ``y`` over true ``x`` on equal axes, with the diagonal."""
    size = 14.0 if len(x) < 300 else 3.0
    alpha = float(np.clip(60 / np.sqrt(max(len(x), 1)) / 2, 0.05, 0.8))
    panel.scatter(x, y, s=size, color=BLUE, alpha=alpha, lw=0, rasterized=True)
    both = np.concatenate([x, y]) if len(x) else np.array([0.0, 1.0])
    margin = 0.04 * (np.ptp(both) or 1.0)
    limits = (both.min() - margin, both.max() + margin)
    panel.plot(limits, limits, color=ORANGE, lw=1, zorder=3)
    panel.set_box_aspect(1)
    label = label_parameter(name)
    panel.set(xlim=limits, ylim=limits, xlabel=f"true {label}", ylabel=f"predicted {label}")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    clean_panel(panel)


def label_parameter(name: str) -> str:
    """Return the name of a parameter with its unit, for an axis."""
    unit = get_unit(name)
    return f"{name_parameter(name)} ({unit})" if unit else name_parameter(name)


def clean_panel(panel: Axes) -> None:
    """Take off the two lines of the frame that carry no scale."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8.5)

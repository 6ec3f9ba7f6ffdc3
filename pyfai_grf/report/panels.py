"""The panels that pictures are put together from: a curve, a prediction, a parameter of a series, a scatter."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, MaxNLocator, NullFormatter

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.records import Curve, Prediction

_SYMBOLS = {"a": "a", "porosity": "porosity", "layer_fraction": "layer fraction"}
#: letters a line, and lines, that the panel of the bars has for a reason
_PANEL_COLUMNS, _PANEL_LINES = 48, 6
#: no picture says more of a reason; the results file keeps the whole
_MOST_LINES, _CONTINUED = 16, " ... (the rest stands in the results file, sasprocess/reason)"
BLUE, ORANGE, GREY, PALE = "#1f5a94", "#c8501e", "#7a7a7a", "#e4e4e4"


@dataclass(frozen=True)
class ParameterBar:
    """One parameter of one prediction, as a picture shows it.

    Attributes
    ----------
    name : key of the parameter table.
    value, lower, upper : the prediction and its 90 % interval; NaN where there is none.
    low, high : the range of the material class.
    reason : why the model does not apply to the curve; "" where it does.
    """

    name: str
    value: float
    lower: float
    upper: float
    low: float
    high: float
    reason: str = ""


def draw_curve(panel: Axes, curve: Curve, q_range_nm1: tuple[float, float] | None) -> None:
    """Draw I(q) on logarithmic axes; what has no place there is counted in words."""
    is_known = np.isfinite(curve.q_nm1) & np.isfinite(curve.intensity)
    shown = is_known & (curve.q_nm1 > 0) & (curve.intensity > 0)
    q, intensity = curve.q_nm1[shown], curve.intensity[shown]
    unit = str(curve.metadata.get("intensity_unit", "arbitrary units")).replace("$", r"\$")
    panel.set(xscale="log", yscale="log", xlabel=r"$q$ (nm$^{-1}$)", ylabel=f"$I$ ({unit})")
    if q_range_nm1 is not None:
        panel.axvspan(*q_range_nm1, color=BLUE, alpha=0.09, lw=0, label="q range of the model")
    if curve.sigma is not None:
        sigma = curve.sigma[shown]
        lower = np.maximum(intensity - sigma, intensity * 1e-2)
        panel.fill_between(q, lower, intensity + sigma, color=BLUE, alpha=0.3, lw=0, label=r"$\pm\sigma$")
    panel.plot(q, intensity, color=BLUE, lw=1.0, marker=".", ms=3 if len(q) < 400 else 1.5, label="curve")
    if len(q):
        panel.set_ylim(0.5 * intensity.min(), 2.0 * intensity.max())
    if hidden := int(np.count_nonzero(~shown)):
        why = "≤ 0" if is_known.all() else "≤ 0 or not finite"
        panel.plot([], [], " ", label=f"{hidden} of {len(shown)} points {why}, not shown")
    panel.legend(loc="best", fontsize=8, frameon=False)
    _format_log(panel)
    clean_panel(panel)


def _format_log(panel: Axes) -> None:
    """Label minor ticks too where an axis spans too little for two decades."""
    for axis, (low, high) in ((panel.xaxis, panel.get_xlim()), (panel.yaxis, panel.get_ylim())):
        is_short = high / low < 30
        axis.set_minor_formatter(LogFormatterSciNotation(minor_thresholds=(2, 0.5)) if is_short else NullFormatter())
        axis.set_tick_params(which="minor", labelsize=7)


def draw_bars(panel: Axes, bars: Sequence[ParameterBar], truth: Mapping[str, float]) -> None:
    """Draw one bar a parameter, from the low to the high end of its class, with the value in words above it."""
    panel.set_axis_off()
    panel.set(xlim=(-0.08, 1.06), ylim=(0, 1))
    reason = next((row.reason for row in bars if row.reason), "")
    top = 1.0
    if reason or not bars:
        text = "not applicable, for the reason below" if wrap_long_reason(bars) else f"not applicable: {reason}"
        lines = textwrap.wrap(text if bars else "no prediction", _PANEL_COLUMNS)
        panel.text(0, top, "\n".join(lines), va="top", fontsize=9, color=ORANGE, linespacing=1.3, parse_math=False)
        top -= 0.05 + 0.058 * len(lines)
    else:
        panel.text(1, top, "prediction (90 % interval)", va="top", ha="right", fontsize=8, color=GREY)
        top -= 0.07
    step = min(0.31, top / max(len(bars), 1))
    for number, row in enumerate(bars):
        _draw_row(panel, row, (top - number * step, step), truth.get(row.name))


def wrap_long_reason(bars: Sequence[ParameterBar], columns: int = 120) -> list[str]:
    """Return the lines, of ``columns`` letters, of a reason that is too long for the panel of the bars; [] if it fits.

    A reason beyond all measure ends with an ellipsis and the place where the whole of it stands.
    """
    reason = next((f"not applicable: {row.reason}" for row in bars if row.reason), "")
    if len(textwrap.wrap(reason, _PANEL_COLUMNS)) <= _PANEL_LINES:
        return []
    return textwrap.wrap(reason, columns, max_lines=_MOST_LINES, placeholder=_CONTINUED)


def _draw_row(panel: Axes, row: ParameterBar, band: tuple[float, float], truth: float | None) -> None:
    """Draw one parameter into the band (top, height) of the panel."""
    parameter, (top, height) = PARAMETERS[row.name], band
    bar, thick = top - 0.5 * height, 0.045
    color = GREY if row.reason else BLUE

    def place(value: float) -> float:
        return float(np.clip((value - row.low) / (row.high - row.low), -0.04, 1.04))

    panel.text(0, top, _SYMBOLS[row.name], fontsize=10, fontweight="bold", va="top", color="#222222")
    panel.text(1, top, _describe_value(row), fontsize=10, va="top", ha="right", color=color)
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
        text = f"{value:g} {parameter.unit}".rstrip()
        panel.text(x, under - 0.012, text, fontsize=7.5, color=GREY, ha=side, va="top")


def _describe_value(row: ParameterBar) -> str:
    """Return value and interval with the digits that the interval's width allows."""
    unit = PARAMETERS[row.name].unit
    if not np.isfinite(row.value):
        return "no value"
    width = row.upper - row.lower
    digits = int(np.clip(1 - np.floor(np.log10(width)), 0, 5)) if np.isfinite(width) and width > 0 else 3
    text = f"{row.value:.{digits}f} {unit}".rstrip()
    return f"{text}  ({row.lower:.{digits}f} to {row.upper:.{digits}f})" if np.isfinite(width) else text


def draw_parameter(panel: Axes, x: FloatArray, name: str, prediction: Prediction) -> None:
    """Draw one parameter of a series over ``x`` with its 90 % band; hollow where the model does not apply."""
    value, lower, upper = (np.asarray(c[name], float) for c in (prediction.values, prediction.lower, prediction.upper))
    applies = np.asarray(prediction.is_applicable, dtype=bool) & np.isfinite(value)
    gap = ~applies
    low, high = (np.where(gap, np.nan, bound) for bound in (lower, upper))
    panel.fill_between(x, low, high, color=BLUE, alpha=0.22, lw=0, label="90 % interval")
    # a single frame between two gaps has no band: the bar shows its interval all the same
    panel.vlines(x[applies], lower[applies], upper[applies], color=BLUE, alpha=0.35, lw=1)
    size = 4 if len(x) < 150 else 2
    panel.plot(x, np.where(gap, np.nan, value), color=BLUE, lw=0.8, marker="o", ms=size, label="prediction", zorder=3)
    hollow = gap & np.isfinite(value)
    if hollow.any():
        panel.plot(x[hollow], value[hollow], "o", ms=size, mfc="white", mec=GREY, label="not applicable", zorder=3)
    missing = ~np.isfinite(value)
    if missing.any():
        bottom = np.full(np.count_nonzero(missing), 0.02)
        panel.plot(x[missing], bottom, "|", color=GREY, ms=7, label="no value", transform=panel.get_xaxis_transform())


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
    unit = PARAMETERS[name].unit
    return f"{_SYMBOLS[name]} ({unit})" if unit else _SYMBOLS[name]


def clean_panel(panel: Axes) -> None:
    """Take off the two lines of the frame that carry no scale."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8.5)

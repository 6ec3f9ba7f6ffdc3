"""The panel of a curve: its points, and the fit through them with its parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, NullFormatter

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.records import Curve, Fit
from pyfai_grf.report.panels import BLUE, GREY, INK, ORANGE, clean_panel

#: more points than this get a band instead of error bars
_MOST_BARS = 120
#: a point this far below the lowest twentieth is noise about zero, and would stretch the axis over decades
_FAR_BELOW = 0.1
#: a background is worth that much of the axis below the points
_BELOW = 0.04
#: of points that were not fitted
_PALE_GREY = "#a8a8a8"
_Style = tuple[str, tuple[float, ...]]
#: what a fit is the sum of: colour, dashes
_MATERIAL: _Style = ("#00876c", (4, 2))
_BACKGROUND: _Style = ("#b07a00", (1.5, 1.5))
_UPTURN: _Style = ("#a04f8f", (5, 1.5, 1, 1.5))


def draw_curve(
    panel: Axes,
    curve: Curve,
    q_range_nm1: tuple[float, float] | None = None,
    fit: Fit | None = None,
    legend: Axes | None = None,
) -> None:
    """Draw I(q) on logarithmic axes, and the fit through it; what has no place there is counted in words.

    Parameters
    ----------
    panel : the axes to draw on.
    curve : a line through its points; points alone where there is a fit, grey those that it leaves out.
    q_range_nm1 : the q range of a model in 1/nm, shaded.
    fit : drawn with its parts: the material, the flat background and the upturn.
    legend : axes that say what is what; None: the panel does, where it has room.
    """
    unit = str(curve.metadata.get("intensity_unit", "arbitrary units")).replace("$", r"\$")
    panel.set(xscale="log", yscale="log", xlabel=r"$q$ (nm$^{-1}$)", ylabel=f"$I$ ({unit})")
    if q_range_nm1 is not None:
        panel.axvspan(*q_range_nm1, color=BLUE, alpha=0.09, lw=0, label="q range of the model")
    draw_points(panel, curve, fit)
    shown = find_shown(curve)
    if shown.any():
        panel.set_ylim(0.5 * curve.intensity[shown].min(), 2.0 * curve.intensity[shown].max())
    if fit is not None:
        mark_left_out(panel, curve, fit)
        draw_fit(panel, fit)
        draw_parts(panel, fit)
    _place_legend(panel, _describe_hidden(curve, shown), legend)
    _format_log(panel)
    clean_panel(panel)


def _place_legend(panel: Axes, hidden: str, other: Axes | None) -> None:
    """Say what is drawn, and what is not: on the panel, or on ``other`` where lines may run anywhere over the panel."""
    if other is None:
        if hidden:
            panel.plot([], [], " ", label=hidden)
        panel.legend(loc="best", fontsize=8, frameon=False)
        return
    if hidden:
        low, high = panel.get_ylim()
        panel.set_ylim(low * (low / high) ** 0.08, high)  # a line of text below all that is drawn
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
        text = panel.text(0.02, 0.02, hidden, transform=panel.transAxes, fontsize=8, color=GREY, bbox=box, zorder=4)
        text.set_in_layout(False)
    other.set_axis_off()
    room: dict[str, Any] = {"columnspacing": 1.5, "handlelength": 1.8, "labelspacing": 0.3, "borderaxespad": 0.0}
    names = other.legend(
        *panel.get_legend_handles_labels(), loc="lower left", ncols=2, fontsize=8, frameon=False, **room
    )
    names.set_in_layout(False)  # it has its own axes for room


def find_shown(curve: Curve) -> BoolArray:
    """Return (Q,) which points logarithmic axes show; not those above 0 by noise alone, decades below the others."""
    shown = np.isfinite(curve.q_nm1) & np.isfinite(curve.intensity) & (curve.q_nm1 > 0) & (curve.intensity > 0)
    if shown.any():
        shown &= curve.intensity >= _FAR_BELOW * np.quantile(curve.intensity[shown], 0.05)
    return np.asarray(shown)


def _describe_hidden(curve: Curve, shown: BoolArray) -> str:
    """Return in words how many points are not shown, and why; "" where all are."""
    hidden = int(np.count_nonzero(~shown))
    is_known = np.isfinite(curve.q_nm1) & np.isfinite(curve.intensity)
    why = ["≤ 0"]
    why += ["far below the others"] * bool(np.any(is_known & ~shown & (curve.q_nm1 > 0) & (curve.intensity > 0)))
    why += ["not finite"] * (not is_known.all())
    return f"{hidden} of {len(shown)} points {' or '.join(why)}, not shown" if hidden else ""


def find_fitted(curve: Curve, fit: Fit) -> BoolArray:
    """Return (Q,) which points of ``curve`` were fitted; those in its range where the fit has other points."""
    fitted = fit.q_nm1[np.isfinite(fit.residual)]
    same = np.isin(curve.q_nm1, fitted)
    if same.any() or not fitted.size:
        return np.asarray(same)
    return np.asarray((curve.q_nm1 >= fitted.min()) & (curve.q_nm1 <= fitted.max()))


def find_left_out(curve: Curve, fit: Fit) -> list[tuple[float, float]]:
    """Return the ranges of q (1/nm) between fitted points of which the points, two or more, were left out."""
    known = np.isfinite(curve.q_nm1) & np.isfinite(curve.intensity)
    q, fitted = curve.q_nm1[known], np.flatnonzero(find_fitted(curve, fit)[known])
    gaps = np.flatnonzero(np.diff(fitted) > 2)
    first, last = fitted[gaps] + 1, fitted[gaps + 1] - 1
    # the edges of a range lie somewhere between its points and their neighbours
    return [(float((q[i - 1] + q[i]) / 2), float((q[j] + q[j + 1]) / 2)) for i, j in zip(first, last, strict=True)]


def mark_left_out(panel: Axes, curve: Curve, fit: Fit) -> None:
    """Shade the ranges between fitted points that were left out."""
    for number, (low, high) in enumerate(find_left_out(curve, fit)):
        panel.axvspan(low, high, color=GREY, alpha=0.22, lw=0, label="_" * bool(number) + "left out of the fit")


def draw_points(panel: Axes, curve: Curve, fit: Fit | None = None, factor: float = 1.0) -> None:
    """Draw the points of a curve times ``factor`` with their errors: a line through them where there is no fit."""
    shown = find_shown(curve)
    if fit is None:
        _draw_line(panel, curve, shown, factor)
        return
    fitted = find_fitted(curve, fit)
    is_band, size = shown.sum() > _MOST_BARS, choose_size(int(shown.sum()))
    for part, color, label in ((shown & fitted, BLUE, "data"), (shown & ~fitted, _PALE_GREY, "not fitted")):
        if not part.any():
            continue
        q, intensity = curve.q_nm1, np.where(part, factor * curve.intensity, np.nan)
        if curve.sigma is not None:
            lower, upper = _bound(intensity, factor * curve.sigma)
            if is_band:
                panel.fill_between(q, lower, upper, where=part, color=color, alpha=0.25, lw=0)
            else:
                panel.vlines(q[part], lower[part], upper[part], color=color, lw=0.9)
            label += r" $\pm\sigma$"
        panel.plot(q[part], intensity[part], "o", color=color, ms=size, mew=0, alpha=0.6 if is_band else 1, label=label)


def choose_size(count: int) -> float:
    """Return the size of the marks of so many points."""
    return 3.6 if count <= _MOST_BARS else 3.0 if count < 400 else 2.2


def _draw_line(panel: Axes, curve: Curve, shown: BoolArray, factor: float) -> None:
    q, intensity = curve.q_nm1[shown], factor * curve.intensity[shown]
    if curve.sigma is not None:
        lower, upper = _bound(intensity, factor * curve.sigma[shown])
        panel.fill_between(q, lower, upper, color=BLUE, alpha=0.3, lw=0, label=r"$\pm\sigma$")
    panel.plot(q, intensity, color=BLUE, lw=1.0, marker=".", ms=3 if len(q) < 400 else 1.5, label="curve")


def _bound(intensity: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the error bars; a logarithmic axis has no place for one that reaches 0."""
    return np.maximum(intensity - sigma, intensity * 1e-2), intensity + sigma


def draw_fit(panel: Axes, fit: Fit, factor: float = 1.0) -> None:
    """Draw the fitted curve times ``factor``: a line where points were fitted, dotted beyond; orange if refused."""
    curve, inside = _mask_log(fit.q_nm1, factor * fit.curve), _find_inside(fit)
    color, label = (INK, "fit") if fit.is_applicable else (ORANGE, "fit, refused")
    panel.plot(fit.q_nm1, np.where(inside, curve, np.nan), color=color, lw=1.0, label=label, zorder=3)
    # the first and the last fitted point belong to both lines
    reaches = ~inside
    reaches[1:] |= ~inside[:-1]
    reaches[:-1] |= ~inside[1:]
    if not inside.all():
        panel.plot(fit.q_nm1, np.where(reaches, curve, np.nan), color=color, lw=1.0, ls=":", zorder=3)


def _find_inside(fit: Fit) -> BoolArray:
    """Return (Q,) which points lie between the first and the last that was fitted."""
    fitted, index = np.flatnonzero(np.isfinite(fit.residual)), np.arange(fit.q_nm1.size)
    return (index >= fitted[0]) & (index <= fitted[-1]) if fitted.size else np.zeros(index.size, dtype=bool)


def draw_parts(panel: Axes, fit: Fit) -> None:
    """Draw what the fit is the sum of, each part that is not 0: the material, the background and the upturn."""
    known = _find_inside(fit) & np.isfinite(fit.q_nm1) & (fit.q_nm1 > 0) & np.isfinite(fit.curve)
    q, curve, background, upturn = (x[known] for x in (fit.q_nm1, fit.curve, fit.background, fit.upturn))
    parts = [(curve - background - upturn, "material", _MATERIAL)] if np.any(background) or np.any(upturn) else []
    if np.any(background):
        level, (low, _) = float(background[0]), panel.get_ylim()
        parts.append((background, f"background {_format_number(level)}", _BACKGROUND))
        if level > _BELOW * low:
            panel.set_ylim(bottom=min(low, 0.6 * level))
    if np.any(upturn):
        parts.append((upturn, f"upturn{_describe_power(q, upturn)}", _UPTURN))
    for values, label, (color, dashes) in parts:
        panel.plot(q, _mask_log(q, values), color=color, lw=1.0, dashes=dashes, label=label, zorder=2.5)


def _format_number(value: float) -> str:
    """Return a number with two digits, and with a power of ten where it is far from 1."""
    mantissa, power = f"{value:.1e}".split("e")
    if -3 < int(power) < 4:
        return f"${value:.2g}$" if abs(value) < 100 else f"${value:.0f}$"
    return rf"${mantissa} \cdot 10^{{{int(power)}}}$"


def _describe_power(q: FloatArray, upturn: FloatArray) -> str:
    if q.size < 2 or not upturn[[0, -1]].min() > 0:
        return ""
    power = np.log(upturn[0] / upturn[-1]) / np.log(q[-1] / q[0])
    return f" $q^{{-{power:.2g}}}$"


def _mask_log(q: FloatArray, values: FloatArray) -> FloatArray:
    """Return ``values``, NaN where a logarithmic axis has no place for them."""
    with np.errstate(invalid="ignore"):
        return np.where((q > 0) & (values > 0), values, np.nan)


def _format_log(panel: Axes) -> None:
    """Label minor ticks too where an axis spans too little for two decades."""
    for axis, (low, high) in ((panel.xaxis, panel.get_xlim()), (panel.yaxis, panel.get_ylim())):
        is_short = high / low < 30
        axis.set_minor_formatter(LogFormatterSciNotation(minor_thresholds=(2, 0.5)) if is_short else NullFormatter())
        axis.set_tick_params(which="minor", labelsize=7)

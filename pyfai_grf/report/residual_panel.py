"""A fitted curve over the panel of what the fit leaves over, in standard errors."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Curve, Fit
from pyfai_grf.report.curve_panel import choose_size, draw_curve, mark_left_out
from pyfai_grf.report.panels import BLUE, GREY, ORANGE, clean_panel

#: standard errors: where a linear axis ends, and what one point in twenty exceeds
_END, _USUAL = 5.0, 2.0
#: with more than one point in a hundred beyond that end the axis is longer, and from there on a logarithmic one
_CLIPPED, _FAR = 0.01, 20.0


def draw_fitted_curve(
    figure: Figure, place: SubplotSpec, curve: Curve, q_range_nm1: tuple[float, float] | None, fit: Fit
) -> None:
    """Draw a curve with its fit at ``place``, and the residuals below on the same q axis; what is what stands above."""
    grid = place.subgridspec(3, 1, height_ratios=[0.75, 2.9, 1.1], hspace=0.02)
    upper = figure.add_subplot(grid[1])
    lower = figure.add_subplot(grid[2], sharex=upper)
    draw_curve(upper, curve, q_range_nm1, fit, legend=figure.add_subplot(grid[0]))
    draw_residuals(lower, curve, fit)
    upper.set_xlabel("")
    upper.tick_params(axis="x", which="both", labelbottom=False)
    figure.align_ylabels([upper, lower])


def draw_residuals(panel: Axes, curve: Curve, fit: Fit) -> None:
    """Draw the residuals of ``fit`` to ``curve`` over q, lines at 0 and 2 standard errors.

    The axis ends at 5: the few that lie beyond are marks at its end, and the largest is named. Where many do, the axis
    goes as far as they do, and is logarithmic beyond 2 if that is farther than 20.
    """
    known = np.isfinite(fit.residual) & (fit.q_nm1 > 0)
    q, residual = fit.q_nm1[known], fit.residual[known]
    panel.set(xscale="log", xlabel=r"$q$ (nm$^{-1}$)", ylabel="residual\n(standard errors)")
    mark_left_out(panel, curve, fit)
    panel.axhline(0, color=GREY, lw=0.8)
    for line in (-_USUAL, _USUAL):
        panel.axhline(line, color=GREY, lw=0.7, ls=(0, (4, 3)))
    clean_panel(panel)
    beyond = np.abs(residual) > _END
    is_clipped = np.count_nonzero(beyond) <= _CLIPPED * q.size
    shown = ~beyond | (not is_clipped)
    panel.plot(q[shown], residual[shown], "o", color=BLUE, ms=choose_size(q.size), mew=0, alpha=0.75, label="residual")
    worst = float(np.abs(residual).max(initial=0.0))
    if is_clipped:
        panel.set_ylim(-1.1 * _END, 1.1 * _END)
        panel.yaxis.set_major_locator(FixedLocator([-4, -2, 0, 2, 4]))
        _mark_beyond(panel, q[beyond], residual[beyond])
    elif worst <= _FAR:
        panel.set_ylim(-1.15 * worst, 1.15 * worst)
        panel.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    else:
        _stretch(panel, worst)
    if beyond.any() and (is_clipped or worst > _FAR):
        _name_largest(panel, q, residual)


def _mark_beyond(panel: Axes, q: FloatArray, residual: FloatArray) -> None:
    for sign, marker in ((1, "^"), (-1, "v")):
        part = np.sign(residual) == sign
        if part.any():
            panel.plot(q[part], np.full(part.sum(), sign * _END), marker, color=ORANGE, ms=4.5, mew=0, label="_beyond")


def _name_largest(panel: Axes, q: FloatArray, residual: FloatArray) -> None:
    worst = int(np.argmax(np.abs(residual)))
    words = f"largest: {residual[worst]:.3g} at {q[worst]:.3g} nm$^{{-1}}$".replace("largest: -", "largest: −")
    panel.text(1, 1.0, words, transform=panel.transAxes, ha="right", va="bottom", fontsize=8, color=ORANGE)


def _stretch(panel: Axes, worst: float) -> None:
    """Make the axis a logarithmic one beyond 2, with a few labels up to ``worst``."""
    panel.set_yscale("symlog", linthresh=_USUAL, linscale=0.7)
    end = 1.6 * worst
    panel.set_ylim(-end, end)
    decades = int(np.log10(worst))
    step = 1 if decades <= 2 else 2 if decades <= 4 else 3
    marks = [10.0**power for power in range(step, decades + 1, step)]
    inner = [_USUAL] if decades <= 2 else []
    ticks = [-mark for mark in reversed(marks)] + [-mark for mark in inner] + [0.0] + inner + marks
    panel.yaxis.set_major_locator(FixedLocator(ticks))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(_format_tick))


def _format_tick(value: float, position: int | None = None) -> str:
    size = abs(value)
    text = f"{size:.0f}" if size < 1e4 else f"$10^{{{np.log10(size):.0f}}}$"
    return f"−{text}" if value < 0 else text

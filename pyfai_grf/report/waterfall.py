"""Some curves of a series, one above the other, each with its fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Curve, Fit, Prediction
from pyfai_grf.report.curve_panel import draw_fit, draw_points, find_shown
from pyfai_grf.report.panels import INK, ORANGE, clean_panel

#: curves of which each can still be told from its neighbours
_MOST = 8
#: smallest distance of two labels, in parts of the panel
_LABEL_STEP = 0.045
#: what belongs to the end of a curve, in parts of its last q
_NEAR_END = 0.96


class CurveKeeper:
    """Keeps a few curves, evenly spread, of a series of which nobody knows yet how long it gets.

    Attributes
    ----------
    curves : place in the series -> curve; ``most`` to twice as many of a long series, all of a short one.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._step = most, 1
        self.curves: dict[int, Curve] = {}

    def add(self, place: int, curve: Curve) -> bool:
        """Keep ``curve`` if its ``place`` is among those to be kept, drop others if they are too many by then."""
        if place % self._step:
            return False
        self.curves[place] = curve
        if len(self.curves) > 2 * self._most:
            self._step *= 2
            self.curves = {kept: curve for kept, curve in self.curves.items() if kept % self._step == 0}
        return place in self.curves


def draw_waterfall(panel: Axes, curves: Mapping[int, Curve], prediction: Prediction, x: FloatArray) -> None:
    """Draw at most 8 of ``curves`` (place in the series -> curve), each some decades above the one before.

    ``x`` (N,) names the frames. A fit is drawn where ``prediction`` has one, in orange if it is refused.
    """
    places = sorted(place for place, curve in curves.items() if find_shown(curve).any())
    places = [
        places[i] for i in np.unique(np.linspace(0, len(places) - 1, min(len(places), _MOST)).round().astype(int))
    ]
    panel.set(xscale="log", yscale="log", xlabel=r"$q$ (nm$^{-1}$)")
    panel.set_ylabel("$I$, shifted by decades")
    shifts = _choose_shifts([curves[place] for place in places])
    ends = []
    for place, shift in zip(places, shifts, strict=True):
        fit = None if prediction.fit is None else prediction.fit[place]
        ends.append(_draw_one(panel, curves[place], fit, 10.0**shift))
    panel.tick_params(axis="y", which="both", left=False, labelleft=False)
    clean_panel(panel)
    if places:
        _label_frames(panel, places, shifts, ends, prediction, x)
    else:
        panel.text(
            0.5, 0.5, "no curve that a logarithmic axis shows", transform=panel.transAxes, ha="center", fontsize=9
        )


def _choose_shifts(curves: Sequence[Curve]) -> list[int]:
    """Return the decades by which curves are shifted: each about one above the one before."""
    shifts: list[int] = []
    last = 0.0
    for curve in curves:
        level = float(np.median(np.log10(curve.intensity[find_shown(curve)])))
        shifts.append(int(np.round(last + 1 - level)) if shifts else 0)
        last = level + shifts[-1]
    return shifts


def _draw_one(panel: Axes, curve: Curve, fit: Fit | None, factor: float) -> float:
    """Draw one curve, and return the intensity at its end, as it is drawn."""
    is_kept = fit is not None and fit.q_nm1.size > 0  # of other frames the numbers alone may be kept
    draw_points(panel, curve, fit if is_kept else None, factor)
    if fit is not None and is_kept:
        draw_fit(panel, fit, factor)
    shown = find_shown(curve)
    shown &= curve.q_nm1 >= _NEAR_END * curve.q_nm1[shown].max()
    return factor * float(np.median(curve.intensity[shown]))


def _label_frames(
    panel: Axes,
    places: Sequence[int],
    shifts: Sequence[int],
    ends: Sequence[float],
    prediction: Prediction,
    x: FloatArray,
) -> None:
    """Name each curve at its end by frame and factor, in orange where it is refused; no name lies over another."""
    low, high = np.log10(panel.get_ylim())
    height = -np.inf
    for end, place, shift in sorted(zip(ends, places, shifts, strict=True)):
        height = max((np.log10(end) - low) / (high - low), height + _LABEL_STEP)
        text = f"{x[place]:g}" + (rf"  $\times 10^{{{shift}}}$" if shift else "")
        color = INK if prediction.is_applicable[place] else ORANGE
        panel.text(1.01, height, text, transform=panel.transAxes, va="center", fontsize=8, color=color)
    panel.set_title(
        "some curves, by frame" + "; orange: not applicable" * (not prediction.is_applicable[list(places)].all()),
        fontsize=9,
    )

"""Pictures for the logbook and the paper: one analysed curve, a series, the test of a model.

Drawn with ``matplotlib.figure.Figure`` and never with pyplot: no window, no global state, fit for a server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.atomic import replace_file
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.metrics import compute_mape, compute_mse
from pyfai_grf.core.parameters import PARAMETERS, get_material
from pyfai_grf.core.records import Curve, Fit, Prediction, PredictionRow
from pyfai_grf.report.curve_panel import draw_curve
from pyfai_grf.report.image_panel import draw_frame
from pyfai_grf.report.panels import (
    ORANGE,
    ParameterBar,
    clean_panel,
    draw_bars,
    draw_chi_square,
    draw_parameter,
    draw_scatter,
    label_parameter,
    wrap_long_reason,
)
from pyfai_grf.report.residual_panel import draw_fitted_curve
from pyfai_grf.report.waterfall import draw_waterfall

_DPI = 160
#: of the text under a picture
_LETTERS_PER_INCH, _LINE_INCHES, _REASON_PAD = 15.0, 0.16, 0.08


def make_bars(material: str, said: Prediction | PredictionRow | Fit, index: int = 0) -> list[ParameterBar]:
    """Return the bars that ``draw_analysis`` shows of what is said of a curve by a model of ``material``, or by a fit.

    Of a ``Prediction`` of several curves the one with that ``index``.

    Raises
    ------
    InputError
        If there is no class of that name.
    """
    kind = get_material(material)
    row = said.get_row(index) if isinstance(said, Prediction) else said
    reason = "" if row.is_applicable else row.reason or "no reason given"
    source = "fit" if isinstance(row, Fit) else row.source
    return [
        ParameterBar(
            name,
            row.values[name],
            row.lower[name],
            row.upper[name],
            *kind.get_range(name),
            reason=reason,
            source=source,
        )
        for name in kind.parameters
        if name in row.values
    ]


def draw_analysis(
    path: str | Path,
    *,
    curve: Curve,
    bars: Sequence[ParameterBar],
    q_range_nm1: tuple[float, float] | None = None,
    frame: ArrayLike | None = None,
    truth: Mapping[str, float] | None = None,
    title: str = "",
    fit: Fit | None = None,
) -> None:
    """Draw one analysed curve: detector frame, I(q) with its fit, and the prediction beside the range of its class.

    Parameters
    ----------
    path : the picture to write (.png, .pdf or .svg).
    curve : the reduced curve; q in 1/nm.
    bars : what was predicted, see ``make_bars``; may be empty.
    q_range_nm1 : the q range of the model in 1/nm, shaded.
    frame : (H, W) detector counts; masked, negative and non-finite pixels are grey. None leaves the panel out.
    truth : parameter name -> known value, marked where given.
    title : one line above the picture.
    fit : the fit to the curve, with its parts, its residuals and its verdict; None leaves them out.

    Raises
    ------
    InputError
        If the picture cannot be written.
    """
    widths = [1.15, 1.15, 1.0] if frame is not None else [1.15, 1.0]
    width, height = 4.1 * sum(widths), 4.0 if fit is None else 5.7
    reason = wrap_long_reason(bars, int(_LETTERS_PER_INCH * width), fit)
    figure = Figure(figsize=(width, height + _LINE_INCHES * len(reason)), layout="constrained")
    grid = figure.add_gridspec(1, len(widths), width_ratios=widths)
    if frame is not None:
        draw_frame(figure.add_subplot(grid[0]), frame)
    if fit is None:
        draw_curve(figure.add_subplot(grid[-2]), curve, q_range_nm1)
    else:
        draw_fitted_curve(figure, grid[-2], curve, q_range_nm1, fit)
    draw_bars(figure.add_subplot(grid[-1]), bars, truth or {}, fit)
    if reason:
        figure.set_layout_engine("constrained", h_pad=_REASON_PAD)
        figure.supxlabel("\n".join(reason), x=0.02, ha="left", fontsize=9, color=ORANGE, parse_math=False)
    if title:
        figure.suptitle(title, fontsize=11, fontweight="bold", parse_math=False)
    _save(figure, path)


def draw_series(
    path: str | Path,
    prediction: Prediction,
    *,
    frames: ArrayLike | None = None,
    truth: Mapping[str, ArrayLike] | None = None,
    title: str = "",
    curves: Mapping[int, Curve] | None = None,
) -> None:
    """Draw each parameter of a series against the frame, with its 90 % interval; chi-square below, curves beside.

    Frames to which the model does not apply are hollow; a frame without any value is a tick at the bottom.

    Parameters
    ----------
    path : the picture to write.
    prediction : N curves; chi-square is drawn where it has fits.
    frames : (N,) numbers of the frames (or times, temperatures); default 0 to N - 1.
    truth : parameter name -> known value, one or (N,).
    title : one line above the picture.
    curves : place in the series, 0 to N - 1 -> the curve there, for a few of them (``waterfall.CurveKeeper`` chooses);
        8 at most are drawn, one above the other, with their fits.

    Raises
    ------
    InputError
        If the series is empty or the picture cannot be written.
    """
    names = [name for name in PARAMETERS if name in prediction.values]
    count = len(prediction.is_applicable)
    if not names or not count:
        raise InputError("a series without a single prediction cannot be drawn")
    x = np.arange(count, dtype=float) if frames is None else np.asarray(frames, dtype=float)
    rows = len(names) + (prediction.fit is not None)
    figure = Figure(figsize=(7.2 + 4.6 * bool(curves), 0.7 + 1.9 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, 2 if curves else 1, width_ratios=[7.2, 4.6] if curves else None)
    panels = [figure.add_subplot(grid[0, 0])]
    panels += [figure.add_subplot(grid[row, 0], sharex=panels[0]) for row in range(1, rows)]
    for panel, name in zip(panels, names, strict=False):
        draw_parameter(panel, x, name, prediction)
        if truth and name in truth:
            known = np.broadcast_to(np.asarray(truth[name], dtype=float), x.shape)
            panel.plot(x, known, color=ORANGE, lw=1.2, ls="--", label="truth", zorder=2)
        panel.set_ylabel(label_parameter(name))
    if prediction.fit is not None:
        draw_chi_square(panels[-1], x, prediction)
    for panel in panels:
        clean_panel(panel)
        panel.tick_params(labelbottom=panel is panels[-1])
    _label_series(panels, is_index=frames is None or bool(np.all(x == np.round(x))))
    panels[-1].set_xlabel("frame")
    figure.align_ylabels(panels)
    if curves:
        draw_waterfall(figure.add_subplot(grid[:, 1]), curves, prediction, x)
    if title:
        figure.suptitle(title, fontsize=11, fontweight="bold", parse_math=False)
    _save(figure, path)


def draw_evaluation(
    path: str | Path,
    truth: Mapping[str, ArrayLike],
    predicted: Mapping[str, ArrayLike],
    *,
    reference: Mapping[str, tuple[float, float]] | None = None,
    title: str = "",
) -> None:
    """Draw predicted against true values, with MSE and MAPE (as Fig. 4 and 5 of DOI 10.3389/fmats.2022.956839).

    Parameters
    ----------
    path : the picture to write.
    truth, predicted : parameter name -> (N,); lengths in nm.
    reference : parameter name -> (MSE, MAPE in %) to state below ours, for example the paper's Table 2.
    title : one line above the picture.

    Raises
    ------
    InputError
        If there is nothing to compare, or the picture cannot be written.
    """
    names = [name for name in PARAMETERS if name in truth and name in predicted]
    if not names or not np.size(truth[names[0]]):
        raise InputError("no parameter has both true and predicted values: nothing to draw")
    figure = Figure(figsize=(3.5 * len(names), 4.3), layout="constrained")
    for panel, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        x, y = np.asarray(truth[name], dtype=float), np.asarray(predicted[name], dtype=float)
        both = np.isfinite(x) & np.isfinite(y)
        draw_scatter(panel, x[both], y[both], name)
        lines = [_describe_errors("", *compute_errors(x[both], y[both]))]
        if reference and name in reference:
            lines.append(_describe_errors("published: ", *reference[name]))
        panel.set_title("\n".join(lines), fontsize=8.5)
    if title:
        figure.suptitle(title, fontsize=11, fontweight="bold", parse_math=False)
    _save(figure, path)


def compute_errors(truth: FloatArray, predicted: FloatArray) -> tuple[float, float]:
    """Return the mean squared error (unit squared) and the mean absolute percentage error (paper's Eq. 13, 14)."""
    if not len(truth):
        return float("nan"), float("nan")
    return compute_mse(truth, predicted), compute_mape(truth, predicted)


def _describe_errors(who: str, mse: float, mape: float) -> str:
    if not (np.isfinite(mse) and mse > 0):
        return f"{who}MSE {mse:g}, MAPE {mape:.3g} %"
    power = int(np.floor(np.log10(mse)))
    return rf"{who}MSE ${mse / 10.0**power:.2f} \cdot 10^{{{power}}}$, MAPE {mape:.2f} %"


def _label_series(panels: Any, is_index: bool) -> None:
    entries: dict[str, Any] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        entries.update(dict(zip(labels, handles, strict=True)))
    panels[0].legend(
        entries.values(), entries.keys(), loc="lower left", bbox_to_anchor=(0, 1), ncols=5, fontsize=8, frameon=False
    )
    if is_index:
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def _save(figure: Figure, path: str | Path) -> None:
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in ("png", "pdf", "svg"):
        raise InputError(f"cannot write {path}: the name of a picture ends in .png, .pdf or .svg")
    with replace_file(path) as draft:
        figure.savefig(draft, format=kind, dpi=_DPI, bbox_inches="tight", pad_inches=0.08)

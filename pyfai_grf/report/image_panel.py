"""The panel that shows a detector frame."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import LogFormatterSciNotation, LogLocator
from numpy.typing import ArrayLike

#: more pixels than this along an edge show nothing more in a picture, and an Eiger 16M has four times as many
_MAX_PIXELS = 1200


def draw_frame(panel: Axes, frame: ArrayLike) -> None:
    """Draw detector counts on a logarithmic colour scale.

    Parameters
    ----------
    panel : the axes to draw on; gets a colour bar.
    frame : (H, W) counts, plain or masked; masked, negative and non-finite pixels are grey, as is the largest number
        of an unsigned type (what detectors mark dead pixels with). Drawn as pyFAI does, row 0 at the bottom.
    """
    counts: np.ma.MaskedArray = _mask(frame)
    step = max(1, int(np.ceil(max(counts.shape) / _MAX_PIXELS)))
    shape = counts.shape
    counts = counts[::step, ::step]
    positive = np.ma.masked_less_equal(counts, 0).compressed()
    low, high = np.percentile(positive, [1, 99.8]) if len(positive) else (1.0, 10.0)
    # a pixel that counted nothing is dark; left at 0 a logarithmic scale would show it as a masked one
    counts = np.ma.masked_array(np.maximum(counts.data, 0.5 * low), np.ma.getmaskarray(counts))
    colors = matplotlib.colormaps["viridis"].with_extremes(bad="#b8b8b8", under="#1c0526")
    image = panel.imshow(
        counts,
        norm=LogNorm(low, max(high, 2 * low)),
        cmap=colors,
        origin="lower",
        extent=(-0.5, shape[1] - 0.5, -0.5, shape[0] - 0.5),
        interpolation="nearest"
        if max(counts.shape) < 300
        else None,  # "auto" to matplotlib 3.10, "antialiased" to older ones
    )
    # inside the panel's own box, so that the colour bar keeps the height of the image and takes no room elsewhere
    is_wide = shape[1] > 1.3 * shape[0]
    place = panel.inset_axes((0, 1.04, 1, 0.06) if is_wide else (1.03, 0, 0.045, 1))
    bar = panel.figure.colorbar(image, cax=place, orientation="horizontal" if is_wide else "vertical", extend="min")
    if is_wide:
        place.xaxis.set_ticks_position("top")
        place.xaxis.set_label_position("top")
    # matplotlib labels every minor tick where the counts span little more than a decade: they would run together
    bar.locator = LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,))
    bar.formatter = LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(np.inf, np.inf))
    bar.update_ticks()
    bar.minorticks_off()
    bar.set_label("counts", fontsize=8.5)
    place.tick_params(labelsize=8)
    panel.set_xlabel("pixel", fontsize=9)
    panel.tick_params(labelsize=8)


def _mask(frame: ArrayLike) -> np.ma.MaskedArray:
    counts: np.ma.MaskedArray = np.ma.asarray(frame)
    bad = np.ma.getmaskarray(counts).copy()
    data = np.asarray(counts.data)
    if data.dtype.kind == "u":
        bad |= data == np.iinfo(data.dtype).max
    data = np.where(bad, 0, data).astype(np.float32)  # what lies under a mask may be any number
    return np.ma.masked_array(data, bad | ~np.isfinite(data) | (data < 0))

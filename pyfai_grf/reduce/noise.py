"""The variance of azimuthally averaged counts, also where a bin holds few of them or none.

A bin's own counts are a poor estimate of their variance: the square root is zero for an empty bin, and bins that
fluctuated down get the higher weight in any fit. pyFAI's Poisson model puts max(1, counts) on each pixel instead,
which is up to twenty times too large on sparse frames. So the rate (counts per normalisation) is pooled over
neighbouring bins, and a bin's variance is the number of counts that this rate leads one to expect there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Counts to pool. Measured on 400 repeats of a curve that falls by q^-4 on 713 bins, 10^5 to 10^8 counts a frame:
#: the mean of (I - I_true)^2 / sigma^2 is 1.4 with no pooling in bins of 5 counts, 0.98 to 1.02 with 300 to 1000,
#: and 0.4 with 3000, where the window reaches up the slope. With n counts weights 1 / sigma^2 bias a mean by 1 / n.
_ENOUGH = 1000.0
#: fewer do, once the window is so wide (half-width over q) that the slope begins to matter: q^-4 over a half-width of
#: 5 % of q raises the pooled rate by 0.8 %
_FEW = 200.0
_WIDE = 0.05
#: degrees of freedom to pool for a scatter: the variance is then known to sqrt(2 / 100) = 14 %
_ENOUGH_PIXELS = 100.0


def estimate_counts(counts: FloatArray, exposure: FloatArray, q: FloatArray) -> FloatArray:
    """Return the (Q,) counts to be expected in each bin.

    ``counts`` (Q,) are the raw counts, ``exposure`` (Q,) the sums of pixel normalisations, both 0 in empty bins;
    ``q`` (Q,) increases in even steps.
    """
    return pool_rate(counts, exposure, q, counts) * exposure


def pool_rate(
    total: FloatArray, exposure: FloatArray, q: FloatArray, information: FloatArray, enough: float = _ENOUGH
) -> FloatArray:
    """Return (Q,) sum(total) / sum(exposure) over windows centred on each bin that hold enough ``information``."""
    size = len(q)
    sums = [np.concatenate([[0.0], np.cumsum(values)]) for values in (total, exposure, information)]
    step = (q[-1] - q[0]) / (size - 1) if size > 1 else 0.0
    rate = np.zeros(size)
    pending = np.arange(size)
    half = 0
    while pending.size:
        low, high = np.maximum(pending - half, 0), np.minimum(pending + half + 1, size)
        pooled, window, known = (cumulated[high] - cumulated[low] for cumulated in sums)
        done = known >= np.where(half * step >= _WIDE * q[pending], min(_FEW, enough), enough)
        done &= window > 0
        done |= (low == 0) & (high == size)
        rate[pending[done]] = pooled[done] / np.where(window[done] > 0, window[done], 1.0)
        pending = pending[~done]
        half += max(1, half // 4)
    return rate


def estimate_scatter(sem: FloatArray, pixels: FloatArray, q: FloatArray) -> FloatArray:
    """Return the (Q,) variance of bin averages from the scatter of the pixels within the bins.

    ``sem`` (Q,) are pyFAI's standard errors within single bins, sqrt(mean square deviation / pixels), which say
    little for few pixels and nothing for one: the variance per pixel is pooled over neighbouring bins.
    """
    squares = np.where(pixels > 1, np.nan_to_num(sem, nan=0.0) * pixels, 0.0) ** 2
    freedom = np.maximum(pixels - 1.0, 0.0)
    return pool_rate(squares, freedom, q, freedom, _ENOUGH_PIXELS) / np.maximum(pixels, 1.0)

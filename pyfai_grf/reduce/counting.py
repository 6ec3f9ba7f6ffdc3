"""The variance of azimuthally averaged counts, also where a bin holds few of them or none.

A bin's own counts are a poor estimate of their variance: the square root is zero for an empty bin, and bins that
fluctuated down get the higher weight in any fit. pyFAI's Poisson model puts max(1, counts) on each pixel instead,
which is up to twenty times too large on sparse frames. So the rate (counts per normalisation) is pooled over
neighbouring bins, and a bin's variance is the number of counts that this rate leads one to expect there.
"""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray

#: Counts to pool while the half-width of the window over q is below the second number: many in a narrow window, for
#: with n counts weights of 1 / sigma^2 bias a mean by 1 / n; fewer in a wide one, which reaches up the slope.
#: Measured on 400 repeats of a curve that falls by q^-4, 713 bins: the mean of (I - I_true)^2 / sigma^2 below 3 per nm
#: is 0.97 to 1.04 for 10^5 to 10^7 counts a frame (without pooling 1.4 in bins of 5 counts; with 3000 everywhere 0.4),
#: and the bias of such a mean stays below 0.2 of its standard error. In a frame of 3000 counts the sigma of the tail
#: is up to 18 % too large.
_ENOUGH = ((1000.0, 0.05), (200.0, 0.15), (50.0, 0.3), (20.0, np.inf))
#: degrees of freedom to pool for a scatter: the variance is then known to sqrt(2 / 100) = 14 %
_ENOUGH_PIXELS = 100.0


def estimate_counts(counts: FloatArray, exposure: FloatArray, q: FloatArray) -> FloatArray:
    """Return the (Q,) counts to be expected in each bin.

    ``counts`` (Q,) are the raw counts, ``exposure`` (Q,) the sums of pixel normalisations, both 0 in empty bins;
    ``q`` (Q,) increases in even steps.
    """
    return pool_rate(counts, exposure, q, counts) * exposure


def pool_rate(
    total: FloatArray, exposure: FloatArray, q: FloatArray, information: FloatArray, most: float = np.inf
) -> FloatArray:
    """Return (Q,) sum(total) / sum(exposure) over windows centred on each bin that hold enough ``information``.

    Never more than ``most`` is asked for, but a window without any ``total`` says nothing and grows.
    """
    size = len(q)
    sums = [np.concatenate([[0.0], np.cumsum(values)]) for values in (total, exposure, information)]
    step = (q[-1] - q[0]) / (size - 1) if size > 1 else 0.0
    rate = np.zeros(size)
    pending = np.arange(size)
    half = 0
    while pending.size:
        low, high = np.maximum(pending - half, 0), np.minimum(pending + half + 1, size)
        pooled, window, known = (cumulated[high] - cumulated[low] for cumulated in sums)
        done = known >= _get_enough(half * step / q[pending], most)
        done &= (window > 0) & (pooled > 0)
        done |= (low == 0) & (high == size)
        rate[pending[done]] = pooled[done] / np.where(window[done] > 0, window[done], 1.0)
        pending = pending[~done]
        half += max(1, half // 2)
    return rate


def _get_enough(width: FloatArray, most: float) -> FloatArray:
    """Return how much information a window of relative half-width ``width`` should hold."""
    steps = [width < limit for _, limit in _ENOUGH]
    return np.minimum(np.select(steps, [amount for amount, _ in _ENOUGH]), most)


def estimate_scatter(sem: FloatArray, pixels: FloatArray, q: FloatArray) -> FloatArray:
    """Return the (Q,) variance of bin averages from the scatter of the pixels within the bins.

    ``sem`` (Q,) are pyFAI's standard errors within single bins, sqrt(mean square deviation / pixels), which say
    little for few pixels and nothing for one: the variance per pixel is pooled over neighbouring bins.
    """
    squares = np.where(pixels > 1, np.nan_to_num(sem, nan=0.0) * pixels, 0.0) ** 2
    freedom = np.maximum(pixels - 1.0, 0.0)
    return pool_rate(squares, freedom, q, freedom, _ENOUGH_PIXELS) / np.maximum(pixels, 1.0)

"""The points that are fitted: what each measures of a curve, and how well."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Points
from pyfai_grf.features.scatter import estimate_correlation
from pyfai_grf.fit.raster import Raster, is_even, make_raster

#: the logarithm of the variance is averaged over so many points to either side, no farther than that in ln q: weights
#: must not follow each point's own noise
_SMOOTHED, _NEAR = 25, 0.1
#: nor is one known better than its neighbours by more than that: in the empty tail of a sparse curve errors that were
#: taken from a few zeros are hardly above 0, and a single count would decide the fit
_KNOWN_BEST, _MANY = 0.4, 15
#: no point is known better than that part of it; a curve whose points all are said to be has no noise
_EXACT = 1e-4
#: numbers of which more than this part repeats the one before were rounded; what differs by less than that does not
_REPEATED, _LAST_BIT = 0.03, 1e-12
#: weights that are all smaller are no numbers of pixels
_FEWEST_PIXELS = 30.0
#: a point whose error is so many times those of its neighbours is said to be hardly known, and is
_HARDLY_KNOWN = 5.0


@dataclass(frozen=True)
class Target:
    """(Q,) points: ``intensity`` with ``variance``, of which ``raster`` says what they see of a curve.

    ``correlation`` of neighbours: ``variance`` is that of means over many points, 1 + 2 times it larger than a point's.
    """

    intensity: FloatArray
    variance: FloatArray
    raster: Raster
    correlation: float = 0.0

    @property
    def q_nm1(self) -> FloatArray:
        """(Q,) where the points are, in 1/nm."""
        return self.raster.q_nm1

    @property
    def point_variance(self) -> FloatArray:
        """(Q,) how a single point scatters: ``variance`` is that of means over many, larger where neighbours agree."""
        return np.asarray(self.variance / (1.0 + 2.0 * self.correlation))

    @property
    def has_noise(self) -> bool:
        """Whether there is any that errors could be told from."""
        return bool(np.median(self.variance - (1.01 * _EXACT * self.intensity) ** 2) > 0)


def make_target(points: Points, resolution: float | None = None) -> Target:
    """Return the target of a fit: variances without each point's own noise, and the average over bins.

    Where bins are equally wide, a point is taken for the mean over its bin, weighted by q as the pixels are; elsewhere
    (step scans, logarithmic bins: see :func:`widen_bins`) for the value at its q. ``resolution`` (standard deviation,
    1/nm) smears either.
    """
    q = points.q_nm1
    own = points.sigma**2
    variance = np.maximum(np.exp(_smooth(np.log(q), np.log(own))), _KNOWN_BEST**2 * _average(np.log(q), own))
    variance = np.where(own > _HARDLY_KNOWN**2 * variance, own, variance)
    variance = np.maximum(variance, (_EXACT * points.intensity) ** 2 + _measure_rounding(points.intensity))
    variance = variance + _measure_misplacement(points)
    correlation = estimate_correlation(q, points.intensity)
    return Target(points.intensity, variance, make_raster(q, resolution), correlation)


def _measure_misplacement(points: Points) -> FloatArray | float:
    """Return (Q,) the variances that come of pixels that do not lie evenly in a bin.

    The mean q of N pixels is step / sqrt(12 N) from its middle: where few pixels see a steep upturn, and with 10^8
    photons, that is ten times the counting noise.
    """
    pixels = points.weight
    if pixels is None or not is_even(points.q_nm1) or np.max(pixels) < _FEWEST_PIXELS:
        return 0.0
    return np.asarray(np.gradient(points.intensity) ** 2 / (12.0 * np.maximum(pixels, 1.0)))


def _measure_rounding(intensity: FloatArray) -> float:
    """Return the variance of numbers that were written with a few decimals, or are whole: step^2 / 12, else 0.

    A plateau of equal numbers has no scatter, and is not known better than its last digit for that.
    """
    steps = np.abs(np.diff(intensity))
    if np.count_nonzero(steps == 0) <= _REPEATED * steps.size or not steps.any():
        return 0.0
    # the difference of two such numbers has the rounding of binary fractions on it
    return float(np.min(steps[steps > _LAST_BIT * np.abs(intensity).max()], initial=np.inf)) ** 2 / 12.0


def widen_bins(target: Target) -> Target | None:
    """Return ``target`` with each point the mean over a logarithmic bin; None where q does not increase by a ratio.

    Such points may be bins of a reduction or values at chosen q: the curve has to tell. Where a has a spread it hardly
    can, for that does to a curve what bins do: bins of a width w in ln q that are taken for values add w^2 / 12 to the
    variance of ln a and take 0.21 w^2 from ln a, at 20 bins a decade 0.001 and 0.3 %.
    """
    raster = target.raster
    if is_even(raster.q_nm1) or not is_even(np.log(raster.q_nm1)):
        return None
    return replace(target, raster=make_raster(raster.q_nm1, raster.resolution, has_log_bins=True))


def _average(log_q: FloatArray, values: FloatArray) -> FloatArray:
    """Return means over all neighbours that are near in ln q; 0 where these are few."""
    first = np.searchsorted(log_q, log_q - _NEAR)
    end = np.searchsorted(log_q, log_q + _NEAR, side="right")
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.where(end - first > _MANY, (total[end] - total[first]) / (end - first), 0.0)


def _smooth(log_q: FloatArray, values: FloatArray) -> FloatArray:
    """Return means over the neighbours that are near in ln q, as many on either side."""
    index = np.arange(log_q.size)
    below = index - np.searchsorted(log_q, log_q - _NEAR)
    above = np.searchsorted(log_q, log_q + _NEAR, side="right") - 1 - index
    reach = np.minimum(np.minimum(below, above), _SMOOTHED)
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[index + reach + 1] - total[index - reach]) / (2 * reach + 1))

"""Points that say nothing by themselves, and errors for curves that come without."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.features.points import get_weight

#: a point is significant when its intensity exceeds this many standard errors
SIGNIFICANCE = 2.0
#: merged beyond this fraction of its points, a curve says too little to be predicted from
MERGED_FRACTION_LIMIT = 0.3

# the median of |x| of a unit Gaussian is 1/1.4826
_MAD_TO_SIGMA = 1.4826
# windows of third differences, and the scatter above which a logarithm of the intensity is biased
_WINDOW = 31
_LOGARITHM_LIMIT = 0.2


@dataclass
class _Group:
    """Neighbouring points start .. stop - 1 and their sums of w, w I and w^2 sigma^2."""

    start: int
    stop: int
    weight: float
    signal: float
    variance: float

    @property
    def mean(self) -> float:
        return self.signal / self.weight

    @property
    def sigma(self) -> float:
        return float(np.sqrt(self.variance)) / self.weight

    def join(self, other: _Group) -> _Group:
        """Return the group of both, ``other`` following this one."""
        return _Group(
            self.start,
            other.stop,
            self.weight + other.weight,
            self.signal + other.signal,
            self.variance + other.variance,
        )


def merge_nonpositive(curve: Curve, significance: float = SIGNIFICANCE) -> tuple[Curve, float]:
    """Merge points that are not significantly positive with their neighbours; return the curve and the part merged.

    A point is significant when I > ``significance`` sigma and I > 0 (without sigma: I > 0). From low to high q, one
    that is not is joined with the points after it until their mean is; what is left at the end joins the points
    before it. Every point of a group gets the group's weighted mean and the standard error of that mean, so the
    grid stays, the weighted sum of I is kept exactly, and no point is dropped. The errors within a group are
    those of one number, not of independent points. Where to stop depends on the data, which makes the highest
    groups read a little high: a curve with more than :data:`MERGED_FRACTION_LIMIT` merged should not be used.

    Returns
    -------
    The merged curve, and the fraction of its points that lie in groups of two or more. A curve that is nowhere
    significant becomes one group (fraction 1), whatever its sign.

    Raises
    ------
    InputError
        If an intensity or a sigma is not finite.
    """
    if not np.isfinite(curve.intensity).all() or (curve.sigma is not None and not np.isfinite(curve.sigma).all()):
        raise InputError("intensity and sigma must be finite to be merged: resample the curve first")
    sigma = np.zeros(len(curve.intensity)) if curve.sigma is None else curve.sigma
    if np.all((curve.intensity > 0) & (curve.intensity > significance * sigma)):
        return curve, 0.0
    groups = _make_groups(curve.intensity, sigma, get_weight(curve), significance)
    sizes = [group.stop - group.start for group in groups]
    # a point by itself keeps its values to the bit
    alone = np.repeat(np.array(sizes) == 1, sizes)
    intensity = np.where(alone, curve.intensity, np.repeat([group.mean for group in groups], sizes))
    errors = np.where(alone, sigma, np.repeat([group.sigma for group in groups], sizes))
    merged = replace(curve, intensity=intensity, sigma=None if curve.sigma is None else errors)
    return merged, 1 - np.count_nonzero(alone) / len(alone)


def _make_groups(intensity: FloatArray, sigma: FloatArray, weight: FloatArray, significance: float) -> list[_Group]:
    groups: list[_Group] = []
    current: _Group | None = None
    for i, (value, error, w) in enumerate(zip(intensity.tolist(), sigma.tolist(), weight.tolist(), strict=True)):
        point = _Group(i, i + 1, w, w * value, (w * error) ** 2)
        current = point if current is None else current.join(point)
        if current.mean > max(significance * current.sigma, 0.0):
            groups.append(current)
            current = None
    while current is not None and groups:
        current = groups.pop().join(current)
        if current.mean > max(significance * current.sigma, 0.0):
            break
    return groups if current is None else [*groups, current]


def explain_merging(fraction: float) -> str:
    """Return why a curve with this fraction of merged points is not applicable, or "" if it is."""
    if fraction <= MERGED_FRACTION_LIMIT:
        return ""
    return (
        f"{fraction:.0%} of the points are not significantly positive (at most {MERGED_FRACTION_LIMIT:.0%}): "
        "count longer, or check the background"
    )


def estimate_sigma(q: FloatArray, intensity: FloatArray) -> FloatArray:
    """Return a standard error (Q,) for each point of a curve that has none, from its scatter about its neighbours.

    Third differences (divided, so that q, increasing, need not be equidistant) remove what is locally a parabola;
    their median absolute value over 31 points gives the scatter: of log I, relative, where I is positive and
    scatters by less than 20 %, of I itself elsewhere.

    Its limits: a window of 31 points knows its sigma to about 30 %. Structure as sharp as four points counts as noise
    (the exact curves on the published grid read 0.2 % at the shoulder, less elsewhere). Noise that neighbouring
    points share (pixel splitting, an earlier smoothing or interpolation) is not seen, nor is an error of scale or
    background that all points share. An error model at the detector is always better.

    Raises
    ------
    InputError
        If there are fewer than 8 points, or a value is not finite.
    """
    q, intensity = np.asarray(q, dtype=np.float64), np.asarray(intensity, dtype=np.float64)
    if q.shape != intensity.shape or q.ndim != 1 or len(q) < 8:
        raise InputError(f"8 points or more are needed to estimate sigma, found shapes {q.shape}, {intensity.shape}")
    if not (np.isfinite(q).all() and np.isfinite(intensity).all() and np.all(np.diff(q) > 0)):
        raise InputError("q must increase and all values be finite to estimate sigma: resample the curve first")
    coefficients = _make_difference(q)
    absolute = _scan_median(np.abs(_apply(coefficients, intensity)), len(q))
    positive = intensity > 0
    logarithm = np.log(np.where(positive, intensity, 1.0))
    usable = np.all([positive[k : len(q) - 3 + k] for k in range(4)], axis=0)
    relative = _scan_median(np.where(usable, np.abs(_apply(coefficients, logarithm)), np.inf), len(q))
    level = median_filter(intensity, size=5, mode="nearest")
    good = (relative < _LOGARITHM_LIMIT) & (level > 0)
    return np.where(good, np.where(good, relative, 0.0) * level, absolute)


def _make_difference(q: FloatArray) -> FloatArray:
    """Return the coefficients (4, Q - 3) of third divided differences, scaled to keep the variance of the points."""
    count = len(q) - 3
    points = np.stack([q[k : count + k] for k in range(4)])
    distance = points[:, np.newaxis] - points[np.newaxis]
    distance[np.arange(4), np.arange(4)] = 1
    coefficients = 1 / np.prod(distance / (points[3] - points[0]), axis=1)
    return coefficients / np.sqrt(np.sum(coefficients**2, axis=0))


def _apply(coefficients: FloatArray, values: FloatArray) -> FloatArray:
    count = coefficients.shape[1]
    return np.sum([coefficients[k] * values[k : count + k] for k in range(4)], axis=0)


def _scan_median(differences: FloatArray, count: int) -> FloatArray:
    """Return the standard deviation behind |differences| (Q - 3,) in a moving window, at ``count`` = Q points."""
    window = min(_WINDOW, len(differences) - (len(differences) + 1) % 2)
    middle = median_filter(differences, size=window, mode="reflect")
    return _MAD_TO_SIGMA * np.pad(middle, (1, count - len(middle) - 1), mode="edge")

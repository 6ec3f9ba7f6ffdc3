"""Points that say nothing by themselves are merged with their neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Points
from pyfai_grf.features.points import get_weight

#: a point is significant when its intensity exceeds this many standard errors
SIGNIFICANCE = 2.0
#: merged beyond this fraction of its points, a curve says too little to be predicted from
MERGED_FRACTION_LIMIT = 0.3


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


def merge_nonpositive(curve: Points, significance: float = SIGNIFICANCE) -> tuple[Points, float]:
    """Merge points that are not significantly positive with their neighbours; return the curve and the part merged.

    A point is significant when I > ``significance`` sigma and I > 0. From low to high q, one
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
    if not (np.isfinite(curve.intensity).all() and np.isfinite(curve.sigma).all()):
        raise InputError("intensity and sigma must be finite to be merged: resample the curve first")
    sigma = curve.sigma
    if np.all((curve.intensity > 0) & (curve.intensity > significance * sigma)):
        return curve, 0.0
    groups = _make_groups(curve.intensity, sigma, get_weight(curve), significance)
    sizes = [group.stop - group.start for group in groups]
    # a point by itself keeps its values to the bit
    alone = np.repeat(np.array(sizes) == 1, sizes)
    intensity = np.where(alone, curve.intensity, np.repeat([group.mean for group in groups], sizes))
    errors = np.where(alone, sigma, np.repeat([group.sigma for group in groups], sizes))
    merged = replace(curve, intensity=intensity, sigma=errors)
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

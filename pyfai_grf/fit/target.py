"""The points that are fitted: what each measures of a curve, and how well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Points
from pyfai_grf.features.scatter import estimate_correlation

#: the logarithm of the variance is averaged over so many points to either side, no farther than that in ln q: weights
#: must not follow each point's own noise
_SMOOTHED, _NEAR = 7, 0.1
#: where most steps are alike within that part, they are those of a reduction, and a point is the mean over one
_ALIKE, _MOST = 0.02, 0.9
#: a point whose error is so many times those of its neighbours is said to be hardly known, and is
_HARDLY_KNOWN = 5.0
#: where a search begins: means over bins of ln q
_COARSE = 64


@dataclass(frozen=True)
class Target:
    """(Q,) points: ``intensity`` with ``variance``, at ``nodes`` (K, Q) of q whose ``weights`` (K, Q) sum to 1.

    ``correlation`` of neighbours: ``variance`` is that of means over many points, 1 + 2 times it larger than a point's.
    """

    q_nm1: FloatArray
    intensity: FloatArray
    variance: FloatArray
    nodes: FloatArray
    weights: FloatArray
    correlation: float = 0.0

    @property
    def point_variance(self) -> FloatArray:
        """(Q,) how a single point scatters: ``variance`` is that of means over many, larger where neighbours agree."""
        return np.asarray(self.variance / (1.0 + 2.0 * self.correlation))

    def average(self, values: FloatArray) -> FloatArray:
        """Return (Q,) what the points see of ``values`` (K, Q) at the nodes."""
        return np.asarray((self.weights * values).sum(axis=0))

    def rise(self, power: float) -> FloatArray:
        """Return (Q,) what the points see of an upturn q^-``power`` that is 1 at the first q."""
        return self.average((self.nodes / self.q_nm1[0]) ** -power)


def make_target(points: Points, resolution: float | None = None) -> Target:
    """Return the target of a fit: variances without each point's own noise, and the average over bins.

    Where bins are equally wide, a point is taken for the mean over its bin, weighted by q as the pixels are; elsewhere
    (step scans, logarithmic bins) for the value at its q. ``resolution`` (standard deviation, 1/nm) smears either.
    """
    q = points.q_nm1
    own = points.sigma**2
    variance = np.exp(_smooth(np.log(q), np.log(own)))
    variance = np.where(own > _HARDLY_KNOWN**2 * variance, own, variance)
    nodes, weights = place_nodes(q, resolution)
    return Target(q, points.intensity, variance, nodes, weights, estimate_correlation(q, points.intensity))


def _smooth(log_q: FloatArray, values: FloatArray) -> FloatArray:
    """Return means over the neighbours that are near in ln q, as many on either side."""
    index = np.arange(log_q.size)
    below = index - np.searchsorted(log_q, log_q - _NEAR)
    above = np.searchsorted(log_q, log_q + _NEAR, side="right") - 1 - index
    reach = np.minimum(np.minimum(below, above), _SMOOTHED)
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[index + reach + 1] - total[index - reach]) / (2 * reach + 1))


def place_nodes(q: FloatArray, resolution: float | None) -> tuple[FloatArray, FloatArray]:
    """Return the ``nodes`` and ``weights`` (K, Q) of a target at ``q`` (Q,), 1/nm; see :func:`make_target`."""
    step = np.diff(q)
    usual = float(np.median(step))
    # gaps (masked points, ranges left out) are steps too
    is_even = np.mean(np.abs(step - usual) < _ALIKE * usual) > _MOST
    width = np.full(q.size, usual if is_even else 0.0)
    x, w = np.polynomial.legendre.leggauss(3)
    offsets, weights = x[:, np.newaxis] * width / 2, np.repeat(w[:, np.newaxis], q.size, axis=1)
    if not width.any():
        offsets, weights = np.zeros((1, q.size)), np.ones((1, q.size))
    weights = weights * (q + offsets)  # as pixels are spread over a bin
    if resolution:
        x, w = np.polynomial.hermite_e.hermegauss(5)
        offsets = (offsets[np.newaxis] + resolution * x[:, np.newaxis, np.newaxis]).reshape(-1, q.size)
        weights = (weights[np.newaxis] * w[:, np.newaxis, np.newaxis]).reshape(-1, q.size)
    return np.abs(q + offsets), weights / weights.sum(axis=0)


def thin_target(target: Target) -> Target:
    """Return the weighted means over some bins of ln q: a search needs no more."""
    if target.q_nm1.size <= 1.5 * _COARSE:
        return target
    log_q = np.log(target.q_nm1)
    edges = np.linspace(log_q[0], log_q[-1], _COARSE + 1)[1:-1]
    starts = np.unique(np.concatenate([[0], np.searchsorted(log_q, edges)]))
    starts = starts[starts < log_q.size]
    weight = 1.0 / target.variance
    total = np.add.reduceat(weight, starts)

    def mean(values: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(values * weight, starts) / total)

    # what a mean over a bin sees of a curve is the curve at its nodes: at its ends and its middle
    ends = np.append(starts[1:], log_q.size) - 1
    q = mean(target.q_nm1)
    half = (target.q_nm1[ends] - target.q_nm1[starts]) / 2
    middle = (target.q_nm1[ends] + target.q_nm1[starts]) / 2
    x, w = np.polynomial.legendre.leggauss(3)
    nodes = middle + x[:, np.newaxis] * half
    weights = np.repeat(w[:, np.newaxis], starts.size, axis=1) / w.sum()
    shift = q - (weights * nodes).sum(axis=0)
    return Target(q, mean(target.intensity), 1.0 / total, nodes + shift, weights, 0.0)

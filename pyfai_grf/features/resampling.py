"""Curves onto a model's q grid: what is finer is averaged by pixel weights, what is left is interpolated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Points
from pyfai_grf.features.coverage import check_coverage, validate_grid
from pyfai_grf.features.points import compute_bins, get_weight

# from this many source bins in a grid bin on they are averaged; below, the average would only smear the curve
_AVERAGE_FROM = 1.5
# points that agree within this part of a grid step are the same point
_SAME_POINT = 1e-6
# grid bins beyond each end that are averaged too, so that the end is interpolated like the rest
_EXTRA_BINS = 3


@dataclass(frozen=True)
class _Nodes:
    """Support of the interpolation: q, intensity and sigma, (M,) each."""

    q: FloatArray
    intensity: FloatArray
    sigma: FloatArray


@dataclass(frozen=True)
class _BinSums:
    """What of the source falls into each bin of a grid, (G,) each: bins, weight, and the means over them."""

    bins: FloatArray
    weight: FloatArray
    q: FloatArray
    intensity: FloatArray
    variance: FloatArray


def resample(points: Points, grid_nm1: FloatArray, material: str = "CLASS", spectrum: str = "") -> Points:
    """Return ``points`` at the q values ``grid_nm1`` (G,), 1/nm, increasing.

    If the curve has the grid's points already (within 1e-6 of a step), its values at them are returned untouched.
    Otherwise, where the curve is finer than the grid (from 1.5 points a grid bin on), its bins are averaged with
    the weights of :func:`~pyfai_grf.features.points.get_weight`, shared by overlap; where it is not, log intensity
    is interpolated by monotone cubics (intensity itself beside points that are not positive). Gaps are bridged up to
    three grid steps or 8 % of q; up to one step is extrapolated at the ends.

    An average over a grid bin is what a reduction straight onto the grid gives; at the sharpest point of a curve
    (a = 8 nm on the published grid, the shoulder) it reads up to 1 % above the curve at the middle of the bin.

    Averaging reduces sigma, by no more than the number of points averaged allows (a bin shared between two grid
    points does not count in full for both). Where the curve is coarser, a point is shared by several grid points, and
    its error grows with the root of their number: so means over them come out right. Where the curve carries weights,
    they are shared out too.

    Raises
    ------
    QRangeError
        If the curve does not cover the grid: see :func:`check_coverage`, which can name the class and spectrum.
    InputError
        If the curve or the grid cannot be used at all.
    """
    grid = validate_grid(grid_nm1)
    same = _find_same_points(points.q_nm1, grid)
    if same is not None:
        return replace(
            points,
            q_nm1=grid.copy(),
            intensity=points.intensity[same],
            sigma=points.sigma[same],
            weight=None if points.weight is None else points.weight[same],
        )
    check_coverage(points, grid, material, spectrum)
    extended = _extend(grid)
    sums = _sum_bins(points, extended)
    nodes = _select_nodes(points, extended, sums)
    return replace(
        points,
        q_nm1=grid.copy(),
        intensity=_interpolate(nodes, grid),
        sigma=np.interp(grid, nodes.q, nodes.sigma),
        weight=None if points.weight is None else _share_weight(points, extended, sums)[_EXTRA_BINS:-_EXTRA_BINS],
    )


def _find_same_points(q: FloatArray, grid: FloatArray) -> NDArray[np.intp] | None:
    """Return the indices of the points ``q`` that are the grid's, or None if any is missing."""
    index = np.clip(np.searchsorted(q, grid), 1, len(q) - 1)
    index = np.where(grid - q[index - 1] < q[index] - grid, index - 1, index)
    return index if np.all(np.abs(q[index] - grid) <= _SAME_POINT * np.gradient(grid)) else None


def _extend(grid: FloatArray) -> FloatArray:
    extra = np.arange(1, _EXTRA_BINS + 1)
    first, last = grid[1] - grid[0], grid[-1] - grid[-2]
    return np.concatenate([grid[0] - first * extra[::-1], grid, grid[-1] + last * extra])


def _sum_bins(points: Points, grid: FloatArray) -> _BinSums:
    """Share the source bins out over the bins of ``grid`` (G,) by overlap."""
    left, right = compute_bins(points.q_nm1)
    grid_edges = _make_edges(grid)
    edges = np.unique(np.concatenate([left, right, grid_edges]))
    middle = (edges[1:] + edges[:-1]) / 2
    source = np.searchsorted(left, middle) - 1
    target = np.searchsorted(grid_edges, middle) - 1
    inside = (source >= 0) & (middle < right[source]) & (target >= 0) & (target < len(grid))
    source, target = source[inside], target[inside]
    share = np.diff(edges)[inside] / (right - left)[source]
    weight = share * get_weight(points)[source]

    def total(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(target, values, minlength=len(grid)), dtype=np.float64)

    weights = total(weight)
    norm = np.where(weights > 0, weights, np.inf)
    # share x weight^2, not the square of both: what two grid points share must not count twice
    variance = total(weight * (get_weight(points) * points.sigma**2)[source]) / norm**2
    return _BinSums(
        bins=total(share),
        weight=weights,
        q=total(weight * points.q_nm1[source]) / norm,
        intensity=total(weight * points.intensity[source]) / norm,
        variance=variance,
    )


def _make_edges(grid: FloatArray) -> FloatArray:
    middle = (grid[1:] + grid[:-1]) / 2
    return np.concatenate([[2 * grid[0] - middle[0]], middle, [2 * grid[-1] - middle[-1]]])


def _select_nodes(points: Points, grid: FloatArray, sums: _BinSums) -> _Nodes:
    """Return the bin means where the source is finer than ``grid``, and its own points where it is not."""
    fine = sums.bins >= _AVERAGE_FROM
    target = np.searchsorted(_make_edges(grid), points.q_nm1) - 1
    # a model grid may begin far inside the curve: one point beyond its bins is support enough
    inside = (target >= 0) & (target < len(grid))
    padded = np.flatnonzero(inside)
    inside[max(padded[0] - 1, 0)] = inside[min(padded[-1] + 1, len(inside) - 1)] = True
    own = inside & ~fine[np.clip(target, 0, len(grid) - 1)]
    order = np.argsort(np.concatenate([sums.q[fine], points.q_nm1[own]]), kind="stable")

    def join(means: FloatArray, values: FloatArray) -> FloatArray:
        return np.concatenate([means[fine], values[own]])[order]

    return _Nodes(
        q=join(sums.q, points.q_nm1),
        intensity=join(sums.intensity, points.intensity),
        sigma=join(np.sqrt(sums.variance), points.sigma * _count_shared(points.q_nm1, grid)),
    )


def _count_shared(q: FloatArray, grid: FloatArray) -> FloatArray:
    """Return (Q,) the root of how many points of ``grid`` share each point ``q``, 1 where it is as fine as the grid.

    Their errors are one error: a mean over them is no better known than the point itself.
    """
    left, right = compute_bins(q)
    return np.sqrt(np.maximum((right - left) / np.interp(q, grid, np.gradient(grid)), 1.0))


def _interpolate(nodes: _Nodes, grid: FloatArray) -> FloatArray:
    """Return the intensity at ``grid`` (G,) by monotone cubics, in log I between positive nodes."""
    q, intensity = nodes.q, nodes.intensity
    result = np.asarray(PchipInterpolator(q, intensity)(np.clip(grid, q[0], q[-1])))
    positive = intensity > 0
    if np.count_nonzero(positive) < 4:
        return result
    above = np.clip(np.searchsorted(q, grid), 1, len(q) - 1)
    smooth = positive[above] & positive[above - 1]
    inside = smooth & (grid >= q[0]) & (grid <= q[-1])
    result[inside] = np.exp(PchipInterpolator(q[positive], np.log(intensity[positive]))(grid[inside]))
    for outside, ends in ((grid < q[0], [0, 3]), (grid > q[-1], [-1, -4])):
        if outside.any() and positive[ends].all():
            slope = np.diff(np.log(intensity[ends]))[0] / np.diff(q[ends])[0]
            result[outside] = intensity[ends[0]] * np.exp(slope * (grid[outside] - q[ends[0]]))
    return result


def _share_weight(points: Points, grid: FloatArray, sums: _BinSums) -> FloatArray:
    """Return the weight of each grid bin (G,); where no point lies, what the neighbours' density gives."""
    left, right = compute_bins(points.q_nm1)
    density = np.interp(grid, points.q_nm1, get_weight(points) / (right - left))
    return np.where(sums.bins >= _AVERAGE_FROM, sums.weight, density * np.diff(_make_edges(grid)))

"""What points see of a curve: one matrix from an equally spaced grid of ln q to bins and resolution, kept by q."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.log_table import STEP

#: where most steps are alike within that part, they are those of a reduction, and a point is the mean over one
_ALIKE, _MOST = 0.02, 0.9
#: no resolution reaches below that part of the first bin, nor does the grid farther than that below the last
_FLOOR, _FARTHEST = 0.5, 12.0
#: where a search begins: means over bins of ln q
_COARSE = 64
#: points of the grid that an interpolation takes, and those before the place
_ORDER, _BEFORE = 6, 2


@dataclass(frozen=True, eq=False)
class Raster:
    """``matrix`` (Q, M) makes (Q,) points of a curve at ``log_q`` (M,); ``coarse`` (S, Q) makes (S,) means of these.

    A point is the mean over ``nodes`` of q with ``weights``, both (K, Q), that sum to 1: over its bin, where
    ``resolution`` (1/nm) is not 0 also over that. ``has_log_bins``: logarithmic ones.
    """

    q_nm1: FloatArray
    resolution: float
    has_log_bins: bool
    nodes: FloatArray
    weights: FloatArray
    log_q: FloatArray
    matrix: csr_array
    coarse: csr_array
    coarse_matrix: csr_array

    def average(self, values: FloatArray) -> FloatArray:
        """Return (Q,) what the points see of ``values`` (K, Q) at the nodes."""
        return np.asarray((self.weights * values).sum(axis=0))


def project(matrix: csr_array, lines: FloatArray) -> FloatArray:
    """Return (..., Q): ``matrix`` (Q, M) applied to each of ``lines`` (..., M)."""
    flat = np.ascontiguousarray(lines.reshape(-1, lines.shape[-1]).T)
    return np.ascontiguousarray((matrix @ flat).T).reshape(*lines.shape[:-1], matrix.shape[0])


def is_even(values: FloatArray) -> bool:
    """Return whether ``values`` (Q,) are equally far apart; gaps (masked points, ranges left out) are steps too."""
    step = np.diff(values)
    return bool(np.mean(np.abs(step - np.median(step)) < _ALIKE * np.median(step)) > _MOST)


def make_raster(q: FloatArray, resolution: float | None = None, has_log_bins: bool = False) -> Raster:
    """Return the grid of points at ``q`` (Q,) in 1/nm; see :func:`pyfai_grf.fit.target.make_target`."""
    return _make_raster(np.ascontiguousarray(q, dtype=np.float64).tobytes(), resolution or 0.0, has_log_bins)


@functools.lru_cache(maxsize=16)
def _make_raster(content: bytes, resolution: float, has_log_bins: bool) -> Raster:
    q = np.frombuffer(content)
    nodes, weights = _place_nodes(q, resolution, has_log_bins)
    log_nodes = np.log(nodes)
    first = log_nodes.min() - (_BEFORE + 1) * STEP
    count = int(np.ceil((log_nodes.max() - first) / STEP)) + _ORDER
    matrix = _interpolate((log_nodes - first) / STEP, weights, count)
    coarse = _make_coarse(np.log(q))
    log_q = first + STEP * np.arange(count)
    return Raster(q, resolution, has_log_bins, nodes, weights, log_q, matrix, coarse, csr_array(coarse @ matrix))


def _place_nodes(q: FloatArray, resolution: float, has_log_bins: bool) -> tuple[FloatArray, FloatArray]:
    """Return the nodes of q and their weights, (K, Q) both."""
    if has_log_bins:
        half = np.full(q.size, np.tanh(np.median(np.diff(np.log(q))) / 2)) * q
    else:
        half = np.full(q.size, np.median(np.diff(q)) / 2 if is_even(q) else 0.0)
    x, w = np.polynomial.legendre.leggauss(3)
    offsets, weights = x[:, np.newaxis] * half, np.repeat(w[:, np.newaxis], q.size, axis=1)
    if not half.any():
        offsets, weights = np.zeros((1, q.size)), np.ones((1, q.size))
    weights = weights * (q + offsets)  # as pixels are spread over a bin
    lowest = float(np.abs(q + offsets).min())
    nodes = q + offsets
    if resolution:
        # a beam is round: q is off along the ring as much as across it (Pedersen et al. 1990), which makes |q| larger
        x, w = np.polynomial.hermite_e.hermegauss(9)
        side = slice(x.size // 2, None)  # along the ring both sides are alike
        across, along = (resolution * part.reshape(-1, 1, 1) for part in np.meshgrid(x, x[side]))
        shares = np.outer(w[side] * np.where(np.arange(x.size)[side] == x.size // 2, 1, 2), w).reshape(-1, 1, 1)
        nodes = np.hypot(nodes + across, along).reshape(-1, q.size)
        weights = (shares * weights).reshape(-1, q.size)
    nodes = np.maximum(np.abs(nodes), max(_FLOOR * lowest, q[-1] * np.exp(-_FARTHEST)))
    return nodes, weights / weights.sum(axis=0)


def _interpolate(place: FloatArray, weights: FloatArray, count: int) -> csr_array:
    """Return (Q, ``count``): the sum over ``weights`` (K, Q) of what lies at ``place`` (K, Q) of a grid."""
    first = np.floor(place).astype(int)
    offsets = np.arange(_ORDER) - _BEFORE
    distance = (place - first)[..., np.newaxis] - offsets
    values = np.stack(
        [
            np.prod([distance[..., m] / (offsets[k] - offsets[m]) for m in range(_ORDER) if m != k], axis=0)
            for k in range(_ORDER)
        ],
        axis=-1,
    )
    columns = first[..., np.newaxis] + offsets
    rows = np.broadcast_to(np.arange(place.shape[1])[:, np.newaxis], columns.shape)
    entries = (values * weights[..., np.newaxis]).ravel(), (rows.ravel(), columns.ravel())
    return csr_array(entries, shape=(place.shape[1], count))


def _make_coarse(log_q: FloatArray) -> csr_array:
    """Return (S, Q) the means over some bins of ln q: a search needs no more."""
    starts = np.arange(log_q.size)
    if log_q.size > 1.5 * _COARSE:
        edges = np.linspace(log_q[0], log_q[-1], _COARSE + 1)[1:-1]
        starts = np.unique(np.concatenate([[0], np.searchsorted(log_q, edges)]))
        starts = starts[starts < log_q.size]
    sizes = np.diff(starts, append=log_q.size)
    weights = np.repeat(1.0 / sizes, sizes)
    return csr_array((weights, np.arange(log_q.size), np.append(starts, log_q.size)), shape=(starts.size, log_q.size))

"""Volume fractions exact to one voxel: voxels are labelled by their rank, without sorting the box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.kernels import collect_between, count_thresholds

#: voxels sampled to bracket a quantile before the exact count
_SAMPLE = 1_000_003


def label_by_rank(backend: Backend, values: Any, counts: Sequence[int], tie_break: Any) -> tuple[Any, list[float]]:
    """Label voxels by how many of the ``counts`` their rank reaches; ties are ordered by ``tie_break``, then by index.

    Parameters
    ----------
    values, tie_break : arrays of one shape, floating point.
    counts : one or two ascending numbers; exactly ``counts[0]`` voxels get label 0, and so on.

    Returns
    -------
    labels : uint8, of the same shape (two equal counts give labels 0 and 2).
    thresholds : the lowest value that reaches each count.
    """
    xp = backend.xp
    flat, ties = values.reshape(-1), tie_break.reshape(-1)
    sample = xp.sort(flat[:: max(1, flat.size // _SAMPLE) | 1])
    splits = [_split_at(backend, flat, ties, count, sample) for count in counts]
    thresholds = xp.asarray([threshold for threshold, _ in splits], dtype=flat.dtype)
    labels = count_thresholds(backend, flat, thresholds)
    for _, demoted in splits:
        labels[demoted] -= 1
    return labels.reshape(values.shape), [float(threshold) for threshold, _ in splits]


def _split_at(backend: Backend, values: Any, ties: Any, count: int, sample: Any) -> tuple[float, Any]:
    """Return the value of rank ``count`` and the indices of equal values that rank below it."""
    xp = backend.xp
    if count >= values.size:
        return np.inf, xp.empty(0, dtype=xp.int64)
    spread = 5 * np.sqrt(sample.size * (count / values.size) * (1 - count / values.size)) + 5
    while True:
        low, high = _bracket(sample, count / values.size * sample.size, spread)
        below, found = collect_between(backend, values, low, high)
        if below <= count < below + found.size:
            break
        spread *= 4
    candidates = values[found]
    threshold = xp.partition(candidates, count - below)[count - below]
    n_demoted = count - below - int(xp.count_nonzero(candidates < threshold))
    if n_demoted == 0:  # avoids sorting the whole solid where the thresholded field is ranked unsmoothed
        return float(threshold), found[:0]
    tied = found[candidates == threshold]
    return float(threshold), tied[xp.argsort(ties[tied], kind="stable")[:n_demoted]]


def _bracket(sample: Any, position: float, spread: float) -> tuple[float, float]:
    first, last = int(position - spread), int(position + spread) + 1
    low = -np.inf if first < 0 else float(sample[first])
    high = np.inf if last >= sample.size else float(sample[last])
    return low, high

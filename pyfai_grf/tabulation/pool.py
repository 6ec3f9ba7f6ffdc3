"""All boxes pooled: the expected partial intensities of solid and film at the nodes, and their jackknife replicates.

Each kind of box has its control variates (``tabulation.controls``), and the effect of the voxels is removed: the
difference between fine and coarse boxes of the same fields, times 4/3 (Richardson: the error falls with the voxel size
squared), is added to the mean of all coarse boxes, and that between coarse boxes and pairs to the wide ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation.controls import (
    GROUPS,
    control_boxes,
    control_layers,
    control_modes,
    get_band,
    measure_boxes,
    regress_modes,
)
from pyfai_grf.tabulation.grids import KINDS
from pyfai_grf.tabulation.store import BoxFolder
from pyfai_grf.tabulation.sums import Sums, compute_reference, read_sums

#: wide boxes are used up to this x
_X_WIDE = 3.0
_RICHARDSON = 4 / 3
#: coarse and fine boxes are joined from this share of the coarse range on
_OVERLAP = 0.7
_SMOOTH_SHELLS = 5


@dataclass(frozen=True)
class Pooled:
    """Means over all boxes (row 0) and with each group of boxes left out (rows 1 .. R), at the nodes.

    Attributes
    ----------
    x : (S,) shells of wide, coarse and fine boxes, one kind after the other.
    starts : where the kinds begin in ``x``, and where the last one ends.
    logratio : (1 + R, J, K, S) logarithm of f_DD over the two-phase curve whose solid has D's volume.
    coherence : (1 + R, J, K, S) f_SD / sqrt(f_SS f_DD).
    layer : (1 + R, J, K) layer fractions.
    boxes : how many there are of each kind.
    """

    x: FloatArray
    starts: tuple[int, ...]
    logratio: FloatArray
    coherence: FloatArray
    layer: FloatArray
    boxes: dict[str, int]


@dataclass(frozen=True)
class _Kind:
    """Boxes of one kind: raw, and with controls f_DD, f_SD (B, J, K, S) and the layer fractions (B, J, K)."""

    sums: Sums
    dd: FloatArray
    sd: FloatArray
    layer: FloatArray

    def select(self, kept: np.ndarray) -> _Kind:
        return _Kind(self.sums.select(kept), self.dd[kept], self.sd[kept], self.layer[kept])


def pool_boxes(folder: BoxFolder) -> Pooled:
    """Return the means over all boxes of ``folder``, and their jackknife replicates.

    Raises
    ------
    InputError
        If there are fewer than two boxes of a kind, too few to average over, or one cannot be read.
    """
    sums = {kind: read_sums(folder, kind) for kind in KINDS}
    beta = {kind: regress_modes(sums[kind]) for kind in ("coarse", "wide")}
    low = sums["pair"].controls.shape[-1]
    # the same fields at two voxel sizes
    twins = {
        "fine": (sums["fine"], beta["coarse"]),
        "fine as coarse": (_match(sums["coarse"], sums["fine"]), beta["coarse"]),
        "pair": (sums["pair"], beta["coarse"][..., :low]),
        "pair as coarse": (_match(sums["coarse"], sums["pair"]), beta["coarse"][..., :low]),
    }
    kinds = {name: _Kind(boxes, *control_modes(boxes, b), boxes.layers) for name, (boxes, b) in twins.items()}
    for kind in ("coarse", "wide"):
        kinds[kind] = _control(sums[kind], beta[kind], _measure_voxels(kinds, get_band(sums[kind]), kind == "wide"))
    rows = []
    for left_out in range(-1, GROUPS):
        chosen = {name: _leave_out(boxes, left_out) for name, boxes in kinds.items()}
        rows.append(_combine(chosen))
    xs = rows[0][0]
    logratio, coherence, layer = (np.stack(parts) for parts in list(zip(*rows, strict=True))[1:])
    starts = tuple(int(n) for n in np.cumsum([0, *(len(x) for x in xs)]))
    return Pooled(np.concatenate(xs), starts, logratio, coherence, layer, {k: len(s.index) for k, s in sums.items()})


def _match(sums: Sums, others: Sums) -> Sums:
    missing = np.setdiff1d(others.index, sums.index)
    if missing.size:
        raise InputError(f"coarse box {missing[0]} is missing, but its fine box or its pair is there: make it again")
    return sums.select(np.isin(sums.index, others.index))


def _measure_voxels(kinds: dict[str, _Kind], band: tuple[float, float], is_wide: bool) -> FloatArray:
    """Return what the voxels of coarse or wide boxes add to the realised areas and volumes, (J, 2)."""

    def differ(one: str, other: str) -> FloatArray:
        found = [measure_boxes(kinds[name].sums, band).mean(axis=0) for name in (one, other)]
        return np.asarray(found[0] - found[1])

    coarse = _RICHARDSON * differ("fine as coarse", "fine")
    return coarse + differ("pair", "pair as coarse") if is_wide else coarse


def _control(sums: Sums, beta: FloatArray, voxels: FloatArray) -> _Kind:
    """Return boxes with both kinds of controls."""
    dd, sd = control_modes(sums, beta)
    mean = dd.mean(axis=0)
    envelope = np.sqrt(mean * sums.exact_ss[:, np.newaxis])
    dd, sd = control_boxes(sums, dd, mean, voxels), control_boxes(sums, sd, envelope, voxels)
    return _Kind(sums, dd, sd, control_layers(sums, voxels))


def _leave_out(boxes: _Kind, group: int) -> _Kind:
    return boxes.select(np.arange(len(boxes.dd)) % GROUPS != group)


def _combine(kinds: dict[str, _Kind]) -> tuple[list[FloatArray], FloatArray, FloatArray, FloatArray]:
    """Return the x of wide, coarse and fine shells, and log ratio, coherence (J, K, S) and layer fraction (J, K)."""
    coarse, fine, wide = (kinds[name] for name in ("coarse", "fine", "wide"))
    count = len(coarse.sums.shells.x)
    step = _differ(fine, kinds["fine as coarse"])
    dd, sd = (_average(coarse)[n] + _RICHARDSON * step[n] for n in (0, 1))
    layer = _combine_layers(kinds, _RICHARDSON * step[2])
    ss = coarse.sums.exact_ss[:, np.newaxis]
    near = np.log(dd / compute_reference(coarse.sums, layer)), sd / np.sqrt(dd * ss)
    # the wide boxes, corrected for their voxels by what the pairs show
    seen = _differ(kinds["pair as coarse"], kinds["pair"])
    size = seen[0].shape[-1]
    dd_pair, sd_pair = (_average(coarse)[n][..., :size] - seen[n] for n in (0, 1))
    shifts = (
        np.log(dd[..., :size] / dd_pair),
        near[1][..., :size] - sd_pair / np.sqrt(dd_pair * ss[..., :size]),
    )
    kept = np.flatnonzero(wide.sums.shells.x < _X_WIDE)
    x_wide = wide.sums.shells.x[kept]
    dd_wide, sd_wide = (v[..., kept] for v in _average(wide)[:2])
    if min(v.min() for v in (dd, dd_pair, dd_wide)) <= 0:
        raise InputError(f"the boxes are too few, or too small, for an average ({len(coarse.dd)} coarse): make more")
    seen_wide = (
        np.log(dd_wide / compute_reference(wide.sums, layer)[..., kept]),
        sd_wide / np.sqrt(dd_wide * wide.sums.exact_ss[:, np.newaxis, kept]),
    )
    nodes = coarse.sums.shells.x[:size]
    low = [v + _interpolate(x_wide, nodes, shift) for v, shift in zip(seen_wide, shifts, strict=True)]
    high = _continue(fine, dd, layer, count)
    xs = [x_wide, coarse.sums.shells.x, fine.sums.shells.x[count:]]
    ratio, coherence = (np.concatenate(parts, axis=-1) for parts in zip(low, near, high, strict=True))
    return xs, ratio, coherence, layer


def _average(boxes: _Kind) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the means of f_DD, f_SD (J, K, S) and of the layer fractions (J, K)."""
    return boxes.dd.mean(axis=0), boxes.sd.mean(axis=0), boxes.layer.mean(axis=0)


def _differ(one: _Kind, other: _Kind) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the differences of the means, on the shells that both have."""
    size = min(one.dd.shape[-1], other.dd.shape[-1])
    (dd, sd, layer), (dd_other, sd_other, layer_other) = _average(one), _average(other)
    return dd[..., :size] - dd_other[..., :size], sd[..., :size] - sd_other[..., :size], layer - layer_other


def _combine_layers(kinds: dict[str, _Kind], step: FloatArray) -> FloatArray:
    """Return the layer fractions (J, K): coarse and wide boxes by volume, ``step`` from the coarse to no voxels."""
    coarse, wide = kinds["coarse"], kinds["wide"]
    shift = _differ(kinds["pair as coarse"], kinds["pair"])[2]
    volumes = len(coarse.layer), 8 * len(wide.layer)
    means = coarse.layer.mean(axis=0), wide.layer.mean(axis=0) + shift
    return np.asarray(np.average(means, axis=0, weights=volumes) + step)


def _interpolate(x: FloatArray, nodes: FloatArray, values: FloatArray) -> FloatArray:
    """Return ``values`` (J, K, S) at ``nodes``, smoothed a little, at ``x``."""
    smooth = uniform_filter1d(values, _SMOOTH_SHELLS, axis=-1, mode="nearest")
    flat = smooth.reshape(-1, len(nodes))
    return np.stack([np.interp(x, nodes, row) for row in flat]).reshape(*values.shape[:2], len(x))


def _continue(fine: _Kind, dd: FloatArray, layer: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Return log ratio and coherence of the fine boxes beyond ``count`` shells, scaled to the area of ``dd``."""
    sums = fine.sums
    dd_fine, sd_fine = sums.dd.mean(axis=0), sums.sd.mean(axis=0)
    overlap = slice(int(_OVERLAP * count), count)
    scale = np.mean(np.log(dd[..., overlap] / dd_fine[..., overlap]), axis=-1, keepdims=True)
    coherence = sd_fine / np.sqrt(dd_fine * sums.ss.mean(axis=0)[:, np.newaxis])
    ratio = np.log(dd_fine / compute_reference(sums, layer)) + scale
    return ratio[..., count:], coherence[..., count:]

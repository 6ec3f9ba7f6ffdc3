"""Control variates of the three-phase table: what a box's solids, whose expectation is exact, say about its films.

Two steps remove most of the scatter:

1. Mode by mode, D (solid and film) is regressed on the solids S_i of all porosities, D = sum beta_i S_i + rest. For any
   fixed beta, E|D|^2 = E[|D|^2 - beta' (SS - F) beta] with F = E[SS] known exactly: only the rest has to be averaged,
   which is 0 to 30 % of |D|^2 below qa = 2. The same holds for S D.
2. The surface area scatters from box to box, and with it all q alike. It is regressed on realised areas and volumes of
   the solids, whose expectations are also known.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.tabulation.sums import Sums

#: groups of boxes that are left out in turn (cross-fitting here, jackknife in ``tabulation.pool``)
GROUPS = 10
#: a box's surface area is measured from this x on, or over the upper part of a kind that does not reach so far
_X_AREA = 5.0
#: coefficients are smoothed over this many shells
_SMOOTH_SHELLS = 21
#: these keep the regressions solvable where solids are alike; relative to the diagonal
_RIDGE_MODES, _RIDGE_BOXES = 1e-7, 1e-3


def regress_modes(sums: Sums) -> FloatArray:
    """Return beta (J, K, J, L): D's regression on the solids, pooled over boxes and three neighbouring shells."""
    weight = sums.shells.modes[: sums.controls.shape[-1]]
    gram = _pool_neighbours(sums.controls.sum(axis=0) * weight)
    mixed = _pool_neighbours(sums.mixed.sum(axis=0) * weight)
    gram = gram + _RIDGE_MODES * np.eye(len(gram))[:, :, np.newaxis] * np.einsum("iis->is", gram)
    left = np.moveaxis(gram, -1, 0)[:, np.newaxis, np.newaxis]
    right = np.moveaxis(mixed, -1, 0)[..., np.newaxis]
    return np.asarray(np.moveaxis(np.linalg.solve(left, right)[..., 0], 0, -1))


def _pool_neighbours(values: FloatArray) -> FloatArray:
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(1, 1)])
    return np.asarray(padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:])


def control_modes(sums: Sums, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``dd`` and ``sd`` (B, J, K, S) minus what the solids' modes explain beyond their expectation."""
    dd, sd = sums.dd.copy(), sums.sd.copy()
    low = beta.shape[-1]
    excess = (sums.controls - sums.exact_controls)[..., :low]
    for j in range(beta.shape[0]):
        dd[:, j, :, :low] -= np.einsum("kas,bacs,kcs->bks", beta[j], excess, beta[j], optimize=True)
        sd[:, j, :, :low] -= np.einsum("kas,bas->bks", beta[j], excess[:, j])
    return dd, sd


def control_boxes(sums: Sums, values: FloatArray, envelope: FloatArray, voxels: FloatArray) -> FloatArray:
    """Return ``values`` (B, J, K, S) minus their regression over boxes on areas and volumes of two solids.

    The two are the porosity's own solid and the one nearest in volume to solid and film together. The coefficients,
    relative to ``envelope`` (J, K, S), are smoothed along the shells. ``voxels`` (J, 2) is what the voxels add to
    areas and volumes.
    """
    realised = measure_boxes(sums, get_band(sums)) - voxels
    layer, porosities = sums.layers.mean(axis=0), sums.setting.porosities
    result = np.empty_like(values)
    for j, k in np.ndindex(*layer.shape):
        outer = int(np.argmin(np.abs(porosities - porosities[j] * (1 - layer[j, k]))))
        known = realised[:, sorted({j, outer})].reshape(len(values), -1)
        result[:, j, k] = values[:, j, k] - _explain(known, values[:, j, k] / envelope[j, k]) * envelope[j, k]
    return result


def control_layers(sums: Sums, voxels: FloatArray) -> FloatArray:
    """Return the layer fractions (B, J, K), controlled in the same way: a thin film's follows from the area alone."""
    layers = sums.layers[..., np.newaxis]
    return control_boxes(sums, layers, layers.mean(axis=0), voxels)[..., 0]


def get_band(sums: Sums) -> tuple[float, float]:
    """Return the range of x in which the boxes' surface areas are measured."""
    highest = float(sums.shells.x[-1])
    return min(_X_AREA, 0.6 * highest), highest


def measure_boxes(sums: Sums, band: tuple[float, float]) -> FloatArray:
    """Return the realised areas and volumes of the solids minus their expectations, relative: (B, J, 2)."""
    x = sums.shells.x
    weight = sums.shells.modes * ((x > band[0]) & (x <= band[1]))
    area = (sums.ss / sums.exact_ss) @ weight / weight.sum() - 1
    porosities = sums.setting.porosities
    volume = (sums.volumes[:, :, 0] - 1 + porosities) / (porosities * (1 - porosities))
    return np.stack((area, volume), axis=-1)


def _explain(known: FloatArray, values: FloatArray) -> FloatArray:
    """Return what ``known`` (B, n) explains of ``values`` (B, S), linearly.

    The slopes for a box come from the boxes of other groups: slopes from its own group would follow its noise, and
    the remaining scatter would look smaller than it is.
    """
    group = np.arange(len(known)) % GROUPS
    count = min(_SMOOTH_SHELLS, values.shape[-1])
    result = np.empty_like(values)
    for left_out in np.unique(group):
        rest = group != left_out
        centred = known[rest] - known[rest].mean(axis=0)
        gram = centred.T @ centred
        slopes = np.linalg.solve(gram + _RIDGE_BOXES * np.diag(np.diag(gram)), centred.T @ values[rest])
        result[~rest] = known[~rest] @ uniform_filter1d(slopes, count, axis=1, mode="nearest")
    return result

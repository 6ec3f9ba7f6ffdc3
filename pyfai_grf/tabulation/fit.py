"""From pooled boxes to the three-phase table: smooth curves through them and through every jackknife replicate.

The curves of ``theory.three_phase_table`` are fitted as penalised splines, weighted by the boxes' scatter; the penalty
(one for r, one for alpha and beta) minimises the generalised cross-validation score over the nodes.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.interpolate import BSpline, CubicSpline
from scipy.ndimage import uniform_filter1d
from scipy.optimize import minimize_scalar

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.versions import PACKAGE_VERSION
from pyfai_grf.tabulation.pool import Pooled, pool_boxes
from pyfai_grf.tabulation.store import BoxFolder
from pyfai_grf.theory.covariance import compute_flat_film
from pyfai_grf.theory.spectra import get_spectrum
from pyfai_grf.theory.three_phase_table import (
    LAYER_NODES,
    X_SCALE,
    ThreePhaseTable,
    compute_jackknife_variance,
    find_wave_scale,
    make_knots,
    map_x,
)

#: intervals of the splines in v
_INTERVALS = 40
_NOISE_SHELLS = 15
#: relative error in the weights that remains however many boxes there are
_FLOOR = 5e-4
#: the expected size of r or alpha - 1, and of beta, and the layer fraction below which they are proportional to it:
#: where the data cannot tell alpha from beta, or do not reach the film's first minimum, both stay small
_EXPECTED, _EXPECTED_LAYER = np.array([0.5, 0.4]), 0.2


def fit_table(folder: BoxFolder) -> ThreePhaseTable:
    """Return the table from all boxes of ``folder``.

    Raises
    ------
    InputError
        If there are too few boxes, or one cannot be read.
    """
    return make_table(pool_boxes(folder), folder)


def make_table(pooled: Pooled, folder: BoxFolder) -> ThreePhaseTable:
    """Return the table for pooled boxes of ``folder``."""
    knots = make_knots(_INTERVALS)
    setting, spectrum = folder.setting, get_spectrum(folder.setting.spectrum)
    scales = [find_wave_scale(float(porosity), spectrum) for porosity in setting.porosities]
    basis, *wave_bases = (
        BSpline.design_matrix(map_x(pooled.x, scale), knots, 3).toarray() for scale in (X_SCALE, *scales)
    )
    bases = np.broadcast_to(basis, (*folder.thicknesses.shape, *basis.shape))
    phase = np.multiply.outer(folder.thicknesses, pooled.x)[..., np.newaxis]
    sine = np.sin(phase) * (X_SCALE / pooled.x)[:, np.newaxis]
    stacked = np.stack(wave_bases)[:, np.newaxis]
    waves = np.concatenate((stacked * np.cos(phase), stacked * sine), axis=-1)
    expected = np.minimum(1, pooled.layer[0] / _EXPECTED_LAYER)[..., np.newaxis] * _EXPECTED
    ratio = _fit_all(bases, pooled.logratio, pooled.starts, expected[..., :1])
    both = _fit_all(waves, pooled.coherence - np.cos(phase[..., 0]), pooled.starts, expected)
    alpha, beta = np.split(both, 2, axis=-1)
    curves = np.stack((ratio, 1 + alpha, beta), axis=1)  # rows, 3, J, K, C
    description = {
        "spectrum": setting.spectrum,
        "recipe_version": setting.recipe_version,
        "package_version": PACKAGE_VERSION,
        "seed": setting.seed,
        "shape": setting.shape,
        "voxels_per_a": setting.voxels_per_a,
        "boxes": pooled.boxes,
    }
    flat = compute_flat_film(setting.porosities[:, np.newaxis], pooled.layer, setting.spectrum)
    rows = [_regrid(*parts) for parts in zip(curves, pooled.layer, folder.thicknesses / flat, strict=True)]
    curves, stretch = (np.stack(parts) for parts in zip(*rows, strict=True))
    return ThreePhaseTable(np.array(setting.thresholds), curves, stretch, knots, description)


def _fit_all(bases: FloatArray, values: FloatArray, starts: tuple[int, ...], expected: FloatArray) -> FloatArray:
    """Return the coefficients (rows, J, K, C) of ``values`` (rows, J, K, S) in ``bases`` (J, K, S, C).

    ``expected`` (J, K, n) is the expected size of the n functions, whose coefficients follow each other.
    """
    J, K, _, size = bases.shape
    parts = expected.shape[-1]
    penalty = np.kron(np.eye(parts), _make_penalty(size // parts))
    ridge = np.repeat(expected, size // parts, axis=-1) ** -2
    weights = 1 / (measure_noise(values, starts) ** 2 + _FLOOR**2)

    def shrink(node: tuple[int, int], strength: float) -> FloatArray:
        return np.asarray(strength * penalty + np.diag(ridge[node]))

    def score(logarithm: float) -> float:
        some = [(j, k) for j in range(0, J, 2) for k in range(0, K, 2)]
        strength = float(np.exp(logarithm))
        return sum(_cross_validate(bases[n], values[0][n], weights[n], shrink(n, strength)) for n in some)

    best = float(np.exp(minimize_scalar(score, bounds=(-5, 20), method="bounded", options={"xatol": 0.3}).x))
    result = np.empty((*values.shape[:3], size))
    for node in np.ndindex(J, K):
        weighted = bases[node].T * weights[node]
        matrix = weighted @ bases[node] + shrink(node, best)
        result[:, *node] = np.linalg.solve(matrix, weighted @ values[:, *node].T).T
    return result


def _make_penalty(size: int) -> FloatArray:
    third = np.diff(np.eye(size), 3, axis=0)
    return np.asarray(third.T @ third)


def _cross_validate(basis: FloatArray, values: FloatArray, weights: FloatArray, penalty: FloatArray) -> float:
    """Return the logarithm of the generalised cross-validation score."""
    weighted = basis.T * weights
    gram = weighted @ basis
    inverse = np.linalg.inv(gram + penalty)
    residual = values - basis @ (inverse @ (weighted @ values))
    freedom = len(values) - np.trace(inverse @ gram)
    return float(np.log(np.sum(weights * residual**2) / freedom**2))


def measure_noise(values: FloatArray, starts: tuple[int, ...]) -> FloatArray:
    """Return the standard error (J, K, S) from the jackknife rows, smoothed along the shells of each kind."""
    variance = compute_jackknife_variance(values[1:])
    for start, stop in pairwise(starts):
        count = min(_NOISE_SHELLS, stop - start)
        variance[..., start:stop] = uniform_filter1d(variance[..., start:stop], count, axis=-1, mode="nearest")
    return np.asarray(np.sqrt(variance))


def _regrid(curves: FloatArray, layer: FloatArray, stretch: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the curves (3, J, M, C) and the stretch (J, M) at ``LAYER_NODES``, by splines along each porosity.

    Without a layer, r is 0, and alpha and the stretch are 1; beta has no meaning there and stays at its first value.
    """
    _, J, _, size = curves.shape
    result = np.zeros((3, J, len(LAYER_NODES), size))
    regridded = np.empty((J, len(LAYER_NODES)))
    for j in range(J):
        with_zero = np.concatenate(([0.0], layer[j]))
        regridded[j] = CubicSpline(with_zero, np.concatenate(([1.0], stretch[j])))(LAYER_NODES)
        for n, start in ((0, 0.0), (1, 1.0)):
            values = np.concatenate((np.full((1, size), start), curves[n, j]))
            result[n, j] = CubicSpline(with_zero, values)(LAYER_NODES)
        result[2, j] = CubicSpline(layer[j], curves[2, j])(np.maximum(LAYER_NODES, layer[j, 0]))
    return result, regridded

"""One output: the smooth first stage, boosted trees on what it leaves, and the interval around both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost
from numpy.typing import NDArray

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.learn.smooth import Projection, SmoothModel, fit_smooth

#: level of the prediction interval
LEVEL = 0.9
#: hyperparameters of the trees; the rest is XGBoost's default
TREES = {
    "objective": "reg:squarederror",
    "learning_rate": 0.05,
    "max_depth": 5,
    "min_child_weight": 20,
    "subsample": 0.5,
    "colsample_bytree": 0.5,
    "reg_lambda": 5.0,
    "max_bin": 256,
    "seed": 1,
}
MAX_TREES, PATIENCE = 1200, 50
SPREAD_TREES = {"learning_rate": 0.1, "max_depth": 4, "subsample": 0.5, "colsample_bytree": 0.5, "seed": 1}
SPREAD_COUNT = 80
#: bands of the prediction, and of the noise, that get an interval factor of their own
_STRUCTURES_A_BAND, _MOST_BANDS, _MOST_NOISE_BANDS = 60, 16, 8


@dataclass(frozen=True)
class Regressor:
    """One parameter's model. Inside, lengths are logarithmic: ``is_log``.

    ``spread`` are trees that predict ln |error| of the middle, ``factors`` (C, B) the conformal factors that make
    +- factor exp(spread) hold for 90 % of the calibration examples in each of the B bands of the prediction that
    ``edges`` (B - 1,) part, and in each of the C bands of the noise that ``noise_edges`` (C - 1,) part in feature
    ``noise_column`` (Mondrian conformal prediction, Vovk et al. 2005, doi:10.1007/b106715).
    ``is_mirrored``: it was trained on 1 - parameter. A two-phase curve is the same for porosity p and 1 - p (Babinet),
    so that the classes on both sides share their trees.
    """

    smooth: SmoothModel
    trees: xgboost.Booster
    spread: xgboost.Booster
    is_log: bool
    edges: FloatArray
    factors: FloatArray
    noise_edges: FloatArray
    noise_column: int
    is_mirrored: bool = False

    def predict(self, projection: Projection, features: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return value, lower and upper bound of the 90 % interval for raw ``features`` (N, F), (N,) each."""
        z = projection.standardise(features)
        start = self.smooth.predict(projection.project(features))
        middle = _predict(self.trees, xgboost.DMatrix(z, base_margin=start))
        noise = np.searchsorted(self.noise_edges, features[:, self.noise_column])
        factor = self.factors[noise, np.searchsorted(self.edges, middle)]
        half = factor * np.exp(_predict(self.spread, xgboost.DMatrix(z)))
        lower, upper = middle - half, middle + half
        if self.is_log:
            middle, lower, upper = np.exp(middle), np.exp(lower), np.exp(upper)
        return (1 - middle, 1 - upper, 1 - lower) if self.is_mirrored else (middle, lower, upper)


@dataclass(frozen=True)
class Parts:
    """Who learns what, (N,) each; examples of one structure share their part and fold.

    ``name``: "fit" for the trees, "stop" for early stopping and the spread, "calibration" for the interval, others
    rest. ``fold``: of the cross-validation of the smooth stage. ``structure``: what the example is of. ``classes``
    (N, C): by C criteria, in which class it is: intervals have to hold in each.
    """

    name: NDArray[np.str_]
    fold: NDArray[np.int64]
    structure: NDArray[np.int64]
    classes: NDArray[np.int64] | None = None


def fit_regressor(
    projection: Projection,
    features: FloatArray,
    target: FloatArray,
    parts: Parts,
    noise_column: int,
    is_log: bool,
    most_trees: int = MAX_TREES,
) -> Regressor:
    """Fit one output; ``features`` (N, F) raw, of which ``noise_column`` tells the noise, ``target`` (N,)."""
    inner = np.log(target) if is_log else target
    fit, stop, held = (parts.name == name for name in ("fit", "stop", "calibration"))
    learning = fit | stop
    unseen = np.full(inner.size, np.nan)
    smooth, unseen[learning] = fit_smooth(projection.project(features[learning]), inner[learning], parts.fold[learning])
    unseen[held] = smooth.predict(projection.project(features[held]))

    def make_matrix(rows: NDArray[np.bool_], margin: FloatArray | None = unseen) -> xgboost.DMatrix:
        z = projection.standardise(features[rows])
        return xgboost.DMatrix(z, inner[rows], base_margin=None if margin is None else margin[rows])

    evals, options = [(make_matrix(stop), "stop")], {"early_stopping_rounds": PATIENCE, "verbose_eval": False}
    trees = xgboost.train(TREES, make_matrix(fit), most_trees, evals=evals, **options)
    trees = trees[: trees.best_iteration + 1]
    spread = _fit_spread(make_matrix(stop, None), np.abs(inner[stop] - _predict(trees, make_matrix(stop))))
    middle = _predict(trees, make_matrix(held))
    score = np.abs(inner[held] - middle) / np.exp(_predict(spread, make_matrix(held, None)))
    structures = np.unique(parts.structure[held]).size
    noise = features[held][:, noise_column]
    edges, factors, noise_edges = _calibrate(middle, noise, score, structures)
    if parts.classes is not None:
        ratio = score / factors[np.searchsorted(noise_edges, noise), np.searchsorted(edges, middle)]
        factors = factors * _widen(ratio, parts.classes[held])
    return Regressor(smooth, trees, spread, is_log, edges, factors, noise_edges, noise_column)


def _calibrate(
    middle: FloatArray, noise: FloatArray, score: FloatArray, structures: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the edges of bands in ``middle`` (N,), the LEVEL quantile of ``score`` (C, B) in each, the noise's edges.

    Bands are of equal population. Structures, not examples, count: the noise draws of one structure share its error.
    """
    bands = int(np.clip(structures // _STRUCTURES_A_BAND, 1, _MOST_BANDS))
    noise_bands = int(np.clip(structures // (_STRUCTURES_A_BAND * bands), 1, _MOST_NOISE_BANDS))
    # the finite-sample correction (n + 1) / n of each band
    level = min(1.0, LEVEL * (1 + bands * noise_bands / structures))
    edges = np.quantile(middle, np.arange(1, bands) / bands)
    noise_edges = np.quantile(noise, np.arange(1, noise_bands) / noise_bands)
    band, noise_band = np.searchsorted(edges, middle), np.searchsorted(noise_edges, noise)
    factors = np.array(
        [
            [np.quantile(score[(noise_band == c) & (band == b)], level, method="higher") for b in range(bands)]
            for c in range(noise_bands)
        ]
    )
    return edges, factors, noise_edges


def _widen(ratio: FloatArray, classes: NDArray[np.int64]) -> float:
    """Return the factor that makes intervals hold in the worst of the ``classes`` (N, C) too.

    ``ratio`` (N,) of errors to intervals that hold on the average: where the curve does not tell what class it is of,
    the prediction is that of the usual one, and the others are missed more often.
    """
    worst = 1.0
    for column in classes.T:
        for number in np.unique(column):
            own = ratio[column == number]
            if own.size >= _STRUCTURES_A_BAND:
                worst = max(worst, float(np.quantile(own, LEVEL)))
    return worst


def _fit_spread(matrix: xgboost.DMatrix, error: FloatArray) -> xgboost.Booster:
    """Return trees for ln |error|: how sure the prediction is depends on where it is and on the noise."""
    floor = np.quantile(error, 0.02)  # a lucky zero says nothing of the spread
    matrix.set_label(np.log(np.maximum(error, floor)))
    # a fiftieth of the examples to a leaf: the spread is a mean over many errors
    return xgboost.train({**SPREAD_TREES, "min_child_weight": len(error) / 50}, matrix, SPREAD_COUNT)


def _predict(trees: xgboost.Booster, matrix: xgboost.DMatrix) -> FloatArray:
    return np.asarray(trees.predict(matrix), dtype=np.float64)

"""One output: the smooth first stage, boosted trees on what it leaves, and the interval around both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost

from pyfai_grf.core.records import FloatArray
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


@dataclass(frozen=True)
class Regressor:
    """One parameter's model. Inside, lengths are logarithmic: ``is_log``.

    ``spread`` are trees that predict ln |error| of the middle, ``factor`` the conformal factor that makes
    +- factor exp(spread) hold for 90 % of the calibration examples.
    """

    smooth: SmoothModel
    trees: xgboost.Booster
    spread: xgboost.Booster
    is_log: bool
    factor: float

    def predict(self, projection: Projection, features: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return value, lower and upper bound of the 90 % interval for raw ``features`` (N, F), (N,) each."""
        matrix = _make_matrix(projection, features, self.smooth)
        middle = _predict(self.trees, matrix)
        half = self.factor * np.exp(_predict(self.spread, _make_matrix(projection, features)))
        bounds = middle, middle - half, middle + half
        return tuple(np.exp(b) for b in bounds) if self.is_log else bounds  # type: ignore[return-value]


def fit_regressor(
    projection: Projection, features: FloatArray, target: FloatArray, part: Any, is_log: bool
) -> Regressor:
    """Fit one output.

    ``features`` (N, F) raw, ``target`` (N,), ``part`` (N,) strings: "fit" for the coefficients, "stop" for early
    stopping and the spread, "calibration" for the interval. Examples of one structure share a part.
    """
    inner = np.log(target) if is_log else target
    fit, stop, held = (part == name for name in ("fit", "stop", "calibration"))
    learning = fit | stop
    smooth = fit_smooth(projection.project(features[learning]), inner[learning], fit[learning])
    trees = xgboost.train(
        TREES,
        _make_matrix(projection, features[fit], smooth, inner[fit]),
        MAX_TREES,
        evals=[(_make_matrix(projection, features[stop], smooth, inner[stop]), "stop")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    trees = trees[: trees.best_iteration + 1]
    error = np.abs(inner - _predict(trees, _make_matrix(projection, features, smooth)))
    spread = _fit_spread(_make_matrix(projection, features[stop]), error[stop])
    score = error[held] / np.exp(_predict(spread, _make_matrix(projection, features[held])))
    return Regressor(smooth, trees, spread, is_log, float(np.quantile(score, LEVEL, method="higher")))


def _fit_spread(matrix: xgboost.DMatrix, error: FloatArray) -> xgboost.Booster:
    """Return trees for ln |error|: how sure the prediction is depends on where it is and on the noise."""
    floor = np.quantile(error, 0.02)  # a lucky zero says nothing of the spread
    matrix.set_label(np.log(np.maximum(error, floor)))
    # a fiftieth of the examples to a leaf: the spread is a mean over many errors
    return xgboost.train({**SPREAD_TREES, "min_child_weight": len(error) / 50}, matrix, SPREAD_COUNT)


def _make_matrix(
    projection: Projection,
    features: FloatArray,
    smooth: SmoothModel | None = None,
    target: FloatArray | None = None,
) -> xgboost.DMatrix:
    """Return standardised features for XGBoost; with ``smooth``, its prediction is what the trees start from."""
    margin = None if smooth is None else smooth.predict(projection.project(features))
    return xgboost.DMatrix(projection.standardise(features), label=target, base_margin=margin)


def _predict(trees: xgboost.Booster, matrix: xgboost.DMatrix) -> FloatArray:
    return np.asarray(trees.predict(matrix), dtype=np.float64)

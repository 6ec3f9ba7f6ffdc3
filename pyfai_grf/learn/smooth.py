"""The smooth first stage: a ridge polynomial of principal components, which the trees then correct.

On few structures a smooth function of the same features is several times closer than trees alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import FloatArray

#: components and degree, and ridge penalties tried; cross-validation over the structures chooses
CANDIDATES = ((4, 3), (6, 3), (8, 3), (12, 3), (14, 3), (10, 2), (14, 2))
PENALTIES = tuple(10.0**exponent for exponent in range(-9, -1))
FOLDS = 5
#: bands of the noise, each with its own limit of what is left outside the components
_NOISE_BANDS = 8


@dataclass(frozen=True)
class Projection:
    """Standardisation and principal components of the features.

    ``mean``, ``scale`` (F,): of the training set. ``axes`` (K, F), ``spread`` (K,): components and their standard
    deviations. ``low``, ``high`` (F,): range of the standardised features in the training set. ``residual_limits``
    (L,): what 99.9 % of the training set leaves outside the components at most, in the L bands of the last feature
    (a noise) that ``noise_edges`` (L - 1,) part: what passes for noise in a poor curve is a misfit in a good one.
    """

    mean: FloatArray
    scale: FloatArray
    axes: FloatArray
    spread: FloatArray
    low: FloatArray
    high: FloatArray
    noise_edges: FloatArray
    residual_limits: FloatArray

    def standardise(self, features: FloatArray) -> FloatArray:
        """Return features (N, F) with the training set's mean removed, in units of its standard deviation."""
        return (features - self.mean) / self.scale

    def hold_noise(self, features: FloatArray, count: int) -> FloatArray:
        """Return ``features`` (N, F) with the last ``count``, the noise, held inside the training range.

        A curve with less noise than any in the training data is read like the quietest of them.
        """
        low, high = (self.mean + self.scale * bound for bound in (self.low, self.high))
        held = features.copy()
        held[:, -count:] = np.clip(features[:, -count:], low[-count:], high[-count:])
        return held

    def project(self, features: FloatArray) -> FloatArray:
        """Return principal components (N, K) of raw ``features`` (N, F), in units of their standard deviation."""
        return self.standardise(features) @ self.axes.T / self.spread

    def measure_residual(self, features: FloatArray) -> FloatArray:
        """Return how far raw ``features`` (N, F) are from what the components can draw, (N,), in units of the limit."""
        limit = self.residual_limits[np.searchsorted(self.noise_edges, features[:, -1])]
        return np.asarray(_measure_rest(self.standardise(features), self.axes) / limit)


def fit_projection(features: FloatArray, components: int = 14) -> Projection:
    """Return the projection of training ``features`` (N, F)."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    z = (features - mean) / scale
    variance, vectors = np.linalg.eigh(z.T @ z / len(z))
    axes = vectors[:, ::-1][:, :components].T
    spread = np.sqrt(variance[::-1][:components])
    rest = _measure_rest(z, axes)
    edges = np.quantile(features[:, -1], np.arange(1, _NOISE_BANDS) / _NOISE_BANDS)
    band = np.searchsorted(edges, features[:, -1])
    limits = np.array([np.quantile(rest[band == number], 0.999) for number in range(_NOISE_BANDS)])
    return Projection(mean, scale, axes, spread, z.min(axis=0), z.max(axis=0), edges, limits)


def _measure_rest(z: FloatArray, axes: FloatArray) -> FloatArray:
    """Return the rms of what ``axes`` (K, F) leave of standardised features (N, F), (N,)."""
    return np.asarray(np.sqrt(np.mean((z - (z @ axes.T) @ axes) ** 2, axis=1)))


@dataclass(frozen=True)
class SmoothModel:
    """A polynomial of the first ``components`` principal components; ``coefficients`` (T,) of its monomials.

    ``low`` and ``high`` are the range of the training target: a polynomial must not run away outside its data.
    """

    components: int
    degree: int
    coefficients: FloatArray
    low: float
    high: float

    def predict(self, scores: FloatArray) -> FloatArray:
        """Return the polynomial at ``scores`` (N, K), (N,)."""
        predicted = _expand(scores[:, : self.components], self.degree) @ self.coefficients
        return np.asarray(np.clip(predicted, self.low, self.high))


def fit_smooth(scores: FloatArray, target: FloatArray, fold: NDArray[np.int64]) -> tuple[SmoothModel, FloatArray]:
    """Return the polynomial that does best in cross-validation, and what it predicts of data it has not seen.

    ``scores`` (N, K) principal components; ``target`` (N,); ``fold`` (N,) numbers the parts of the cross-validation:
    examples of one structure share a fold. The second result (N,) comes from models that were fitted without the
    example's own fold: what trees may learn to correct.
    """
    bounds = float(target.min()), float(target.max())
    best, least = None, np.inf
    for components, degree in CANDIDATES:
        terms = _expand(scores[:, :components], degree)
        for penalty, predicted in _cross_validate(terms, target, fold).items():
            unseen = np.clip(predicted, *bounds)
            error = float(np.mean((unseen - target) ** 2))
            if error < least:
                best, least = (components, degree, penalty, unseen), error
    assert best is not None  # CANDIDATES is never empty, and errors of finite numbers are finite
    components, degree, penalty, unseen = best
    terms = _expand(scores[:, :components], degree)
    solved = _solve(terms.T @ terms, terms.T @ target)[penalty]
    return SmoothModel(components, degree, solved, *bounds), unseen


def _cross_validate(terms: FloatArray, target: FloatArray, fold: NDArray[np.int64]) -> dict[float, FloatArray]:
    """Return penalty -> prediction (N,), of each fold by the fit to the others."""
    parts = [fold == number for number in range(fold.max() + 1)]
    grams = [terms[part].T @ terms[part] for part in parts]
    moments = [terms[part].T @ target[part] for part in parts]
    gram, moment = sum(grams), sum(moments)
    predicted = {penalty: np.empty(len(target)) for penalty in PENALTIES}
    for part, own_gram, own_moment in zip(parts, grams, moments, strict=True):
        for penalty, coefficients in _solve(gram - own_gram, moment - own_moment).items():
            predicted[penalty][part] = terms[part] @ coefficients
    return predicted


def _solve(gram: FloatArray, moment: FloatArray) -> dict[float, FloatArray]:
    """Return penalty -> ridge coefficients (T,), penalties relative to the largest eigenvalue of ``gram``."""
    values, vectors = np.linalg.eigh(gram)
    rotated = vectors.T @ moment
    return {p: vectors @ (rotated / (np.maximum(values, 0) + p * values[-1])) for p in PENALTIES}


def _expand(scores: FloatArray, degree: int) -> FloatArray:
    """Return all monomials up to ``degree`` of ``scores`` (N, K), (N, T). Scores are held to 4 standard deviations."""
    held = np.clip(scores, -4, 4)
    parts = [np.ones((len(held), 1))]
    for factors in _list_factors(held.shape[1], degree):
        product = held[:, factors[0]]
        for factor in factors[1:]:
            product = product * held[:, factor]
        parts.append(product)
    return np.hstack(parts)


@lru_cache(maxsize=16)
def _list_factors(components: int, degree: int) -> list[NDArray[np.intp]]:
    """Return for each order up to ``degree`` the indices of the factors of its monomials, (order, T)."""
    orders = range(1, degree + 1)
    return [np.array(list(combinations_with_replacement(range(components), order))).T for order in orders]

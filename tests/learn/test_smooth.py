"""The smooth stage: components against a singular value decomposition, polynomials that come out as they went in."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from pyfai_grf.learn import smooth
from pyfai_grf.learn.smooth import FOLDS, Projection, fit_projection, fit_smooth

#: examples, features, and how many directions hold more than noise
COUNT, WIDTH, LATENT = 3000, 24, 14


def make_features(seed: int, count: int = COUNT) -> np.ndarray:
    """Features (N, F) that mix LATENT normal variables, with a little noise; the last column is a noise of its own."""
    mixing = np.random.default_rng(0).normal(size=(LATENT, WIDTH - 1))
    rng = np.random.default_rng(seed)
    plain = 5 + rng.normal(size=(count, LATENT)) * np.linspace(3, 1, LATENT) @ mixing
    plain += 0.1 * rng.normal(size=plain.shape)
    return np.column_stack([plain, rng.uniform(2, 6, count)])


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return make_features(1)


@pytest.fixture(scope="module")
def projection(features: np.ndarray) -> Projection:
    return fit_projection(features)


# --- components -----------------------------------------------------------------------------------------------------


def test_training_data_are_standardised(features: np.ndarray, projection: Projection) -> None:
    z = projection.standardise(features)
    # rounding of means over 3000 numbers
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(projection.low, z.min(axis=0))
    np.testing.assert_allclose(projection.high, z.max(axis=0))


def test_components_are_the_singular_vectors(features: np.ndarray, projection: Projection) -> None:
    z = projection.standardise(features)
    _, values, vectors = np.linalg.svd(z, full_matrices=False)
    np.testing.assert_allclose(projection.spread, values[:14] / np.sqrt(COUNT), rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(projection.axes * vectors[:14], axis=1)), 1, rtol=1e-9)


def test_scores_are_independent_and_of_unit_variance(features: np.ndarray, projection: Projection) -> None:
    scores = projection.project(features)
    assert scores.shape == (COUNT, 14)
    np.testing.assert_allclose(scores.T @ scores / COUNT, np.eye(14), atol=1e-9)


def test_fewer_features_than_components() -> None:
    few = np.random.default_rng(3).normal(size=(500, 5))
    assert fit_projection(few).project(few).shape == (500, 5)
    assert fit_projection(few, components=2).axes.shape == (2, 5)


def test_one_in_a_thousand_is_farther_from_the_components(features: np.ndarray, projection: Projection) -> None:
    beyond = projection.measure_residual(features) > 1
    # in each of the eight bands one example more, at most
    assert np.count_nonzero(beyond) <= 8 * (1 + 0.001 * COUNT / 8)
    fresh = np.mean(projection.measure_residual(make_features(2, 8000)) > 1)
    assert fresh < 0.02  # the limit rests on the farthest of 375 a band


def test_what_no_component_draws_is_a_residual(features: np.ndarray, projection: Projection) -> None:
    rest = np.random.default_rng(4).normal(size=WIDTH)
    rest[-1] = 0
    rest -= (rest @ projection.axes.T) @ projection.axes
    far = features[:50] + 20 * rest * projection.scale
    assert projection.measure_residual(far).min() > 5
    # along the components nothing is left however far it goes
    along = features[:50] + 20 * projection.axes[0] * projection.scale
    before, after = (projection.standardise(f) for f in (features[:50], along))
    left = [z - (z @ projection.axes.T) @ projection.axes for z in (before, after)]
    np.testing.assert_allclose(left[0], left[1], atol=1e-9)


def test_noisy_curves_may_leave_more() -> None:
    """What passes for noise in a poor curve is a misfit in a good one: limits follow the last feature."""
    rng = np.random.default_rng(5)
    level = rng.uniform(-2, 0, 8000)
    plain = rng.normal(size=(8000, 3)) @ rng.normal(size=(3, 20)) + 10 ** level[:, None] * rng.normal(size=(8000, 20))
    projection = fit_projection(np.column_stack([plain, level]), components=4)
    assert np.all(np.diff(projection.residual_limits) > 0)
    assert projection.residual_limits[-1] > 10 * projection.residual_limits[0]
    same = np.column_stack([np.tile(plain[:1], (2, 1)), [-2.0, 0.0]])
    quiet, loud = projection.measure_residual(same)
    assert quiet > 5 * loud


def test_noise_is_held_inside_the_training_range(features: np.ndarray, projection: Projection) -> None:
    wild = features[:4].copy()
    wild[:, -2:] = [[1e3, 9.0], [-1e3, 1.0], [5.0, 3.0], [5.0, 4.0]]
    given = wild.copy()
    held = projection.hold_noise(wild, 2)
    np.testing.assert_array_equal(wild, given)
    np.testing.assert_array_equal(held[:, :-2], wild[:, :-2])
    np.testing.assert_array_equal(held[2:], wild[2:])
    bounds = features[:, -2:].max(axis=0), features[:, -2:].min(axis=0)
    np.testing.assert_allclose(held[:2, -2:], bounds, rtol=1e-9)
    np.testing.assert_array_equal(projection.hold_noise(wild, 1)[:, :-1], wild[:, :-1])


# --- polynomials ----------------------------------------------------------------------------------------------------


def draw_cubic(scores: np.ndarray) -> np.ndarray:
    x, y, z, _ = scores[:, :4].T
    return 2 + x - 0.5 * y + 0.3 * x * y - 0.2 * z**2 + 0.05 * x * y * z - 0.04 * y**3


@pytest.fixture(scope="module")
def scores() -> np.ndarray:
    return np.random.default_rng(7).normal(size=(1500, 14)).clip(-3.9, 3.9)


@pytest.fixture(scope="module")
def fold(scores: np.ndarray) -> np.ndarray:
    return np.random.default_rng(8).integers(0, FOLDS, len(scores))


def test_a_cubic_comes_out_as_it_went_in(scores: np.ndarray, fold: np.ndarray) -> None:
    target = draw_cubic(scores)
    model, unseen = fit_smooth(scores, target, fold)
    assert (model.components, model.degree) == (4, 3)  # the least that holds it
    assert model.coefficients.shape == (comb(4 + 3, 3),)
    fresh = np.random.default_rng(9).normal(size=(400, 14)).clip(-3, 3)
    # the smallest penalty, 1e-9 of the largest eigenvalue, is all that is in the way
    inside = np.clip(draw_cubic(fresh), target.min(), target.max())
    np.testing.assert_allclose(model.predict(fresh), inside, atol=1e-5)
    np.testing.assert_allclose(unseen, target, atol=1e-5)


def test_it_does_not_run_away(scores: np.ndarray, fold: np.ndarray) -> None:
    target = draw_cubic(scores)
    model, _ = fit_smooth(scores, target, fold)
    wild = 1e6 * np.random.default_rng(10).normal(size=(300, 14))
    found = model.predict(wild)
    assert target.min() <= found.min()
    assert found.max() <= target.max()
    # beyond four standard deviations nothing changes any more
    np.testing.assert_array_equal(found, model.predict(wild.clip(-4, 4)))


@pytest.mark.parametrize(("components", "degree"), [(3, 1), (2, 2), (2, 3)])
def test_unseen_predictions_are_ridge_regressions_without_the_fold(
    scores: np.ndarray, fold: np.ndarray, monkeypatch: pytest.MonkeyPatch, components: int, degree: int
) -> None:
    """Against least squares with the penalty as further rows, on the rows of the other folds."""
    penalty = 1e-2
    monkeypatch.setattr(smooth, "CANDIDATES", ((components, degree),))
    monkeypatch.setattr(smooth, "PENALTIES", (penalty,))
    target = draw_cubic(scores) + np.random.default_rng(11).normal(0, 0.3, len(scores))
    powers = [p for p in np.ndindex(*(degree + 1,) * components) if sum(p) <= degree]
    terms = np.stack([np.prod(scores[:, :components] ** np.array(p), axis=1) for p in powers], axis=1)
    expected = np.empty(len(scores))
    for number in range(FOLDS):
        others = fold != number
        ridge = np.sqrt(penalty) * np.linalg.norm(terms[others], 2)  # the penalty is relative to the largest eigenvalue
        rows = np.vstack([terms[others], ridge * np.eye(len(powers))])
        solved = np.linalg.lstsq(rows, np.append(target[others], np.zeros(len(powers))), rcond=None)[0]
        expected[~others] = terms[~others] @ solved
    _, unseen = fit_smooth(scores, target, fold)
    np.testing.assert_allclose(unseen, expected.clip(target.min(), target.max()), atol=1e-9)


def test_noise_alone_is_not_learnt(scores: np.ndarray, fold: np.ndarray) -> None:
    """What cross-validation chooses predicts no worse than the mean, to the noise of a mean square."""
    target = np.random.default_rng(12).normal(size=len(scores))
    _, unseen = fit_smooth(scores, target, fold)
    assert np.mean((unseen - target) ** 2) < target.var() * (1 + 3 * np.sqrt(2 / len(scores)))


def test_constant_target_and_a_fold_without_examples(scores: np.ndarray, fold: np.ndarray) -> None:
    model, unseen = fit_smooth(scores, np.full(len(scores), 2.5), np.where(fold == 2, 3, fold))
    np.testing.assert_array_equal(model.predict(scores), 2.5)
    np.testing.assert_array_equal(unseen, 2.5)

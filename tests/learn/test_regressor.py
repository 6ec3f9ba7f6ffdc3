"""Intervals hold what they promise, wherever the error is large; logarithms and mirrors only change the scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pyfai_grf.learn.regressor import LEVEL, Parts, Regressor, _calibrate, fit_regressor
from pyfai_grf.learn.smooth import FOLDS, Projection, fit_projection

COUNT, NOISE_COLUMN = 4000, -1


@dataclass
class Data:
    """Features (N, F) whose last one tells the size of the target's error, and the target (N,)."""

    features: np.ndarray
    target: np.ndarray


def draw(seed: int, count: int) -> Data:
    rng = np.random.default_rng(seed)
    hidden = rng.uniform(-1, 1, (count, 5))
    level = rng.uniform(-2.5, -1.0, count)
    features = hidden @ np.random.default_rng(0).normal(size=(5, 18)) + 0.01 * rng.normal(size=(count, 18))
    # a step in one of the features is nothing for a polynomial
    truth = 1 + 0.3 * hidden[:, 0] + 0.2 * hidden[:, 1] * hidden[:, 2] + 0.1 * np.sign(features[:, 3])
    return Data(np.column_stack([features, level]), truth + 10**level * rng.normal(size=count))


@pytest.fixture(scope="module")
def training() -> tuple[Data, Projection, Parts]:
    data = draw(1, COUNT)
    rng = np.random.default_rng(2)
    name = rng.choice(["fit", "stop", "calibration"], COUNT, p=[0.65, 0.15, 0.2])
    parts = Parts(name, rng.integers(0, FOLDS, COUNT), np.arange(COUNT))
    return data, fit_projection(data.features[name != "calibration"]), parts


@pytest.fixture(scope="module")
def regressor(training: tuple[Data, Projection, Parts]) -> Regressor:
    data, projection, parts = training
    return fit_regressor(projection, data.features, data.target, parts, NOISE_COLUMN, is_log=False)


@pytest.fixture(scope="module")
def fresh() -> Data:
    return draw(3, 4000)


def test_intervals_hold_nine_in_ten(
    regressor: Regressor, training: tuple[Data, Projection, Parts], fresh: Data
) -> None:
    value, lower, upper = regressor.predict(training[1], fresh.features)
    assert np.all((lower < value) & (value < upper))
    np.testing.assert_allclose(upper - value, value - lower, rtol=1e-9)
    inside = (lower <= fresh.target) & (fresh.target <= upper)
    held = np.count_nonzero(training[2].name == "calibration")
    # the finite sample is corrected towards more: one in held for each of the bands
    slack = LEVEL * regressor.factors.size / held
    error = np.sqrt(0.09 / len(inside) + 0.09 / held)
    assert -3 * error < inside.mean() - LEVEL < 3 * error + slack + regressor.factors.size / held
    # of the quiet as of the noisy: there is no band of the noise for so few, the spread alone tells them apart
    for part in (fresh.features[:, -1] < -1.75, fresh.features[:, -1] >= -1.75):
        assert abs(inside[part].mean() - LEVEL) < 0.06


def test_intervals_grow_with_the_noise(
    regressor: Regressor, training: tuple[Data, Projection, Parts], fresh: Data
) -> None:
    """From 10^-2.5 to 10^-1, beside what the regressor itself does not know."""
    _, lower, upper = regressor.predict(training[1], fresh.features)
    width = upper - lower
    order = np.argsort(fresh.features[:, -1])
    quiet, loud = (np.median(width[rows]) for rows in (order[:400], order[-400:]))
    assert loud > 2.5 * quiet
    # 90 % of a normal error are 3.29 standard deviations wide
    assert loud == pytest.approx(3.29 * 0.1, rel=0.35)


def test_values_are_better_than_the_smooth_stage_alone(
    regressor: Regressor, training: tuple[Data, Projection, Parts], fresh: Data
) -> None:
    """The trees find the step that no polynomial draws."""
    smooth = regressor.smooth.predict(training[1].project(fresh.features))
    value, _, _ = regressor.predict(training[1], fresh.features)
    errors = [np.mean((guess - fresh.target) ** 2) for guess in (smooth, value)]
    assert errors[1] < 0.95 * errors[0]


def test_one_curve_is_predicted_as_among_others(
    regressor: Regressor, training: tuple[Data, Projection, Parts], fresh: Data
) -> None:
    together = np.array(regressor.predict(training[1], fresh.features[:20]))
    single = np.array([regressor.predict(training[1], row[np.newaxis]) for row in fresh.features[:20]])[..., 0].T
    # the matrix product of one row is summed in another order; trees work in float32
    np.testing.assert_allclose(single, together, rtol=1e-6)


def test_lengths_are_learnt_by_their_logarithm(training: tuple[Data, Projection, Parts], regressor: Regressor) -> None:
    data, projection, parts = training
    logarithmic = fit_regressor(projection, data.features, np.exp(data.target), parts, NOISE_COLUMN, is_log=True)
    some = data.features[:300]
    # the same numbers go in, to the rounding of exp and log, which may move a split of a tree
    for found, plain in zip(logarithmic.predict(projection, some), regressor.predict(projection, some), strict=True):
        assert np.quantile(np.abs(np.log(found) - plain), 0.9) < 1e-3
        assert found.min() > 0


def test_mirror_turns_value_and_bounds(training: tuple[Data, Projection, Parts], regressor: Regressor) -> None:
    some = training[0].features[:50]
    value, lower, upper = regressor.predict(training[1], some)
    mirrored = replace(regressor, is_mirrored=True).predict(training[1], some)
    for found, expected in zip(mirrored, (1 - value, 1 - upper, 1 - lower), strict=True):
        np.testing.assert_array_equal(found, expected)


# --- calibration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(10, 60))
def test_factor_keeps_the_promise_of_every_finite_sample(count: int) -> None:
    """A new score is as likely to have any of the count + 1 ranks: the k-th score holds k in count + 1, exactly."""
    score = np.random.default_rng(count).permutation(np.arange(1.0, count + 1))
    _, factors, _ = _calibrate(np.zeros(count), np.zeros(count), score, count)
    rank = float(factors.item())
    assert rank / (count + 1) >= LEVEL
    # and no more than it must: two ranks lower would not do
    assert (rank - 2) / (count + 1) < LEVEL


def test_few_scores_promise_their_largest() -> None:
    _, factors, _ = _calibrate(np.zeros(3), np.zeros(3), np.array([1.0, 3.0, 2.0]), 3)
    assert factors.tolist() == [[3.0]]


@pytest.mark.parametrize(
    ("structures", "shape"),
    [(59, (1, 1)), (119, (1, 1)), (120, (1, 2)), (960, (1, 16)), (1920, (2, 16)), (10**5, (8, 16))],
)
def test_bands_need_sixty_structures_each(structures: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    middle, noise, score = rng.normal(size=(3, 20_000))
    edges, factors, noise_edges = _calibrate(middle, noise, score, structures)
    assert factors.shape == shape
    assert (noise_edges.size + 1, edges.size + 1) == shape
    assert np.all(np.bincount(np.searchsorted(edges, middle)) >= 20_000 // shape[1] - 1)


def test_each_band_has_the_factor_of_its_own_scores() -> None:
    """Scores that are ten times as large above the median, and three times with much noise."""
    rng = np.random.default_rng(5)
    middle, noise = rng.uniform(size=(2, 60_000))
    scale = 1 + 9 * (middle > 0.5)
    scale = scale * (1 + 2 * (noise > 0.5))
    edges, factors, noise_edges = _calibrate(middle, noise, scale * rng.uniform(size=60_000), 60_000)
    band = (np.arange(16) + 0.5) / 16 > 0.5
    loud = (np.arange(8) + 0.5) / 8 > 0.5
    expected = LEVEL * np.outer(1 + 2 * loud, 1 + 9 * band)
    # 470 scores a band: the standard error of their 90 % quantile is sqrt(0.09 / 470), on 0.9; the bands at a step of
    # the scale reach a little over it
    steps = np.ones_like(expected, bool)
    steps[:, 7:9] = steps[3:5] = False
    np.testing.assert_allclose(factors[steps], expected[steps], rtol=5 * np.sqrt(0.09 / 470) / 0.9)
    np.testing.assert_allclose(edges, np.arange(1, 16) / 16, atol=0.01)
    np.testing.assert_allclose(noise_edges, np.arange(1, 8) / 8, atol=0.01)


def test_intervals_hold_in_every_class_where_one_is_harder(training: tuple[Data, Projection, Parts]) -> None:
    """The features do not tell the class: its errors are three times as large, and the average would hide it."""
    data, projection, parts = training
    rng = np.random.default_rng(5)
    hard = (rng.random(COUNT) < 0.2).astype(np.int64)
    target = data.target + np.where(hard, 0.3, 0.1) * rng.normal(size=COUNT)
    classes = np.stack([hard, np.zeros(COUNT, dtype=np.int64)], axis=1)
    held = parts.name == "calibration"
    inside = {}
    for known in (None, classes):
        regressor = fit_regressor(
            projection, data.features, target, replace(parts, classes=known), NOISE_COLUMN, is_log=False
        )
        _, lower, upper = regressor.predict(projection, data.features[held])
        inside[known is not None] = (lower <= target[held]) & (target[held] <= upper)
    worst = hard[held] == 1
    # about 160 of the harder class: what is calibrated on them holds for 90 % of them, up to one of them
    assert np.mean(inside[False][worst]) < 0.8
    assert LEVEL - 0.01 <= np.mean(inside[True][worst]) < LEVEL + 0.02
    assert np.all(inside[True] >= inside[False])

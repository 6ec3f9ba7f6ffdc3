"""What is refused and why: fits against exact curves, ranges, and the words that say it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.core.parameters import MATERIALS
from pyfai_grf.features.specification import Features, bin_curves, compute_features, make_spec
from pyfai_grf.learn.applicability import (
    Fit,
    fit_expected,
    join_reasons,
    judge_features,
    judge_fit,
    judge_values,
)
from pyfai_grf.learn.bundle import Model
from pyfai_grf.learn.smooth import fit_projection
from pyfai_grf.theory.closed_form import average_curves
from pyfai_grf.theory.spectra import get_spectrum

Q_NM1 = np.linspace(0.05, 2.5, 120)
SPEC = make_spec(Q_NM1, "counts")
SPECTRUM = get_spectrum("roding2022")
LOW, THREE = MATERIALS["two-phase-low-porosity"], MATERIALS["three-phase-high-porosity"]
A, POROSITY = np.array([1.0, 3.0, 7.0]), np.array([0.15, 0.3, 0.45])
FOREIGN = "not a material of this class"


def read(curves: np.ndarray, error: float = 0.005) -> Features:
    return compute_features(SPEC, curves, error * np.abs(curves))


# --- the fit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("background", [0.0, 0.3, -0.2, 2.0])
def test_the_models_own_curve_fits_with_any_scale_and_background(scale: float, background: float) -> None:
    expected = average_curves(Q_NM1, A, POROSITY)
    end = bin_curves(SPEC, expected)[:, -1:]
    fit = fit_expected(SPEC, read(scale * (expected + background * end)), A, POROSITY, SPECTRUM)
    # rounding, against 1 % of the intensity
    np.testing.assert_allclose(fit.misfit, 0, atol=1e-15)
    np.testing.assert_allclose(fit.background, background, atol=1e-9)
    assert np.all(fit.background_error > 0)


def test_misfit_and_error_of_the_background_are_those_of_the_noise() -> None:
    """Noise as large as the weights say: a reduced chi-squared, and an error that the backgrounds scatter by."""
    count, noise, own = 600, 0.03, 0.01
    expected = average_curves(Q_NM1, A[1:2], POROSITY[1:2])
    binned = bin_curves(SPEC, expected)
    drawn = binned * np.random.default_rng(1).normal(1, noise, (count, binned.shape[1]))
    # what the model itself may be off by, 1 %, counts beside the errors of the bins
    errors = np.full(drawn.shape, np.sqrt(noise**2 - own**2))
    features = Features(
        np.column_stack([np.log(drawn), np.zeros((count, 2))]), np.zeros(count), errors, np.full(count, np.nan)
    )
    fit = fit_expected(SPEC, features, np.full(count, A[1]), np.full(count, POROSITY[1]), SPECTRUM)
    bins = binned.shape[1]
    # four are fitted; weights by the noisy data enlarge it by 3 noise^2, five standard errors of a mean chi-squared
    assert fit.misfit.mean() == pytest.approx((bins - 4) / bins, abs=5 * np.sqrt(2 / bins / count) + 3 * noise**2)
    pull = fit.background / fit.background_error
    assert np.std(pull) == pytest.approx(1, abs=5 / np.sqrt(2 * count))
    # weights by the noisy data: low points count more, by noise^2, which is a third of a standard error in all
    assert abs(np.mean(pull)) < 5 / np.sqrt(count) + 0.5


def test_other_values_and_other_spectra_do_not_fit() -> None:
    """A prediction that is off by its own error is no misfit of the material, one that is off by half is."""
    features = read(average_curves(Q_NM1, A, POROSITY))
    right = fit_expected(SPEC, features, A, POROSITY, SPECTRUM).misfit
    assert np.all(right < 1e-9)
    assert np.all(fit_expected(SPEC, features, 1.03 * A, POROSITY + 0.01, SPECTRUM).misfit < 0.01)
    assert np.all(fit_expected(SPEC, features, 1.5 * A, POROSITY, SPECTRUM).misfit > 10)
    # with the best a and porosity near these: 0.8 % to 2 % off, where noise alone leaves nothing
    assert np.all(fit_expected(SPEC, features, A, POROSITY, get_spectrum("shell:width=0.2")).misfit > 0.5)


def test_bins_that_were_merged_are_compared_as_one() -> None:
    """Of a sparse tail only the mean is known: the curve's mean, not the curve, has to agree with it."""
    expected = average_curves(Q_NM1, A, POROSITY)
    rng = np.random.default_rng(4)
    sigma = np.abs(0.02 * expected[:, :1] * np.ones_like(expected))
    features = compute_features(SPEC, rng.normal(expected, sigma), sigma)
    assert np.all(features.merged > 0.1)
    fit = fit_expected(SPEC, features, A, POROSITY, SPECTRUM)
    # a reduced chi-square of some twenty bins, within five standard deviations
    assert np.all(fit.misfit < 1 + 5 * np.sqrt(2 / 20))


def test_values_that_no_curve_has_are_fitted_at_the_nearest_that_has() -> None:
    features = read(average_curves(Q_NM1, A[:2], POROSITY[:2]))
    fit = fit_expected(SPEC, features, np.array([0.0, -1.0]), np.array([1.2, 0.0]), SPECTRUM)
    assert np.isfinite(fit.misfit).all()
    assert judge_fit(fit, 1.0) != ["", ""]


@pytest.mark.parametrize(
    ("misfit", "background", "said"),
    [
        (1.0, 0.0, ""),
        (1.5, 1.0, ""),
        (1.0, -1.0, ""),
        (1.0, 1.05, ""),  # within three of its errors
        (1.0, 1.07, "flat background of 1.1 times"),
        (1.0, -3.0, "below the expected one by 3 times"),
        (4.0, 0.0, "2.0 times more"),
        (900.0, 9.0, "30.0 times more"),  # what does not fit has no background
        (np.nan, 0.0, "nan times more"),
    ],
)
def test_verdict_on_a_fit(misfit: float, background: float, said: str) -> None:
    fit = Fit(np.array([misfit]), np.array([background]), np.array([0.02]))
    (reason,) = judge_fit(fit, 1.0)
    assert said in reason
    assert bool(reason) == bool(said)
    assert (FOREIGN in reason) == ("more" in said)
    # limits belong to a model: misfits count in units of its own
    assert judge_fit(replace(fit, misfit=7 * fit.misfit), 7.0) == [reason]


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"a": 0.8, "porosity": 0.1}, ()),
        ({"a": 8.0, "porosity": 0.5}, ()),
        ({"a": 0.76, "porosity": 0.514}, ()),  # half the margins: 0.05, 0.4 and 0.015
        ({"a": 8.39, "porosity": 0.086}, ()),
        ({"a": 0.74, "porosity": 0.3}, ("a comes out as 0.74 nm", "0.8 to 8")),
        ({"a": 8.41, "porosity": 0.3}, ("a comes out as 8.41 nm", "0.8 to 8")),
        ({"a": 3.0, "porosity": 0.516}, ("porosity comes out as 0.516, ", "0.1 to 0.5")),
        ({"a": 30.0, "porosity": 0.08}, ("a comes out as 30 nm", "porosity comes out as 0.08")),
    ],
)
def test_verdict_on_values(values: dict[str, float], said: tuple[str, ...]) -> None:
    (reason,) = judge_values(LOW, 1.0, {name: np.array([value]) for name, value in values.items()})
    assert all(part in reason for part in said)
    assert bool(reason) == bool(said)


def test_lengths_alone_scale() -> None:
    values = {"a": np.array([30.0, 3.0]), "porosity": np.array([0.3, 0.3])}
    assert judge_values(LOW, 10.0, values) == ["", "a comes out as 3 nm, outside the model's 8 to 80"]


def test_layer_and_side_have_their_own_ranges() -> None:
    columns = {"a": np.full(3, 3.0), "porosity": np.array([0.7, 0.3, 0.7]), "layer_fraction": np.array([0.2, 0.2, 0.6])}
    fine, porosity, layer = judge_values(THREE, 1.0, columns)
    assert fine == ""
    assert "0.5 to 0.9" in porosity
    assert "0.05 to 0.5" in layer


# --- features -------------------------------------------------------------------------------------------------------


def measure(model: Model, counts: float, seed: int = 1, a: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """A curve (M,) of the model's own kind as ``counts`` photons on whole rings show it, and its errors."""
    truth = average_curves(model.q_nm1, np.array([a]), np.array([0.3]))[0]
    per_unit = model.q_nm1 * counts / (truth @ model.q_nm1)
    return np.random.default_rng(seed).poisson(truth * per_unit) / per_unit, np.sqrt(truth / per_unit)


def judge(model: Model, intensity: np.ndarray, sigma: np.ndarray) -> str:
    features = compute_features(model.spec, intensity, sigma)
    held = replace(features, values=model.projection.hold_noise(features.values, model.spec.noise_count))
    (reason,), (same,) = (judge_features(model.spec, model.projection, f) for f in (features, held))
    assert reason == same or "noisier" in reason  # what is quieter than the training data does no harm
    return reason


def test_curves_of_the_class_pass_however_quiet(model: Model) -> None:
    for counts in (1e6, 1e8, 1e13):
        assert judge(model, *measure(model, counts)) == ""


def test_few_photons_are_told_as_such(model: Model) -> None:
    assert judge(model, *measure(model, 300)).startswith("low statistics: ")
    # fewer than any training curve has, but a curve that needs no merging
    _, sigma = measure(model, 1e4, a=0.8)
    smooth = average_curves(model.q_nm1, np.array([0.8]), np.array([0.3]))[0]
    assert "noisier than all of the training data" in judge(model, smooth, sigma)


def test_more_background_than_there_is(model: Model) -> None:
    intensity, sigma = measure(model, 1e8)
    reason = judge(model, intensity - np.interp(1.5, model.q_nm1, intensity), sigma)
    assert "more background was subtracted than there is" in reason
    # from somewhere behind the crossing
    assert 1.5 < float(reason.split("q = ")[1].split(" per nm")[0]) < model.q_nm1[-1]


def test_a_shape_that_is_foreign_is_told_by_what_is_seen(model: Model) -> None:
    intensity, sigma = measure(model, 1e8)
    peak = 1 + 50 * np.exp(-(((model.q_nm1 - 1.2) / 0.06) ** 2))
    reason = judge(model, intensity * peak, sigma)
    assert "a peak near q = 1.2 per nm" in reason
    assert FOREIGN in reason


def test_a_shape_without_a_name_is_told_by_its_distance(model: Model) -> None:
    """A zigzag from bin to bin, which errors as large do not let one call a peak."""
    read = compute_features(model.spec, *measure(model, 1e8))
    values = read.values.copy()
    values[:, : -model.spec.noise_count : 2] += 1.5
    zigzag = replace(read, values=values, errors=np.ones_like(read.errors))
    (reason,) = judge_features(model.spec, model.projection, zigzag)
    assert "training data" in reason
    assert FOREIGN in reason


def test_each_curve_has_its_own_verdict(model: Model) -> None:
    good, sigma = measure(model, 1e8)
    bad = good * (1 + 50 * np.exp(-(((model.q_nm1 - 1.2) / 0.06) ** 2)))
    features = compute_features(model.spec, np.stack([good, bad, good]), np.stack([sigma] * 3))
    assert [bool(reason) for reason in judge_features(model.spec, model.projection, features)] == [False, True, False]


def test_spec_of_the_papers_noise_reads_louder_the_other_way() -> None:
    """Scatter grows with the noise where counts shrink with it."""
    spec = make_spec(Q_NM1, "scatter")
    rng = np.random.default_rng(3)
    a, porosity = rng.uniform(1, 7, 400), rng.uniform(0.1, 0.5, 400)
    curves = average_curves(Q_NM1, a, porosity)

    def scatter(level: float) -> np.ndarray:
        return curves * np.random.default_rng(4).normal(1, level, curves.shape)

    projection = fit_projection(np.vstack([compute_features(spec, scatter(x)).values for x in (0.01, 0.02, 0.04)]))
    loud = judge_features(spec, projection, compute_features(spec, scatter(0.2)))
    quiet = judge_features(spec, projection, compute_features(spec, scatter(0.0001)))
    assert sum("noisier" in reason or "low statistics" in reason for reason in loud) > 350
    assert not any("noisier" in reason for reason in quiet)


# --- words ----------------------------------------------------------------------------------------------------------


def test_reasons_are_joined_and_what_follows_is_said_once() -> None:
    foreign = ": not a material of this class as it stands"
    assert join_reasons([]) == join_reasons(["", "", ""]) == ""
    assert join_reasons(["", "too noisy", ""]) == "too noisy"
    assert join_reasons(["too noisy", "too short"]) == "too noisy; too short"
    assert join_reasons(["a peak" + foreign, "", "misses" + foreign]) == "a peak; misses" + foreign
    assert join_reasons(["a peak" + foreign, "a is 30 nm"]) == "a peak; a is 30 nm" + foreign

"""A row holds what the model says and what needs no model; it has the same columns whatever became of the curve."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfai_grf.analysis.model_free import summarise
from pyfai_grf.analysis.rows import analyze_curve, describe_points
from pyfai_grf.core.records import Curve, PredictionRow, Result
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.options import DEFAULT_FIT, FitOptions
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.theory.closed_form import compute_surface_per_volume, expected_intensity


@pytest.fixture(scope="module")
def model(small_bundle: Path) -> Model:
    return load_model(small_bundle)


def make_curve(q: np.ndarray, scale: float = 1.0, **more: Any) -> Curve:
    """A curve of 3 nm, porosity 0.3, with errors of 1 %."""
    truth = scale * expected_intensity(q, 3.0, 0.3)
    noisy = np.random.default_rng(1).normal(truth, 0.01 * truth)
    return Curve(q, noisy, 0.01 * truth, **{"metadata": {"source": "s.h5", "frame_index": 4}, **more})


def analyze(model: Model, curve: Curve, options: FitOptions | None = DEFAULT_FIT) -> Result:
    result = analyze_curve(model, curve, options).result
    assert result is not None
    return result


Q = np.linspace(0.03, 3.0, 300)


# --- curves that the model is asked about ---------------------------------------------------------------------------


def test_prediction_is_that_of_the_model(model: Model) -> None:
    curve = make_curve(Q)
    outcome = analyze_curve(model, curve)
    assert outcome.problem == ""
    assert outcome.result is not None
    assert (outcome.result.source, outcome.result.frame) == ("s.h5", 4)
    assert outcome.result.prediction == model.answer([clean_curve(curve)], DEFAULT_FIT)[0]
    assert outcome.result.extras["model_a_nm"] == model.predict_curve(curve, fit=False).values["a"][0]
    assert outcome.result.prediction.is_applicable
    np.testing.assert_array_equal(outcome.result.curve.intensity, curve.intensity)


def test_columns_state_the_range_and_what_was_used_of_it(model: Model) -> None:
    extras = analyze(model, make_curve(Q)).extras
    assert (extras["q_min_nm1"], extras["q_max_nm1"]) == (Q[0], Q[-1])
    # the fit uses every point, the regressors those on the model's grid
    assert (extras["q_used_min_nm1"], extras["q_used_max_nm1"]) == (Q[0], Q[-1])
    used = Q[(Q >= 0.05) & (Q <= 2.5)]
    extras = analyze(model, make_curve(Q), None).extras
    assert (extras["q_used_min_nm1"], extras["q_used_max_nm1"]) == (used[0], used[-1])
    extras = analyze(model, make_curve(Q), FitOptions(exclude_nm1=((0.0, 0.1),))).extras
    assert extras["q_used_min_nm1"] == Q[Q > 0.1][0]
    assert extras["q_min_nm1"] == Q[0]


def test_scale_is_the_invariant_over_the_models_range(model: Model) -> None:
    """Eq. 12, and so it scales with the curve and leaves the answer alone."""
    one, other = (analyze(model, make_curve(Q, scale), None) for scale in (1.0, 2000.0))
    part = (Q >= 0.05) & (Q <= 2.5)
    by_hand = 4 * np.pi * np.sum(one.curve.intensity[part] * Q[part] ** 2) * (Q[1] - Q[0])
    assert one.extras["intensity_scale"] == pytest.approx(by_hand, rel=1e-12)
    assert other.extras["intensity_scale"] == pytest.approx(2000 * by_hand, rel=1e-9)
    for name, value in one.prediction.values.items():
        assert other.prediction.values[name] == pytest.approx(value, rel=1e-5)


def test_chords_and_surface_obey_geometry(model: Model) -> None:
    """Mean chords are four times the volume of their phase over the surface; both together the mean period."""
    pinned = replace(model, description=replace(model.description, spectrum="roding2022"))
    result = analyze(pinned, make_curve(Q))
    a, porosity = result.prediction.values["a"], result.prediction.values["porosity"]
    pore, solid, surface = (
        float(result.extras[name]) for name in ("pore_chord_nm", "solid_chord_nm", "surface_per_volume_nm1")
    )
    assert surface == pytest.approx(float(compute_surface_per_volume(a, porosity)), rel=1e-12)
    assert pore == pytest.approx(4 * porosity / surface, rel=1e-12)
    assert solid == pytest.approx(4 * (1 - porosity) / surface, rel=1e-12)


def test_numbers_without_a_model_stand_in_the_row(model: Model) -> None:
    curve = make_curve(Q)
    extras = analyze(model, curve).extras
    found = summarise(clean_curve(curve))
    assert found.items() <= extras.items()
    assert np.isfinite(list(found.values())).all()


def test_frame_and_its_history(model: Model) -> None:
    plain = analyze(model, make_curve(Q)).extras
    assert np.isnan(float(plain["counts"]))
    assert (plain["frames_averaged"], plain["warnings"]) == (1, "")
    metadata = {"n_frames": 12, "warnings": ["no mask", "a gain of 3"]}
    extras = analyze(model, make_curve(Q, counts=5e6, metadata=metadata)).extras
    assert (extras["counts"], extras["frames_averaged"]) == (5e6, 12)
    assert extras["warnings"] == "no mask; a gain of 3"


def test_points_that_are_missing_are_told_and_left_out(model: Model) -> None:
    whole, holes = make_curve(Q), make_curve(Q)
    masked = np.ma.masked_array(holes.intensity, np.isin(np.arange(Q.size), (40, 41)))
    values = whole.intensity.copy()
    values[40:42] = np.nan
    rows = [analyze(model, replace(holes, intensity=kind)) for kind in (masked, values)]
    for row in rows:
        assert row.curve.q_nm1.size == Q.size - 2
        assert "2 of 300 points" in str(row.extras["warnings"])
        assert row.prediction.values["a"] == pytest.approx(analyze(model, whole).prediction.values["a"], rel=0.01)
    assert rows[0].prediction == rows[1].prediction


def test_row_holds_one_curve(model: Model) -> None:
    curve = make_curve(Q, alternative=make_curve(Q))
    assert analyze(model, curve).curve.alternative is None


# --- curves that it is not asked about ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("q", "used"),
    [
        (np.linspace(1.5, 2.0, 100), (1.5, 2.0)),
        (np.linspace(5.0, 9.0, 100), (np.nan, np.nan)),
        (np.linspace(0.001, 0.04, 100), (np.nan, np.nan)),
    ],
)
def test_a_curve_outside_the_range_has_what_needs_no_model(
    model: Model, q: np.ndarray, used: tuple[float, float] | None
) -> None:
    outcome = analyze_curve(model, make_curve(q))
    assert outcome.problem.startswith("s.h5 frame 4: q range: ")
    assert "nor can a fit tell: " in outcome.problem
    assert outcome.result is not None
    said, extras = outcome.result.prediction, outcome.result.extras
    assert not said.is_applicable
    assert said.reason
    assert said.reason in outcome.problem
    assert np.isnan([*said.values.values(), *said.lower.values(), *said.upper.values()]).all()
    assert np.isnan(
        [float(extras[name]) for name in ("pore_chord_nm", "solid_chord_nm", "surface_per_volume_nm1")]
    ).all()
    assert float(extras["invariant"]) > 0
    assert (extras["q_min_nm1"], extras["q_max_nm1"]) == (q[0], q[-1])
    if used is not None:
        np.testing.assert_array_equal([extras["q_used_min_nm1"], extras["q_used_max_nm1"]], used)


def test_one_point_inside_the_range_has_no_integral(model: Model) -> None:
    extras = analyze(model, make_curve(np.linspace(2.49, 5.0, 50))).extras
    assert extras["q_used_min_nm1"] == extras["q_used_max_nm1"] == 2.49
    assert np.isnan(float(extras["intensity_scale"]))


def test_a_curve_without_an_invariant_has_a_row_of_nan(model: Model) -> None:
    """A curve may have positive points and still hold more background than signal."""
    curve = make_curve(Q)
    beyond = replace(curve, intensity=curve.intensity - 0.05 * curve.intensity[0])
    outcome = analyze_curve(model, beyond, None)
    assert outcome.problem.startswith("s.h5 frame 4: curve: ")
    assert outcome.result is not None
    assert np.isnan(outcome.result.prediction.values["a"])
    assert float(outcome.result.extras["invariant"]) < 0
    # the fit has a background of either sign
    fitted = analyze(model, beyond)
    assert fitted.prediction.source == "fit"
    assert fitted.prediction.lower["a"] < 3.0 < fitted.prediction.upper["a"]
    assert float(fitted.extras["background"]) < 0
    assert "below 0: more was subtracted than there was" in str(fitted.extras["warnings"])


@pytest.mark.parametrize(
    ("q", "intensity", "said"),
    [
        (Q[:9], np.ones(9), "9 of 9 points"),
        (Q, np.full(300, np.nan), "0 of 300 points"),
        (Q[:1], np.ones(1), "1 of 1 points"),
        (Q[:0], np.ones(0), "0 of 0 points"),
        (Q, -np.ones(300), "no intensity is positive"),
        (Q[::-1], np.ones(300), "increase"),
        (Q, np.ones(299), "300 values of q and 299"),
    ],
)
def test_what_is_no_curve_has_no_row(model: Model, q: np.ndarray, intensity: np.ndarray, said: str) -> None:
    outcome = analyze_curve(model, Curve(q, intensity, metadata={"source": "bad.dat"}))
    assert outcome.result is None
    assert outcome.problem.startswith("bad.dat frame 0: ")
    assert said in outcome.problem
    assert "\n" not in outcome.problem


def test_a_curve_from_nowhere_is_still_told(model: Model) -> None:
    outcome = analyze_curve(model, Curve(Q, -np.ones(300)))
    assert outcome.problem.startswith("frame 0: no intensity is positive")


# --- all rows of a file ---------------------------------------------------------------------------------------------


def test_columns_are_the_same_for_every_curve(model: Model) -> None:
    curves = [make_curve(Q), make_curve(np.linspace(0.4, 2.0, 100)), make_curve(np.linspace(5.0, 9.0, 100), counts=7.0)]
    columns = [list(analyze(model, curve).extras) for curve in curves]
    assert columns[0] == columns[1] == columns[2]


def test_values_can_be_written(model: Model) -> None:
    for curve in (make_curve(Q), make_curve(np.linspace(5.0, 9.0, 100))):
        extras = analyze(model, curve).extras
        assert {type(value) for value in extras.values()} == {float, str}
        assert json.loads(json.dumps(dict(extras))).keys() == extras.keys()


def test_three_phases_have_a_density_and_no_chords() -> None:
    model = load_model("three-phase-low-porosity@paper")
    points = clean_curve(make_curve(np.linspace(0.04, 3.0, 500)))
    row = model.predict_points([points]).get_row(0)
    extras = describe_points(model, points, row)
    assert extras["layer_density"] == 0.65
    for name in ("pore_chord_nm", "solid_chord_nm", "surface_per_volume_nm1"):
        assert np.isnan(float(extras[name]))


@pytest.mark.parametrize(("a", "porosity"), [(0.0, 0.3), (-1.0, 0.3), (3.0, 0.0), (3.0, 1.0), (np.nan, np.nan)])
def test_no_chords_of_what_is_no_material(model: Model, a: float, porosity: float) -> None:
    """Predictions may lie at the end of what a parameter can mean."""
    values = {"a": a, "porosity": porosity}
    extras = describe_points(model, clean_curve(make_curve(Q)), PredictionRow(values, values, values, False, "far off"))
    assert np.isnan(
        [float(extras[name]) for name in ("pore_chord_nm", "solid_chord_nm", "surface_per_volume_nm1")]
    ).all()
    assert np.isnan(float(extras["layer_density"]))


@pytest.mark.parametrize(
    "problem", [np.linalg.LinAlgError("Singular matrix"), FloatingPointError("overflow"), OverflowError("too large")]
)
def test_arithmetic_that_fails_costs_this_curve_alone(
    problem: Exception, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(points: object) -> dict[str, float]:
        raise problem

    monkeypatch.setattr("pyfai_grf.analysis.rows.summarise", fail)
    outcome = analyze_curve(model, make_curve(Q))
    assert outcome.result is None
    assert outcome.problem.startswith("s.h5 frame 4: the numbers are too large, too small or too uneven")
    assert str(problem) in outcome.problem
    assert "\n" not in outcome.problem

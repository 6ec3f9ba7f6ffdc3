"""A frame whose sectors disagree is refused where that moves the answer, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.analysis.judgement import judge_alternative
from pyfai_grf.analysis.rows import analyze_curve
from pyfai_grf.core.records import Curve, PredictionRow
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.theory.closed_form import expected_intensity


@pytest.fixture(scope="module")
def model(small_bundle: Path) -> Model:
    return load_model(small_bundle)


def make_curve(model: Model, a: float, alternative: Curve | None = None, azimuth: str = "") -> Curve:
    q = model.q_nm1
    truth = expected_intensity(q, a, 0.3)
    sigma = 0.01 * truth
    metadata = {"source": "frame.cbf", "azimuth": azimuth} if azimuth else {"source": "frame.cbf"}
    noisy = np.random.default_rng(1).normal(truth, sigma)
    return Curve(q, noisy, sigma, metadata=metadata, alternative=alternative)


def test_an_alternative_that_agrees_changes_nothing(model: Model) -> None:
    alone = analyze_curve(model, make_curve(model, 3.0)).result
    both = analyze_curve(model, make_curve(model, 3.0, make_curve(model, 3.0, azimuth="a shadow"))).result
    assert alone is not None
    assert both is not None
    assert both.prediction == alone.prediction
    assert both.prediction.is_applicable
    assert both.curve.alternative is None  # rows hold one curve


def test_an_alternative_with_another_answer_refuses_the_frame(model: Model) -> None:
    other = make_curve(model, 4.5, azimuth="a shadow from 30 to 60 degrees")
    result = analyze_curve(model, make_curve(model, 3.0, other)).result
    assert result is not None
    assert not result.prediction.is_applicable
    assert result.prediction.reason.startswith("a shadow from 30 to 60 degrees: read robustly, a would be 4")


@pytest.mark.parametrize(("width", "is_applicable"), [(0.01, False), (0.2, True)])
def test_an_alternative_of_more_noise_is_no_other_answer(model: Model, width: float, is_applicable: bool) -> None:
    """It leaves the interval of the whole ring either way; its own holds the first answer or does not."""
    whole = make_curve(model, 3.0, Curve(model.q_nm1, np.ones(model.q_nm1.size), metadata={"azimuth": "a shadow"}))
    row = PredictionRow({"a": 3.0}, {"a": 2.95}, {"a": 3.05}, True, "")
    other = PredictionRow({"a": 3.1}, {"a": 3.1 - width}, {"a": 3.1 + width}, True, "")

    class Stand:
        def predict_points(self, points: object) -> Stand:
            return self

        def get_row(self, number: int) -> PredictionRow:
            return other

    assert judge_alternative(Stand(), row, whole.alternative).is_applicable is is_applicable  # type: ignore[arg-type]


def test_an_alternative_that_is_no_curve_refuses_the_frame(model: Model) -> None:
    q = model.q_nm1
    broken = Curve(q, -np.ones(q.size), metadata={"azimuth": "a hot corner"})
    result = analyze_curve(model, make_curve(model, 3.0, broken)).result
    assert result is not None
    assert result.prediction.reason == "a hot corner: read robustly, no curve is left"

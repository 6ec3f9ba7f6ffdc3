"""A frame whose sectors disagree is refused where that moves the answer, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.analysis.rows import analyze_curve
from pyfai_grf.core.records import Curve
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


def test_an_alternative_that_is_no_curve_refuses_the_frame(model: Model) -> None:
    q = model.q_nm1
    broken = Curve(q, -np.ones(q.size), metadata={"azimuth": "a hot corner"})
    result = analyze_curve(model, make_curve(model, 3.0, broken)).result
    assert result is not None
    assert result.prediction.reason == "a hot corner: read robustly, no curve is left"

"""The fit measures what the regressors place; where they cannot be asked it answers alone, and where it does not fit
nothing stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pyfai_grf.core.errors import InputError, QRangeError
from pyfai_grf.core.records import Curve, Points, PredictionRow
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.learn.answer import answer as answer_all
from pyfai_grf.learn.answer import leave_out
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.theory.closed_form import expected_intensity

LOW = "two-phase-low-porosity"
Q = np.linspace(0.05, 2.5, 250)
PINNED = FitOptions("roding2022")


def measure(q: NDArray[np.float64] = Q, a: float = 3.0, spectrum: str = "roding2022") -> Points:
    """A curve with errors of 1 % on a background of 2 % of its last point."""
    truth = expected_intensity(q, a, 0.3, spectrum=spectrum)
    truth = truth + 0.02 * truth[-1]
    return clean_curve(Curve(q, np.random.default_rng(1).normal(truth, 0.01 * truth), 0.01 * truth))


def answer(points: Points, material: str, options: FitOptions, asked: PredictionRow | InputError) -> PredictionRow:
    """Return the answer to one curve."""
    (row,) = answer_all([points], material, options, [asked])
    return row


def say(a: float, porosity: float, half: float = 0.02, reason: str = "") -> PredictionRow:
    """What regressors might say."""
    values = {"a": a, "porosity": porosity}
    lower, upper = ({name: value * factor for name, value in values.items()} for factor in (1 - half, 1 + half))
    return PredictionRow(values, lower, upper, not reason, reason, "model")


def test_the_fit_measures_where_both_agree() -> None:
    asked = say(3.02, 0.305)
    row = answer(measure(), LOW, PINNED, asked)
    assert row.source == "model and fit"
    assert (row.is_applicable, row.reason) == (True, "")
    assert row.fit is not None
    assert row.values == {name: row.fit.values[name] for name in ("a", "porosity")}
    assert row.lower["a"] < 3.0 < row.upper["a"]
    assert row.model == asked


@pytest.mark.parametrize("asked", [say(3.5, 0.3), say(3.0, 0.2), say(3.0, 0.3, reason="unlike anything")])
def test_the_fit_is_believed_where_the_regressors_say_otherwise(asked: PredictionRow) -> None:
    row = answer(measure(), LOW, PINNED, asked)
    assert row.source == "fit"
    assert row.is_applicable
    assert row.lower["a"] < 3.0 < row.upper["a"]
    assert row.model == asked


def test_nothing_stands_where_the_fit_does_not_fit() -> None:
    """The wrong spectrum is held: the fit's values are shown, and refused."""
    row = answer(measure(spectrum="power:n=5"), LOW, PINNED, say(3.0, 0.2))
    assert not row.is_applicable
    assert row.reason.startswith("no curve of this family fits: chi-square")
    assert row.source == "fit"
    assert row.fit is not None
    assert row.values == {name: row.fit.values[name] for name in ("a", "porosity")}
    assert row.model == say(3.0, 0.2)
    row = answer(measure(spectrum="power:n=5"), LOW, PINNED, say(3.0, 0.2, reason="there is a peak"))
    assert row.reason.endswith("; there is a peak")


def test_the_fit_answers_alone_where_the_regressors_cannot() -> None:
    asked = InputError("another range")
    row = answer(measure(np.geomspace(0.02, 4, 60)), LOW, PINNED, asked)
    assert (row.source, row.is_applicable, row.model) == ("fit", True, None)
    assert row.lower["porosity"] < 0.3 < row.upper["porosity"]
    refused = answer(measure(np.geomspace(0.02, 4, 60), spectrum="power:n=5"), LOW, PINNED, asked)
    assert (refused.source, refused.is_applicable) == ("fit", False)
    assert np.isfinite(refused.values["a"])


def test_what_neither_can_tell_is_the_regressors_error_with_the_fits_reason() -> None:
    asked = InputError("another range", "model for a curve", q_min=2)
    with pytest.raises(InputError, match=r"^another range; nor can a fit tell: .* no shoulder is seen$") as caught:
        answer(measure(np.linspace(2.0, 2.5, 100)), LOW, PINNED, asked)
    assert (caught.value.hint, caught.value.facts) == ("model for a curve", {"q_min": 2})
    with pytest.raises(InputError, match=r"^another range$"):
        answer(measure(np.geomspace(0.02, 4, 12)), LOW, PINNED, asked)


def test_the_regressors_answer_alone_where_a_fit_has_too_few_points() -> None:
    asked = say(3.0, 0.3)
    assert answer(measure(np.geomspace(0.05, 3, 15)), LOW, PINNED, asked) == asked


def test_a_curve_that_cannot_be_fitted_does_not_stop_the_others() -> None:
    asked = [say(3.0, 0.3), say(3.0, 0.3), say(4.0, 0.3)]
    rows = answer_all([measure(), measure(np.geomspace(0.05, 3, 15)), measure(a=4.0)], LOW, PINNED, asked)
    assert [row.fit is not None for row in rows] == [True, False, True]
    assert rows[1] == asked[1]
    assert rows[2].lower["a"] < 4.0 < rows[2].upper["a"]


def test_points_are_left_out_before_the_regressors_see_them() -> None:
    options = FitOptions(exclude_nm1=((0.9, 1.1), (2.0, 3.0)))
    kept = leave_out(measure(), options)
    assert kept.q_nm1.max() < 2.0
    assert not ((kept.q_nm1 > 0.9) & (kept.q_nm1 < 1.1)).any()
    points = measure()
    assert leave_out(points, FitOptions()) is points


# --- a model, from one end to the other -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(small_bundle: Path) -> Model:
    return load_model(small_bundle)


def test_a_model_answers_on_any_grid(model: Model) -> None:
    points = measure(np.geomspace(0.02, 8, 60))
    p = model.predict(points.q_nm1 / 10, points.intensity, points.sigma, unit="A^-1")
    assert p.source == ("fit",)
    assert p.fit is not None
    assert p.fit[0] is not None
    assert p.lower["a"][0] < 3.0 < p.upper["a"][0]
    with pytest.raises(QRangeError, match="train a model"):
        model.predict(points.q_nm1, points.intensity, points.sigma, fit=False)


def test_rows_that_only_some_regressors_answer_come_in_order(model: Model) -> None:
    p = model.predict_points([measure(), measure(np.geomspace(0.02, 8, 60)), measure(a=4.0)], PINNED)
    assert np.all(np.abs(p.values["a"] - [3.0, 3.0, 4.0]) < 0.1)
    assert p.source[1] == "fit"
    assert p.is_applicable.all()


def test_options_reach_the_fit_in_the_unit_of_q(model: Model) -> None:
    points = measure()
    p = model.predict(
        points.q_nm1 / 10, points.intensity, points.sigma, "A^-1", spectrum="roding2022", exclude=[(0.09, 0.11)]
    )
    assert p.fit is not None
    fit = p.fit[0]
    assert fit is not None
    assert fit.spectrum == "roding2022"
    assert np.isnan(fit.residual[(fit.q_nm1 > 0.9) & (fit.q_nm1 < 1.1)]).all()


def test_without_a_fit_the_regressors_speak(model: Model) -> None:
    points = measure()
    p = model.predict(points.q_nm1, points.intensity, points.sigma, fit=False)
    assert p.fit is None
    assert p.source == ("model",)


def test_other_spectra_are_ranked_for_the_first_curves_of_a_run_and_for_doubtful_ones(model: Model) -> None:
    """A Matern field passes for one of the power family at errors of 1 %; the comparison finds out, wherever it is."""
    own, other = measure(), measure(spectrum="matern:nu=2.5")
    p = model.predict_points([own, own, other], FitOptions("fitted", compared=1))
    assert p.fit is not None
    ranked = [fit is not None and len(fit.alternatives) > 0 for fit in p.fit]
    assert ranked == [True, False, True]
    assert list(p.is_applicable) == [True, True, False]
    assert p.reasons[2].startswith("matern:nu=")
    assert p.reasons[2].endswith("the material is not of the kind that was fitted, fit that spectrum")
    again = model.predict_points([own], FitOptions("fitted", compared=1), first=1)
    assert again.fit is not None
    assert again.fit[0] is not None
    assert again.fit[0].alternatives == ()


def test_what_the_regressors_said_is_kept_beside_the_answer(model: Model) -> None:
    alone = model.predict_points([measure()]).get_row(0)
    (row,) = model.answer([measure()], PINNED)
    assert row.model == alone


def test_hardly_a_point_left_is_said(model: Model) -> None:
    with pytest.raises(InputError, match="0 of 250 points are left of the curve"):
        model.predict_points([measure()], FitOptions(exclude_nm1=((0.0, 9.0),)))
    with pytest.raises(InputError, match="exclude: these are options of a fit, and there is none"):
        model.predict(Q, np.ones(Q.size), fit=False, exclude=[(1, 2)])
    with pytest.raises(InputError, match=r"exclude is \(1, 2\): give pairs"):
        model.predict(Q, np.ones(Q.size), exclude=(1, 2))

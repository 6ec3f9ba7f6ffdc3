"""The columns of a fit are the same for every row, and say what it found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.analysis.fit_columns import describe_fit, describe_settings, find_fitted, list_warnings
from pyfai_grf.core.records import PredictionRow
from pyfai_grf.fit.curve_fit import fit_curve
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.theory.closed_form import expected_intensity

Q = np.linspace(0.05, 2.5, 120)


@pytest.fixture(scope="module")
def row() -> PredictionRow:
    truth = expected_intensity(Q, 3.0, 0.3)
    noisy = np.random.default_rng(1).normal(truth, 0.01 * truth) + 1e-3 * truth[0]
    fit = fit_curve(Q, noisy, 0.01 * truth, exclude=[(0.0, 0.1)])
    asked = PredictionRow({"a": 3.1, "porosity": 0.29}, {}, {}, True, "", "model")
    return PredictionRow(fit.values, fit.lower, fit.upper, True, "", "fit", asked, fit)


def test_a_fit_in_columns(row: PredictionRow) -> None:
    columns = describe_fit(row)
    fit = row.fit
    assert fit is not None
    assert columns["fit_verdict"] == "fits"
    assert columns["chi2"] == fit.chi2
    assert columns["fit_spectrum"] == "fitted"
    assert (columns["spectrum_n"], columns["spectrum_n_lower"]) == (fit.values["spectrum_n"], fit.lower["spectrum_n"])
    assert columns["background"] == pytest.approx(1e-3 * fit.curve[0], rel=0.05)
    assert columns["largest_residual"] == np.nanmax(np.abs(fit.residual))
    assert (columns["model_a_nm"], columns["model_porosity"]) == (3.1, 0.29)
    low, high = find_fitted(fit)
    assert (low, high) == (Q[Q > 0.1][0], Q[-1])


def test_columns_are_there_without_a_fit(row: PredictionRow) -> None:
    empty = describe_fit(PredictionRow.make_empty(("a", "porosity"), "no curve"))
    assert list(empty) == list(describe_fit(row))
    assert empty["fit_verdict"] == ""
    assert np.isnan([value for value in empty.values() if isinstance(value, float)]).all()


def test_settings_say_whether_a_fit_was_asked_for() -> None:
    assert describe_settings(None) == {"fit": None}
    assert describe_settings(FitOptions("roding2022"))["fit"]["spectrum"] == "roding2022"  # type: ignore[index]


@pytest.mark.parametrize(("part", "is_said"), [(0.5, False), (-0.05, False), (-0.8, True)])
def test_a_background_below_zero_is_said(part: float, is_said: bool) -> None:
    """In parts of what the material scatters at the last point."""
    truth = expected_intensity(Q, 3.0, 0.3)
    noisy = np.random.default_rng(1).normal(truth, 0.01 * truth) + part * truth[-1]
    fit = fit_curve(Q, noisy, 0.01 * truth, spectrum="roding2022")
    assert bool(list_warnings(fit)) == is_said
    if is_said:
        assert "0.8 times what the material scatters at 2.5 per nm, below 0" in list_warnings(fit)[0]
    assert list_warnings(fit_curve(Q, truth + 0 * noisy, 0.01 * truth, background=False)) == []


def test_what_other_spectra_make_of_the_curve_is_said() -> None:
    truth = expected_intensity(Q, 3.0, 0.3, spectrum="matern:nu=2.5")
    noisy = np.random.default_rng(1).normal(truth, 0.005 * truth)
    fit = fit_curve(Q, noisy, 0.005 * truth, alternatives=True)
    columns = describe_fit(PredictionRow(fit.values, fit.lower, fit.upper, True, "", "fit", None, fit))
    assert "matern:nu=" in str(columns["near_spectra"])
    # the porosity of the true family is known to 0.01
    assert columns["porosity_lowest"] - 0.02 <= 0.3 <= columns["porosity_highest"] + 0.02  # type: ignore[operator]
    # one that is better is a reason, not a warning
    assert fit.is_outdone
    assert fit.describe_alternatives().startswith("matern:nu=")
    assert not fit.is_applicable
    assert fit.describe_alternatives() in fit.reason
    near = replace(
        fit, is_applicable=True, alternatives=(replace(fit.alternatives[0], criterion=0.0, values={"porosity": 0.01}),)
    )
    assert list_warnings(near)[0].startswith("other spectra: ")

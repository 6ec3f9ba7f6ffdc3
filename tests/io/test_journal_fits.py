"""Fits lie beside the curves, row by row; they come back as they were, and a changed number of one is seen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import silx.io
from silx.io.nxdata import get_default

from pyfai_grf.core.provenance import Provenance
from pyfai_grf.core.records import Curve, Fit, PredictionRow, Result
from pyfai_grf.fit.curve_fit import fit_curve
from pyfai_grf.io.journal import Journal, create_journal, start_journal
from pyfai_grf.io.journal_fits import (
    FIT_CURVES,
    FitReader,
    create_fits,
    describe_fit,
    describe_model,
    has_fit,
    list_numbers,
)
from pyfai_grf.io.journal_rows import copy_rows, read_rows
from pyfai_grf.theory.closed_form import expected_intensity

MakeResult = Callable[..., Result]
AssertSame = Callable[[Result, Result], None]
NAMES = ("a", "porosity", "layer_fraction")


@pytest.fixture
def rows(make_result: MakeResult) -> list[Result]:
    """A fit, one on another grid, a row without any, one of the fit alone, one that does not fit."""
    alone, bad = make_result(3, has_fit=True), make_result(4, size=45, has_fit=True)
    assert bad.prediction.fit is not None
    worse = dataclasses.replace(bad.prediction.fit, is_applicable=False, reason="no curve fits: " + "x" * 300)
    return [
        make_result(0, has_fit=True),
        make_result(1, size=45, has_fit=True),
        make_result(2),
        dataclasses.replace(alone, prediction=dataclasses.replace(alone.prediction, model=None, source="fit")),
        dataclasses.replace(bad, prediction=dataclasses.replace(bad.prediction, source="model", fit=worse)),
    ]


@pytest.fixture
def path(tmp_path: Path, provenance: Provenance, rows: list[Result]) -> Path:
    """A journal of ``rows``."""
    with h5py.File(tmp_path / "j.h5", "w", libver=("v110", "v110")) as h5:
        create_journal(h5, provenance)
        start_journal(h5, provenance, rows[0])
        journal = Journal(h5, provenance.parameters)
        for row in rows:
            journal.append(row)
    return tmp_path / "j.h5"


def check_rows(h5: h5py.File, rows: list[Result], assert_same: AssertSame) -> None:
    for found, expected in zip(read_rows(h5), rows, strict=True):
        assert_same(found, expected)


def test_every_fit_comes_back_as_it_was(path: Path, rows: list[Result], assert_same: AssertSame) -> None:
    with h5py.File(path) as h5:
        check_rows(h5, rows, assert_same)


def test_all_of_it_runs_along_the_frames(path: Path, rows: list[Result]) -> None:
    first, second, last = (rows[row].prediction.fit for row in (0, 1, 4))
    assert first is not None
    assert second is not None
    assert last is not None
    with h5py.File(path) as h5:
        entry = h5["prediction"]
        curves, other = entry["curves"], entry["other_curves"]
        for name, attribute in FIT_CURVES.items():
            data = entry["residuals" if name == "residual" else "curves"][name]
            assert data.shape == (5, 60)
            np.testing.assert_array_equal(data[0], getattr(first, attribute))
            assert np.isnan(data[()]).all(axis=1).tolist() == [False, True, True, False, True]
            both = np.concatenate([getattr(second, attribute), getattr(last, attribute)])
            np.testing.assert_array_equal(other[name][()], both)
        assert list(curves.attrs["auxiliary_signals"]) == ["fit"]
        np.testing.assert_array_equal(entry["fit/spectrum_n/value"][()], [8.1, 8.1, np.nan, 8.1, 8.1])
        np.testing.assert_array_equal(entry["fit/a/errors"][()], [0.004, 0.005, np.nan, 0.007, 0.008])
        np.testing.assert_array_equal(entry["fit/chi2"][()], [1.0, 1.1, np.nan, 1.3, 1.4])
        assert entry["fit/is_applicable"][()].tolist() == [True, True, False, True, False]
        assert entry["fit/reason"].asstr()[4] == last.reason[:256]
        np.testing.assert_array_equal(entry["model/a/value"][()], [4.01, 5.01, np.nan, np.nan, 8.01])
        assert entry["rows/answer_from"].asstr()[()].tolist() == ["model and fit", "model and fit", "", "fit", "model"]
        assert (entry["fit/a/value"].attrs["units"], entry["fit/chi2"].attrs["units"]) == ("nm", "")
        record = json.loads(entry["log/text"][: entry["log/end"][0]].tobytes())
    assert record["fit"]["names"] == list(first.names)
    np.testing.assert_array_equal(record["fit"]["covariance"], first.covariance)


def test_silx_shows_curves_with_fits_and_residuals_and_numbers(path: Path, rows: list[Result]) -> None:
    fit = rows[0].prediction.fit
    assert fit is not None
    with silx.io.open(str(path)) as h5:
        shown = get_default(h5)
        assert shown.group.name == "/prediction/curves"
        assert shown.is_valid
        np.testing.assert_array_equal(shown.signal[0], rows[0].curve.intensity)
        assert shown.errors is not None
        (drawn,) = shown.auxiliary_signals
        np.testing.assert_array_equal(drawn[0], fit.curve)
        assert shown.title == "reduced curves"
        rest = get_default(h5["prediction/residuals"])
        np.testing.assert_array_equal(rest.signal[0], fit.residual)
        assert rest.axes_dataset_names == ["frame", "q"]
        assert rest.plot_style.axes_scale_types == (None, "log")
        assert rest.plot_style.signal_scale_type is None
        for name in ("fit/a", "fit/spread", "model/porosity", "a"):
            number = get_default(h5[f"prediction/{name}"])
            assert number.is_valid
            assert number.axes_dataset_names == ["frame"]
        assert get_default(h5["prediction/fit/spread"]).errors is not None


def test_file_without_fits_has_no_place_for_them(
    tmp_path: Path, provenance: Provenance, make_result: MakeResult
) -> None:
    with h5py.File(tmp_path / "none.h5", "w") as h5:
        create_journal(h5, provenance)
        start_journal(h5, provenance, make_result(0))
        journal = Journal(h5, provenance.parameters)
        journal.append(make_result(0))
        assert journal.has_room(make_result(1))
        assert not journal.has_room(make_result(1, has_fit=True))
        entry = h5["prediction"]
        assert not {"fit", "model", "residuals"} & set(entry)
        assert not set(FIT_CURVES) & {*entry["curves"], *entry["other_curves"]}
        assert "auxiliary_signals" not in entry["curves"].attrs


def test_room_is_made_behind_rows_that_have_no_fit(
    tmp_path: Path, provenance: Provenance, make_result: MakeResult, assert_same: AssertSame
) -> None:
    rows = [make_result(0), make_result(1, size=45), *(make_result(n, size=62 - n, has_fit=True) for n in (2, 3))]
    with h5py.File(tmp_path / "few.h5", "w") as few, h5py.File(tmp_path / "more.h5", "w") as more:
        create_journal(few, provenance)
        start_journal(few, provenance, rows[0])
        journal = Journal(few, provenance.parameters)
        for row in rows[:2]:
            journal.append(row)
        copy_rows(few, more)
        create_fits(more["prediction"], provenance.parameters)
        journal = Journal(more, provenance.parameters)
        for row in rows[2:]:
            assert journal.has_room(row)
            journal.append(row)
        check_rows(more, rows, assert_same)
        assert more["prediction/other_curves/fit"].shape == (45 + 59,)
        assert np.isnan(more["prediction/fit/a/value"][:2]).all()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("curves/fit", (0, 7)),
        ("curves/background", (3, 59)),
        ("curves/upturn", (0, 0)),
        ("residuals/residual", (3, 30)),
        ("residuals/residual", (0, 59)),  # NaN is a number too
        ("other_curves/fit", (5,)),
        ("other_curves/residual", (50,)),
        ("fit/a/value", (0,)),
        ("fit/porosity/errors", (1,)),
        ("fit/spectrum_n/lower", (3,)),
        ("fit/spread/upper", (4,)),
        ("fit/chi2", (0,)),
        ("model/porosity/value", (1,)),
        ("model/a/upper", (4,)),
    ],
)
def test_a_changed_number_is_no_row(name: str, place: tuple[int, ...], path: Path) -> None:
    with h5py.File(path, "r+") as h5:
        dataset = h5["prediction"][name]
        dataset[place] = np.nan_to_num(dataset[place], posinf=1.0) + 1
    with h5py.File(path) as h5, pytest.raises(ValueError, match=r"checksum of row \d is wrong"):
        list(read_rows(h5))


def test_description_and_curves_are_all_that_a_fit_is(make_result: MakeResult) -> None:
    """Nothing of the record is forgotten, and nothing of it stands in the text that is no JSON."""
    fit = make_result(0, has_fit=True).prediction.fit
    described = describe_fit(fit)
    assert described is not None
    assert {*described, "q_nm1", *FIT_CURVES.values()} == {field.name for field in dataclasses.fields(Fit)}
    for name, value in described.items():
        assert isinstance(value, float | str | bool | dict | list | np.ndarray), name
    assert describe_fit(None) is None
    assert describe_model(None) is None


def test_rows_with_anything_of_a_fit_need_its_columns(make_result: MakeResult) -> None:
    said = make_result(0, has_fit=True).prediction
    assert has_fit(said)
    assert has_fit(dataclasses.replace(said, fit=None))
    assert has_fit(dataclasses.replace(said, model=None))
    assert not has_fit(make_result(0).prediction)
    assert list(list_numbers(make_result(0).prediction, NAMES)) == []


def test_a_fit_that_the_log_promises_and_the_file_lacks(path: Path) -> None:
    with h5py.File(path, "r+") as h5:
        del h5["prediction/fit"]
        reader = FitReader(h5["prediction"], 5)
        assert reader.read_model(None, 0) is None
        with pytest.raises((KeyError, IndexError)):
            list(read_rows(h5))


def test_numbers_that_have_no_column_are_kept_in_the_text(
    tmp_path: Path, provenance: Provenance, make_result: MakeResult, assert_same: AssertSame
) -> None:
    row = make_result(0, has_fit=True)
    fit = row.prediction.fit
    assert fit is not None
    more = {"contrast": 1.5}
    fit = dataclasses.replace(
        fit,
        values={**fit.values, **more},
        errors={**fit.errors, **more},
        lower={**fit.lower, **more},
        upper={**fit.upper, **more},
    )
    row = dataclasses.replace(row, prediction=dataclasses.replace(row.prediction, fit=fit))
    with h5py.File(tmp_path / "more.h5", "w") as h5:
        create_journal(h5, provenance)
        start_journal(h5, provenance, row)
        Journal(h5, provenance.parameters).append(row)
        check_rows(h5, [row], assert_same)


@pytest.mark.parametrize("spectrum", ["fitted", "roding2022"])
def test_what_was_really_fitted_comes_back(
    tmp_path: Path, provenance: Provenance, assert_same: AssertSame, spectrum: str
) -> None:
    """With a range left out, and parameters that the next fit may not have."""
    rng, q = np.random.default_rng(5), np.linspace(0.05, 3.0, 120)
    curve = expected_intensity(q, a=4.0, porosity=0.3)
    sigma = 0.01 * curve
    measured = Curve(q, rng.normal(curve, sigma), sigma)
    fit = fit_curve(q, measured.intensity, sigma, spectrum=spectrum, exclude=[(0.5, 0.6)])
    names = ("a", "porosity")
    values, lower, upper = ({name: part[name] for name in names} for part in (fit.values, fit.lower, fit.upper))
    row = Result("here", 0, measured, PredictionRow(values, lower, upper, True, "", "fit", None, fit))
    two = dataclasses.replace(provenance, parameters=names, layer_density=None)
    with h5py.File(tmp_path / "real.h5", "w") as h5:
        create_journal(h5, two)
        start_journal(h5, two, row)
        Journal(h5, two.parameters).append(row)
        (found,) = read_rows(h5)
        shown = h5["prediction/fit/spectrum_n/value"][0]
    assert_same(found, row)
    assert np.isnan(fit.residual).sum() == np.count_nonzero((q >= 0.5) & (q <= 0.6)) > 0
    np.testing.assert_equal(shown, fit.values.get("spectrum_n", np.nan))

"""The NXcanSAS entries are valid, and other programs read the numbers that were written."""

from __future__ import annotations

import dataclasses
import json
import logging

import h5py
import numpy as np
import pytest

from pyfai_grf.core.records import Curve
from pyfai_grf.io.curves import read_curves
from pyfai_grf.io.nxcansas import write_sas_entry
from pyfai_grf.io.results import ResultsWriter


@pytest.fixture
def results_file(tmp_path, provenance, make_result):
    """A file with every kind of row: plain, without errors, another grid, without prediction, odd names."""
    path = tmp_path / "résultats.h5"
    with ResultsWriter(path, provenance) as writer:
        writer.append(make_result(0))
        writer.append(make_result(1, has_sigma=False))
        writer.append(make_result(2, size=45, source="Å/\u65e5\u672c.edf"))
        writer.append(make_result(3, is_predicted=False, reason="outside"))
        writer.append(make_result(4, source="latin1-\udce9.edf"))  # a file name that is not UTF-8
        writer.append(make_result(5, has_fit=True))
        writer.append(make_result(6, size=45, has_fit=True))
    return path


def test_nexusformat_finds_no_fault(results_file):
    validate = pytest.importorskip("nexusformat.nexus.validate")
    for row in range(7):
        counted = validate.validate_application(str(results_file), f"entry{row:05d}", "NXcanSAS")
        assert counted is not None, "the validator could not read the entry"
        assert tuple(counted) == (0, 0)


def test_nexusformat_finds_a_fault_where_there_is_one(results_file):
    validate = pytest.importorskip("nexusformat.nexus.validate")
    with h5py.File(results_file, "r+") as h5:
        del h5["entry00000/sasdata/I"]
    assert validate.validate_application(str(results_file), "entry00000", "NXcanSAS")[1] > 0


def test_sasdata_reads_the_curves(results_file, make_result, caplog):
    loader = pytest.importorskip("sasdata.dataloader.loader")
    caplog.set_level(logging.CRITICAL)
    found = loader.Loader().load(str(results_file))
    assert len(found) == 7
    for row, data in enumerate(found):
        expected = make_result(row, size=45 if row in (2, 6) else 60).curve
        # sasdata reads the unit and converts: 1/nm is 0.1/A, up to the rounding of one multiplication
        assert data.x_unit == "A^{-1}"
        np.testing.assert_allclose(data.x, expected.q_nm1 / 10, rtol=1e-15)
        np.testing.assert_array_equal(data.y, expected.intensity)
        if row == 1:
            assert data.dy is None or not np.any(data.dy)
        else:
            np.testing.assert_array_equal(data.dy, expected.sigma)
        assert not data.errors
    assert found[2].title == "Å/\u65e5\u672c.edf frame 2"
    assert found[6].title == "frames.h5::/entry/data frame 6"  # /prediction, which is read after it, leaves it alone
    # no point of a fit is taken for a remark
    assert [len(data.meta_data) for data in found[:5]] == [3] * 5
    assert len(found[5].meta_data) < 30
    assert found[0].sample.name == "Ruß"
    terms = [term for process in found[0].process for term in process.term]
    assert terms == ["a = 4 nm (3.98 to 4.03)", "porosity = 0.7 (0.68 to 0.73)", "layer_fraction = 0.2 (0.18 to 0.23)"]
    (process,) = found[5].process
    assert process.term[0] == "a = 9 nm (8.98 to 9.03)"
    assert process.term[3:6] == [
        "answer from model and fit",
        "fit: chi-square = 1.5",
        "fit: the curve fits within 0.2 % – not to its noise",
    ]
    assert "fit: spread = 0.33333 (0.33 to inf)" in process.term
    assert process.term[-3] == "model: a = 9.01 nm (8.98 to 9.03)"


def test_our_reader_reads_the_curves(results_file, make_result):
    curves = read_curves(results_file)
    assert len(curves) == 7
    for row, curve in enumerate(curves):
        expected = make_result(row, size=45 if row in (2, 6) else 60, has_sigma=row != 1).curve
        np.testing.assert_array_equal(curve.intensity, expected.intensity)
        assert (curve.sigma is None) == (row == 1)


def test_entry_alone_holds_everything(tmp_path, provenance, make_result):
    """Without a results file around it, with gaps in the curve and an absolute scale."""
    row = make_result(0)
    intensity = row.curve.intensity.copy()
    intensity[7] = np.nan
    row = dataclasses.replace(row, curve=Curve(row.curve.q_nm1, intensity, metadata={"intensity_unit": "1/cm"}))
    with h5py.File(tmp_path / "one.h5", "w") as h5:
        entry = write_sas_entry(h5, "entry", row, provenance)
        data = entry["sasdata"]
        assert "Idev" not in data
        assert data["I"].attrs["units"] == "1/cm"
        assert data["Q"].shape == (59,)
        assert np.isfinite(data["I"][()]).all()
        process = entry["sasprocess"]
        assert process["porosity_lower"][()] == pytest.approx(0.68)
        assert process["a"].attrs["units"] == "nm"
        assert process["model_sha256"].asstr()[()] == provenance.model_sha256
        assert process["layer_density"][()] == 0.65


def test_fit_stands_beside_its_curve(tmp_path, provenance, make_result):
    """Where the curve has a gap, its fit is left out too; what was fitted and how well stands in the process."""
    row = make_result(0, has_fit=True)
    intensity = row.curve.intensity.copy()
    intensity[7] = np.nan
    curve = dataclasses.replace(row.curve, intensity=intensity, metadata={"intensity_unit": "1/cm"})
    row, fit = dataclasses.replace(row, curve=curve), row.prediction.fit
    with h5py.File(tmp_path / "one.h5", "w") as h5:
        entry = write_sas_entry(h5, "entry", row, provenance)
        data, keep = entry["sasdata"], np.arange(60) != 7
        assert (data.attrs["signal"], list(data.attrs["auxiliary_signals"])) == ("I", ["fit"])
        fitted = {"fit": fit.curve, "background": fit.background, "upturn": fit.upturn, "residual": fit.residual}
        for name, values in fitted.items():
            np.testing.assert_array_equal(data[name][()], values[keep])
            assert data[name].attrs["units"] == ("" if name == "residual" else "1/cm")
        process = entry["sasprocess"]
        assert process["answer_from"].asstr()[()] == "model and fit"
        assert process["description"].asstr()[()].endswith("; spectrum of the fit: fitted")
        note = process["sasprocessnote"]
        assert (note.attrs["NX_class"], note.attrs["canSAS_class"]) == ("NXcollection", "SASprocessnote")
        assert note["covariance_names"].asstr()[()].tolist() == list(fit.names)
        np.testing.assert_array_equal(note["covariance"][()], fit.covariance)
        assert (note["chi2"][()], note["model_error"][()]) == (fit.chi2, fit.model_error)
        assert (note["verdict"].asstr()[()], note["spectrum"].asstr()[()]) == (fit.reason, "fitted")
        assert json.loads(note["fit"].asstr()[()])["errors"] == fit.errors
        assert json.loads(note["model"].asstr()[()])["values"] == row.prediction.model.values


def test_fit_that_fits_to_the_noise_says_so(tmp_path, provenance, make_result):
    row = make_result(0, has_fit=True)
    fit = dataclasses.replace(row.prediction.fit, reason="")
    row = dataclasses.replace(row, prediction=dataclasses.replace(row.prediction, fit=fit, model=None, source="fit"))
    with h5py.File(tmp_path / "one.h5", "w") as h5:
        process = write_sas_entry(h5, "entry", row, provenance)["sasprocess"]
        assert process["sasprocessnote/verdict"].asstr()[()] == "the curve fits"
        assert "model" not in process["sasprocessnote"]
        terms = [process[name].asstr()[()] for name in sorted(process) if name.startswith("term")]
    assert terms[3:6] == ["answer from fit", "fit: chi-square = 1", "fit: the curve fits"]
    assert not any(term.startswith("model:") for term in terms)

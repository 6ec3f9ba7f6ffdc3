"""The results file gives back what went in, is never overwritten, and shows silx a plot at every stage."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import silx.io
from silx.io.nxdata import get_default

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.io.curves import read_curves
from pyfai_grf.io.results import ResultsWriter, export, read_results


@pytest.mark.parametrize("swmr", [True, False])
def test_rows_come_back_exactly(tmp_path, provenance, make_result, assert_same, swmr):
    rows = [
        make_result(0),
        make_result(1, size=45),  # another grid
        make_result(2, has_sigma=False),
        make_result(3, is_predicted=False, reason="q range 0.05 to 1 1/nm does not cover 0.04 to 3"),
        make_result(4, size=45, has_sigma=False, source="/données/Å/\u65e5\u672c.edf"),
        make_result(5, source="x" * 400 + "é"),  # longer than the column that people look at
        make_result(6, has_fit=True),  # the first with a fit
        make_result(7, size=45, has_fit=True),
        make_result(8),
    ]
    with ResultsWriter(tmp_path / "out.h5", provenance, swmr=swmr) as writer:
        for row in rows:
            writer.append(row)
    found_provenance, found = read_results(tmp_path / "out.h5")
    np.testing.assert_array_equal(found_provenance.q_grid_nm1, provenance.q_grid_nm1)
    same = {"q_grid_nm1": None}
    assert dataclasses.replace(found_provenance, **same) == dataclasses.replace(provenance, **same)
    assert len(found) == len(rows)
    for one, other in zip(found, rows, strict=True):
        assert_same(one, other)


def test_complete_file_has_an_entry_a_row_and_no_writer(tmp_path, provenance, make_result):
    path = tmp_path / "out.h5"
    with ResultsWriter(path, provenance) as writer:
        for row in (make_result(0), make_result(1, size=45), make_result(2, is_predicted=False)):
            writer.append(row)
    with h5py.File(path) as h5:
        entry = h5["prediction"]
        assert entry["frame"][()].tolist() == [0, 1, 2]
        assert entry["porosity/is_applicable"][()].tolist() == [True, True, False]
        has_row = np.isfinite(entry["curves/intensity"][()]).all(axis=1)
        assert has_row.tolist() == [True, False, True]
        assert np.isnan(entry["curves/intensity"][1]).all()
        assert "writer_pid" not in entry.attrs
        assert sorted(name for name in h5 if name != "prediction") == [f"entry0000{i}" for i in range(3)]


@pytest.mark.parametrize("swmr", [True, False])
def test_first_fit_makes_room_for_it(tmp_path, provenance, make_result, assert_same, swmr):
    path = tmp_path / "out.h5"
    rows = [make_result(0), make_result(1, size=45), make_result(2, has_fit=True), make_result(3, has_fit=True)]
    with ResultsWriter(path, provenance, swmr=swmr) as writer:
        for number, row in enumerate(rows, start=1):
            writer.append(row)
            assert writer.count == number
            if swmr:
                for found, expected in zip(read_results(path)[1], rows[:number], strict=True):
                    assert_same(found, expected)
    for found, expected in zip(read_results(path)[1], rows, strict=True):
        assert_same(found, expected)
    with h5py.File(path) as h5:
        assert sorted(name for name in h5 if name != "prediction") == [f"entry0000{i}" for i in range(4)]
    assert [p.name for p in tmp_path.iterdir()] == ["out.h5"]


def test_no_room_for_the_first_fit_keeps_the_rows(tmp_path, provenance, make_result, assert_same, monkeypatch):
    path, rows = tmp_path / "out.h5", [make_result(0), make_result(1)]

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with ResultsWriter(path, provenance) as writer:
        for row in rows:
            writer.append(row)
        with monkeypatch.context() as patch:
            patch.setattr("pyfai_grf.io.results.create_fits", fail)
            with pytest.raises(InputError, match=r"cannot write .*out\.h5: No space left on device"):
                writer.append(make_result(2, has_fit=True))
        with pytest.raises(InputError, match="is closed"):
            writer.append(make_result(2))
    assert export(path) == 2
    for found, expected in zip(read_results(path)[1], rows, strict=True):
        assert_same(found, expected)


@pytest.mark.parametrize("name", ["before-fits.h5", "before-fits-killed.h5"])
@pytest.mark.parametrize("has_fit", [False, True])
def test_file_that_was_begun_before_there_were_fits(old_file, make_result, assert_same, name, has_fit):
    """Its rows are read as they were, exported, and continued, with fits or without."""
    path = old_file(name)
    rows = [make_result(0), make_result(1, size=45), make_result(2, is_predicted=False, reason="why ever")]
    sources = ["model", "model", ""]
    rows = [
        dataclasses.replace(row, prediction=dataclasses.replace(row.prediction, source=source))
        for row, source in zip(rows, sources, strict=True)
    ]
    provenance, found = read_results(path)
    for one, other in zip(found, rows, strict=True):
        assert_same(one, other)
    assert export(path, path.parent / "copy.h5") == 3
    with ResultsWriter(path, provenance, is_resumed=True) as writer:
        assert writer.count == 3
        for number in (3, 4):
            rows.append(make_result(number, size=41 + number, has_fit=has_fit))
            writer.append(rows[-1])
    assert export(path) == 5
    for one, other in zip(read_results(path)[1], rows, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("has_sigma", [True, False])
def test_silx_shows_a_curve_at_once(tmp_path, provenance, make_result, has_sigma):
    path = tmp_path / "out.h5"
    row = make_result(0, has_sigma=has_sigma)
    with ResultsWriter(path, provenance) as writer:
        writer.append(row)
    with silx.io.open(str(path)) as complete:
        shown = get_default(complete)
        assert shown.group.name == "/entry00000/sasdata"
        np.testing.assert_array_equal(shown.axes[0][()], row.curve.q_nm1)
        assert shown.plot_style.axes_scale_types == ("log",)
        assert (shown.errors is not None) == has_sigma
        assert not shown.auxiliary_signals
        parameter = get_default(complete["prediction/a"])
        assert parameter.errors is not None
        assert parameter.axes_dataset_names == ["frame"]


def test_silx_shows_a_fit_with_its_curve_at_once(tmp_path, provenance, make_result):
    path = tmp_path / "out.h5"
    row = make_result(0, has_fit=True)
    with ResultsWriter(path, provenance) as writer:
        writer.append(row)
    with silx.io.open(str(path)) as complete:
        shown = get_default(complete)
        assert shown.is_valid
        np.testing.assert_array_equal(shown.signal[()], row.curve.intensity)
        assert shown.errors is not None
        np.testing.assert_array_equal(shown.auxiliary_signals[0][()], row.prediction.fit.curve)
        assert shown.auxiliary_signals_names == ["fitted intensity"]
        rest = get_default(complete["prediction/residuals"])
        np.testing.assert_array_equal(rest.signal[0], row.prediction.fit.residual)


@pytest.mark.parametrize("inner", ["", "::/prediction", "::/entry00000"])
def test_curves_of_a_file_are_what_was_measured(tmp_path, provenance, make_result, inner):
    """Neither a fit nor its residuals are read as a curve, in a complete file or one that grows."""
    path, row = tmp_path / "out.h5", make_result(0, has_fit=True)
    with ResultsWriter(path, provenance) as writer:
        writer.append(row)
        running = [] if inner == "::/entry00000" else read_curves(f"{path}{inner}")
    complete = read_curves(f"{path}{inner}")
    assert len(complete) == 1
    for curve in (*running, *complete):
        np.testing.assert_array_equal(curve.intensity, row.curve.intensity)
        np.testing.assert_array_equal(curve.sigma, row.curve.sigma)


def test_existing_file_is_not_touched(tmp_path, provenance):
    path = tmp_path / "out.h5"
    path.write_text("precious")
    with pytest.raises(InputError, match=r"out\.h5 exists already: choose another name or remove it"):
        ResultsWriter(path, provenance)
    assert path.read_text() == "precious"
    ResultsWriter(path, provenance, overwrite=True).close()
    assert read_results(path)[1] == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.h5"]


def test_unwritable_folder_is_one_line(tmp_path, provenance):
    with pytest.raises(InputError, match=r"cannot write in .*absent: No such file or directory") as caught:
        ResultsWriter(tmp_path / "absent" / "out.h5", provenance)
    assert "\n" not in str(caught.value)
    if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may write anywhere
        tmp_path.chmod(0o500)
        with pytest.raises(InputError, match="Permission denied"):
            ResultsWriter(tmp_path / "out.h5", provenance)
        tmp_path.chmod(0o700)


def test_exception_in_the_run_keeps_its_rows(tmp_path, provenance, make_result):
    def run() -> None:
        with ResultsWriter(tmp_path / "out.h5", provenance) as writer:
            writer.append(make_result(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    with h5py.File(tmp_path / "out.h5") as h5:
        assert "entry00000/sasdata/I_errors" in h5


def test_export_leaves_a_complete_file_and_a_running_one_alone(tmp_path, provenance, make_result):
    path = tmp_path / "out.h5"
    for swmr in (True, False):
        with ResultsWriter(path, provenance, swmr=swmr, overwrite=True) as writer:
            writer.append(make_result(0))
            with pytest.raises(InputError, match="is being written by process"):
                export(path)
            writer.append(make_result(1))
        before = path.read_bytes()
        assert export(path) == 2
        assert path.read_bytes() == before
    assert export(path, tmp_path / "copy.h5") == 2
    assert (tmp_path / "copy.h5").read_bytes() == before
    with pytest.raises(InputError, match="exists already"):
        export(path, tmp_path / "copy.h5")


def test_a_row_that_cannot_be_used_spoils_nothing(tmp_path, provenance, make_result, assert_same):
    good = make_result(0)
    with ResultsWriter(tmp_path / "out.h5", provenance) as writer:
        writer.append(good)
        with pytest.raises(InputError, match=r"sigma of the curve has shape \(3,\), its q axis \(60,\)"):
            writer.append(dataclasses.replace(good, curve=Curve(good.curve.q_nm1, good.curve.intensity, np.ones(3))))
        with pytest.raises(ValueError, match="seven"):  # found only after half the row was written
            writer.append(dataclasses.replace(good, frame="seven"))
        writer.append(make_result(1))
    found = read_results(tmp_path / "out.h5")[1]
    assert_same(found[0], good)
    assert_same(found[1], make_result(1))
    assert len(found) == 2
    with pytest.raises(InputError, match="is closed"):
        writer.append(good)


def test_what_is_no_results_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_results(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("q I")
    with pytest.raises(InputError, match=r"cannot read .*text\.h5 as HDF5"):
        read_results(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as h5:
        h5["data"] = [1.0]
    with pytest.raises(InputError, match="is not a results file"):
        export(Path(tmp_path / "other.h5"))

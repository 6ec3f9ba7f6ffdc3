"""Rows are laid out as the other programs expect them, one after the other, and their checksums see every change."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.provenance import Provenance
from pyfai_grf.core.records import Curve, PredictionRow, Result
from pyfai_grf.io.journal import (
    Journal,
    check_curve,
    compute_group_checksum,
    compute_row_checksum,
    create_journal,
    mark_writer,
    start_journal,
    to_number,
)
from pyfai_grf.io.journal_rows import read_provenance, read_rows

MakeResult = Callable[..., Result]


@pytest.fixture
def file() -> Iterator[h5py.File]:
    """An empty file in memory."""
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as h5:
        yield h5


def write_rows(file: h5py.File, provenance: Provenance, *results: Result) -> h5py.Group:
    """Write a journal with these rows and return its entry."""
    create_journal(file, provenance)
    start_journal(file, provenance, results[0])
    journal = Journal(file, provenance.parameters)
    for result in results:
        journal.append(result)
    return file["prediction"]


# --- the layout --------------------------------------------------------------------------------------------------


def test_before_the_first_row_it_says_where_rows_will_come_from(file: h5py.File, provenance: Provenance) -> None:
    create_journal(file, dataclasses.replace(provenance, command="with\0NUL \udce9"))
    assert list(file) == ["prediction"]
    assert file.attrs["default"] == "prediction"
    process = file["prediction/process"]
    assert process["material"].asstr()[()] == provenance.material
    assert process["command"].asstr()[()] == "with\\0NUL \\udce9"
    assert process["q_grid"].attrs["units"] == "1/nm"
    assert json.loads(process["settings"].asstr()[()]) == provenance.settings
    assert file["prediction"].attrs["writer_pid"] == os.getpid()
    assert file["prediction"].attrs["writer_host"] == socket.gethostname()


def test_everything_runs_along_the_frames(file: h5py.File, provenance: Provenance, make_result: MakeResult) -> None:
    entry = write_rows(file, provenance, make_result(0), make_result(1, size=45), make_result(2, is_predicted=False))
    along = ["frame", "is_applicable", *(f"{name}/value" for name in provenance.parameters)]
    along += [f"rows/{name}" for name in entry["rows"]] + ["log/end", "log/crc32"]
    assert {entry[name].shape for name in along} == {(3,)}
    assert entry["curves/intensity"].shape == (3, 60)
    assert entry["other_curves/q"].shape == entry["other_curves/weight"].shape == (45,)
    assert entry["frame"][()].tolist() == [0, 1, 2]
    assert entry["a/frame"] == entry["frame"]  # a link, which grows with it
    assert (entry["a/value"].attrs["units"], entry["curves/q"].attrs["units"]) == ("nm", "1/nm")
    np.testing.assert_array_equal(entry["a/upper"][()], [4.03, 5.03, np.nan])
    # 3.29 standard errors are the width of a 90 % interval, 0.05 here
    np.testing.assert_allclose(entry["porosity/errors"][()], [0.05 / 3.29, 0.05 / 3.29, np.nan], rtol=1e-12)
    assert {name: entry[name].attrs["NX_class"] for name in ("curves", "a", "rows", "log")} == {
        "curves": "NXdata", "a": "NXdata", "rows": "NXcollection", "log": "NXcollection"
    }  # fmt: skip


def test_rows_for_people_are_short_and_the_log_is_whole(
    file: h5py.File, provenance: Provenance, make_result: MakeResult
) -> None:
    source = "é" * 300
    entry = write_rows(file, provenance, make_result(0, source=source, reason="r" * 1000))
    assert entry["rows/source"].asstr()[0] == "é" * 128  # of two bytes each
    assert entry["rows/reason"].asstr()[0] == "r" * 256
    record = json.loads(entry["log/text"][()].tobytes())
    assert (record["source"], record["reason"]) == (source, "r" * 1000)


def test_extra_columns_are_those_of_the_first_row(
    file: h5py.File, provenance: Provenance, make_result: MakeResult
) -> None:
    extras: list[dict[str, float | str]] = [
        {"q_max_nm1": 3.0, "note": "a", "flag": True},
        {"note": "é\0"},
        {"q_max_nm1": "seven", "new": 1.0},
    ]
    rows = [dataclasses.replace(make_result(number), extras=more) for number, more in enumerate(extras)]
    entry = write_rows(file, provenance, *rows)
    np.testing.assert_array_equal(entry["rows/q_max_nm1"][()], [3.0, np.nan, np.nan])
    np.testing.assert_array_equal(entry["rows/flag"][()], [1.0, np.nan, np.nan])
    assert entry["rows/note"].asstr()[()].tolist() == ["a", "é\\0", ""]
    assert entry["rows/q_max_nm1"].attrs["units"] == "1/nm"
    assert "new" not in entry["rows"]
    assert [dict(row.extras) for row in read_rows(file)] == [dict(row.extras) for row in rows]  # the log has all


@pytest.mark.parametrize("name", ["source", "source_frame", "reason", "answer_from"])
def test_extra_column_cannot_take_the_place_of_ours(
    name: str, file: h5py.File, provenance: Provenance, make_result: MakeResult
) -> None:
    first = dataclasses.replace(make_result(0), extras={name: 1.0})
    create_journal(file, provenance)
    with pytest.raises(InputError, match=repr(name)):
        start_journal(file, provenance, first)


def test_curves_of_other_grids_lie_one_after_the_other(
    file: h5py.File, provenance: Provenance, make_result: MakeResult
) -> None:
    sizes = [60, 45, 60, 1, 200]
    rows = [make_result(number, size=size, has_sigma=number != 4) for number, size in enumerate(sizes)]
    entry = write_rows(file, provenance, *rows)
    q = np.concatenate([row.curve.q_nm1 for row, size in zip(rows, sizes, strict=True) if size != 60])
    np.testing.assert_array_equal(entry["other_curves/q"][()], q)
    assert np.isnan(entry["other_curves/intensity_errors"][46:]).all()  # no sigma
    assert np.isfinite(entry["curves/intensity"][()]).all(axis=1).tolist() == [True, False, True, False, False]


def test_a_journal_goes_on_where_the_rows_of_the_file_end(
    file: h5py.File, provenance: Provenance, make_result: MakeResult, assert_same: Callable[[Result, Result], None]
) -> None:
    rows = [make_result(number, size=60 - number) for number in range(4)]
    write_rows(file, provenance, *rows[:2])
    again = Journal(file, provenance.parameters)
    assert again.count == 2
    for row in rows[2:]:
        again.append(row)
    for found, expected in zip(read_rows(file), rows, strict=True):
        assert_same(found, expected)


def test_row_that_failed_half_way_leaves_no_trace(
    file: h5py.File, provenance: Provenance, make_result: MakeResult, assert_same: Callable[[Result, Result], None]
) -> None:
    create_journal(file, provenance)
    start_journal(file, provenance, make_result(0))
    journal = Journal(file, provenance.parameters)
    journal.append(make_result(0, size=45))
    with pytest.raises(ValueError, match="seven"):
        journal.append(dataclasses.replace(make_result(1, size=50), frame="seven"))  # type: ignore[arg-type]
    assert journal.count == 1
    journal.append(make_result(2, size=40))
    found = list(read_rows(file))
    assert len(found) == 2
    assert_same(found[1], make_result(2, size=40))


# --- checksums ---------------------------------------------------------------------------------------------------


def test_checksum_is_that_of_the_text_and_the_numbers_in_order() -> None:
    """Put together by hand: text, q, I, sigma, weight, (value, lower, upper) of each parameter, applicable."""
    curve = Curve(np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([5.0, 6.0]), np.array([7.0, 8.0]))
    row = PredictionRow({"a": 9.0, "b": 12.0}, {"a": 10.0, "b": 13.0}, {"a": 11.0, "b": 14.0}, True)
    numbers = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 1], dtype="<f8")
    expected = zlib.crc32(b"text" + numbers.tobytes())
    text = np.frombuffer(b"text", np.uint8)
    assert compute_row_checksum(text, Result("", 0, curve, row), ["a", "b"]) == expected
    swapped = dataclasses.replace(curve, intensity=curve.intensity.astype(">f8"))
    assert compute_row_checksum(text, Result("", 0, swapped, row), ["a", "b"]) == expected


@pytest.mark.parametrize("name", ["q_nm1", "intensity", "sigma", "weight"])
@pytest.mark.parametrize("place", [0, 30, 59])
def test_checksum_sees_the_last_bit_of_every_number(name: str, place: int, make_result: MakeResult) -> None:
    result = make_result(0)
    values = getattr(result.curve, name).copy()
    values[place] = np.nextafter(values[place], np.inf)
    changed = dataclasses.replace(result, curve=dataclasses.replace(result.curve, **{name: values}))
    text = np.zeros(3, np.uint8)
    assert compute_row_checksum(text, result, ["a"]) != compute_row_checksum(text, changed, ["a"])


def test_checksum_sees_the_prediction_and_not_what_is_no_parameter(make_result: MakeResult) -> None:
    result, text = make_result(0), np.zeros(3, np.uint8)
    sums = {compute_row_checksum(text, result, names) for names in ([], ["a"], ["a", "porosity"], ["porosity", "a"])}
    assert len(sums) == 4
    other = dataclasses.replace(result, prediction=dataclasses.replace(result.prediction, is_applicable=False))
    assert compute_row_checksum(text, result, ["a"]) != compute_row_checksum(text, other, ["a"])
    assert compute_row_checksum(text, result, ["a"]) != compute_row_checksum(text + np.uint8(1), result, ["a"])


def test_no_array_counts_as_one_of_nan(make_result: MakeResult) -> None:
    """For that is what comes back of it from the file."""
    without = make_result(0, has_sigma=False)
    nan = np.full(60, np.nan)
    with_nan = dataclasses.replace(without, curve=dataclasses.replace(without.curve, sigma=nan, weight=nan))
    text = np.zeros(3, np.uint8)
    assert compute_row_checksum(text, without, ["a"]) == compute_row_checksum(text, with_nan, ["a"])


@pytest.mark.parametrize("change", ["value", "name", "gone", "more"])
def test_checksum_of_a_group_sees_every_change(change: str, file: h5py.File, provenance: Provenance) -> None:
    create_journal(file, provenance)
    process = file["prediction/process"]
    assert process.attrs["crc32"] == compute_group_checksum(process)
    if change == "value":
        process["q_grid"][3] += 1e-15
    elif change == "name":
        process.move("model", "modem")
    elif change == "gone":
        del process["layer_density"]
    else:
        process["more"] = ""
    with pytest.raises(ValueError, match="checksum"):
        read_provenance(file)


def test_who_writes_may_change_without_touching_the_checksum(file: h5py.File, provenance: Provenance) -> None:
    create_journal(file, provenance)
    file["prediction"].attrs["writer_pid"] = 1
    mark_writer(file)
    assert file["prediction"].attrs["writer_pid"] == os.getpid()
    assert read_provenance(file).model == provenance.model


# --- what cannot be a row ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "found"),
    [
        (Curve(np.zeros(0), np.zeros(0)), r"\(0,\)"),
        (Curve(np.zeros((2, 3)), np.zeros((2, 3))), r"\(2, 3\)"),
        (Curve(np.array(1.0), np.array(1.0)), r"\(\)"),
        (Curve(np.ones(3), np.ones(2)), r"intensity .*\(2,\).*\(3,\)"),
        (Curve(np.ones(3), np.ones(3), np.ones((3, 1))), r"sigma .*\(3, 1\).*\(3,\)"),
        (Curve(np.ones(3), np.ones(3), None, np.ones(4)), r"weight .*\(4,\).*\(3,\)"),
    ],
)
def test_arrays_that_do_not_fit_together(curve: Curve, found: str) -> None:
    with pytest.raises(InputError, match=found):
        check_curve(curve)


def test_fit_is_drawn_on_the_points_of_its_curve(make_result: MakeResult) -> None:
    row = make_result(0, has_fit=True)
    curve, fit = row.curve, row.prediction.fit
    assert fit is not None
    check_curve(curve, fit)
    with pytest.raises(InputError, match=r"upturn of the fit has shape \(59,\), its q axis \(60,\)"):
        check_curve(curve, dataclasses.replace(fit, upturn=fit.upturn[1:]))
    with pytest.raises(InputError, match="not drawn at the points"):
        check_curve(curve, dataclasses.replace(fit, q_nm1=fit.q_nm1 / 10))


def test_curve_of_one_point_or_of_nan_is_one() -> None:
    check_curve(Curve(np.ones(1), np.full(1, np.nan)))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7.0),
        ("7.5", 7.5),
        (np.float32(0.5), 0.5),
        (True, 1.0),
        (None, None),
        ("seven", None),
        ([1], None),
        ({}, None),
    ],
)
def test_numbers_of_any_kind(value: Any, number: float | None) -> None:
    found = to_number(value)
    assert math.isnan(found) if number is None else found == number

"""Datasets grow by what is put at their end, and what a failed row left there is overwritten."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np
import pytest

from pyfai_grf.io.growing_columns import create_column, create_spectra, put_points, put_row


@pytest.fixture
def file() -> Iterator[h5py.File]:
    """An empty file in memory."""
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as h5:
        yield h5


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("f8", [1.5, np.nan, np.float32(0.5)]),
        ("i8", [3, np.int32(-4), 5]),
        ("u4", [2**32 - 1, 0, 7]),
        ("?", [True, np.False_, True]),
        (h5py.string_dtype("utf-8", 8), ["é".encode(), b"", b"12345678"]),
    ],
)
def test_rows_of_every_kind(file: h5py.File, dtype: object, values: list[object]) -> None:
    column = create_column(file, "column", dtype, "what it is", 2, unit="nm")
    for row, value in enumerate(values):
        put_row(column, row, value)
    np.testing.assert_array_equal(column[()], np.array(values, dtype=column.dtype))
    assert dict(column.attrs) == {"units": "nm", "long_name": "what it is"}


def test_rows_before_a_column_was_made_are_filled(file: h5py.File) -> None:
    column = create_column(file, "column", "?", "", filled=np.array([True, False]))
    put_row(column, 2, True)
    assert column[()].tolist() == [True, False, True]


def test_spectra_and_rows_of_nan(file: h5py.File) -> None:
    spectra = create_spectra(file, "spectra", 3, "1/cm", "label", count=2)
    put_row(spectra, 2, np.array([1, 2, 3], dtype=">f4"))
    put_row(spectra, 3, np.nan)
    nothing = [np.nan] * 3
    np.testing.assert_array_equal(spectra[()], [nothing, nothing, [1, 2, 3], nothing])
    assert spectra.attrs["interpretation"] == "spectrum"
    assert spectra.chunks == (1365, 3)  # about 32 kB


def test_what_a_failed_row_left_is_cut_off(file: h5py.File) -> None:
    points, rows = create_column(file, "points", "f8", ""), create_spectra(file, "rows", 2, "")
    put_points(points, 0, np.arange(5.0))
    put_row(rows, 0, [1.0, 2.0])
    put_row(rows, 1, [3.0, 4.0])
    put_points(points, 1, np.array([7.0]))
    put_row(rows, 0, np.nan)
    assert points[()].tolist() == [0.0, 7.0]
    assert np.isnan(rows[()]).tolist() == [[True, True]]


def test_value_of_another_kind_or_length_is_refused(file: h5py.File) -> None:
    with pytest.raises(ValueError, match="seven"):
        put_row(create_column(file, "number", "i8", ""), 0, "seven")
    with pytest.raises(ValueError, match=r"\(1,3\)|\(1, 3\)"):
        put_row(create_spectra(file, "spectra", 3, ""), 0, np.ones(2))

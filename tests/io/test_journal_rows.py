"""Whole rows come back, halves and damage do not, and a file's claims are not believed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.provenance import Provenance
from pyfai_grf.core.records import Result
from pyfai_grf.io import journal_rows
from pyfai_grf.io.journal import Journal, create_journal, start_journal
from pyfai_grf.io.journal_rows import (
    check_sizes,
    copy_rows,
    count_rows,
    is_unfinished,
    read_all,
    read_provenance,
    read_rows,
)

MakeResult = Callable[..., Result]
AssertSame = Callable[[Result, Result], None]


@pytest.fixture
def rows(make_result: MakeResult) -> list[Result]:
    """Five rows: two on another grid, one without sigma, one without a prediction."""
    return [
        make_result(0),
        make_result(1, size=45),
        make_result(2, has_sigma=False),
        make_result(3, size=45, has_sigma=False),
        make_result(4, is_predicted=False, reason="why ever"),
    ]


@pytest.fixture
def path(tmp_path: Path, provenance: Provenance, rows: list[Result]) -> Path:
    """A file with a journal of ``rows``."""
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


@pytest.mark.parametrize("block", [1, 2, 3, 256])
def test_rows_come_back_whatever_is_read_at_once(
    block: int, path: Path, rows: list[Result], assert_same: AssertSame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_rows, "_BLOCK", block)
    with h5py.File(path) as h5:
        assert count_rows(h5) == 5
        check_rows(h5, rows, assert_same)


def test_provenance_comes_back(path: Path, provenance: Provenance) -> None:
    with h5py.File(path) as h5:
        found = read_provenance(h5)
    np.testing.assert_array_equal(found.q_grid_nm1, provenance.q_grid_nm1)
    assert dataclasses.replace(found, q_grid_nm1=None) == dataclasses.replace(provenance, q_grid_nm1=None)


def test_two_phases_have_no_layer(tmp_path: Path, provenance: Provenance) -> None:
    with h5py.File(tmp_path / "two.h5", "w") as h5:
        create_journal(h5, dataclasses.replace(provenance, layer_density=None))
        assert read_provenance(h5).layer_density is None


# --- how far a run came ------------------------------------------------------------------------------------------


def test_file_without_rows(tmp_path: Path, provenance: Provenance, make_result: MakeResult) -> None:
    with h5py.File(tmp_path / "none.h5", "w") as h5:
        assert (count_rows(h5), is_unfinished(h5)) == (0, False)
        create_journal(h5, provenance)
        assert (count_rows(h5), is_unfinished(h5), list(read_rows(h5))) == (0, False, [])
        start_journal(h5, provenance, make_result(0))
        assert (count_rows(h5), is_unfinished(h5), list(read_rows(h5))) == (0, True, [])


def test_file_is_finished_once_it_says_so(path: Path) -> None:
    with h5py.File(path, "r+") as h5:
        assert is_unfinished(h5)
        h5["prediction/end_time"] = "2026-01-02T03:04:05+01:00"
        assert not is_unfinished(h5)


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_rows_count_when_frame_has_grown(kept: int, path: Path, rows: list[Result], assert_same: AssertSame) -> None:
    """What a killed process left of a row is longer than ``frame``: it is not seen, and cut off in a copy."""
    with h5py.File(path, "r+") as h5:
        h5["prediction/frame"].resize(kept, axis=0)
    with h5py.File(path) as h5, h5py.File(path.parent / "copy.h5", "w") as copy:
        check_rows(h5, rows[:kept], assert_same)
        copy_rows(h5, copy)
        check_rows(copy, rows[:kept], assert_same)
        entry = copy["prediction"]
        assert {entry[n].shape[0] for n in ("frame", "a/value", "curves/weight", "rows/source", "log/end")} == {kept}


def test_copy_belongs_to_nobody_and_can_be_continued(
    path: Path, rows: list[Result], provenance: Provenance, make_result: MakeResult, assert_same: AssertSame
) -> None:
    with h5py.File(path, "r+") as h5:
        h5["prediction/end_time"] = "then"
        h5.attrs["default"] = "entry00000"
        h5["prediction/frame"].resize(3, axis=0)  # two rows were not finished, one of another grid
    with h5py.File(path) as h5, h5py.File(path.parent / "copy.h5", "w") as copy:
        copy_rows(h5, copy)
        assert copy.attrs["default"] == "prediction"
        assert is_unfinished(copy)
        assert not {"writer_pid", "writer_host"} & set(copy["prediction"].attrs)
        journal = Journal(copy, provenance.parameters)
        for row in (more := [make_result(7, size=45), make_result(8)]):
            journal.append(row)
        check_rows(copy, [*rows[:3], *more], assert_same)


# --- damage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("curves/intensity", (2, 7)),
        ("curves/weight", (0, 0)),
        ("curves/q", (3,)),
        ("other_curves/intensity_errors", (5,)),
        ("a/value", (4,)),
        ("porosity/upper", (0,)),
        ("is_applicable", (1,)),
        ("log/text", (30,)),
        ("log/crc32", (2,)),
    ],
)
def test_a_changed_number_is_no_row(name: str, place: tuple[int, ...], path: Path) -> None:
    with h5py.File(path, "r+") as h5:
        dataset = h5["prediction"][name]
        dataset[place] = not dataset[place] if dataset.dtype == bool else np.nan_to_num(dataset[place]) + 1
    with (
        h5py.File(path) as h5,
        pytest.raises(ValueError, match=r"checksum of row \d is wrong|JSON|[Ee]xpect|delimiter"),
    ):
        list(read_rows(h5))


def test_rows_before_the_damaged_one_are_given(path: Path, rows: list[Result], assert_same: AssertSame) -> None:
    with h5py.File(path, "r+") as h5:
        h5["prediction/a/value"][2] += 1
    with h5py.File(path) as h5:
        found = read_rows(h5)
        for expected in rows[:2]:
            assert_same(next(found), expected)
        with pytest.raises(ValueError, match="row 2"):
            next(found)


def test_size_that_is_only_claimed_is_not_read(path: Path) -> None:
    with h5py.File(path, "r+") as h5:
        check_sizes(h5)
        h5["prediction/other_curves/q"].resize(2**50, axis=0)
        with pytest.raises(ValueError, match=r"other_curves/q claims to hold 9007199254740992 bytes"):
            check_sizes(h5)


def test_reading_all_finds_damage_that_no_row_needs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_rows, "_BYTES", 1000)  # in several steps
    with h5py.File(path, "r+") as h5:
        h5["more/empty"] = np.zeros(0)
        h5["more/nothing"] = h5py.Empty("f8")
        dataset = h5["more"].create_dataset("I", data=np.arange(1000.0), chunks=(300,), fletcher32=True)
        read_all(h5)
        offset = dataset.id.get_chunk_info(3).byte_offset  # the last piece
    content = bytearray(path.read_bytes())
    content[offset + 8] ^= 1
    path.write_bytes(content)
    with h5py.File(path) as h5, pytest.raises(OSError, match="filter returned failure"):
        read_all(h5)

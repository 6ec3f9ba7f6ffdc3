"""Fields are NeXus that other programs understand, and any text of a user fits into HDF5."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.io.hdf5_fields import clean_text, create_group, cut_text, dump_json, find_unit, write_array


@pytest.fixture
def file() -> Iterator[h5py.File]:
    """An empty file in memory."""
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as h5:
        yield h5


def test_group_has_its_class_and_attributes(file: h5py.File) -> None:
    group = create_group(file, "curve", "NXdata", signal="I", axes=["frame", "Q"])
    assert group.name == "/curve"
    assert group.attrs["NX_class"] == "NXdata"
    assert group.attrs["signal"] == "I"
    assert list(group.attrs["axes"]) == ["frame", "Q"]


def test_groups_list_by_name_whatever_else_the_process_asks_of_h5py(
    file: h5py.File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyFAI's azint writer turns creation order on for everybody, and sasdata reads in name order."""
    monkeypatch.setattr(h5py.get_config(), "track_order", True)
    group = create_group(file, "parent", "NXentry")
    for name in "cab":
        create_group(group, name, "NXdata")
    assert list(group) == ["a", "b", "c"]


@pytest.mark.parametrize("values", [np.linspace(0, 1, 40), np.arange(6).reshape(2, 3), 7.0, [1.5]])
def test_array_comes_back_with_unit_and_label(values: np.ndarray, file: h5py.File) -> None:
    dataset = write_array(file, "q", values, "1/nm", "scattering vector q (1/nm)")
    np.testing.assert_array_equal(dataset[()], values)
    assert (dataset.attrs["units"], dataset.attrs["long_name"]) == ("1/nm", "scattering vector q (1/nm)")


def test_damaged_array_does_not_pass_for_a_curve(tmp_path: Path) -> None:
    path = tmp_path / "c.h5"
    with h5py.File(path, "w") as h5:
        offset = write_array(h5, "I", np.arange(40.0), "", "I").id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 8] ^= 1
    path.write_bytes(content)
    with h5py.File(path) as h5, pytest.raises(OSError, match="filter returned failure"):
        h5["I"][()]


@pytest.mark.parametrize(
    ("name", "unit"),
    [("q_max_nm1", "1/nm"), ("voxel_size_nm", "nm"), ("counts", ""), ("nm", ""), ("q_nm1_note", ""), ("", "")],
)
def test_unit_that_the_name_of_a_column_carries(name: str, unit: str) -> None:
    assert find_unit(name) == unit


@pytest.mark.parametrize(
    "text",
    ["plain", "Å 日本 – é", "", "a\0b", "\0", os.fsdecode(b"prob\xe9.edf"), "lone \ud800 surrogate", "line\nbreak"],
)
def test_any_text_fits_into_hdf5(text: str, file: h5py.File) -> None:
    cleaned = clean_text(text)
    file["text"] = cleaned
    assert file["text"].asstr()[()] == cleaned
    if "\0" not in text and text.isprintable():
        assert cleaned == text
    assert clean_text(cleaned) == cleaned


def test_what_hdf5_cannot_hold_is_spelled_out() -> None:
    assert clean_text("a\0b") == "a\\0b"
    assert clean_text(os.fsdecode(b"prob\xe9.edf")) == "prob\\udce9.edf"


@pytest.mark.parametrize("width", range(12))
def test_cut_text_is_never_half_a_character(width: int) -> None:
    cut = cut_text("aé日𝄞\0", width)  # of 1, 2, 3 and 4 bytes, and two characters for NUL
    whole = "aé日𝄞\\0"
    assert len(cut) <= width
    assert whole.startswith(cut.decode())
    longer = whole[: len(cut.decode()) + 1]
    assert longer == cut.decode() or len(longer.encode()) > width  # one more would not fit


def test_json_is_one_line_of_ascii_that_comes_back() -> None:
    record = {"title": "Ruß\n", "array": np.arange(3), "one": np.float32(0.5), "count": np.int64(7), "flag": np.True_}
    text = dump_json({**record, "path": Path("a"), "none": None, "nested": {"m": np.eye(2)}})
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == {
        "title": "Ruß\n",
        "array": [0, 1, 2],
        "one": 0.5,
        "count": 7,
        "flag": True,
        "path": "a",
        "none": None,
        "nested": {"m": [[1.0, 0.0], [0.0, 1.0]]},
    }


def test_json_keeps_doubles_exactly_and_what_is_not_a_number() -> None:
    values = np.array([0.1, 1e-308, np.pi, 1e308, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(json.loads(dump_json(values)), values)

"""The table in a text is found whole, between whatever stands around it, or the line that breaks it is named."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.text_table import TextTable, has_numbers, read_bytes, read_lines, split_table

ROWS = np.random.default_rng(1).normal(size=(40, 3)) * 10.0 ** np.arange(-3, 4, 3)
PATH = Path("c.dat")


def write_rows(rows: np.ndarray = ROWS, separator: str = " ") -> list[str]:
    """Return lines that say every number exactly: seventeen digits tell doubles apart."""
    return [separator.join(f"{x:.17g}" for x in row) for row in rows]


def split(lines: list[str]) -> TextTable:
    return split_table(lines, PATH)


def refuse(lines: list[str]) -> str:
    """Return what is said of lines that are not a table."""
    with pytest.raises(InputError, match=r"^c\.dat") as caught:
        split(lines)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    return str(caught.value)


# --- the numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [" ", "  \t", ",", ", ", ";", "; ", "\t", " ,\t"])
@pytest.mark.parametrize("around", ["", "  "])
def test_separators(separator: str, around: str) -> None:
    table = split([f"{around}{line}{around}" for line in write_rows(separator=separator)])
    np.testing.assert_array_equal(table.rows, ROWS)
    assert (table.header, table.footer) == ([], [])


@pytest.mark.parametrize("separator", [";", "; ", "\t", "  "])
def test_decimal_comma(separator: str) -> None:
    table = split([line.replace(".", ",") for line in write_rows(separator=separator)])
    np.testing.assert_array_equal(table.rows, ROWS)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separator_at_the_end_of_each_line_is_no_column(separator: str) -> None:
    table = split([line + separator for line in write_rows(separator=separator)])
    np.testing.assert_array_equal(table.rows, ROWS)


@pytest.mark.parametrize(
    "missing",
    [
        "nan",
        "NaN",
        '"nan"',
        "-nan(ind)",
        "1.#QNAN",
        "NA",
        "n/a",
        "null",
        "--",
        "-1.#IND",
        "1.#QNAN0",
        "-1.#IND00e+000",
        "1.#J",
    ],
)
def test_missing_numbers_are_nan(missing: str) -> None:
    lines = write_rows(separator=",")
    lines[3] = ",".join([lines[3].split(",")[0], missing, "5"])
    rows = split(lines).rows
    assert np.flatnonzero(np.isnan(rows)).tolist() == [10]
    assert rows[3, 2] == 5


@pytest.mark.parametrize(
    ("text", "value"),
    [("inf", np.inf), ("1.#INF", np.inf), ("-1.#INF00", -np.inf), ("1e400", np.inf), ("-inf", -np.inf)],
)
def test_infinite_numbers_are_infinite(text: str, value: float) -> None:
    assert split(["1 2", f"2 {text}", "3 4"]).rows[1, 1] == value


def test_nan_of_windows_is_not_the_one_before_a_comment() -> None:
    """1.#IND once passed for 1. with a comment behind it."""
    np.testing.assert_array_equal(split(["1 2 1.#IND", "3 4 1.#QNAN0 # x", "5 6 7"]).rows[:, 2], [np.nan, np.nan, 7])


def test_empty_cells_are_missing_where_a_separator_says_so() -> None:
    np.testing.assert_array_equal(split(["1,,3", "4,5,6"]).rows, [[1, np.nan, 3], [4, 5, 6]])
    assert "2 columns" in refuse(["1 2 3", "4 6"])  # blanks do not say which is missing


def test_one_row_is_a_table() -> None:
    np.testing.assert_array_equal(split(["q I", "0.5 7"]).rows, [[0.5, 7.0]])


# --- what stands around ------------------------------------------------------------------------------------------


def test_comments_and_blank_lines_may_stand_anywhere() -> None:
    lines = write_rows()
    lines = ["# one", "; two", "", *lines[:20], "# three", "   ", *lines[20:], "# four"]
    lines[30] += "  # said of one row"
    table = split(lines)
    np.testing.assert_array_equal(table.rows, ROWS)
    assert table.header == ["# one", "; two", ""]


def test_numbers_in_a_header_are_no_points() -> None:
    header = ["LOQ run 98929", "  140    0    0    0    1  140    0", " 0 0 0 0", " 3 (F12.5,2E16.6)"]
    table = split([*header, *write_rows()])
    assert table.header == header
    np.testing.assert_array_equal(table.rows, ROWS)


RAW_FOOTER = ["", "### HEADER:", "{", '    "times": [', "        0.5,", "        1.5", "    ]", "}"]


@pytest.mark.parametrize(
    "footer",
    [
        RAW_FOOTER[2:],  # of BioXTAS RAW, in older versions without comment signs
        ["creator: XSACT 2.4", "end"],
        ["<fileinfo>", "</fileinfo>"],
        ["end of data", "12 13"],  # numbers, but not as many
    ],
)
def test_text_below_is_a_footer(footer: list[str]) -> None:
    table = split([*write_rows(), *footer])
    np.testing.assert_array_equal(table.rows, ROWS)
    assert table.footer == footer


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("0.5 oops 1", "expected 3 numbers, found '0.5 oops 1'"),
        ("0.5 1", "2 columns, where the lines above have 3"),
        ("0.5 1 2 3", "4 columns, where the lines above have 3"),
        ("junk in between", "expected 3 numbers, found 'junk in between'"),
        ("7" * 20_000 + " x", "expected 3 numbers"),
    ],
)
def test_line_that_breaks_the_table_is_named_not_skipped(row: str, found: str) -> None:
    lines = write_rows()
    message = refuse([*lines[:20], row, *lines[20:]])
    assert message.startswith(f"c.dat, line 21: {found}")


@pytest.mark.parametrize(
    ("last", "found"), [("3.1 0.5", "2 columns"), ("3.1", "1 columns"), ("3.1 0.5 1.e", "3 numbers")]
)
def test_last_line_cut_short_is_an_error(last: str, found: str) -> None:
    message = refuse([*write_rows(), last])
    assert "line 41" in message
    assert found in message


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], "no table"),
        ([""], "no table"),
        (["words", "and more"], "no table"),
        (["# 1 2", "; 3 4"], "no table"),
        (["1"] * 9, "no table"),
        (["1"] * 10, "one column"),
        (["1,"] * 10, "one column"),
        (["nan nan"] * 40, "no table"),
        (["1 " * 20_000], "no table"),
    ],
)
def test_no_table(lines: list[str], found: str) -> None:
    assert found in refuse(lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(["1 2"], True), (["a", "1,2"], True), (["1"], False), (["# 1 2"], False), (["a b"], False), ([], False)],
)
def test_whether_there_are_numbers(lines: list[str], expected: bool) -> None:
    assert has_numbers(lines) is expected


# --- the file ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, newline: str, tmp_path: Path) -> None:
    lines = ["# q (Å^-1)  I", "", *write_rows(), "# the end"]
    path = tmp_path / "c.dat"
    path.write_bytes((newline.join(lines) + newline).encode(encoding))
    assert read_lines(path) == lines


def test_a_comment_in_another_encoding_spoils_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.dat").write_bytes("# 25 °C\n".encode("latin-1") + b"1 2\n3 4\n")
    np.testing.assert_array_equal(split(read_lines(tmp_path / "c.dat")).rows, [[1, 2], [3, 4]])


@pytest.mark.parametrize("content", [b"1 2\x00\n", bytes(range(32)) * 4, b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_what_is_not_text(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.dat").write_bytes(content)
    with pytest.raises(InputError, match=r"c\.dat: neither text"):
        read_lines(tmp_path / "c.dat")


def test_text_too_large_for_a_curve_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.dat").open("wb") as file:
        file.truncate(100 * 2**20)  # a hole in the disk
    with pytest.raises(InputError, match=r"huge\.dat: 100 MiB"):
        read_bytes(tmp_path / "huge.dat")


def test_file_that_cannot_be_read_is_one_line_in_the_systems_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.dat: .*No such file"):
        read_lines(tmp_path / "gone.dat")
    with pytest.raises(InputError, match=r"Is a directory"):
        read_bytes(tmp_path)
    if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may read anything
        (tmp_path / "secret.dat").touch(0)
        with pytest.raises(InputError, match="Permission denied"):
            read_bytes(tmp_path / "secret.dat")

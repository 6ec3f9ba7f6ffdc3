"""The table of numbers in a text file, what stands above it, and what stands below."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError

#: a text file larger than this is not the table of a scattering curve
MAX_BYTES = 64 * 1024 * 1024

#: so many values, one a line, are a column
_MIN_COLUMN = 10

#: characters: more than the row of any table of curves has
_LONGEST_ROW = 10_000

_DECIMAL_COMMA = re.compile(r"[-+]?\d+(?:,\d+)?(?:[eE][-+]?\d+)?")
_MISSING = {"", "nan", "-nan", "nan(ind)", "-nan(ind)", "na", "n/a", "null", "none", "--"}
#: what Windows programs write, in as many characters as a number has
_WINDOWS_NAN = re.compile(r"[-+]?1\.#(?:ind|[qs]nan|j)0*(?:e[-+]\d+)?")
_WINDOWS_INFINITY = re.compile(r"[-+]?1\.#inf0*(?:e[-+]\d+)?")
_CELLS = re.compile(r"\s*,\s*|\s+")
#: begins a comment, but not in the NaN of Windows programs, 1.#IND
_COMMENT = re.compile(r"(?<!1\.)#")

Row = tuple[float, ...]


@dataclass(frozen=True)
class TextTable:
    """The lines above the table, the table (rows, columns), and the lines below; comments stay where they stand."""

    header: list[str]
    rows: FloatArray
    footer: list[str]


def read_lines(path: Path) -> list[str]:
    """Return the lines of the text at ``path``, in UTF-8, UTF-16 with its mark, or Latin-1.

    Raises
    ------
    InputError
        If the file cannot be read, is too large, or is not text.
    """
    raw = read_bytes(path)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # what spreadsheets call "Unicode text"
        return raw.decode("utf-16", errors="replace").splitlines()
    if b"\x00" in raw or sum(byte < 9 or 13 < byte < 32 for byte in raw[:4096]) > 16:
        raise InputError(f"{path}: neither text nor HDF5: give a curve, not a detector frame", "frame")
    try:
        return raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return raw.decode("latin-1").splitlines()


def read_bytes(path: Path) -> bytes:
    """Return the content of a text file; raises InputError if it cannot be read or is too large for a curve."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                f"{path}: {size / 2**20:.0f} MiB of text: a scattering curve has less than {MAX_BYTES // 2**20} MiB"
            )
        return path.read_bytes()
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror or problem}") from None


def split_table(lines: list[str], path: Path) -> TextTable:
    """Return the table in ``lines``: the longest run of lines with equally many numbers, two or more.

    Comments begin with ``#`` or ``;``; commas, semicolons, tabs and blanks separate, decimal commas are understood.
    Text below the table is its footer; numbers after a line that breaks the table are an error, since nothing is left
    out silently.

    Raises
    ------
    InputError
        If there is no table, only a single column, or a line breaks the table.
    """
    parsed = [_parse_row(line) for line in lines]
    start = _find_start(parsed)
    if start is None:
        if sum(row is not None and len(row) == 1 for row in parsed) >= _MIN_COLUMN:
            raise InputError(f"{path}: only one column of numbers: q and intensity must stand in the same file")
        raise InputError(f"{path}: no table of numbers (q, I and perhaps sigma) found")
    width = len(parsed[start] or ())
    end = _find_end(parsed, start, width)
    for number, (line, row) in enumerate(zip(lines[end:], parsed[end:], strict=True), end + 1):
        broken = number == end + 1 and (row is not None or _begins_with_number(line))
        if broken or (row is not None and len(row) == width and np.isfinite(row).all()):
            raise InputError(_describe_break(lines[end], parsed[end], width, path, end + 1))
    rows = np.array([row for row in parsed[start:end] if row], dtype=np.float64)
    while rows.shape[1] > 1 and np.isnan(rows[:, -1]).all():  # a separator at the end of each line
        rows = rows[:, :-1]
    if rows.shape[1] < 2:
        raise InputError(f"{path}: only one column of numbers: q and intensity must stand in the same file")
    return TextTable(lines[:start], rows, lines[end:])


def has_numbers(lines: list[str]) -> bool:
    """Return whether any of the lines is a row of two numbers or more."""
    return any(len(_parse_row(line) or ()) >= 2 for line in lines)


def _parse_row(line: str) -> Row | None:
    """Return the numbers in ``line``: () for a blank line or a comment, None for anything else."""
    text = line.strip()
    if not text or text[0] in "#;":
        return ()
    if len(text) > _LONGEST_ROW:
        return None
    text = _COMMENT.split(text)[0].rstrip()
    if ";" in text:
        cells = [cell.strip() for cell in text.split(";")]
        cells = [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]
    else:
        cells = text.split()
        if len(cells) > 1 and "," in text and all(_DECIMAL_COMMA.fullmatch(cell) for cell in cells):
            cells = [cell.replace(",", ".") for cell in cells]
        else:
            cells = _CELLS.split(text)
    try:
        return tuple(_parse_number(cell) for cell in cells)
    except ValueError:
        return None


def _parse_number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        text = cell.strip("\"'").lower()
    if text in _MISSING or _WINDOWS_NAN.fullmatch(text):
        return float("nan")
    if _WINDOWS_INFINITY.fullmatch(text):
        return float("-inf" if text.startswith("-") else "inf")
    return float(text)


def _begins_with_number(line: str) -> bool:
    words = _CELLS.split(line.strip(), maxsplit=1)
    try:
        float(words[0])
    except ValueError:
        return False
    return True


def _find_start(parsed: list[Row | None]) -> int | None:
    """Return the index of the first row of the table."""
    best, best_length = None, 0
    start, length, width = 0, 0, 0
    for index, row in enumerate(parsed):
        if row == ():
            continue
        if row is None or len(row) != width:
            start, length, width = index, 0, len(row or ())
        length += 1
        if width >= 2 and length > best_length and not all(np.isnan(parsed[start] or ())):
            best, best_length = start, length
    return best


def _find_end(parsed: list[Row | None], start: int, width: int) -> int:
    """Return the index of the first line after ``start`` that is neither a row of the table nor a comment."""
    for index, row in enumerate(parsed[start:], start):
        if row is None or (row and len(row) != width):
            return index
    return len(parsed)


def _describe_break(line: str, row: Row | None, width: int, path: Path, number: int) -> str:
    if row is None:
        return f"{path}, line {number}: expected {width} numbers, found {line.strip()[:60]!r}"
    return f"{path}, line {number}: {len(row)} columns, where the lines above have {width}"

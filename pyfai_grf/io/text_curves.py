"""Curves in text of 2 or 3 columns: q, intensity and its standard error."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.columns import Columns, find_factor, is_angle

#: a table of more lines than this is no scattering curve
_MAX_BYTES = 64 * 1024 * 1024

#: how many lines above the numbers may name the columns (the four of a Fit2D .chi file, or names over units)
_HEADER_LINES = 4

_DECIMAL_COMMA = re.compile(r"[-+]?\d+(?:,\d+)?(?:[eE][-+]?\d+)?")
_MISSING = {"", "nan", "-nan", "na", "n/a", "null", "none", "--", "-1.#ind", "1.#ind", "1.#qnan", "-1.#qnan"}
_INFINITE = {"1.#inf", "-1.#inf"}

_UNIT = (
    r"(?:1\s*/\s*(?:nm|Å|A|Ang(?:strom)?s?)\b|(?:nm|Å|A|Ang(?:strom)?)\s*(?:\^|\*\*)?\s*[{(]?\s*(?:-|−)\s*1\s*[})]?"
    r"|(?:nm|Å|A)⁻¹|(?:inverse|reciprocal)\s+(?:nanomet(?:er|re)|[ÅA]ngstr[oö]m)s?)"
)
# "s" is left out on purpose: it is q for some programs and q / 2 pi for others
_Q_WITH_UNIT = re.compile(
    rf"(?:\b|_)(?:q|radial|scattering[ _]vector)[\w ]{{0,12}}?[\s_,:=\[({{<|/]*({_UNIT})", re.IGNORECASE
)
_UNIT_LINE = re.compile(rf"(?:\b|_)(?:q|x|radial|dim1)[ _]?units?\W+(?:q_)?({_UNIT}|nm\b|A\b)", re.IGNORECASE)
# lines of pyFAI's header that say nothing of the columns: the file's name (it may contain anything), the frame's own
# header in JSON, and the unfilled template that stands for the column names where errors are written too
_FOREIGN = re.compile(r'-->|"[^"]*"\s*:|\{str\(')
# a line of units under the names; the sign is asked for, since "A-1" may begin the name of a sample
_ONLY_UNIT = re.compile(rf"^\W*(?=1\s*/|nm\s*[\^⁻]|[AÅ]\s*[\^⁻])({_UNIT})", re.IGNORECASE)
_RESOLUTION = re.compile(r"^[(\[]?(?:d_?q|sigma_?q|delta_?q|q_?dev|q_?res(?:olution)?|resolution)\b", re.IGNORECASE)
_ERROR = re.compile(r"^[(\[]?(?:sig|err|std|unc|d_?i|i_?dev|i_?err|delta_?i|e\b|dy)", re.IGNORECASE)


def read_text_columns(path: Path) -> Columns:
    """Return the columns of the text table at ``path``, with the q unit as its header says it ("" if it does not).

    Comments begin with ``#`` or ``;``, other lines above the numbers are a header; commas, semicolons, tabs and blanks
    separate. A line that breaks the table is an error: nothing is left out silently.

    Raises
    ------
    InputError
        If the file cannot be read, is not text, or holds no table of 2 or 3 columns.
    """
    lines = _decode(path).splitlines()
    header, rows = _split_header(lines, path)
    names = _find_names(header, rows.shape[1])
    sigma = _pick_sigma(rows, names, path)
    unit, axis = _find_unit(header, names, path)
    metadata = {"source": str(path), "frame": 0, "title": path.stem}
    return Columns(rows[:, 0], rows[:, 1], sigma, None, unit, axis, str(path), metadata)


def _decode(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: {path.stat().st_size / 2**20:.0f} MiB is not a table of a scattering curve")
        raw = path.read_bytes()
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # what spreadsheets call "Unicode text"
        return raw.decode("utf-16", errors="replace")
    if b"\x00" in raw or sum(byte < 9 or 13 < byte < 32 for byte in raw[:4096]) > 16:
        raise InputError(f"{path}: neither text nor HDF5: give a curve (for a detector frame: pyfai-grf analyze)")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _split_header(lines: list[str], path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Return the lines above the table, comments among them, and the table (rows, columns)."""
    parsed = [_parse_row(line) for line in lines]
    start = _find_start(parsed)
    if start is None:
        hint = " (XML: convert it to NXcanSAS or to text)" if lines and lines[0].lstrip().startswith("<?xml") else ""
        raise InputError(f"{path}: no table of numbers (q, I and perhaps sigma) found{hint}")
    width = len(parsed[start] or ())
    table = []
    for number, (line, row) in enumerate(zip(lines[start:], parsed[start:], strict=True), start + 1):
        if row is None:
            raise InputError(f"{path}, line {number}: expected {width} numbers, found {line.strip()[:60]!r}")
        if row and len(row) != width:
            raise InputError(f"{path}, line {number}: {len(row)} columns, where the lines above have {width}")
        if row:
            table.append(row)
    return lines[:start], np.array(table, dtype=np.float64)


def _parse_row(line: str) -> tuple[float, ...] | None:
    """Return the numbers in ``line``: () for a blank line or a comment, None for anything else."""
    text = line.strip()
    if not text or text[0] in "#;":
        return ()
    text = text.split("#")[0].rstrip()
    if ";" in text:
        cells = [cell.strip() for cell in text.split(";")]
        cells = [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]
    else:
        cells = text.split()
        if len(cells) > 1 and all(_DECIMAL_COMMA.fullmatch(cell) for cell in cells) and "," in text:
            cells = [cell.replace(",", ".") for cell in cells]
        else:
            cells = re.split(r"\s*,\s*|\s+", text)
    try:
        return tuple(_parse_number(cell) for cell in cells)
    except ValueError:
        return None


def _parse_number(cell: str) -> float:
    text = cell.strip("\"'").lower()
    if text in _MISSING:
        return float("nan")
    if text in _INFINITE:
        return float("inf")
    return float(text)


def _find_start(parsed: list[tuple[float, ...] | None]) -> int | None:
    """Return the index of the first row of the table: the head of the longest run of rows of equal width >= 2."""
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


def _find_near(header: list[str]) -> list[str]:
    """Return the few lines just above the table, without comment signs."""
    lines = [line.strip().lstrip("#;").strip() for line in header]
    return [line for line in lines if line and not _FOREIGN.match(line)][-_HEADER_LINES:]


def _find_names(header: list[str], width: int) -> list[str]:
    """Return the names of the columns if a line just above the table has as many words as the table columns."""
    for line in reversed(_find_near(header)):
        for words in (re.split(r"\s*[,;\t]\s*", line), re.split(r"\s{2,}", line), line.split()):
            if len(words) == width and not all(_is_number(word) for word in words):
                return [word.strip("\"'<>") for word in words]
    return []


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _pick_sigma(rows: NDArray[np.float64], names: list[str], path: Path) -> NDArray[np.float64] | None:
    width = rows.shape[1]
    if width == 2:
        return None
    if width == 3:
        return None if names and _RESOLUTION.search(names[2]) else rows[:, 2]
    errors = [i for i, name in enumerate(names) if i > 1 and _ERROR.search(name) and not _RESOLUTION.search(name)]
    if len(errors) == 1:
        return rows[:, errors[0]]
    raise InputError(
        f"{path}: {width} columns, and no header that says which is the error of the intensity: "
        "keep two (q, I) or three (q, I, sigma)"
    )


def _find_unit(header: list[str], names: list[str], path: Path) -> tuple[str, str]:
    """Return the q unit in the header's own words ("" if none) and what it calls the abscissa."""
    near = _find_near(header)
    axis = names[0] if names else next((line for line in near if _is_axis_line(line)), "")
    own = [line for line in header if not _FOREIGN.match(line.strip(" \t#;"))]
    found = [match.group(1) for line in own if (match := _UNIT_LINE.search(line))]
    for line in near:
        match = _Q_WITH_UNIT.search(line) or _ONLY_UNIT.search(line)
        found += [match.group(1)] if match else []
    found = [unit.strip() for unit in found if find_factor(unit) is not None]
    if len({find_factor(unit) for unit in found}) > 1:
        words = [repr(unit) for unit in dict.fromkeys(found)]
        raise InputError(f"{path}: the header says two q units, {' and '.join(words)}: correct it")
    return (found[0] if found else ""), axis


def _is_axis_line(line: str) -> bool:
    """Return whether a header line without one word per column still names an angle (Fit2D .chi)."""
    return is_angle(line) and len(line.split()) <= 8

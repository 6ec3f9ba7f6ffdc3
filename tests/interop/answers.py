"""What one frame got for an answer by one route, whatever way the answer came back."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyfai_grf.cli import main

MATERIAL = "two-phase-low-porosity"
#: parameter -> its column in the table that the command line writes
COLUMNS = {"a": "a_nm", "porosity": "porosity"}


@dataclass(frozen=True)
class Answer:
    """Values with the bounds of their 90 % intervals, and why they are refused ("" where they are not)."""

    values: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]
    refusal: str = ""


def make_answer(
    values: Mapping[str, float], lower: Mapping[str, float], upper: Mapping[str, float], applies: bool, reason: str
) -> Answer:
    """Return the answer; a value that is no number counts as refused, whatever else is said."""
    is_number = all(math.isfinite(part.get(name, math.nan)) for part in (values, lower, upper) for name in COLUMNS)
    refusal = "" if applies and is_number else reason or "no reason given"
    return Answer(dict(values), dict(lower), dict(upper), refusal)


def refuse(reason: str) -> Answer:
    """Return the answer of a curve that there is none for."""
    return make_answer({}, {}, {}, False, reason)


def ask(command: str, sources: Sequence[str], frames: int, *options: str) -> list[Answer]:
    """Run ``pyfai-grf analyze`` or ``predict``; return the answers to ``frames`` frames, in order.

    ``sources`` is one file of all frames, or one file a frame. A frame that has no row in the table is refused in the
    words on the error stream.
    """
    folder = Path(sources[0].partition("::")[0]).parent
    table, results = folder / f"{command}.csv", folder / f"{command}.h5"
    errors = io.StringIO()
    common = ["--material", MATERIAL, "-o", str(results), "--csv", str(table), "--overwrite", "--quiet"]
    table.unlink(missing_ok=True)
    with contextlib.redirect_stderr(errors):
        status = main([command, *sources, *options, *common])
    if status not in (0, 1):
        raise RuntimeError(f"pyfai-grf {command} returned {status}: {errors.getvalue()}")
    found: dict[int, Answer] = {}
    order = {source: index for index, source in enumerate(sources)}
    for row in _read_rows(table):
        file = row["source"].partition("::")[0]
        index = int(row["frame"]) if len(sources) == 1 and frames > 1 else order[file]
        found[index] = _read_answer(row)
    lines = errors.getvalue().splitlines() or ["no row and no word"]
    return [found.get(index) or refuse(_find_line(lines, sources, index)) for index in range(frames)]


def _read_rows(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _read_answer(row: Mapping[str, Any]) -> Answer:
    values, lower, upper = (
        {name: float(row[column + bound] or "nan") for name, column in COLUMNS.items()}
        for bound in ("", "_lower", "_upper")
    )
    return make_answer(values, lower, upper, row["is_applicable"].lower() in ("true", "1"), row["reason"])


def _find_line(lines: Sequence[str], sources: Sequence[str], index: int) -> str:
    """Return what the error stream says of a frame, else its first line."""
    name = sources[0] if len(sources) == 1 else sources[index]
    return next((line for line in lines if name in line), lines[0])

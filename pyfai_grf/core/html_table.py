"""Fits and predictions as small tables for notebooks: HTML without a picture, everything escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from pyfai_grf.core.parameters import get_unit, name_parameter
from pyfai_grf.core.rounding import format_chi_square, format_interval, format_value

if TYPE_CHECKING:
    from pyfai_grf.core.records import Fit, Prediction, PredictionRow

#: rows of a prediction that are shown
_SHOWN_ROWS = 20
#: a refused number can be read, and cannot be taken for an answer
_REFUSED = "color:#8a8a8a"
_WARNING = "color:#c8501e"
_TEXT, _NUMBER = "text-align:left", "text-align:right"


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table; ``is_refused`` strikes it, ``is_number`` sets it to the right."""

    text: str
    is_number: bool = False
    is_refused: bool = False


def format_fit(fit: Fit) -> str:
    """Return the table of a fit: the verdict with chi-square, then value, 90 % interval and unit of each parameter."""
    refused = not fit.is_applicable
    rows = []
    for name, value in fit.values.items():
        text, low, high = format_interval(value, fit.lower[name], fit.upper[name])
        has_interval = math.isfinite(fit.lower[name]) and math.isfinite(fit.upper[name])
        interval = f"{low} to {high}" if has_interval else ""
        is_known = math.isfinite(value)
        numbers = (Cell(text if is_known else "no value", True, refused and is_known), Cell(interval, False, refused))
        rows.append([Cell(name_parameter(name)), *numbers, Cell(get_unit(name))])
    verdict = fit.verdict
    if "chi-square" not in verdict:  # the reason of a refusal may name it
        verdict = f"chi-square {format_chi_square(fit.chi2)}: {verdict}"
    verdict = f"not applicable, {verdict}" if refused else verdict
    return build_table(["", "value", "90 % interval", "unit"], rows, verdict, refused)


def format_prediction(prediction: Prediction) -> str:
    """Return the table of a prediction: a row a curve, 20 at most; refused values stand behind the reason, struck."""
    rows = [_make_cells(n, prediction) for n in range(min(len(prediction), _SHOWN_ROWS))]
    if (more := len(prediction) - len(rows)) > 0:
        rows.append([Cell(f"... {more} more")])
    head = ["curve", "verdict", *map(_title_parameter, prediction.values)]
    head += ["answer"] * any(prediction.source) + ["chi-square"] * (prediction.fit is not None)
    return build_table(head, rows)


def _make_cells(n: int, prediction: Prediction) -> list[Cell]:
    """Return the row of curve ``n``."""
    row = prediction.get_row(n)
    cells = [Cell(str(n)), Cell(_judge(row))]
    for name, value in row.values.items():
        said = format_value(value, row.lower[name], row.upper[name])
        cells.append(Cell(said, is_refused=not row.is_applicable and math.isfinite(value)))
    if any(prediction.source):
        cells.append(Cell(row.source))
    if prediction.fit is not None:
        is_refused = row.fit is not None and not row.fit.is_applicable
        cells.append(Cell("" if row.fit is None else format_chi_square(row.fit.chi2), True, is_refused))
    return cells


def _judge(row: PredictionRow) -> str:
    if not row.is_applicable:
        return f"not applicable: {row.reason or 'no reason given'}"
    return row.fit.verdict if row.fit is not None and row.fit.is_applicable else "applies"


def _title_parameter(name: str) -> str:
    unit = get_unit(name)
    return f"{name_parameter(name)} ({unit})" if unit else name_parameter(name)


def build_table(
    head: Sequence[str], rows: Sequence[Sequence[Cell]], verdict: str = "", is_refused: bool = False
) -> str:
    """Return a table with ``head`` over its columns; ``verdict`` stands above it, in another colour for a refusal."""
    style = f"caption-side:top;{_TEXT}" + f";{_WARNING}" * is_refused
    caption = f'<caption style="{style}">{escape(verdict)}</caption>' if verdict else ""
    titles = "".join(f'<th style="{_TEXT}">{escape(title)}</th>' for title in head)
    body = "".join(f"<tr>{''.join(map(_build_cell, row))}</tr>" for row in rows)
    return f"<table>{caption}<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _build_cell(cell: Cell) -> str:
    text = escape(cell.text)
    # struck by an element of its own, which stays with the text where it is copied
    shown = f'<s style="{_REFUSED}">{text}</s>' if cell.is_refused and text else text
    return f'<td style="{_NUMBER if cell.is_number else _TEXT}">{shown}</td>'

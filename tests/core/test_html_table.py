"""Tables for notebooks are HTML that parses, hold the numbers of their record, and strike what is refused."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from pyfai_grf.core.html_table import Cell, build_table
from pyfai_grf.core.records import Fit, Prediction, PredictionRow

REASON = "no curve of this family fits: chi-square 42, <above> the fit & beyond"


def make_fit(reason: str = "", model_error: float = 0.0) -> Fit:
    values = {"a": 4.0123, "porosity": 0.3012, "spectrum_n": 8.04, "spread": 0.02}
    lower, upper = ({n: v * (1 + s) for n, v in values.items()} for s in (-0.02, 0.02))
    nothing = np.zeros(0)
    return Fit(
        values, {}, lower, upper, 42.04 if reason else 1.034, nothing, nothing, nothing, nothing, nothing,
        (), np.zeros((0, 0)), "fitted", model_error, 0.0, not reason, reason,
    )  # fmt: skip


def read(html: str) -> ElementTree.Element:
    """Return the table; raises where an element is not closed or a character not escaped."""
    table = ElementTree.fromstring(html)
    assert table.tag == "table"
    return table


def read_rows(html: str) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in read(html).iterfind("tbody/tr")]


def read_caption(html: str) -> str:
    return "".join(next(read(html).iter("caption")).itertext())


def find_struck(html: str) -> list[str | None]:
    return [cell.text for cell in read(html).iter("s")]


def test_text_is_escaped_and_refused_text_is_struck() -> None:
    html = build_table(["a<b"], [[Cell("<script>&", is_refused=True), Cell("", is_refused=True)]], '"x" & y')
    assert "<script>" not in html
    assert read_rows(html) == [["<script>&", ""]]
    assert find_struck(html) == ["<script>&"]
    assert read_caption(html) == '"x" & y'


def test_fit_shows_values_intervals_units_and_verdict() -> None:
    html = make_fit()._repr_html_()
    assert read_rows(html) == [
        ["a", "4.01", "3.93 to 4.09", "nm"],
        ["porosity", "0.301", "0.295 to 0.307", ""],
        ["spectrum n", "8.04", "7.88 to 8.20", ""],
        ["spread of a", "0.02000", "0.01960 to 0.02040", ""],
    ]
    assert read_caption(html) == "chi-square 1.03: fits"
    assert find_struck(html) == []


def test_fit_within_some_per_cent_says_so() -> None:
    html = make_fit(model_error=0.0043)._repr_html_()
    assert read_caption(html) == "chi-square 1.03: fits within 0.43 %"


def test_refused_fit_says_why_before_its_values_which_are_struck() -> None:
    html = make_fit(REASON)._repr_html_()
    assert read_caption(html) == f"not applicable, {REASON}"
    assert html.index("not applicable") < html.index("4.01")
    assert find_struck(html)[:2] == ["4.01", "3.93 to 4.09"]
    assert len(find_struck(html)) == 8


def test_a_fit_that_tells_nothing_has_no_values() -> None:
    nothing = dict.fromkeys(("a", "porosity"), np.nan)
    html = replace(make_fit("no shoulder"), values=nothing, lower=nothing, upper=nothing)._repr_html_()
    assert read_rows(html) == [["a", "no value", "", "nm"], ["porosity", "no value", "", ""]]
    assert read_caption(html) == "not applicable, chi-square 42: no shoulder"
    assert find_struck(html) == []


def make_row(reason: str = "", source: str = "", fit: Fit | None = None) -> PredictionRow:
    known = make_fit()
    names = ("a", "porosity")
    values, lower, upper = ({n: part[n] for n in names} for part in (known.values, known.lower, known.upper))
    return PredictionRow(values, lower, upper, not reason, reason, source, None, fit)


def test_prediction_has_a_row_a_curve() -> None:
    rows = [
        make_row("", "model and fit", make_fit()),
        make_row("", "fit", make_fit(model_error=0.002)),
        make_row("", "model", make_fit(REASON)),
        make_row(REASON, "fit", make_fit(REASON)),
        PredictionRow.make_empty(("a", "porosity"), "too short"),
    ]
    html = Prediction.from_rows(rows)._repr_html_()
    assert ["".join(cell.itertext()) for cell in read(html).iter("th")] == [
        "curve", "verdict", "a (nm)", "porosity", "answer", "chi-square"
    ]  # fmt: skip
    values = ["4.01 (3.93 to 4.09)", "0.301 (0.295 to 0.307)"]
    assert read_rows(html) == [
        ["0", "fits", *values, "model and fit", "1.03"],
        ["1", "fits within 0.2 %", *values, "fit", "1.03"],
        ["2", "applies", *values, "model", "42"],
        ["3", f"not applicable: {REASON}", *values, "fit", "42"],
        ["4", "not applicable: too short", "no value", "no value", "", ""],
    ]
    assert find_struck(html) == ["42", *values, "42"]


@pytest.mark.parametrize("count", [1, 20, 21, 500])
def test_prediction_shows_twenty_rows_and_counts_the_rest(count: int) -> None:
    html = Prediction.from_rows([make_row()] * count)._repr_html_()
    rows = read_rows(html)
    assert "answer" not in html
    assert "chi-square" not in html
    if count <= 20:
        assert len(rows) == count
    else:
        assert rows[19][0] == "19"
        assert rows[20:] == [[f"... {count - 20} more"]]


def test_prediction_of_no_curve_is_a_head() -> None:
    nothing = np.zeros(0)
    html = Prediction({"a": nothing}, {"a": nothing}, {"a": nothing}, np.zeros(0, dtype=bool), ())._repr_html_()
    assert read_rows(html) == []

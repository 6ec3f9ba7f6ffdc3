"""Records carry what was put into them, and a prediction is the rows that it is made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pyfai_grf.core.records import Curve, Points, Prediction, PredictionRow


def make_prediction() -> Prediction:
    """Three curves: a plain one, one that is refused, one of which nothing is known."""
    a, porosity = np.array([3.0, 4.0, np.nan]), np.array([0.25, 0.5, np.nan])
    return Prediction(
        values={"a": a, "porosity": porosity},
        lower={"a": a - 0.5, "porosity": porosity - 0.125},
        upper={"a": a + 0.5, "porosity": porosity + 0.125},
        is_applicable=np.array([True, False, False]),
        reasons=("", "a peak", "too short"),
    )


@pytest.mark.parametrize(
    ("metadata", "source", "frame"),
    [
        ({}, "", 0),
        ({"source": "a.h5::/entry/data", "frame_index": 7}, "a.h5::/entry/data", 7),
        ({"source": "a.dat", "frame": 3}, "a.dat", 3),
        ({"frame_index": 0, "frame": 3}, "", 0),  # 0 is a number like any other
        ({"frame": np.int64(5)}, "", 5),
    ],
)
def test_a_curve_knows_where_it_comes_from(metadata: dict[str, object], source: str, frame: int) -> None:
    curve = Curve(np.ones(3), np.ones(3), metadata=metadata)
    assert (curve.source, curve.frame) == (source, frame)
    assert type(curve.frame) is int


def test_points_are_a_curve_that_needs_its_errors() -> None:
    assert isinstance(Points(np.ones(2), np.ones(2), np.ones(2)), Curve)
    with pytest.raises(TypeError, match="sigma"):
        Points(np.ones(2), np.ones(2))  # type: ignore[call-arg]


def test_curves_do_not_share_their_metadata() -> None:
    one, other = (Curve(np.ones(2), np.ones(2)) for _ in range(2))
    assert one.metadata == other.metadata == {}
    assert one.metadata is not other.metadata


def test_a_row_is_of_one_curve() -> None:
    row = make_prediction().get_row(1)
    assert row == PredictionRow(
        {"a": 4.0, "porosity": 0.5}, {"a": 3.5, "porosity": 0.375}, {"a": 4.5, "porosity": 0.625}, False, "a peak"
    )
    # plain Python: JSON and HDF5 attributes take no others
    assert all(type(value) is float for part in (row.values, row.lower, row.upper) for value in part.values())
    assert type(row.is_applicable) is bool


def test_a_prediction_is_its_rows_in_their_order() -> None:
    prediction = make_prediction()
    rows = list(prediction)
    assert len(prediction) == len(rows) == 3
    assert [row.reason for row in rows] == ["", "a peak", "too short"]
    again = Prediction.from_rows(rows)
    for part in ("values", "lower", "upper"):
        for name, column in getattr(prediction, part).items():
            np.testing.assert_array_equal(getattr(again, part)[name], column)
    np.testing.assert_array_equal(again.is_applicable, prediction.is_applicable)
    assert again.is_applicable.dtype == bool
    assert again.reasons == prediction.reasons


def test_columns_follow_names_not_positions() -> None:
    row, turned = (
        PredictionRow(values, values, values, True)
        for values in ({"a": 1.0, "porosity": 0.1}, {"porosity": 0.2, "a": 2.0})
    )
    prediction = Prediction.from_rows([row, turned])
    assert prediction.values["a"].tolist() == [1.0, 2.0]
    assert prediction.values["porosity"].tolist() == [0.1, 0.2]


def test_one_row_is_a_prediction_too() -> None:
    (again,) = Prediction.from_rows([make_prediction().get_row(0)])
    assert again == make_prediction().get_row(0)


def test_an_empty_row_says_nothing_but_why() -> None:
    row = PredictionRow.make_empty(("a", "porosity", "layer_fraction"), "the curve is too short")
    for part in (row.values, row.lower, row.upper):
        assert list(part) == ["a", "porosity", "layer_fraction"]
        assert all(math.isnan(value) for value in part.values())
    assert not row.is_applicable
    assert row.reason == "the curve is too short"

"""The window of q: both ends included, everything that belongs to a point stays with it."""

from __future__ import annotations

import numpy as np
import pytest
from pyfai_grf.io.window import check_window, select_window

from pyfai_grf.core.errors import InputError, QRangeError
from pyfai_grf.core.records import Curve

Q = np.arange(1, 41) / 10  # 0.1 to 4 per nm


def _make_curve() -> Curve:
    return Curve(Q, Q**-4, 0.1 * Q, Q**2, counts=1e6, metadata={"source": "s"})


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [(None, None, 0.1, 4.0), (0.5, None, 0.5, 4.0), (None, 2.0, 0.1, 2.0), (0.45, 2.05, 0.5, 2.0), (0, 9, 0.1, 4.0)],
)
def test_window_takes_points_with_all_that_belongs_to_them(low, high, first: float, last: float) -> None:
    curve = select_window(_make_curve(), low, high)
    np.testing.assert_array_equal(curve.q_nm1, Q[(first <= Q) & (last >= Q)])
    np.testing.assert_array_equal(curve.intensity, curve.q_nm1**-4)
    np.testing.assert_array_equal(curve.sigma, 0.1 * curve.q_nm1)
    np.testing.assert_array_equal(curve.weight, curve.q_nm1**2)
    assert curve.metadata.get("q_window_nm1") == (None if low is high is None else [low, high])


def test_columns_that_are_not_there_stay_away() -> None:
    curve = select_window(Curve(Q, Q), 1.0, 3.0)
    assert curve.sigma is None
    assert curve.weight is None


@pytest.mark.parametrize(("low", "high"), [(2.0, 2.5), (5.0, None), (None, 0.05)])
def test_window_with_too_few_points_names_itself_and_the_curve(low, high) -> None:
    with pytest.raises(QRangeError, match=r"of 40 points lie in the window .*: the curve runs from 0\.1 to 4 per nm"):
        select_window(_make_curve(), low, high)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (3.0, 2.0, "q_min is 3 and q_max 2"),
        (2.0, 2.0, "the first must be below"),
        (-1.0, None, "q_min is -1"),
        (None, np.nan, "q_max is nan"),
        (np.inf, None, "q_min is inf"),
    ],
)
def test_bounds_that_make_no_window(low, high, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_window(low, high)

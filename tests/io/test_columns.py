"""Columns become a curve in 1/nm, unchanged but for their order and unit, or are refused for what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.io.columns import (
    Columns,
    check_curve,
    choose_unit,
    clean_title,
    find_factor,
    is_angle,
    make_curve,
    to_numbers,
)

Q = np.linspace(0.05, 3.0, 40)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741


def make_columns(q: Any = Q, intensity: Any = I, sigma: Any = None, weight: Any = None, **more: Any) -> Columns:
    """Return columns of a file that says 1/nm."""
    return Columns(q, intensity, sigma, weight, **{"unit": "1/nm", "axis": "q", "where": "c.dat", **more})


def refuse(columns: Columns, unit: str | None = None) -> str:
    """Return what is said of columns that make no curve."""
    with pytest.raises(InputError, match=r"^c\.dat: ") as caught:
        make_curve(columns, unit)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- numbers and words -------------------------------------------------------------------------------------------


def test_numbers_that_no_measurement_has_are_nan() -> None:
    values = np.array([1e100, -1e100, 1.1e100, -1e308, np.inf, np.nan, 0.0])
    given = values.copy()
    np.testing.assert_array_equal(to_numbers(values), [1e100, -1e100, np.nan, np.nan, np.inf, np.nan, 0.0])
    np.testing.assert_array_equal(values, given)  # a copy is returned


@pytest.mark.parametrize("kind", ["i1", "u8", "f2", "f4", ">f8", "?"])
def test_numbers_of_any_type_are_float64(kind: str) -> None:
    numbers = to_numbers(np.array([0, 1], dtype=kind))
    assert numbers.dtype == np.dtype(float)
    assert numbers.dtype.isnative
    assert numbers.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (" Silica \n 3 % \t in water", "Silica 3 % in water"),
        ("\x1b[31mred\x00\x07", "[31mred"),
        ("Å ⁻¹ Ruß", "Å ⁻¹ Ruß"),
        ("", ""),
        ("x" * 5000, "x" * 200),
    ],
)
def test_titles_are_one_line_that_a_terminal_shows_safely(text: str, title: str) -> None:
    assert clean_title(text) == title


@pytest.mark.parametrize(
    "text", ["2th_deg", "2-theta", "TwoTheta", "two-theta (degrees)", "tth", "2θ", "2th_rad", "mrad", "°", "2_th"]
)
def test_angles(text: str) -> None:
    assert is_angle(text)


@pytest.mark.parametrize("text", ["q_nm^-1", "radial", "radial_axis", "gradient", "1/A", "theory", "Q", ""])
def test_no_angles(text: str) -> None:
    assert not is_angle(text)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("q_nm^-1", 1.0),
        ("1/nm", 1.0),
        ("nm⁻¹", 1.0),
        ("inverse nanometres", 1.0),
        ("Reciprocal Nanometer", 1.0),
        ("1/angstrom", 10.0),
        ("1/Ångström", 10.0),
        ("inverse angstroem", 10.0),
        ("1/\\AA", 10.0),
        ("\\AA^{-1}", 10.0),
        ("A^-1", 10.0),
        ("1/m", 1e-9),
        ("1/um", 1e-3),
        ("µm^-1", 1e-3),
        ("2th_deg", None),
        ("s", None),
        ("per fortnight", None),
        ("", None),
    ],
)
def test_units_in_the_words_of_files(unit: str, factor: float | None) -> None:
    assert find_factor(unit) == factor


# --- who says the unit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "asked", "expected"),
    [
        ("1/A", None, (10.0, "1/A", "file")),
        ("1/A", "A", (10.0, "1/A", "file")),
        ("", "nm", (1.0, "nm", "given")),
        ("per fortnight", "A", (10.0, "A", "given")),
    ],
)
def test_unit_of_the_file_else_of_the_user(said: str, asked: str | None, expected: tuple) -> None:
    found = choose_unit(make_columns(unit=said), asked)
    assert (found.factor, found.name, found.origin) == expected


def test_unit_that_nobody_or_two_say() -> None:
    assert "does not say its q unit" in refuse(make_columns(unit=""))
    assert "'per fortnight'" in refuse(make_columns(unit="per fortnight"))
    message = refuse(make_columns(unit="1/nm"), "A")
    assert "contradict" in message
    assert "'1/nm'" in message
    with pytest.raises(InputError, match="'furlong'"):
        make_curve(make_columns(), "furlong")


# --- what is no curve --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"unit": "2th_deg"}, r"2-theta \(2th_deg\)"),
        ({"unit": "", "axis": "2-Theta Angle (Degrees)"}, "2-theta"),
        ({"unit": "", "axis": "qx"}, r"one component of q \(qx\)"),
        ({"axis": "q_ip"}, "one component of q"),
        ({"unit": "", "axis": "Lag time (s)"}, r"Lag time \(s\), not q"),
        ({"unit": "", "axis": "log10(q)"}, r"log10\(q\), not q"),
        ({"unit": "d*^2_nm^-2"}, "not q"),
        ({"unit": "r_mm"}, "r_mm, not q"),
        ({"unit": "", "axis": "SpinEchoLength"}, "not q"),
        ({"slit": "slit length 0.1 1/nm, dQl"}, r"slit-smeared \(slit length 0\.1 1/nm, dQl\)"),
    ],
)
def test_curves_over_something_else_are_refused_whatever_unit_is_given(more: dict, found: str) -> None:
    for unit in (None, "nm"):
        with pytest.raises(InputError, match=rf"^c\.dat: .*{found}") as caught:
            make_curve(make_columns(**more), unit)
        assert "\n" not in str(caught.value)


def test_known_unit_stands_above_a_doubtful_name() -> None:
    """pyFAI's NXmonopd calls its axis polar_angle, whatever it runs over."""
    check_curve(make_columns(axis="2theta"))
    check_curve(make_columns(axis="log10(q)"))


@pytest.mark.parametrize(("negative", "is_curve"), [(0, True), (10, True), (11, False), (40, False)])
def test_a_quarter_of_q_may_be_negative(negative: int, is_curve: bool) -> None:
    """A detector with the beam on it gives a few; a column that is not q gives many."""
    q = np.where(np.arange(40) < negative, -Q, Q)
    if is_curve:
        assert np.count_nonzero(make_curve(make_columns(q)).q_nm1 < 0) == negative
    else:
        message = refuse(make_columns(q))
        assert f"{negative} of 40" in message
        assert f"{q.min():g}" in message


@pytest.mark.parametrize(
    "more",
    [
        {"q": Q[:3]},
        {"sigma": np.ones(39)},
        {"weight": np.ones((40, 1))},
        {"q": Q.reshape(4, 10), "intensity": I.reshape(4, 10)},
        {"q": 1.0, "intensity": 2.0},
    ],
)
def test_columns_that_do_not_fit_together(more: dict) -> None:
    message = refuse(make_columns(**more))
    assert all(str(np.shape(values)) in message for values in more.values())


# --- what becomes of the points ----------------------------------------------------------------------------------


def check(curve: Curve, q: Any, intensity: Any, sigma: Any = None) -> None:
    np.testing.assert_array_equal(curve.q_nm1, q)
    np.testing.assert_array_equal(curve.intensity, intensity)
    np.testing.assert_equal(curve.sigma, sigma)


@pytest.mark.parametrize(("unit", "factor"), [("1/nm", 1.0), ("1/A", 10.0), ("1/m", 1e-9)])
def test_q_is_in_1_nm_and_nothing_else_changes(unit: str, factor: float) -> None:
    curve = make_curve(make_columns(sigma=0.1 * I, weight=Q, unit=unit, metadata={"title": "t", "warnings": ("w",)}))
    check(curve, Q * factor, I, 0.1 * I)
    np.testing.assert_array_equal(curve.weight, Q)
    assert curve.metadata == {"title": "t", "warnings": ["w"], "q_unit": unit, "q_unit_from": "file"}


def test_rows_without_q_are_left_out_and_what_else_is_not_known_stays() -> None:
    q, intensity, sigma = Q.copy(), I.copy(), 0.01 * I
    q[2] = np.nan
    intensity[10:13] = (np.nan, np.inf, 1e308)
    sigma[20:22] = (0, -1)
    kept = np.arange(40) != 2
    curve = make_curve(make_columns(q, intensity, sigma))
    intensity[12] = np.nan  # damage, which would overflow in what follows
    sigma[21] = np.nan  # what programs write for "not known"
    check(curve, Q[kept], intensity[kept], sigma[kept])


def test_points_are_sorted_by_q_and_equal_ones_keep_their_order() -> None:
    order = np.random.default_rng(1).permutation(40)
    curve = make_curve(make_columns(Q[order], I[order], 0.01 * I[order], Q[order]))
    check(curve, Q, I, 0.01 * I)
    np.testing.assert_array_equal(curve.weight, Q)
    check(make_curve(make_columns([2.0, 1.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0])), [1, 1, 2, 2], [2, 4, 1, 3])


def test_negative_intensities_stay() -> None:
    """A background was subtracted: noise around zero is data."""
    intensity = np.where(Q > 2, -0.1, I)
    check(make_curve(make_columns(intensity=intensity)), Q, intensity)


@pytest.mark.parametrize("q", [[], [np.nan, np.nan]])
def test_nothing_is_left_of_a_curve_without_q(q: list[float]) -> None:
    curve = make_curve(make_columns(q, np.ones(len(q)), np.ones(len(q))))
    assert curve.q_nm1.size == curve.intensity.size == curve.sigma.size == 0


def test_one_point_is_a_curve() -> None:
    check(make_curve(make_columns([0.3], [7], [np.nan], unit="1/A")), [3.0], [7.0], [np.nan])


def test_columns_are_left_as_they_were() -> None:
    q, sigma = Q[::-1].copy(), np.full(40, -1.0)
    columns = make_columns(q, I, sigma, metadata={"warnings": ["w"]})
    make_curve(columns).metadata["warnings"].append("more")
    np.testing.assert_array_equal(q, Q[::-1])
    assert (sigma == -1).all()
    assert columns.metadata == {"warnings": ["w"]}

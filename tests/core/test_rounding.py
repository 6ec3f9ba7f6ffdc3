"""Numbers carry as many digits as their interval allows, and a bound that is not known is not shown."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pyfai_grf.core.rounding import format_chi_square, format_interval, format_percent, format_value


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((4.12345, 4.11, 4.13), ("4.123", "4.110", "4.130")),
        ((0.3, 0.21, 0.43), ("0.30", "0.21", "0.43")),
        ((30.26, 21.4, 47.7), ("30", "21", "48")),
        ((1234.6, 1000.0, 1500.0), ("1235", "1000", "1500")),  # never fewer than whole numbers
        ((0.012345, 0.012345, 0.012345), ("0.0123", "0.0123", "0.0123")),
        ((0.0, 0.0, 0.0), ("0", "0", "0")),
        ((-0.5, -0.5, -0.5), ("-0.500", "-0.500", "-0.500")),
        ((3.14159, math.nan, math.nan), ("3.14", "nan", "nan")),
        ((3.14159, -math.inf, math.inf), ("3.14", "-inf", "inf")),
        ((math.nan, math.nan, math.nan), ("nan", "nan", "nan")),
        ((math.inf, 1.0, math.inf), ("inf", "1", "inf")),
        ((1.0, 1.0, 1.0 + 1e-15), ("1.000000000", "1.000000000", "1.000000000")),
    ],
)
def test_digits_follow_the_interval(numbers: tuple[float, float, float], shown: tuple[str, str, str]) -> None:
    assert format_interval(*numbers) == shown


def test_two_digits_of_every_width_are_shown() -> None:
    """The last digit is worth a tenth to a hundredth of the width, whatever the numbers are."""
    rng = np.random.default_rng(3)
    for width, share, lower in zip(
        10 ** rng.uniform(-6, 0.9, 300), rng.random(300), rng.uniform(0, 9, 300), strict=True
    ):
        numbers = (lower + share * width, lower, lower + width)
        shown = format_interval(*numbers)
        unit = 10.0 ** -len(shown[0].partition(".")[2])
        assert 0.0099 * width < unit <= 0.101 * width
        for number, text in zip(numbers, shown, strict=True):
            assert abs(float(text) - number) <= 0.501 * unit


@pytest.mark.parametrize(
    ("value", "half", "unit", "words"),
    [
        (4.0123, 0.08, "nm", "4.01 nm (3.93 to 4.09)"),
        (0.3012, 0.01, "", "0.301 (0.291 to 0.311)"),
        (4.0123, np.nan, "nm", "4.01 nm"),
        (4.0123, np.inf, "nm", "4.01 nm"),
        (np.nan, 1.0, "nm", "no value"),
        (np.inf, 1.0, "nm", "no value"),
    ],
)
def test_value_with_unit_and_interval(value: float, half: float, unit: str, words: str) -> None:
    assert format_value(value, value - half, value + half, unit) == words


@pytest.mark.parametrize(("part", "words"), [(0.01, "1 %"), (0.00437, "0.44 %"), (0.00012, "0.012 %"), (0.5, "50 %")])
def test_parts_in_per_cent(part: float, words: str) -> None:
    assert format_percent(part) == words


@pytest.mark.parametrize(
    ("chi2", "words"), [(0.98765, "0.988"), (42.04, "42"), (999.0, "999"), (1172.6, "1173"), (math.nan, "nan")]
)
def test_chi_square_has_three_digits_or_is_whole(chi2: float, words: str) -> None:
    assert format_chi_square(chi2) == words

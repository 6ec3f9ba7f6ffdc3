"""Numbers in words, with the digits that they carry."""

from __future__ import annotations

import math

#: more digits than this no interval carries
_MOST_DIGITS = 9


def format_interval(value: float, lower: float, upper: float) -> tuple[str, str, str]:
    """Return value, lower and upper bound in words, none with more digits than the width of the interval carries.

    Two digits of the width count; a width that is not known or zero leaves three digits of the value.
    """
    width = upper - lower
    if math.isfinite(width) and width > 0:
        digits = 1 - math.floor(math.log10(width))
    else:
        digits = 2 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
    digits = min(max(digits, 0), _MOST_DIGITS)
    value_text, low, high = (f"{number:.{digits}f}" for number in (value, lower, upper))
    return value_text, low, high


def format_value(value: float, lower: float, upper: float, unit: str = "") -> str:
    """Return "4.01 nm (3.93 to 4.09)" with the digits of ``format_interval``.

    Without the interval where a bound is not finite; "no value" where there is none.
    """
    if not math.isfinite(value):
        return "no value"
    text, low, high = format_interval(value, lower, upper)
    shown = f"{text} {unit}".rstrip()
    return f"{shown} ({low} to {high})" if math.isfinite(lower) and math.isfinite(upper) else shown


def format_percent(part: float) -> str:
    """Return a part of 1 in per cent, with two digits."""
    return f"{100 * part:.2g} %"


def format_chi_square(chi2: float) -> str:
    """Return a chi-square with three digits, or as a whole number."""
    return f"{chi2:.3g}" if not 1000 <= chi2 < 1e6 else f"{chi2:.0f}"

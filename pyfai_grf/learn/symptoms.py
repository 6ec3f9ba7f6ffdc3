"""What can be seen in a curve that a model does not know: named, so that a refusal says what was seen and where."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray

#: an upturn falls at least like q to this power, and at this part of its slope at most it ends in a shelf
_UPTURN_SLOPE, _SHELF_PART = -1.3, 0.6
#: it is looked for below this many times the lowest q, its slope taken over this many bins
_UPTURN_REACH, _SLOPE_BINS = 12.0, 4
#: a peak stands out of the valleys beside it by this much in ln I, and by this many standard errors
_PEAK_HEIGHT, _PEAK_SIGNIFICANCE = 0.15, 5.0


def describe_symptoms(q_nm1: FloatArray, log_intensity: FloatArray, errors: FloatArray) -> str:
    """Return what no curve of a Gaussian random field shows and this one does, in words; "" if nothing is seen.

    ``q_nm1`` (B,) in 1/nm, ``log_intensity`` (B,) natural logarithm, ``errors`` (B,) relative standard errors.
    """
    found = (_describe_upturn(q_nm1, log_intensity), _describe_peak(q_nm1, log_intensity, errors))
    return " and ".join(filter(None, found))


def _describe_upturn(q: FloatArray, log_intensity: FloatArray) -> str:
    """Name a power law at low q that ends in a shelf: grains, cracks, fibres."""
    near = q < _UPTURN_REACH * q[0]
    count = np.count_nonzero(near)
    if count < 3 * _SLOPE_BINS:
        return ""
    slopes = _measure_slopes(np.log(q[near]), log_intensity[near])
    first = float(slopes[:2].mean())
    shelf = int(np.argmax(slopes))  # the flattest place
    if first > _UPTURN_SLOPE or slopes[shelf] < _SHELF_PART * first or shelf < 2:
        return ""
    return f"the curve rises towards low q like q^{first:.1f} below {q[near][shelf]:.2g} per nm (an upturn)"


def _measure_slopes(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the slopes of y over x between points ``_SLOPE_BINS`` apart, robust against a single one."""
    gap = _SLOPE_BINS
    return (y[gap:] - y[:-gap]) / (x[gap:] - x[:-gap])


def _describe_peak(q: FloatArray, log_intensity: FloatArray, errors: FloatArray) -> str:
    """Name the highest peak above its valleys on both sides, which the random fields that are trained do not have."""
    left = np.minimum.accumulate(log_intensity)
    right = np.maximum.accumulate(log_intensity[::-1])[::-1]
    # how far the curve comes up again, behind each point, above the lowest before it
    rise = right - left
    low = int(np.argmax(rise))
    top = low + int(np.argmax(log_intensity[low:]))
    valley = int(np.argmin(log_intensity[: top + 1])) if top else 0
    height = float(log_intensity[top] - log_intensity[valley])
    if not 0 < top < len(q) - 1 or height < _PEAK_HEIGHT:
        return ""
    if height < _PEAK_SIGNIFICANCE * float(np.hypot(errors[top], errors[valley])):
        return ""
    return f"there is a peak near q = {q[top]:.2g} per nm"

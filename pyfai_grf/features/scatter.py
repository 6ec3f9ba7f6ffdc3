"""What the scatter of neighbouring points says of their standard errors, and of errors that a file gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.errors import InputError

#: fewer points than this have no scatter to speak of
FEWEST_POINTS = 8

#: the median of |x| of a unit Gaussian is 1/1.4826
MAD_TO_SIGMA = 1.4826
# windows of third differences, and the scatter above which a logarithm of the intensity is biased
_WINDOW = 31
_LOGARITHM_LIMIT = 0.2
# from this part of values at or below zero in a window on the points are sparse counts or noise: most may be equal,
# so that a median says nothing, and none stands out, so that the mean square is safe
_SPARSE = 0.08
# a window with fewer points that are not zero says nothing: a wider one is taken
_FEWEST_COUNTED, _WIDER = 8, 155
# of the differences that tell a correlation; the factor by which those of twice the order may scatter less; the fewest
# points for it (their error is 0.08 at 500), and the smallest correlation that is not taken for none
_ORDER, _SHAPELESS, _FEWEST_FOR_CORRELATION, _SMALLEST_CORRELATION = 4, 1.25, 300, 0.25
# fewer points than three windows have errors that differ within one
_FEWEST_FOR_WINDOWS = 93
# no curve is known better than this: single precision
_LEAST_RELATIVE = 1e-7


def estimate_sigma(q: FloatArray, intensity: FloatArray, is_robust: bool = True, order: int = 3) -> FloatArray:
    """Return a standard error (Q,), above 0, for each point of a curve, from its scatter about its neighbours.

    Differences of ``order`` 3 (divided, so that q, increasing, need not be equidistant) remove what is locally a
    parabola. Their median absolute value over 31 points gives the scatter: of log I, relative, where I is positive
    and scatters by less than 20 %, of I itself elsewhere; where more than 8 % of the window is not positive, or
    without ``is_robust``, their root mean square.

    Its limits: a window of 31 points knows its sigma to about 30 %. Structure as sharp as four points counts as noise
    (the exact curves on the published grid read 0.2 % at the shoulder, less elsewhere). Noise that neighbouring
    points share (pixel splitting, an earlier smoothing or interpolation) is not seen, nor is an error of scale or
    background that all points share. An error model at the detector is always better.

    Raises
    ------
    InputError
        If there are fewer than 8 points, or a value is not finite.
    """
    q, intensity = np.asarray(q, dtype=np.float64), np.asarray(intensity, dtype=np.float64)
    if q.shape != intensity.shape or q.ndim != 1 or len(q) < FEWEST_POINTS:
        raise InputError(
            f"{FEWEST_POINTS} points or more are needed to estimate sigma, found shapes {q.shape}, {intensity.shape}"
        )
    if not (np.isfinite(q).all() and np.isfinite(intensity).all() and np.all(np.diff(q) > 0)):
        raise InputError("q must increase and all values be finite to estimate sigma: clean the curve first")
    size = len(q)
    coefficients = _make_difference(q, order)
    differences = _apply(coefficients, intensity)
    sparse = _average(intensity <= 0, _WINDOW) > _SPARSE
    sparse |= not is_robust
    mean_square = _scan_mean_square(differences, size)
    if not (is_telling := _is_telling(intensity)).all():
        mean_square = np.where(is_telling, mean_square, _scan_mean_square(differences, size, _WIDER))
    absolute = np.where(sparse, mean_square, _scan_median(np.abs(differences), size))
    positive = intensity > 0
    logarithm = np.log(np.where(positive, intensity, 1.0))
    usable = np.all([positive[k : size - order + k] for k in range(order + 1)], axis=0)
    relative = _scan_median(np.where(usable, np.abs(_apply(coefficients, logarithm)), np.inf), size)
    level = median_filter(intensity, size=5, mode="nearest")
    good = (relative < _LOGARITHM_LIMIT) & (level > 0) & ~sparse
    sigma = np.where(good, np.where(good, relative, 0.0) * level, absolute)
    return _fill_zeros(sigma, intensity)


def compare_sigma(q: FloatArray, intensity: FloatArray, sigma: FloatArray, order: int = 3) -> FloatArray:
    """Return (Q,) how many times larger the scatter of the points is than ``sigma`` (Q,), above 0, in windows of 31.

    Right errors give 1 +- 0.3; bins that share photons by pixel splitting give 0.75 (neighbours correlated by 0.29).
    A shoulder of few points counts as scatter for order 3, hardly for 6. 1 where a window holds too few counts.
    Raises InputError as ``estimate_sigma``.
    """
    if len(q) < _FEWEST_FOR_WINDOWS:
        return _compare_differences(q, intensity, sigma, order)
    scatter = estimate_sigma(q, intensity, order=order)
    size = min(_WINDOW, len(q) - (len(q) + 1) % 2)
    ratio = scatter / median_filter(sigma, size=size, mode="nearest")
    # where next to nothing was counted there is no scatter to compare with
    return np.where(_is_telling(intensity), ratio, 1.0)


def _compare_differences(q: FloatArray, intensity: FloatArray, sigma: FloatArray, order: int) -> FloatArray:
    """Return (Q,) how many times larger differences are than their errors, by the median of a window of 31.

    A window of few points reaches from a knee to its tail: errors may differ by a factor of 100 in it.
    """
    coefficients = _make_difference(q, order)
    count = len(q) - order
    expected = np.sqrt(sum(coefficients[k] ** 2 * sigma[k : count + k] ** 2 for k in range(order + 1)))
    return _scan_median(np.abs(_apply(coefficients, intensity)) / expected, len(q))


def estimate_correlation(q: FloatArray, intensity: FloatArray) -> float:
    """Return the correlation of the noise of neighbouring points, 0 to 0.5; 0 where it cannot be told from none.

    Pixel splitting shares the photons of a pixel between bins: 0.29 at 500 bins, 0.43 at 1000. It is read from the
    correlation of neighbouring differences of order 4, -0.8 for independent points; windows count in which those of
    order 8 scatter as much, for there the differences are noise and not the curve's own shape.
    """
    if len(q) < _FEWEST_FOR_CORRELATION:
        return 0.0
    differences = _apply(_make_difference(q, _ORDER), intensity)
    finer = _apply(_make_difference(q, 2 * _ORDER), intensity)
    scatter = _scan_mean_square(differences, len(q))
    is_noise = (scatter > 0) & (scatter < _SHAPELESS * _scan_mean_square(finer, len(q)))
    part = is_noise[_ORDER // 2 : len(q) - _ORDER // 2]
    if np.count_nonzero(part) < _FEWEST_FOR_CORRELATION // 2:
        return 0.0
    unit = np.where(part, differences / np.where(part, scatter[_ORDER // 2 : len(q) - _ORDER // 2], 1.0), 0.0)
    found = np.sum(unit[1:] * unit[:-1]) / np.sum(unit**2)
    # of noise 1, r between neighbours, the differences have the variance 70 - 112 r and the covariance -56 + 98 r
    r = np.linspace(0, 0.5, 101)
    correlation = float(np.interp(found, (-56 + 98 * r) / (70 - 112 * r), r))
    return correlation if correlation > _SMALLEST_CORRELATION else 0.0


def _fill_zeros(sigma: FloatArray, intensity: FloatArray) -> FloatArray:
    """Return ``sigma`` with the smallest positive one where it is 0, and never below single precision."""
    least = _LEAST_RELATIVE * float(np.max(np.abs(intensity), initial=0.0)) or 1.0
    if not (sigma > 0).any():
        return np.full_like(sigma, least)
    positive = np.where(sigma > 0, sigma, np.inf).min()
    return np.where(sigma > 0, sigma, positive)


def _make_difference(q: FloatArray, order: int) -> FloatArray:
    """Return the coefficients (order + 1, Q - order) of divided differences that keep the variance of the points."""
    size, count = order + 1, len(q) - order
    points = np.stack([q[k : count + k] for k in range(size)])
    distance = points[:, np.newaxis] - points[np.newaxis]
    distance[np.arange(size), np.arange(size)] = 1
    coefficients = 1 / np.prod(distance / (points[-1] - points[0]), axis=1)
    return coefficients / np.sqrt(np.sum(coefficients**2, axis=0))


def _apply(coefficients: FloatArray, values: FloatArray) -> FloatArray:
    size, count = coefficients.shape
    return np.sum([coefficients[k] * values[k : count + k] for k in range(size)], axis=0)


def _scan_median(differences: FloatArray, count: int) -> FloatArray:
    """Return the standard deviation behind |differences| (D,) in a moving window, at ``count`` = Q points."""
    window = min(_WINDOW, len(differences) - (len(differences) + 1) % 2)
    return MAD_TO_SIGMA * _pad(median_filter(differences, size=window, mode="reflect"), count)


def _scan_mean_square(differences: FloatArray, count: int, window: int = _WINDOW) -> FloatArray:
    """Return the root mean square of ``differences`` (D,) in a moving window, at ``count`` = Q points."""
    return _pad(np.sqrt(np.maximum(_average(differences**2, window), 0.0)), count)


def _average(values: NDArray[Any], window: int) -> FloatArray:
    return np.asarray(uniform_filter1d(values.astype(np.float64), min(window, len(values)), mode="reflect"))


def _is_telling(intensity: FloatArray) -> BoolArray:
    """Return (Q,) where a window holds enough points that are not zero to have a scatter."""
    return _average(intensity != 0, _WINDOW) * min(_WINDOW, len(intensity)) > _FEWEST_COUNTED - 0.5


def _pad(values: FloatArray, count: int) -> FloatArray:
    before = (count - len(values)) // 2
    return np.pad(values, (before, count - len(values) - before), mode="edge")

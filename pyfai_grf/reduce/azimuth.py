"""Is a ring the same all around? What stands in the way, shines in, or is off centre shows in the azimuth.

Each (q bin, sector) cell is compared with what the whole ring lets one expect there, as counts allow. Cells are
pooled, by bands of q and by sectors: a faint shadow shows only in the sum over all q, a spot only in its own cell.
Chance alone goes beyond ``_SIGNIFICANT`` in 6 of 10^7 cells; there are some 900 of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.reduce.sectors import SECTORS, Cells

#: standard deviations beyond which a cell deviates, and beyond which the neighbour of such a cell does
_SIGNIFICANT, _SUSPECT = 5.0, 2.5
#: standard deviations that a part of what deviates must be off from it, towards the others, to be one of these
_LIKE_THE_OTHERS = 3.0
#: relative deviations below it are the pixels' own: their response differs by 1 to 2 % without a flat field
_SMALLEST = 0.03
#: bands are this much wider than the one below, and hold so many bins at least; four bands make a wide one
_BAND_RATIO, _BAND_BINS, _WIDE = 1.25, 3, 4
#: three sectors of 10 degrees make a wide one
_JOINED = 3
#: counts that must be expected of a cell, and sectors that a ring must have before one can be told from the others
ENOUGH, _FEWEST_SECTORS = 25.0, 5
#: standard deviations within which the curve may be straight
_BY_CHANCE = 2.0
#: times what is expected that a pixel is hot
_HOT = 2.0
#: times that a ring's mean is taken anew without the cells that deviate from it
_ROUNDS = 4


@dataclass(frozen=True)
class Ring:
    """(Q,) bins as they come from all sectors: centres, intensity and its variance, less the dark."""

    q_nm1: FloatArray
    intensity: FloatArray
    variance: FloatArray


@dataclass(frozen=True)
class Bands:
    """How the (Q,) bins are pooled, and what is known before any frame.

    Attributes
    ----------
    band : (Q,) the band of each bin, from 0 on.
    tolerance : (Q,) relative differences between sectors that the reduction is known to leave in.
    pixels_per_bin : width of a bin in pixels of the detector.
    """

    band: NDArray[np.intp]
    tolerance: FloatArray
    pixels_per_bin: float = 1.0

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self.band[-1]) + 1

    def sum_bins(self, values: FloatArray) -> FloatArray:
        """Return the (B, S) sums over the bands of (Q, S) ``values``."""
        return np.add.reduceat(values, np.searchsorted(self.band, np.arange(self.number)), axis=0)


def lay_out_bands(q_nm1: FloatArray, tolerance: FloatArray, pixels_per_bin: float = 1.0) -> Bands:
    """Return bands of evenly spaced bins at ``q_nm1`` (Q,): some bins at first, then a part of q."""
    band = np.zeros(q_nm1.size, np.intp)
    start, number = 0, 0
    for index in range(1, q_nm1.size):
        wide = q_nm1[index] > q_nm1[start] * _BAND_RATIO and index - start >= _BAND_BINS
        if wide and q_nm1.size - index >= _BAND_BINS:
            start, number = index, number + 1
        band[index] = number
    return Bands(band, tolerance, pixels_per_bin)


@dataclass(frozen=True)
class Comparison:
    """What the sectors of a frame say of each other.

    Attributes
    ----------
    ratio : (B, S) intensity over the median of the band's sectors, NaN where too little is expected.
    z : (B, S) the deviation of ``ratio`` from 1 in standard deviations, 0 where it is NaN.
    weight : (B, S) 1 / variance of ``ratio``, 0 where it is NaN.
    slope : (B, S) relative change of the intensity for a shift of q by one bin.
    deviates : (B, S) True where a cell is not what the others are.
    """

    ratio: FloatArray
    z: FloatArray
    weight: FloatArray
    slope: FloatArray
    deviates: BoolArray


def compare_sectors(cells: Cells, ring: Ring, bands: Bands) -> Comparison:
    """Return how the sectors differ.

    A cell deviates where it does so by more than chance and by more than 3 % and the bands' tolerance, relative.
    """
    found = _compare(cells, ring, bands, np.zeros((bands.number, SECTORS), bool))
    for _ in range(_ROUNDS):
        if not found.deviates.any():
            break
        last = found.deviates
        found = _compare(cells, ring, bands, last)
        if np.array_equal(found.deviates, last):
            break
    return found


def _compare(cells: Cells, ring: Ring, bands: Bands, left_out: BoolArray) -> Comparison:
    """Compare the cells with the rings' means over what is not ``left_out`` (B, S)."""
    expected, slope, variance = expect_cells(cells, ring, left_out[bands.band])
    slack = expected * (_SMALLEST + bands.tolerance)[:, np.newaxis] + cells.exposure * _bound_bend(ring)[:, np.newaxis]
    observed, expected, slope, variance, slack = (
        bands.sum_bins(part) for part in (cells.signal, expected, slope, variance, slack)
    )
    shape = left_out.shape
    deviates, level = np.zeros(shape, bool), np.ones(shape)
    ratio, z, weight = level, level, level
    stack = np.stack([observed, expected, variance, slack])
    for tall, wide in ((shape[0], _JOINED), (shape[0], 1), (_WIDE, _JOINED), (_WIDE, 1), (1, 1)):
        parts = _pool(stack, tall, wide)
        ratio, z, weight = _score(*parts[:3])
        found = (np.abs(z) > _SIGNIFICANT) & (np.abs(ratio - 1.0) * parts[1] > parts[3])
        if deviates.any():
            # a part that is like the others, while the whole is not, takes no part in it
            finer, known = _spread(ratio, shape, tall, wide), _spread(weight, shape, tall, wide)
            apart = np.sign(level - 1.0) * (level - np.nan_to_num(finer, nan=1.0)) * np.sqrt(known)
            deviates &= apart < _LIKE_THE_OTHERS
        if found.any():
            found = _spread(found, shape, tall, wide)
            deviates |= found
            level = np.where(found, _spread(ratio, shape, tall, wide), level)
    if deviates.any():
        deviates = _grow(deviates, z, ratio)
    relative = slope / np.where(expected > 0, expected, 1.0)
    return Comparison(ratio, z, weight, relative, deviates)


def expect_cells(
    cells: Cells, ring: Ring, left_out: BoolArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (Q, S) what the rings let one expect, its change with a shift by a bin, and its variance.

    The mean of a ring is taken without the cells that are ``left_out`` (Q, S), its slope is that of the curve.
    """
    kept = cells.exposure
    if left_out is not None and left_out.any():
        kept = np.where(left_out, 0.0, kept)
        kept = np.where(kept.any(axis=1, keepdims=True), kept, cells.exposure)
    exposure = kept.sum(axis=1)
    divisor = np.where(exposure > 0, exposure, 1.0)
    mean = np.where(kept > 0, cells.signal, 0.0).sum(axis=1) / divisor
    offset = (kept * cells.offset).sum(axis=1) / divisor
    used = np.flatnonzero(exposure)
    slope = np.zeros(mean.size)
    if used.size > 1:
        slope[used] = np.gradient(mean[used], used)
    shift = cells.offset - offset[:, np.newaxis]
    # the variance of the bin, shared out; it grows and shrinks with the mean
    change = np.where(ring.intensity > 0, mean / np.where(ring.intensity > 0, ring.intensity, 1.0), 1.0)
    spread = ring.variance * cells.exposure.sum(axis=1) * np.maximum(change, 0.0)
    return (
        cells.exposure * (mean[:, np.newaxis] + shift * slope[:, np.newaxis]),
        cells.exposure * slope[:, np.newaxis],
        cells.exposure * spread[:, np.newaxis],
    )


def _bound_bend(ring: Ring) -> FloatArray:
    """Return (Q,) by how much the curve can miss its tangent inside a bin: coarse pixels lie anywhere in it."""
    inside = np.flatnonzero(ring.variance > 0)
    bend = np.zeros(ring.intensity.size)
    if inside.size > 2:
        used = inside[1:-1]
        weights = np.array([1.0, -2.0, 1.0])
        change = np.convolve(ring.intensity[inside], weights, "valid")
        error = np.sqrt(np.convolve(ring.variance[inside], weights**2, "valid"))
        bend[used] = np.maximum(np.abs(change) - _BY_CHANCE * error, 0.0)
        bend[inside[0]], bend[inside[-1]] = bend[used[0]], bend[used[-1]]
    # half a bin from its middle: an eighth by the bend itself, a quarter by the slope, which changes by as much as that
    return bend * 0.375


def _pool(values: FloatArray, tall: int, wide: int) -> FloatArray:
    """Return the sums of (N, B, S) over blocks of ``tall`` bands and ``wide`` sectors."""
    rows = values if tall == 1 else np.add.reduceat(values, np.arange(0, values.shape[1], tall), axis=1)
    return rows if wide == 1 else rows.reshape(*rows.shape[:2], -1, wide).sum(axis=3)


def _spread(values: NDArray[Any], shape: tuple[int, ...], tall: int, wide: int) -> NDArray[Any]:
    """Return for each of the small cells the value of its block."""
    return np.repeat(np.repeat(values, tall, axis=0)[: shape[0]], wide, axis=1)


def _score(
    observed: FloatArray, expected: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (B, S) the ratio to the median of the row, its deviation from 1 in standard deviations, its weight."""
    known = (expected > 0) & (variance > 0)
    safe, spread = np.where(known, expected, 1.0), np.where(known, variance, 1.0)
    counts = np.where(known, safe**2 / spread, 0.0)  # the photons that tell as much
    rich = counts >= ENOUGH
    rich &= np.count_nonzero(rich, axis=1)[:, np.newaxis] >= _FEWEST_SECTORS
    ratio = np.where(known, observed / safe, np.nan)
    centre = _find_medians(np.where(rich, ratio, np.nan))[:, np.newaxis]
    rich &= centre > 0
    centre = np.where(centre > 0, centre, 1.0)
    # where next to nothing is expected, many photons tell a hot pixel
    known &= rich | ((counts * np.nan_to_num(ratio) >= ENOUGH) & (np.nan_to_num(ratio) > _HOT * centre))
    relative = np.where(known, np.maximum(ratio / centre, 0.0), 1.0)
    weight = np.where(known, counts * centre, 0.0)
    # the deviance of a Poisson count is normal far into the tails, where the difference itself is not
    deviance = 2.0 * weight * (relative * np.log(np.maximum(relative, 1e-12)) - relative + 1.0)
    # the median of n sectors is known to sqrt(pi / 2 n) of a sector's standard deviation
    blur = 1.0 + np.pi / 2 * weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    z = np.sign(relative - 1.0) * np.sqrt(np.maximum(deviance, 0.0) / blur)
    return np.where(known, ratio / centre, np.nan), z, weight


def _find_medians(ratio: FloatArray) -> FloatArray:
    """Return the (B,) medians of the rows, NaN where a row holds nothing."""
    ordered = np.sort(ratio, axis=1)  # NaN come last
    number = np.count_nonzero(np.isfinite(ratio), axis=1)
    rows = np.arange(ratio.shape[0])
    low, high = np.maximum((number - 1) // 2, 0), number // 2
    return 0.5 * (ordered[rows, low] + ordered[rows, np.minimum(high, ratio.shape[1] - 1)])


def _grow(deviates: BoolArray, z: FloatArray, ratio: FloatArray) -> BoolArray:
    """Return ``deviates`` with the cells beside that deviate too, by less: half of a shadow's edge is in each."""
    sign = np.sign(z)
    suspect = (np.abs(z) > _SUSPECT) & (np.abs(ratio - 1.0) > _SMALLEST / 2)
    while True:
        beside = np.zeros(deviates.shape, bool)
        for near in list_neighbours(np.where(deviates, sign, 0.0)):
            beside |= near * sign > 0
        grown = deviates | (suspect & beside)
        if np.array_equal(grown, deviates):
            return deviates
        deviates = grown


def list_neighbours(values: FloatArray) -> Iterator[FloatArray]:
    """Yield ``values`` (B, S) moved by one: around the circle, up and down in q."""
    yield np.roll(values, 1, axis=1)
    yield np.roll(values, -1, axis=1)
    yield np.vstack([values[1:], np.zeros((1, values.shape[1]))])
    yield np.vstack([np.zeros((1, values.shape[1])), values[:-1]])

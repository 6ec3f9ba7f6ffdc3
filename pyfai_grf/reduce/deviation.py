"""What a difference between the sectors looks like, and which of them to believe.

Two things vary smoothly around the ring: with a wrong beam centre it goes as cos(chi), by the slope of the curve; with
an oriented sample as cos(2 chi). Whatever else deviates sits in one place: something stands in the way or shines in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.reduce.azimuth import ENOUGH, Bands, Comparison, Ring, compare_sectors, list_neighbours
from pyfai_grf.reduce.sectors import SECTOR_DEG, SECTORS, Cells

#: (S,) azimuths of the sectors' middles
_CHI = np.radians(-180.0 + (np.arange(SECTORS) + 0.5) * SECTOR_DEG)
#: by how much a fit of two numbers must lower chi-square: by chance it does in 3 of 10^7 frames
_BETTER = 30.0
#: part of the misfit that a smooth variation must explain to be taken for what is there
_EXPLAINED = 0.6
#: part of it that must lie on either side of the median
_ONE_SIDED = 0.15
#: ratio to the median beyond which a cell is left out of a wave
_BEYOND = 10.0
#: sectors of a band in which a wave of two maxima can be told from a spot
_AROUND = SECTORS * 2 // 3
#: shifts and amplitudes that are worth a word
_PIXELS, _AMPLITUDE = 0.5, 0.03
#: standard deviations within which a cell is on no side
_CHANCE = 3.0
#: an arm is no wider, a spot no larger (cells)
_ARM_DEG, _SPOT = 40, 4
#: bands of q in which an anisotropy has one amplitude
_WIDE = 4


@dataclass(frozen=True)
class Deviation:
    """Sectors that do not agree.

    Attributes
    ----------
    text : where, by how much, and what it looks like.
    facts : the same for a program: ``kind`` (``centre``, ``anisotropy``, ``dark``, ``bright``), ``chi_deg``,
        ``q_nm1`` and numbers of the kind; JSON-ready.
    kept : (Q, S) the cells to believe.
    """

    text: str
    facts: Mapping[str, Any]
    kept: BoolArray


def find_deviation(cells: Cells, ring: Ring, bands: Bands) -> Deviation | None:
    """Return what is not the same all around, None where the sectors agree."""
    found = compare_sectors(cells, ring, bands)
    fitted = _fit_smooth(found)
    if not found.deviates.any() or (fitted.explained > _EXPLAINED and _is_balanced(found)):
        text, facts = fitted.describe(ring, found, bands)
        if not text:
            return None
        side = np.abs(np.cos(fitted.order * (_CHI - fitted.azimuth))) <= np.sqrt(0.5)
        kept = np.repeat(side[np.newaxis], ring.q_nm1.size, axis=0)
    else:
        text, facts = _describe_place(ring, found, bands)
        kept = _keep_rest(found, bands.sum_bins(cells.pixels) > 0)[bands.band]
    # a ring of which nothing would be left stays as it is
    return Deviation(text, facts, kept | ~(kept & (cells.pixels > 0)).any(axis=1, keepdims=True))


def _is_balanced(found: Comparison) -> bool:
    """Return whether the ratios are off to both sides of the median, as those of a wave are."""
    excess = np.maximum(found.z**2 - _CHANCE, 0.0)
    squares = [float(excess[side].sum()) for side in (found.z > 0, found.z < 0)]
    return min(squares) > _ONE_SIDED * sum(squares)


@dataclass(frozen=True)
class _Smooth:
    """The better one of two smooth variations: cos(order (chi - azimuth)), and by how much it lowers chi-square."""

    order: int
    azimuth: float
    amplitude: float
    better: float
    explained: float

    def describe(self, ring: Ring, found: Comparison, bands: Bands) -> tuple[str, dict[str, Any]]:
        """Return text and facts, empty where the variation is too small or by chance."""
        chi = round(float(np.degrees(self.azimuth)))
        size = self.amplitude * (bands.pixels_per_bin if self.order == 1 else 1.0)
        smallest = _PIXELS if self.order == 1 else _AMPLITUDE + float(bands.tolerance.max(initial=0.0))
        if self.better < _BETTER or size < smallest:
            return "", {}
        low, high = _find_span(np.any(found.weight, axis=1), bands.band, ring.q_nm1)
        facts = {"chi_deg": [chi], "q_nm1": [low, high]}
        if self.order == 1:
            text = (
                f"the rings are not centred: the beam looks to be {size:.1f} pixels off the geometry's centre, towards "
                f"chi = {chi} degrees: calibrate again"
            )
            return text, {"kind": "centre", **facts, "shift_pixels": round(size, 2)}
        text = (
            f"the intensity varies around the ring by +-{size:.0%}, with its maxima at chi = {chi} and {_turn(chi)} "
            "degrees: an oriented sample, or polarization that is not corrected"
        )
        return text, {"kind": "anisotropy", **facts, "amplitude": round(size, 3)}


def _fit_smooth(found: Comparison) -> _Smooth:
    """Fit a shifted centre and an orientation to the logarithms of the ratios of the single cells."""
    ratio = np.where(found.weight > ENOUGH / 2, found.ratio, 0.0)
    known = (ratio > 1.0 / _BEYOND) & (ratio < _BEYOND)  # what is beyond is nothing smooth
    weight = np.where(known, found.weight * ratio, 0.0)
    excess = np.log(np.where(known, ratio, 1.0))
    total = float((weight * _centre(excess, weight) ** 2).sum())
    freedom = max(int(known.sum()) - int(known.any(axis=1).sum()) - 2, 1)
    centre = _fit_wave(1, -found.slope, excess, weight, weight.shape[0])
    around = np.count_nonzero(known, axis=1)[:, np.newaxis] >= _AROUND
    twofold = _fit_wave(2, np.ones(weight.shape), excess, np.where(around, weight, 0.0), _WIDE)
    order, waves = (1, centre) if centre[2].sum() >= twofold[2].sum() else (2, twofold)
    lowered = float(waves[2].sum())
    best = int(waves[2].argmax())
    azimuth, amplitude, better = (float(part[best]) for part in waves)
    # whatever else scatters by more than counts do makes chance achieve more
    scale = max((total - lowered) / freedom, 1.0)
    return _Smooth(order, azimuth, amplitude, better / scale, lowered / max(total - freedom, 1e-9))


def _fit_wave(
    order: int, profile: FloatArray, excess: FloatArray, weight: FloatArray, tall: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit ``profile`` cos(order (chi - azimuth)) to ``excess``, (B, S) each, in groups of ``tall`` bands.

    Returns the azimuths, the amplitudes, and by how much each lowers the chi-square of its group.
    """
    one, other = (_centre(profile * wave(order * _CHI), weight) for wave in (np.cos, np.sin))
    products = ((one, one), (one, other), (other, other), (one, excess), (other, excess))
    rows = np.arange(0, weight.shape[0], tall)
    a, b, c, x, y = (np.add.reduceat((weight * p * q).sum(axis=1), rows) for p, q in products)
    determinant = a * c - b**2
    known = determinant > 1e-9 * (a + c) ** 2
    safe = np.where(known, determinant, 1.0)
    u, v = np.where(known, (c * x - b * y) / safe, 0.0), np.where(known, (a * y - b * x) / safe, 0.0)
    return np.arctan2(v, u) / order, np.hypot(u, v), u * x + v * y


def _centre(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return ``values`` (B, S) less the weighted mean of their row: a ring's own level is free."""
    total = weight.sum(axis=1, keepdims=True)
    return values - (weight * values).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)


def _keep_rest(found: Comparison, has_pixel: BoolArray) -> BoolArray:
    """Return the (B, S) cells that do not deviate; the half nearest to the median where most of a ring deviates."""
    number = np.count_nonzero(has_pixel, axis=1)[:, np.newaxis]
    far = np.where(has_pixel & (found.weight > 0), np.abs(found.ratio - 1.0), np.inf)
    order = np.argsort(np.argsort(far, axis=1), axis=1)
    most = np.count_nonzero(found.deviates & has_pixel, axis=1)[:, np.newaxis] > number / 2
    return np.where(most, order < (number + 1) // 2, ~found.deviates)


def _describe_place(ring: Ring, found: Comparison, bands: Bands) -> tuple[str, dict[str, Any]]:
    """Return text and facts of the place that deviates most, and how many there are beside it."""
    place = _find_place(found.deviates, found.z)
    others = _count_places(found.deviates & ~place, found.z)
    low, high = _find_span(_find_main(place, 1, 0.2), bands.band, ring.q_nm1)
    first, last = _find_sectors(_find_main(place, 0, 0.5))
    weight = found.weight * place
    ratio = float((weight * np.nan_to_num(found.ratio)).sum() / max(weight.sum(), 1e-300))
    width = ((last - first) % 360) or 360
    where = f"chi {first} to {last} degrees, q {low:.3g} to {high:.3g} per nm"
    more = f" (and {others} more such place{'s' * (others > 1)})" if others else ""
    if ratio < 1:
        is_arm = width <= _ARM_DEG and bool(place[0].any())
        cause = "the arm of a beamstop or a shadow" if is_arm else "a shadow or dead pixels"
        text = f"{where}: {1 - ratio:.0%} less than in the other sectors{more}: {cause} that no mask covers"
    else:
        is_spot = np.count_nonzero(place) <= _SPOT
        cause = "hot pixels or a reflection" if is_spot else "stray light, a streak or hot pixels"
        times = f"{ratio - 1:.0%} more than" if ratio < 3 else f"{ratio:.3g} times what is"
        text = f"{where}: {times} in the other sectors{more}: {cause} that no mask covers"
    kind = "dark" if ratio < 1 else "bright"
    facts = {"kind": kind, "chi_deg": [first, last], "q_nm1": [low, high], "ratio": round(ratio, 4), "others": others}
    return text, facts


def _find_main(place: BoolArray, axis: int, part: float) -> BoolArray:
    """Return which rows or columns hold at least a ``part`` of what the fullest one does of the ``place`` (B, S)."""
    inside = np.count_nonzero(place, axis=axis)
    return np.asarray(inside >= part * inside.max())


def _find_place(deviates: BoolArray, z: FloatArray) -> BoolArray:
    """Return the connected (B, S) cells around the one that deviates most, all to the same side."""
    strength = np.where(deviates, np.abs(z), -1.0)
    place = np.zeros(deviates.shape, bool)
    start = np.unravel_index(int(strength.argmax()), strength.shape)
    place[start] = True
    allowed = deviates & (z * np.sign(z[start]) > -_CHANCE)
    while True:
        grown = place | (allowed & np.logical_or.reduce([near > 0 for near in list_neighbours(place.astype(float))]))
        if np.array_equal(grown, place):
            return place
        place = grown


def _count_places(deviates: BoolArray, z: FloatArray) -> int:
    number = 0
    while (deviates & (np.abs(z) > _CHANCE)).any():
        deviates = deviates & ~_find_place(deviates, z)
        number += 1
    return number


def _find_span(rows: Any, band: NDArray[np.intp], q_nm1: FloatArray) -> tuple[float, float]:
    """Return the smallest and the largest q of the bands that ``rows`` (B,) marks."""
    inside = q_nm1[rows[band]]
    return float(f"{inside[0]:.4g}"), float(f"{inside[-1]:.4g}")


def _find_sectors(marked: Any) -> tuple[int, int]:
    """Return where the ``marked`` (S,) sectors begin and end in degrees, across 180 if that is the shorter way."""
    if marked.all():
        return -180, 180
    where = np.flatnonzero(marked)
    gaps = np.diff(np.append(where, where[0] + SECTORS))
    widest = int(gaps.argmax())
    first, last = where[(widest + 1) % where.size], where[widest] + 1
    start, end = (int(-180 + edge * SECTOR_DEG) for edge in (first, last))
    return start, end


def _turn(chi: int) -> int:
    """Return the opposite azimuth."""
    return chi - 180 if chi > 0 else chi + 180

"""Are the values of a frame photon counts? Their scatter tells, against their mean: for counts both are the same.

The scatter is taken between three pixels in a row, x0 - 2 x1 + x2: a slope of the curve drops out, and so does whatever
varies slowly across the detector. With the sum S of the three, counts have E[(x0 - 2 x1 + x2)^2 | S] = 2 S exactly,
however few there are; G values per photon make that 2 G S. Structure and pixels of unequal response add to it in
proportion to S^2, read-out noise and rounding add a constant: so the dim and the bright pixels are looked at apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.reduce.sectors import Cells

#: a ratio of variance to mean between these is that of counts: sigma is right to 22 %
COUNTS = (0.67, 1.5)
#: pixels may differ in their response by that much without a flat field
_UNEVEN = 0.05
#: bright and dim pixels that scatter alike do so within that factor
_STEADY = 1.25
#: what a curve may deviate from a straight line over six pixels, relative
_CURVED = 0.015
#: standard errors that a verdict must stand
_SURE = 4.0
#: brightness of the bright pixels over that of the dim ones that shows which part of the scatter grows with it
_LEVERAGE = 4.0
#: pixels between which a detector spreads a photon lie nearer than that
_APART = 3
#: sectors to an arc, and pixels that make it a long one
_JOINED, _LONG = 3, 15
#: of fewer photons each, arcs are too few to average without what is hot or dead
_PHOTONS = 5.0
#: no measurement scatters less; not even the mean of a thousand frames
_NOTHING = 1e-3
#: pixels to look at, and if too few of them hold photons; triples of them that suffice, and that a third must have
_SAMPLES, _TRIPLES, _FEWEST = (50_000, 250_000), 8_000, 150


@dataclass(frozen=True)
class Scatter:
    """Variance over mean of the pixels of a frame.

    Attributes
    ----------
    ratios : of the dimmest, the middle and the brightest third of the pixels.
    levels : the mean value of each third.
    apart : of the dimmest third, between pixels three apart: larger than beside if neighbours share their photons.
    error : relative standard error of each.
    """

    ratios: tuple[float, float, float]
    levels: tuple[float, float, float]
    apart: float
    error: float

    @property
    def gain(self) -> float:
        """Values per photon, if it is a gain that makes the scatter."""
        return (self.ratios[0] + self.ratios[1]) / 2.0

    @property
    def is_none_of_counts(self) -> bool:
        """Whether photon counts do not scatter like that."""
        return self.is_wide or self.is_narrow or self.is_shared

    @property
    def is_wide(self) -> bool:
        """Whether the values scatter by more than counts do, uneven pixels and structure taken off."""
        uneven = _UNEVEN**2
        if self.levels[2] > _LEVERAGE * self.levels[0]:
            growth = max(self.ratios[2] - self.ratios[0], 0.0) / (self.levels[2] - self.levels[0])
            uneven = min(uneven, growth)
        sure = 1.0 - _SURE * self.error
        return all(self.ratios[k] * sure - uneven * self.levels[k] > COUNTS[1] for k in (0, 1))

    @property
    def is_narrow(self) -> bool:
        """Whether the values scatter by less than counts do."""
        return min(self.ratios) * (1.0 + _SURE * self.error) < COUNTS[0]

    @property
    def is_shared(self) -> bool:
        """Whether neighbours are alike: the detector or a program has spread photons over several pixels."""
        alone = self.ratios[0] * (1.0 + _SURE * self.error)
        return self.apart * (1.0 - _SURE * self.error) - _CURVED**2 * self.levels[0] > COUNTS[1] * alone

    @property
    def is_steady(self) -> bool:
        """Whether dim and bright pixels scatter alike, as a gain makes them; bright ones may show structure too."""
        change = self.ratios[2] / self.ratios[0]
        return change > 1.0 / _STEADY and (change < _STEADY or self.is_wide)


def measure_scatter(data: NDArray[Any], bad: BoolArray, mask: BoolArray) -> Scatter | None:
    """Return how the values of ``data`` scatter that are neither ``bad`` nor in the ``mask``, (H, W) each.

    None if too few pixels hold any, or some do not scatter at all (a test pattern).
    """
    values, used, sums, ratios = data, bad, np.zeros(0), np.zeros(0)
    for sample in _SAMPLES:
        rows = slice(None, None, max(1, data.size // sample))
        used = ~(bad[rows] | mask[rows])
        values = np.where(used, data[rows], 0).astype(np.float32)
        sums, ratios = _compare_triples(values, used, 1)
        if sums.size >= _TRIPLES / 2 or sample >= data.size:
            break
    if sums.size < 3 * _FEWEST:
        return None
    third = sums.size // 3
    limits = np.partition(sums, (third, 2 * third))[[third, 2 * third]]
    thirds = [sums <= limits[0], (sums >= limits[0]) & (sums <= limits[1]), sums >= limits[1]]
    found = [_average(ratios[part]) for part in thirds]
    if min(found) < _NOTHING:
        return None
    levels = [float(sums[part].mean()) / 3.0 for part in thirds]
    error = float(np.sqrt(2.0 / min(np.count_nonzero(part) for part in thirds)))
    sums, ratios = _compare_triples(values, used, _APART)
    dim = sums <= limits[0]
    apart = _average(ratios[dim]) if np.count_nonzero(dim) >= _FEWEST else found[0]
    return Scatter((found[0], found[1], found[2]), (levels[0], levels[1], levels[2]), apart, error)


def _compare_triples(values: NDArray[np.float32], used: BoolArray, step: int) -> tuple[FloatArray, FloatArray]:
    """Return the sums of three pixels ``step`` apart in a row, and their scatter over what counts would have."""
    left, middle, right = (np.s_[:, k * step : values.shape[1] - (2 - k) * step] for k in range(3))
    sums = values[left] + values[middle] + values[right]
    good = used[left] & used[middle] & used[right] & (sums > 0)
    where = np.flatnonzero(good)
    where = where[:: max(1, where.size // _TRIPLES)]
    total = np.asarray(sums.reshape(-1)[where], np.float64)
    middles = np.asarray(values[middle].reshape(-1)[where], np.float64)
    return total, (total - 3.0 * middles) ** 2 / (2.0 * total)


def _average(ratios: FloatArray) -> float:
    """Return the mean without what single pixels add that are hot or dead: beyond 12 times the mean is 1 of 2000."""
    middle = ratios.size // 2
    typical = float(np.partition(ratios, middle)[middle]) / 0.455  # the median of squares of normal deviates
    mean = typical if typical > 0 else float(ratios.mean())
    for _ in range(2):
        mean = float(np.minimum(ratios, 12.0 * mean).mean())
    return mean


def measure_arc_scatter(cells: Cells, expected: FloatArray, variance: FloatArray) -> float | None:
    """Return how much wider than ``variance`` (Q, S) the sums over arcs scatter about ``expected``; None if too few.

    Where photons are spread over neighbours, that is what tells the error of a bin. Of three arcs side by side the
    outer two less the middle one twice: what varies slowly around the ring drops out. The brightest third is left out,
    for it shows structure; and short arcs, for photons cross the ends.
    """
    pixels, signal, expected, variance = (
        part.reshape(part.shape[0], -1, _JOINED).sum(axis=2)
        for part in (cells.pixels, cells.signal, expected, variance)
    )
    good = (expected > 0) & (variance > 0) & (pixels >= _LONG)
    safe = np.where(good, expected, 1.0)
    ratio = np.where(good, signal / safe, 0.0)
    spread = np.where(good, variance, 1.0) / safe**2
    good = good & np.roll(good, 1, axis=1) & np.roll(good, -1, axis=1)
    outer, beside = (np.roll(part, 1, axis=1) + np.roll(part, -1, axis=1) for part in (ratio, spread))
    found = ((outer - 2.0 * ratio) ** 2 / (beside + 4.0 * spread))[good]
    photons, rate = 1.0 / spread[good], (expected / np.maximum(pixels, 1.0))[good]
    width = None
    for _ in range(2):
        if found.size < _FEWEST:
            return width
        width = _average(found[rate <= np.quantile(rate, 2 / 3)])
        enough = photons > _PHOTONS * width
        found, photons, rate = found[enough], photons[enough], rate[enough]
    return width

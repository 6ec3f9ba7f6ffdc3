"""Sums over cells of the detector: a q bin cut into sectors. They tell whether a ring is the same all around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.reduce.geometry import Geometry

#: sectors of 10 degrees: as narrow as an arm of a beamstop, and three of them as wide as a shadow
SECTORS = 36
SECTOR_DEG = 360.0 / SECTORS


@dataclass(frozen=True)
class Cells:
    """What one frame (or the sum of several) puts into (Q, S) cells; cells without a pixel hold zeros.

    ``signal`` are the counts less the dark, ``exposure`` the sums of normalisations, ``pixels`` their numbers, and
    ``offset`` how far the pixels' mean q lies from the bin's centre, in steps of the bins.
    """

    signal: FloatArray
    exposure: FloatArray
    pixels: FloatArray
    offset: FloatArray


class Sectors:
    """The cells of one detector; sector s covers the azimuth from -180 + 10 s degrees on (pyFAI's chi)."""

    def __init__(self, geometry: Geometry, mask: BoolArray, in_bins: FloatArray, bins: int) -> None:
        """Prepare for frames of the shape of ``mask`` (H, W), True where unused.

        ``in_bins`` (H, W) is the q of the pixels counted in bins, from 0 at the lower edge of the first to ``bins``.
        """
        shape = mask.shape
        chi = geometry.integrator.array_from_unit(shape, "center", "chi_deg", scale=True)
        used = ~mask
        self._bins = bins
        sector = np.floor((chi[used] + 180.0) / SECTOR_DEG).astype(np.int32) % SECTORS
        inside = np.clip(in_bins[used], 0.0, bins - 1e-6)
        #: (H * W,) the cell of each pixel, -1 where unused
        self._cell = np.full(mask.size, -1, np.int32)
        self._cell[np.flatnonzero(used)] = inside.astype(np.int32) * SECTORS + sector
        self._normalisation = _compute_normalisation(geometry, shape)
        cells = self._cell[self._cell >= 0]
        where = np.flatnonzero(used).astype(np.int32)
        ones = np.ones(where.size, np.float32)
        self._sum = csr_array((ones, (cells, where)), shape=(self._bins * SECTORS, mask.size))
        weights = self._normalisation[where]
        self._exposure = self._count(cells, weights)
        self._pixels = self._count(cells)
        moment = self._count(cells, weights * (inside - np.floor(inside) - 0.5))
        self._offset = moment / np.where(self._exposure > 0, self._exposure, 1.0)
        dark = geometry.dark
        self._dark = None if dark is None else self._add(np.where(np.isfinite(dark) & used, dark, 0).astype(np.float32))

    def sum_frame(self, values: NDArray[np.float32], left_out: NDArray[np.intp], frames: int = 1) -> Cells:
        """Return the cells of (H, W) ``values``, the sum of ``frames`` frames.

        ``left_out`` are the flat indices of pixels of this frame that do not count; they must hold zeros.
        """
        signal = self._add(values)
        exposure, pixels = self._exposure, self._pixels
        dark = self._dark
        left_out = left_out[self._cell[left_out] >= 0]
        if left_out.size:
            cells = self._cell[left_out]
            exposure = exposure - self._count(cells, self._normalisation[left_out])
            pixels = pixels - self._count(cells)
            exposure = np.where(pixels > 0, exposure, 0.0)
        if dark is not None:
            # as many of the dark's counts as there are pixels left in the cell
            signal = signal - dark * frames * exposure / np.where(self._exposure > 0, self._exposure, 1.0)
        return Cells(signal, exposure * frames, pixels, self._offset)

    def _add(self, values: NDArray[np.float32]) -> FloatArray:
        return np.asarray(self._sum @ values.reshape(-1), np.float64).reshape(self._bins, SECTORS)

    def _count(self, cells: NDArray[np.int32], weights: FloatArray | None = None) -> FloatArray:
        found = np.bincount(cells, weights, self._bins * SECTORS)
        return found.astype(np.float64).reshape(self._bins, SECTORS)


def _compute_normalisation(geometry: Geometry, shape: tuple[int, ...]) -> FloatArray:
    """Return the (H * W,) numbers that pyFAI divides the pixels of a frame by."""
    integrator: Any = geometry.integrator
    product = np.full(shape, geometry.normalization_factor, np.float64)
    if geometry.has_solid_angle:
        product *= integrator.solidAngleArray(shape)
    if geometry.polarization is not None:
        factor, offset = geometry.polarization
        product *= integrator.polarization(shape, factor, axis_offset=offset)
    if geometry.flat is not None:
        product *= geometry.flat
    return product.reshape(-1)

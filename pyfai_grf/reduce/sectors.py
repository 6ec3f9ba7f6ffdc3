"""Cells of the detector: a q bin cut into sectors. They tell whether a ring is the same all around."""

from __future__ import annotations

from dataclasses import dataclass

from pyfai_grf.core.arrays import FloatArray

#: sectors of 10 degrees: as narrow as an arm of a beamstop, and three of them as wide as a shadow; the first begins at
#: -180 degrees (pyFAI's chi)
SECTORS = 36
SECTOR_DEG = 360.0 / SECTORS


@dataclass(frozen=True)
class Cells:
    """What one frame (or the sum of several) puts into (Q, S) cells; cells without a pixel hold zeros.

    ``signal`` are the values less the dark, ``exposure`` the sums of normalisations, ``pixels`` their numbers, and
    ``offset`` how far the pixels' mean q lies from the bin's centre, in steps of the bins.
    """

    signal: FloatArray
    exposure: FloatArray
    pixels: FloatArray
    offset: FloatArray

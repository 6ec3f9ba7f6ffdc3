"""Does anything mask the direct beam and the beamstop? Their pixels are no scattering."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray

#: pixels around the beam centre where a mask of the beamstop would be seen
_NEAR = 3.0


def find_beam_pixels(q_pixels: NDArray[np.float64], pixel_step_nm1: float) -> tuple[NDArray[np.intp], ...] | None:
    """Return the indices of the pixels within three pixels of the beam centre, None where it is off the detector.

    ``q_pixels`` (H, W) is the momentum transfer at each pixel, ``pixel_step_nm1`` the width of a pixel in q.
    """
    if not q_pixels.min() < pixel_step_nm1:
        return None
    return np.nonzero(q_pixels <= _NEAR * pixel_step_nm1)


def describe_beamstop(
    near: tuple[NDArray[np.intp], ...] | None, mask: BoolArray, bad: BoolArray, intensity: NDArray[np.float64]
) -> str | None:
    """Return a warning if no pixel near the beam is masked (``mask``) or marked (``bad``), (H, W) each; else None.

    ``intensity`` (Q,) is the curve from the smallest q on.
    """
    if near is None or mask[near].any() or bad[near].any():
        return None
    inner, outer = intensity[:3], intensity[3:40]
    if outer.size and inner.mean() < 0.5 * outer.max():
        return "nothing masks the beamstop: the innermost points look like its shadow; draw a mask (pyFAI-drawmask)"
    return "nothing masks the beamstop: the innermost points hold the direct beam or its shadow; draw a mask"

"""The Porod invariant: what intensities are divided by, so that their scale does not matter."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray


def compute_invariant(q_nm1: FloatArray, intensity: FloatArray) -> FloatArray:
    """Return 4 pi sum I q^2 dq over the points, (...), of ``intensity`` (..., Q) at ``q_nm1`` (Q,); I per nm^3.

    Röding et al. 2022, Eq. 12, doi:10.3389/fmats.2022.956839, with the local dq where q (1/nm) is not equidistant.
    Nothing is added beyond the measured range: for an infinite range and I/V in nm^3 it would be
    8 pi^3 porosity (1 - porosity). Gaps are bridged by their neighbours. A background left in I counts with q^2.
    """
    return np.asarray(4 * np.pi * (intensity @ (q_nm1**2 * np.gradient(q_nm1))))

"""The paper's measurement noise."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.errors import InputError


def add_noise(intensity: np.ndarray, alpha: float | np.ndarray, seed: int | np.random.Generator = 1) -> np.ndarray:
    """Return ``intensity`` with lognormal noise of mean I and variance alpha I (Röding et al. 2022, section 2.3).

    Intensities must be on the scale on which the paper's alpha (10^2 to 10^5.5) is meant: the unnormalised FFT of a
    512^3 box of 0.5 nm voxels with densities from 0 to 1, averaged over a shell. ``simulate`` gives that scale for
    every box.

    Parameters
    ----------
    intensity : (..., Q) positive.
    alpha : noise level, one for all or (..., 1) one a curve.
    seed : int, or a NumPy generator to draw from.

    Raises
    ------
    InputError
        If an intensity or alpha is not positive and finite.
    """
    intensity = np.asarray(intensity, dtype=np.float64)
    if not np.all((intensity > 0) & np.isfinite(intensity)):
        raise InputError("lognormal noise needs positive, finite intensities: drop or merge the other points first")
    if not np.all((np.asarray(alpha) > 0) & np.isfinite(alpha)):
        raise InputError(f"alpha is {alpha}: the noise level must be above 0 and finite (the paper uses 1e2 to 10^5.5)")
    variance = np.log1p(alpha / intensity)
    rng = np.random.default_rng(seed)
    return intensity * np.exp(np.sqrt(variance) * rng.standard_normal(intensity.shape) - variance / 2)

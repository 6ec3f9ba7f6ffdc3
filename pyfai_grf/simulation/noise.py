"""The paper's measurement noise."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_LOG10_ALPHA


def add_noise(intensity: np.ndarray, alpha: float | np.ndarray, seed: int | np.random.Generator = 1) -> np.ndarray:
    """Return ``intensity`` with lognormal noise of mean I and variance alpha I (Röding et al. 2022, section 2.3).

    Intensities must be on the scale for which the paper's alpha (10^2 to 10^5.5) is meant: that of the unnormalised
    FFT of the published box with densities from 0 to 1, averaged over a shell. ``simulate`` gives that scale for
    every box.

    Parameters
    ----------
    intensity : ndarray
        (..., Q), positive.
    alpha : float or ndarray
        Noise level, one for all curves or (..., 1), one for each.
    seed : int or numpy.random.Generator
        Seed, or the generator to draw from.

    Returns
    -------
    ndarray
        Of the shape of ``intensity``.

    Raises
    ------
    InputError
        If an intensity or alpha is not positive and finite.
    """
    intensity = np.asarray(intensity, dtype=np.float64)
    if not np.all((intensity > 0) & np.isfinite(intensity)):
        raise InputError("lognormal noise needs positive, finite intensities: drop or merge the other points first")
    if not np.all((np.asarray(alpha) > 0) & np.isfinite(alpha)):
        low, high = PAPER_LOG10_ALPHA
        raise InputError(
            f"alpha is {alpha}: the noise level must be above 0 and finite (the paper's goes from 10^{low:g} to "
            f"10^{high:g})"
        )
    variance = np.log1p(alpha / intensity)
    rng = np.random.default_rng(seed)
    return intensity * np.exp(np.sqrt(variance) * rng.standard_normal(intensity.shape) - variance / 2)

"""The published error measures (Röding et al. 2022, Eq. 13 and 14), for tables and pictures."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray


def compute_mse(truth: FloatArray, predicted: FloatArray) -> float:
    """Return the mean squared error (Eq. 13) of ``predicted`` (N,), in the unit of ``truth`` (N,) squared."""
    return float(np.mean((predicted - truth) ** 2))


def compute_mape(truth: FloatArray, predicted: FloatArray) -> float:
    """Return the mean absolute percentage error (Eq. 14) of ``predicted`` (N,) against ``truth`` (N,), in %."""
    return float(100 * np.mean(np.abs((predicted - truth) / truth)))

"""How far predictions are from the truth, and how often their intervals hold it."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.metrics import compute_mape, compute_mse


def measure_errors(
    truth: FloatArray, value: FloatArray, lower: FloatArray, upper: FloatArray
) -> dict[str, float | int]:
    """Return mse (Eq. 13), mape in % (Eq. 14), bias, and the share of ``truth`` inside the interval; (N,) each."""
    return {
        "mse": compute_mse(truth, value),
        "mape_percent": compute_mape(truth, value),
        "bias": float(np.mean(value - truth)),
        "coverage": float(np.mean((lower <= truth) & (truth <= upper))),
        "mean_width": float(np.mean(upper - lower)),
        "examples": len(truth),
    }

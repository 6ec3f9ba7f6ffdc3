"""The published error measures, and the paper's own figures to stand beside ours."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray

#: test-set MSE and MAPE (%) of Röding et al. 2022, Table 2 (524,288 training structures)
PAPER_TABLE_2 = {
    "two-phase-low-porosity": {"a": (4.215e-3, 0.707), "porosity": (3.766e-4, 4.190)},
    "two-phase-high-porosity": {"a": (4.195e-3, 0.702), "porosity": (3.736e-4, 2.026)},
    "three-phase-low-porosity": {
        "a": (4.324e-3, 0.727),
        "porosity": (1.171e-4, 2.793),
        "layer_fraction": (1.317e-5, 1.280),
    },
    "three-phase-high-porosity": {
        "a": (3.199e-3, 0.617),
        "porosity": (2.606e-4, 1.583),
        "layer_fraction": (8.144e-5, 2.879),
    },
}


def measure_errors(
    truth: FloatArray, value: FloatArray, lower: FloatArray, upper: FloatArray
) -> dict[str, float | int]:
    """Return mse (Eq. 13), mape in % (Eq. 14), bias, and the share of ``truth`` inside the interval; (N,) each."""
    error = value - truth
    return {
        "mse": float(np.mean(error**2)),
        "mape_percent": float(100 * np.mean(np.abs(error / truth))),
        "bias": float(np.mean(error)),
        "coverage": float(np.mean((lower <= truth) & (truth <= upper))),
        "mean_width": float(np.mean(upper - lower)),
        "examples": len(truth),
    }

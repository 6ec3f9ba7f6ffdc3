"""The published error measures, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.metrics import compute_mape, compute_mse


def test_by_hand() -> None:
    truth, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    assert compute_mse(truth, predicted) == pytest.approx((0.25 + 0 + 1) / 3)
    assert compute_mape(truth, predicted) == pytest.approx(100 * (0.5 + 0 + 0.25) / 3)

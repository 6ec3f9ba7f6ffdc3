"""Fits for the tests of pictures: of a known sum, with residuals that are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyfai_grf.core.records import Fit

Q = np.linspace(0.04, 3.0, 200)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741


def make_fit(
    q: Any = Q,
    material: Any = None,
    background: float = 0.0,
    upturn: Any = 0.0,
    residual: Any = None,
    values: Mapping[str, float] | None = None,
    reason: str = "",
    **more: Any,
) -> Fit:
    """Return a fit at ``q`` (Q,) with intervals of 1 % to either side; refused where there is a ``reason``."""
    q = np.asarray(q, float)
    values = {"a": 4.0, "porosity": 0.3} if values is None else values
    lower, upper = ({name: value * part for name, value in values.items()} for part in (0.99, 1.01))
    material = 1e4 / (1 + (2 * q) ** 4) if material is None else np.broadcast_to(np.asarray(material, float), q.shape)
    flat, rise = (np.broadcast_to(np.asarray(part, float), q.shape) for part in (background, upturn))
    found = {"chi2": 1.0, "spectrum": "fitted", "model_error": 0.0, "runs": 0.0, **more}
    return Fit(
        values=values,
        errors={},
        lower=lower,
        upper=upper,
        q_nm1=q,
        curve=material + flat + rise,
        background=flat,
        upturn=rise,
        residual=1.5 * np.sin(40 * q) if residual is None else np.asarray(residual, float),
        names=(),
        covariance=np.zeros((0, 0)),
        is_applicable=not reason,
        reason=reason,
        **found,
    )

"""The two records that travel between the rooms: a reduced curve and a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One azimuthally averaged scattering curve.

    Attributes
    ----------
    q_nm1 : (Q,) momentum transfer in 1/nm, increasing.
    intensity : (Q,) intensity, any scale.
    sigma : (Q,) standard error of ``intensity``, or None where unknown.
    weight : (Q,) what an average over neighbouring points weights with (for a reduced frame the sum of
        pyFAI's pixel normalisations), or None where unknown.
    counts : number of photons behind the curve, or None where unknown.
    metadata : what a logbook keeps about it (source, frame, geometry, warnings ...), JSON-ready.
    """

    q_nm1: FloatArray
    intensity: FloatArray
    sigma: FloatArray | None = None
    weight: FloatArray | None = None
    counts: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """What a model says of N curves.

    Attributes
    ----------
    values, lower, upper : parameter name -> (N,); ``lower`` and ``upper`` bound the 90 % prediction interval.
    is_applicable : (N,) bool, whether the model may be asked about the curve at all.
    reasons : N strings, why not (empty where applicable).
    """

    values: Mapping[str, FloatArray]
    lower: Mapping[str, FloatArray]
    upper: Mapping[str, FloatArray]
    is_applicable: NDArray[np.bool_]
    reasons: tuple[str, ...]

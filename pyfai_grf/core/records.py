"""The records that travel between the rooms: a reduced curve, a prediction, a row of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyfai_grf.core.arrays import BoolArray, FloatArray


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
    alternative : the same frame without the sectors of the detector that differ from the others, None where they agree.
    """

    q_nm1: FloatArray
    intensity: FloatArray
    sigma: FloatArray | None = None
    weight: FloatArray | None = None
    counts: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    alternative: Curve | None = None


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
    is_applicable: BoolArray
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What is known of one curve.

    ``values``, ``lower`` and ``upper`` map parameter names to numbers in the parameter's own unit, NaN where there is
    no prediction; ``lower`` and ``upper`` bound the 90 % prediction interval. ``frame`` counts within ``source``.
    ``extras`` are further columns (their names carry the unit), the same for every row of one file.
    """

    source: str
    frame: int
    curve: Curve
    values: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]
    is_applicable: bool
    reason: str = ""
    extras: Mapping[str, float | str] = field(default_factory=dict)

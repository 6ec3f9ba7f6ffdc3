"""The records that travel between the rooms: a curve, its usable points, a prediction, a row of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class Curve:
    """One azimuthally averaged scattering curve, as it was reduced or read.

    Attributes
    ----------
    q_nm1 : (Q,) momentum transfer in 1/nm, increasing.
    intensity : (Q,) intensity, any scale.
    sigma : (Q,) standard error of ``intensity``, NaN where unknown; None where it is unknown throughout.
    weight : (Q,) what an average over neighbouring points weights with (for a reduced frame the sum of
        pyFAI's pixel normalisations), or None where unknown.
    counts : number of photons behind the curve, or None where unknown.
    metadata : what a logbook keeps about it (source, frame, geometry, warnings ...), JSON-ready.
    alternative : the same frame without the sectors of the detector that differ from the others, if any do; its
        ``metadata["azimuth"]`` says how. None where they agree, and for curves that come without a frame.
    """

    q_nm1: FloatArray
    intensity: FloatArray
    sigma: FloatArray | None = None
    weight: FloatArray | None = None
    counts: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    alternative: Curve | None = None

    @property
    def source(self) -> str:
        """The file that the curve comes from, as its metadata name it ("" if they do not)."""
        return str(self.metadata.get("source", ""))

    @property
    def frame(self) -> int:
        """Its number within the source."""
        return int(self.metadata.get("frame_index", self.metadata.get("frame", 0)))


@dataclass(frozen=True)
class Points(Curve):
    """A curve of which every point counts: what regressors and model-free numbers read.

    ``features.points.clean_curve`` makes them, once, when a curve comes in: q above 0 and increasing, intensities
    finite, ``sigma`` always known, finite and above 0 (the curve's own, or what the scatter of the points says),
    weights above 0. What was left out or not believed stands in ``metadata["warnings"]``.
    """

    sigma: FloatArray = field()  # required: a plain annotation would keep the default of Curve


@dataclass(frozen=True)
class PredictionRow:
    """What a model says of one curve; by parameter name, in the parameter's unit, NaN where it says nothing.

    ``lower`` and ``upper`` bound the 90 % prediction interval; ``reason`` is empty where the model applies.
    """

    values: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]
    is_applicable: bool
    reason: str = ""

    @classmethod
    def make_empty(cls, names: Sequence[str], reason: str) -> PredictionRow:
        """Return the row of a curve of which nothing can be said, for ``reason``."""
        nothing = dict.fromkeys(names, float("nan"))
        return cls(nothing, nothing, nothing, False, reason)


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

    def __len__(self) -> int:
        return len(self.reasons)

    def __iter__(self) -> Iterator[PredictionRow]:
        return (self.get_row(n) for n in range(len(self)))

    def get_row(self, n: int) -> PredictionRow:
        """Return what is said of curve ``n``."""
        values, lower, upper = (
            {name: float(column[n]) for name, column in part.items()} for part in (self.values, self.lower, self.upper)
        )
        return PredictionRow(values, lower, upper, bool(self.is_applicable[n]), self.reasons[n])

    @classmethod
    def from_rows(cls, rows: Sequence[PredictionRow]) -> Prediction:
        """Return the prediction whose rows these are; one at least, all of the same parameters."""
        values, lower, upper = (
            {name: np.array([getattr(row, part)[name] for row in rows]) for name in rows[0].values}
            for part in ("values", "lower", "upper")
        )
        is_applicable = np.array([row.is_applicable for row in rows])
        return cls(values, lower, upper, is_applicable, tuple(row.reason for row in rows))


@dataclass(frozen=True)
class Result:
    """What is known of one curve: a row of the results file and of the table.

    ``frame`` counts within ``source``; ``extras`` are further columns (their names carry the unit), the same for
    every row of one file.
    """

    source: str
    frame: int
    curve: Curve
    prediction: PredictionRow
    extras: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one frame or curve: a result, a problem in words, or both (a curve that cannot be predicted).

    ``hint`` and ``facts`` are those of the error behind the problem (``core.errors``): what would help.
    """

    result: Result | None
    problem: str = ""
    hint: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

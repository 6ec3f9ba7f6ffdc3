"""Is a prediction the curve's own? Judgements beyond those of the model, which sees one curve and no frame."""

from __future__ import annotations

from dataclasses import replace

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve, PredictionRow
from pyfai_grf.features.points import clean_curve
from pyfai_grf.learn.bundle import Model


def judge_alternative(model: Model, row: PredictionRow, alternative: Curve | None) -> PredictionRow:
    """Return ``row``, not applicable if ``alternative``, the same frame read robustly, has another answer.

    Answers are different where each lies outside the other's 90 % interval: what is left of a frame (half of the ring,
    where the centre is wrong) has more noise, and alone leaves the interval of the whole in one of five frames.
    """
    if alternative is None:
        return row
    seen = str(alternative.metadata.get("azimuth", "the sectors of the detector differ"))
    try:
        other = model.predict_points([clean_curve(alternative)]).get_row(0)
    except InputError:
        return replace(row, is_applicable=False, reason=_join(row.reason, f"{seen}: read robustly, no curve is left"))
    moved = [
        f"{name} would be {other.values[name]:.4g}"
        for name, value in row.values.items()
        if _is_outside(other.values[name], row, name) and _is_outside(value, other, name)
    ]
    if not moved:
        return row
    return replace(row, is_applicable=False, reason=_join(row.reason, f"{seen}: read robustly, {', '.join(moved)}"))


def _is_outside(value: float, row: PredictionRow, name: str) -> bool:
    """Return whether ``value`` lies outside the interval of ``row``; one without a value has none."""
    return value < row.lower[name] or value > row.upper[name]


def _join(*reasons: str) -> str:
    return "; ".join(filter(None, reasons))

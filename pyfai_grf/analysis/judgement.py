"""Is a prediction the curve's own? Judgements beyond those of the model, which sees one curve and no frame."""

from __future__ import annotations

from dataclasses import replace

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve, PredictionRow
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.learn.bundle import Model


def judge_alternative(
    model: Model, row: PredictionRow, alternative: Curve | None, options: FitOptions | None
) -> PredictionRow:
    """Return ``row``, not applicable if ``alternative``, the same frame read robustly, has another answer.

    An answer is another one where it leaves the 90 % interval of ``row``.
    """
    if alternative is None:
        return row
    seen = str(alternative.metadata.get("azimuth", "the sectors of the detector differ"))
    try:
        (other,) = model.answer([clean_curve(alternative)], options and replace(options, compared=0))
    except InputError:
        return replace(row, is_applicable=False, reason=_join(row.reason, f"{seen}: read robustly, no curve is left"))
    if not row.is_applicable:  # then numbers mean nothing, neither these nor the others
        return replace(row, reason=_join(row.reason, seen))
    moved = [
        f"{name} would be {other.values[name]:.3g}"
        for name, value in row.values.items()
        if not row.lower[name] <= other.values[name] <= row.upper[name] and value == value
    ]
    if not moved:
        return row
    return replace(row, is_applicable=False, reason=_join(row.reason, f"{seen}: read robustly, {', '.join(moved)}"))


def _join(*reasons: str) -> str:
    return "; ".join(filter(None, reasons))

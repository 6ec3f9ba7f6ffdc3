"""A reduced curve to a row of results: the prediction, the judgement on it, and the numbers that need no model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyfai_grf.analysis.judgement import judge_alternative
from pyfai_grf.analysis.model_free import summarise
from pyfai_grf.core.errors import InputError, QRangeError, describe_problem
from pyfai_grf.core.records import Curve, Outcome, Points, PredictionRow, Result
from pyfai_grf.features.invariant import compute_invariant
from pyfai_grf.features.points import clean_curve
from pyfai_grf.learn.bundle import Model
from pyfai_grf.theory.closed_form import compute_mean_chords, compute_surface_per_volume

#: what numbers far from any measurement do to arithmetic
ARITHMETIC_ERRORS = (ArithmeticError, np.linalg.LinAlgError)


def analyze_curve(model: Model, curve: Curve) -> Outcome:
    """Return the outcome for one reduced curve; the only way from a curve to a row.

    A curve without ten usable points has no row, one that the model cannot be asked about has one of NaN, with the
    numbers that need no model. Numbers that nothing can be computed from cost that curve alone: it has no row.
    """
    try:
        return _analyze(model, curve)
    except ARITHMETIC_ERRORS as problem:
        return Outcome(None, f"{_name_curve(curve)}: {describe_overflow(problem)}")


def describe_overflow(problem: Exception) -> str:
    """Return on one line that a curve holds numbers which nothing can be computed from."""
    return f"the numbers are too large, too small or too uneven to compute with ({describe_problem(problem)}): check it"


def _analyze(model: Model, curve: Curve) -> Outcome:
    try:
        points = clean_curve(curve)
    except InputError as problem:
        return Outcome(None, f"{_name_curve(curve)}: {problem}", problem.hint, problem.facts)
    try:
        row = model.predict_points([points]).get_row(0)
    except InputError as problem:
        row = PredictionRow.make_empty(model.parameters, str(problem))
        kind = "q range" if isinstance(problem, QRangeError) else "curve"
        return Outcome(
            _make_result(model, points, row), f"{_name_curve(curve)}: {kind}: {problem}", problem.hint, problem.facts
        )
    return Outcome(_make_result(model, points, judge_alternative(model, row, curve.alternative)))


def _name_curve(curve: Curve) -> str:
    return f"{curve.source} frame {curve.frame}".strip()


def _make_result(model: Model, points: Points, row: PredictionRow) -> Result:
    extras = describe_points(model, points, row)
    # what has been compared has done its work: rows hold one curve
    return Result(points.source, points.frame, replace(points, alternative=None), row, extras)


def describe_points(model: Model, points: Points, row: PredictionRow) -> dict[str, float | str]:
    """Return the further columns of a row, their names with units; the same keys for every curve."""
    used = (points.q_nm1 >= model.q_nm1[0]) & (points.q_nm1 <= model.q_nm1[-1])
    q = points.q_nm1[used]
    density = model.description.layer_density
    return {
        "q_min_nm1": float(points.q_nm1[0]),
        "q_max_nm1": float(points.q_nm1[-1]),
        "q_used_min_nm1": float(q[0]) if q.size else np.nan,
        "q_used_max_nm1": float(q[-1]) if q.size else np.nan,
        "counts": np.nan if points.counts is None else float(points.counts),
        "frames_averaged": float(points.metadata.get("n_frames", 1)),
        # what the intensities were divided by: Eq. 12 over the model's range
        "intensity_scale": float(compute_invariant(q, points.intensity[used])) if q.size > 1 else np.nan,
        **summarise(points),
        **_describe_structure(model, row),
        "layer_density": np.nan if density is None else float(density),
        "warnings": "; ".join(points.metadata.get("warnings", ())),
    }


def _describe_structure(model: Model, row: PredictionRow) -> dict[str, float]:
    """Return what follows from the parameters of two phases.

    NaN for three, where nothing is predicted, and for a model of no one spectrum.
    """
    a, porosity = row.values["a"], row.values["porosity"]
    names = ("pore_chord_nm", "solid_chord_nm", "surface_per_volume_nm1")
    if model.material.phases != 2 or model.spectrum is None or not (0 < porosity < 1 and a > 0):
        return dict.fromkeys(names, np.nan)
    known = (a, porosity, model.spectrum)
    return dict(zip(names, map(float, (*compute_mean_chords(*known), compute_surface_per_volume(*known))), strict=True))

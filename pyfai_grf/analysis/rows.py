"""A reduced curve to a row of results: the prediction, the judgement on it, and the numbers that need no model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyfai_grf.analysis.fit_columns import describe_fit, find_fitted, list_warnings
from pyfai_grf.analysis.judgement import judge_alternative
from pyfai_grf.analysis.model_free import summarise
from pyfai_grf.core.errors import InputError, QRangeError, describe_problem
from pyfai_grf.core.records import Curve, Outcome, Points, PredictionRow, Result
from pyfai_grf.features.invariant import compute_invariant
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.family import get_fitted_spectrum
from pyfai_grf.fit.options import DEFAULT_FIT, FitOptions
from pyfai_grf.learn.answer import MODEL, leave_out
from pyfai_grf.learn.bundle import Model
from pyfai_grf.theory.closed_form import compute_mean_chords, compute_surface_per_volume

#: what numbers far from any measurement do to arithmetic
ARITHMETIC_ERRORS = (ArithmeticError, np.linalg.LinAlgError)


def analyze_curve(model: Model, curve: Curve, options: FitOptions | None = DEFAULT_FIT, place: int = 0) -> Outcome:
    """Return the outcome for one reduced curve, at ``place`` of its run; the only way from a curve to a row.

    Without ``options`` no fit is made.

    A curve without ten usable points has no row, one that the model cannot be asked about has one of NaN, with the
    numbers that need no model. Numbers that nothing can be computed from cost that curve alone: it has no row.
    """
    try:
        return _analyze(model, curve, options, place)
    except ARITHMETIC_ERRORS as problem:
        return Outcome(None, f"{_name_curve(curve)}: {describe_overflow(problem)}")


def describe_overflow(problem: Exception) -> str:
    """Return on one line that a curve holds numbers which nothing can be computed from."""
    return f"the numbers are too large, too small or too uneven to compute with ({describe_problem(problem)}): check it"


def _analyze(model: Model, curve: Curve, options: FitOptions | None, place: int) -> Outcome:
    try:
        points = clean_curve(curve)
    except InputError as problem:
        return Outcome(None, f"{_name_curve(curve)}: {problem}", problem.hint, problem.facts)
    try:
        (row,) = model.answer([points], options, place)
    except InputError as problem:
        row = PredictionRow.make_empty(model.parameters, str(problem))
        kind = "q range" if isinstance(problem, QRangeError) else "curve"
        return Outcome(
            _make_result(model, points, row, options),
            f"{_name_curve(curve)}: {kind}: {problem}",
            problem.hint,
            problem.facts,
        )
    return Outcome(_make_result(model, points, judge_alternative(model, row, curve.alternative, options), options))


def _name_curve(curve: Curve) -> str:
    return f"{curve.source} frame {curve.frame}".strip()


def _make_result(model: Model, points: Points, row: PredictionRow, options: FitOptions | None) -> Result:
    points = _add_warnings(points, row)
    extras = describe_points(model, points, row, options)
    # what has been compared has done its work: rows hold one curve
    return Result(points.source, points.frame, replace(points, alternative=None), row, extras)


def _add_warnings(points: Points, row: PredictionRow) -> Points:
    """Return ``points`` with what is to be said of their fit."""
    found = [] if row.fit is None else list_warnings(row.fit)
    warnings = [*points.metadata.get("warnings", ()), *found]
    return replace(points, metadata={**points.metadata, "warnings": warnings}) if found else points


def describe_points(
    model: Model, points: Points, row: PredictionRow, options: FitOptions | None = None
) -> dict[str, float | str]:
    """Return the further columns of a row, their names with units; the same keys for every curve."""
    whole, points = points, points if options is None else leave_out(points, options)
    low, high = float(model.q_nm1[0]), float(model.q_nm1[-1])
    if row.fit is not None and row.source != MODEL:
        low, high = find_fitted(row.fit)
    used = (points.q_nm1 >= low) & (points.q_nm1 <= high)
    q = points.q_nm1[used]
    density = model.description.layer_density
    return {
        "q_min_nm1": float(whole.q_nm1[0]),
        "q_max_nm1": float(whole.q_nm1[-1]),
        "q_used_min_nm1": float(q[0]) if q.size else np.nan,
        "q_used_max_nm1": float(q[-1]) if q.size else np.nan,
        "counts": np.nan if points.counts is None else float(points.counts),
        "frames_averaged": float(points.metadata.get("n_frames", 1)),
        # what the model's intensities were divided by: Eq. 12 over the range used
        "intensity_scale": float(compute_invariant(q, points.intensity[used])) if q.size > 1 else np.nan,
        **summarise(points),
        **_describe_structure(model, row),
        **({} if options is None or not model.has_fit else describe_fit(row)),
        "layer_density": np.nan if density is None else float(density),
        "warnings": "; ".join(points.metadata.get("warnings", ())),
    }


def _describe_structure(model: Model, row: PredictionRow) -> dict[str, float]:
    """Return what follows from the parameters of two phases.

    NaN for three, where nothing is predicted, and for a model of no one spectrum.
    """
    a, porosity = row.values["a"], row.values["porosity"]
    names = ("pore_chord_nm", "solid_chord_nm", "surface_per_volume_nm1")
    if model.material.phases != 2 or not (0 < porosity < 1 and a > 0):
        return dict.fromkeys(names, np.nan)
    spectrum, spread = model.spectrum, 0.0
    if row.fit is not None and row.source != MODEL:
        spectrum, spread = get_fitted_spectrum(row.fit), row.fit.values.get("spread", 0.0)
    if spectrum is None:
        return dict.fromkeys(names, np.nan)
    # of materials that differ in a, each in its share of the volume, the surfaces add up: the mean of 1 / a counts
    known = (a * np.exp(-(spread**2) / 2), porosity, spectrum)
    return dict(zip(names, map(float, (*compute_mean_chords(*known), compute_surface_per_volume(*known))), strict=True))

"""One answer of two: what the regressors say, and the fit that measures it; which counts, and whether it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Fit, Points, PredictionRow
from pyfai_grf.features.points import MIN_POINTS, select_points
from pyfai_grf.fit.alternatives import compare_families, is_doubtful
from pyfai_grf.fit.curve_fit import fit_batch
from pyfai_grf.fit.options import FitOptions

#: whose answer it is
BOTH, FIT, MODEL = "model and fit", "fit", "model"


def leave_out(points: Points, options: FitOptions) -> Points:
    """Return ``points`` without those that ``options`` exclude; raises InputError if hardly any are left."""
    out = options.find_excluded(points.q_nm1)
    if (left := int(np.count_nonzero(~out))) < MIN_POINTS:
        raise InputError(f"{left} of {out.size} points are left of the curve, it needs {MIN_POINTS}: leave out less")
    return select_points(points, ~out) if out.any() else points


def answer(
    curves: Sequence[Points],
    material: str,
    options: FitOptions,
    asked: Sequence[PredictionRow | InputError],
    first: int = 0,
) -> list[PredictionRow]:
    """Return the answers to N curves, where ``asked`` is what the regressors said of each, or why they cannot be asked.

    ``first`` is the place of the first curve in its run: other spectra are ranked for some, as ``options`` say.

    Raises
    ------
    InputError
        One of ``asked``, if that is an error, and the fit cannot tell the parameters either.
    """
    fits = _fit_all(curves, material, options, [_list_starts(said) for said in asked], first)
    return [_choose(said, fit) for said, fit in zip(asked, fits, strict=True)]


def _fit_all(
    curves: Sequence[Points],
    material: str,
    options: FitOptions,
    starts: Sequence[Sequence[tuple[float, float]]],
    first: int,
) -> list[Fit | InputError]:
    """Return the fit of each curve, or why there can be none."""
    try:
        fits = fit_batch(curves, material, options, starts=starts)
    except (InputError, ArithmeticError, np.linalg.LinAlgError) as problem:
        if len(curves) == 1:
            return [problem if isinstance(problem, InputError) else InputError(f"no fit can be computed: {problem}")]
        parts = (([curve], [start], first + k) for k, (curve, start) in enumerate(zip(curves, starts, strict=True)))
        return [_fit_all(one, material, options, start, place)[0] for one, start, place in parts]
    return [
        compare_families(points, fit, material, options) if options.compares(place) or is_doubtful(fit) else fit
        for place, (points, fit) in enumerate(zip(curves, fits, strict=True), first)
    ]


def _choose(asked: PredictionRow | InputError, fit: Fit | InputError) -> PredictionRow:
    """Return the answer.

    The fit is the better judge: it uses every point, its spectrum is free, and its chi-square tells whether the
    material is one of this kind. So its values count where it applies, whatever the regressors say; where it does
    not, nothing does: they are shown with the reasons, or the regressors' where the fit has none.
    """
    if isinstance(fit, InputError):
        if isinstance(asked, InputError):
            raise asked from fit
        return asked
    if isinstance(asked, InputError):
        if not fit.is_applicable and not np.isfinite(fit.values["a"]):
            raise _explain(asked, fit)
        return _report(fit, FIT, "" if fit.is_applicable else fit.reason, None)
    if fit.is_applicable:
        return _report(fit, BOTH if asked.is_applicable and _agree(asked, fit) else FIT, "", asked)
    reason = "; ".join(filter(None, (fit.reason, asked.reason)))
    if np.isfinite(fit.values["a"]):  # values, chi-square and picture are of one and the same answer
        return _report(fit, FIT, reason, asked)
    return replace(asked, is_applicable=False, reason=reason, source=MODEL, model=asked, fit=fit)


def _list_starts(asked: PredictionRow | InputError) -> Sequence[tuple[float, float]]:
    if isinstance(asked, InputError):
        return ()
    start = asked.values["a"], asked.values["porosity"]
    return (start,) if np.isfinite(start).all() else ()


def _agree(row: PredictionRow, fit: Fit) -> bool:
    """Return whether the 90 % intervals of both have values in common, for each parameter."""
    return all(row.lower[name] <= fit.upper[name] and fit.lower[name] <= row.upper[name] for name in row.values)


def _report(fit: Fit, source: str, reason: str, row: PredictionRow | None) -> PredictionRow:
    names = ("a", "porosity")
    values, lower, upper = ({name: float(part[name]) for name in names} for part in (fit.values, fit.lower, fit.upper))
    return PredictionRow(values, lower, upper, fit.is_applicable, reason, source, row, fit)


def _explain(asked: InputError, fit: Fit) -> InputError:
    """Return the error of the regressors, with what the fit found."""
    problem = type(asked).__new__(type(asked))
    problem.__dict__.update(asked.__dict__)
    problem.args = (f"{asked}; nor can a fit tell: {fit.reason}",)
    return problem

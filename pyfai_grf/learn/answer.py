"""One answer of two: what the regressors say, and the fit that measures it; which counts, and whether it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Fit, Points, PredictionRow
from pyfai_grf.features.points import select_points
from pyfai_grf.fit.alternatives import compare_families
from pyfai_grf.fit.curve_fit import fit_points
from pyfai_grf.fit.options import FitOptions

#: whose answer it is
BOTH, FIT, MODEL = "model and fit", "fit", "model"


def leave_out(points: Points, options: FitOptions) -> Points:
    """Return ``points`` without those that ``options`` exclude."""
    out = options.find_excluded(points.q_nm1)
    return select_points(points, ~out) if out.any() else points


def answer(
    points: Points, material: str, options: FitOptions, asked: PredictionRow | InputError, place: int = 0
) -> PredictionRow:
    """Return the answer to one curve, where ``asked`` is what the regressors said, or why they cannot be asked.

    ``place`` is that of the curve in its run: other spectra are ranked for the first ones, as ``options`` say.

    The fit is the better judge: it uses every point, its spectrum is free, and its chi-square tells whether the
    material is one of this kind. So its values count where it applies, whatever the regressors say; where it does
    not, nothing does, and both reasons are given.

    Raises
    ------
    InputError
        ``asked``, if that is an error, and the fit cannot tell the parameters either.
    """
    try:
        fit = fit_points(points, material, options, starts=_list_starts(asked))
        if options.compares(place):
            fit = compare_families(points, fit, material, options)
    except InputError as problem:
        if isinstance(asked, InputError):
            raise asked from problem
        return asked
    if isinstance(asked, InputError):
        if not fit.is_applicable and not np.isfinite(fit.values["a"]):
            raise _explain(asked, fit)
        return _report(fit, FIT, "" if fit.is_applicable else fit.reason, None)
    row = asked
    if fit.is_applicable:
        return _report(fit, BOTH if row.is_applicable and _agree(row, fit) else FIT, "", row)
    reason = "; ".join(filter(None, (fit.reason, row.reason)))
    return replace(row, is_applicable=False, reason=reason, source=MODEL, model=row, fit=fit)


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

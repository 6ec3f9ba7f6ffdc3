"""From the minimum of a search to what is said of a curve: covariance, verdict, intervals, and the curve drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Fit
from pyfai_grf.fit.intervals import read_parameters
from pyfai_grf.fit.options import FITTED, FitOptions
from pyfai_grf.fit.search import Minimum, Problem, differentiate, draw_parts, draw_without, try_log_bins
from pyfai_grf.fit.verdict import (
    MODEL_ERROR,
    Verdict,
    count_runs,
    find_correlation,
    judge_residual,
    judge_values,
    measure_scatter,
    widen_variance,
)

#: a length known to less than a factor of 1.5 is none
_UNKNOWN = 0.4


def conclude(problem: Problem, minimum: Minimum, grid: FloatArray, is_mirrored: bool, options: FitOptions) -> Fit:
    """Return the record: verdict, covariance, and the curve drawn at ``grid``."""
    problem, minimum = try_log_bins(problem, minimum)
    target = problem.target
    names, derivatives = differentiate(problem, minimum)
    curve = minimum.amplitudes.curve
    # what counts is how the points scatter; what that does not explain is measured in the errors as they were given
    seen = replace(target, correlation=find_correlation(target, curve))
    noise_scale = float(np.sqrt(measure_scatter(seen, curve)))
    wider = replace(seen, variance=target.variance * noise_scale**2)
    if (verdict := judge_residual(wider, curve, len(names))).is_applicable:
        target, problem = wider, replace(problem, target=wider)
    else:
        verdict, noise_scale = judge_residual(target, curve, len(names)), 1.0
    if verdict.is_applicable and not target.has_noise:  # nothing says how right a curve is that was computed
        reason = f"the curve has no noise: intervals are those of an error of {MODEL_ERROR:.1%}"
        verdict = replace(verdict, model_error=MODEL_ERROR, reason=reason)
    if options.upturn and "amplitude" not in names:  # one of 0 may be a little more
        names, rise = (*names, "amplitude"), (target.q_nm1 / target.q_nm1[0]) ** -minimum.power
        derivatives = np.concatenate([derivatives, rise[np.newaxis]])
    variance = widen_variance(target, minimum.amplitudes.curve, verdict.model_error)
    scaled = derivatives / np.sqrt(variance)
    covariance = _invert(scaled @ scaled.T)
    drawn = (grid, *draw_parts(problem, minimum, grid))
    fit = _describe(problem, minimum, names, covariance, verdict, is_mirrored, options, drawn)
    fit = replace(fit, noise_scale=noise_scale)
    missing = _find_missing(problem, covariance, fit.is_applicable)
    return replace(_forget(fit), is_applicable=False, reason=missing) if missing else fit


def _find_missing(problem: Problem, covariance: FloatArray, is_described: bool) -> str:
    """Return why the parameters cannot be told from these points at all, "" where they can.

    What nothing describes (not ``is_described``) has a reason of its own, whatever its values are worth.
    """
    q = problem.target.q_nm1
    seen = f"between {q[0]:.3g} and {q[-1]:.3g} per nm"
    if judge_residual(problem.target, draw_without(problem), 3).model_error == 0:
        rest = "a power law and a flat background" if problem.has_upturn else "a flat background"
        return f"{rest} describe the curve {seen} as well: no shoulder is seen"
    if is_described and np.sqrt(covariance[0, 0]) > _UNKNOWN:  # of ln a
        return f"no shoulder lies {seen}: a cannot be told"
    return ""


def _forget(fit: Fit) -> Fit:
    """Return ``fit`` without values: nothing tells them."""
    nothing = dict.fromkeys(fit.values, np.nan)
    return replace(fit, values=nothing, errors=nothing, lower=nothing, upper=nothing)


def _invert(information: FloatArray) -> FloatArray:
    """Return the covariance; what the points do not tell at all gets a very large variance."""
    size = np.sqrt(np.maximum(np.diag(information), 1e-200))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    inverse = (vectors / np.maximum(values, 1e-12)) @ vectors.T
    return np.asarray(inverse / np.outer(size, size))


def _describe(
    problem: Problem,
    minimum: Minimum,
    names: tuple[str, ...],
    covariance: FloatArray,
    verdict: Verdict,
    is_mirrored: bool,
    options: FitOptions,
    drawn: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
) -> Fit:
    error = options.calibration_error
    found = read_parameters(problem.family, minimum.shape, names, covariance, is_mirrored, error)
    covariance = covariance.copy()
    covariance[0, 0] += error**2  # of ln a, as it is of ln q
    target = problem.target
    grid, curve, background, upturn = drawn
    residual = np.full(grid.shape, np.nan)
    place = np.searchsorted(target.q_nm1, grid).clip(max=target.q_nm1.size - 1)
    same = target.q_nm1[place] == grid
    residual[same] = ((target.intensity - minimum.amplitudes.curve) / np.sqrt(target.point_variance))[place[same]]
    verdict = judge_values(verdict, found.values, found.lower, found.upper, float(target.q_nm1[-1]))
    return Fit(
        found.values,
        found.errors,
        found.lower,
        found.upper,
        verdict.chi2,
        grid,
        curve,
        background,
        upturn,
        residual,
        names,
        covariance,
        options.spectrum or FITTED,
        verdict.model_error,
        count_runs(minimum.amplitudes.residual, target.correlation),
        verdict.is_applicable,
        verdict.reason,
    )

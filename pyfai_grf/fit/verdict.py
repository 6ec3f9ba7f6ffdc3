"""Does the fitted curve describe the data? It does, it does within x %, or it does not, and where or why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Fit
from pyfai_grf.core.rounding import format_percent
from pyfai_grf.fit.family import N_FITTED, SPREAD_HIGH
from pyfai_grf.fit.misfit import Misfit, Place, make_misfit
from pyfai_grf.fit.target import Target
from pyfai_grf.theory.power_family import T_HIGH

#: standard deviations of the reduced chi-square beyond which noise alone is not what is left
_SURE = 4.0
#: the largest smooth error of the model, relative, with which a fit still is one
MODEL_ERROR = 0.01
#: a smooth misfit has about that many independent parts along a curve
FEATURES = 20
#: errors that the scatter contradicts by more than that were not believed in the first place
_BELIEVED = 2.5
#: standard deviations beyond which neighbouring residuals are correlated, and the largest such correlation
_CORRELATED, _MOST_CORRELATED = 3.0, 0.45
#: standard deviations that the largest of some thousand sums over neighbouring points stays below
_LARGEST_SUM = 6.0
#: a misfit in one place is a peak where it takes at most that part of the points, and more than that part of the curve
_NARROW, _LEAST_PEAK = 1 / 12, 0.002
#: own materials have an n of 3.5 or more and a spread to 0.3. A little beyond, a mixture of lengths, or a field that is
#: hardly smooth, follows any smooth curve: exponentially correlated materials (Debye-Bueche) end there, some cylinders
N_LOWEST, SPREAD_HIGHEST = 3.4, 0.35
#: q a at the last point, below which the end of the fall is not seen: a of 0.8 nm, the least published, ends at 2.4
LEAST_END = 2.0
#: nearer to a bound than that, relative, a parameter lies at it
_AT_BOUND = 0.002
#: lengths (nm) beyond which a unit of q is to be doubted; curves in 1/nm rarely end below 1, those in 1/A always do
_USUAL_A, _LARGE_A, _USUAL_END = (0.5, 100.0), 10.0, 1.0


@dataclass(frozen=True)
class Verdict:
    """``chi2`` reduced, for points as they scatter; ``model_error`` relative, 0 where noise alone explains the rest.

    ``is_applicable`` and ``reason`` as a result states them.
    """

    chi2: float
    model_error: float
    is_applicable: bool
    reason: str


def judge_residual(target: Target, curve: FloatArray, free: int) -> Verdict:
    """Return the verdict on a fitted ``curve`` (Q,) of ``free`` parameters.

    It fits where neither chi-square nor a sum over neighbouring points is larger than noise makes it. The latter finds
    what is narrow, such as a Bragg peak: of 10 standard deviations it adds only 3 of chi-square's.
    """
    misfit = make_misfit(target, curve, free)
    chi2, largest = misfit.reduce(), misfit.find_largest()
    if _exceed(misfit, 0.0) <= 0:
        return Verdict(chi2, 0.0, True, "")
    error = MODEL_ERROR
    if is_near := _exceed(misfit, MODEL_ERROR) <= 0:
        error = float(brentq(lambda x: _exceed(misfit, x), 0.0, MODEL_ERROR, xtol=1e-6))
    if _is_peak(misfit, largest):
        return Verdict(chi2, error, False, f"{largest}, which fits everywhere else: leave that range out")
    if is_near:
        reason = f"the curve fits within {format_percent(error)} (chi-square {chi2:.3g}), not to its noise"
        return Verdict(chi2, error, True, reason)
    return Verdict(chi2, error, False, f"no curve of this family fits: chi-square {chi2:.3g}, {largest}")


def _exceed(misfit: Misfit, error: float) -> float:
    """Return by how much chi-square or a sum over neighbours is too large, below 0 where neither is."""
    limit = limit_chi2(misfit.degrees, misfit.correlation)
    return max(misfit.reduce(error) - limit, misfit.find_largest(error).size - _LARGEST_SUM)


def _is_peak(misfit: Misfit, place: Place) -> bool:
    """Return whether ``place`` is a peak or a dip: narrow, inside the curve, and all that does not fit."""
    count, width = misfit.residual.size, place.last - place.first + 1
    if not 0 < place.first <= place.last < count - 1 or width > count * _NARROW or abs(place.height) < _LEAST_PEAK:
        return False
    return place.size > _LARGEST_SUM and _exceed(misfit.leave_out(place), 0.0) <= 0


def limit_chi2(degrees: int, correlation: float) -> float:
    """Return the reduced chi-square above which noise alone is not what is left."""
    return float(1.0 + _SURE * np.sqrt(2.0 * (1.0 + 2.0 * correlation) / max(degrees, 1)))


def count_runs(residual: FloatArray, correlation: float) -> float:
    """Return by how many standard deviations ``residual`` (Q,) changes sign less often than noise does.

    Noise whose neighbours are correlated changes sign with the probability arccos(correlation) / pi (Rice).
    """
    steps = max(residual.size - 1, 1)
    often = float(np.arccos(np.clip(correlation, -1.0, 1.0)) / np.pi)
    changes = np.count_nonzero(np.diff(np.signbit(residual)))
    return float((often * steps - changes) / np.sqrt(often * (1.0 - often) * steps))


def measure_scatter(target: Target, curve: FloatArray) -> float:
    """Return how many times the points' variance their scatter about ``curve`` (Q,) is, from neighbour to neighbour.

    From the differences of neighbouring residuals (von Neumann 1941, doi:10.1214/aoms/1177731677), in which a smooth
    misfit has no part: errors that were taken from a few points, from sparse counts or with a wrong gain are off by
    such a factor everywhere. Not below 1, and not beyond what errors are believed with.
    """
    steps = np.diff((target.intensity - curve) / np.sqrt(target.point_variance))
    found = float(np.mean(steps**2)) / (2.0 * (1.0 - target.correlation))
    return min(max(found, 1.0), _BELIEVED**2)


def find_correlation(target: Target, curve: FloatArray) -> float:
    """Return the correlation of the noise of neighbouring points: that of the target, or, if larger, of its residuals.

    Those tell it three times better than the points alone: (c_1 - c_2) / (c_0 - c_2) of their covariances, to which a
    smooth misfit adds about the same at each distance. Split pixels are shared with the next bins, hardly beyond.
    """
    residual = (target.intensity - curve) / np.sqrt(target.variance)
    if residual.size < 3:
        return target.correlation
    c0, c1, c2 = (float(np.mean(residual[k:] * residual[: residual.size - k])) for k in range(3))
    found = min((c1 - c2) / (c0 - c2), _MOST_CORRELATED) if c0 > c2 else 0.0
    return max(found, target.correlation) if found > _CORRELATED * np.sqrt(2.0 / residual.size) else target.correlation


def widen_variance(target: Target, curve: FloatArray, model_error: float) -> FloatArray:
    """Return the (Q,) variances with a smooth error of the model, which does not average out over neighbours."""
    together = max(target.q_nm1.size / FEATURES, 1.0)
    return target.variance + (model_error * curve) ** 2 * together


def judge_values(
    verdict: Verdict,
    values: Mapping[str, float],
    lower: Mapping[str, float],
    upper: Mapping[str, float],
    q_end_nm1: float,
) -> Verdict:
    """Return ``verdict`` with what the fitted parameters, with their 90 % intervals, say about it.

    ``q_end_nm1`` is where the fitted points end, in 1/nm.
    """
    refusals = []
    if q_end_nm1 * values["a"] < LEAST_END:
        refusals.append(
            f"the curve ends at q a = {q_end_nm1 * values['a']:.2g}, where any smooth fall looks like this: it takes "
            f"points to {LEAST_END / values['a']:.2g} per nm or more"
        )
    n, spread, porosity = (values.get(name, np.nan) for name in ("spectrum_n", "spread", "porosity"))
    is_lowest = n <= N_FITTED[0] * (1 + _AT_BOUND)
    if n < N_LOWEST and (upper["spectrum_n"] < N_LOWEST or (is_lowest and verdict.model_error > 0)):
        refusals.append(
            f"the spectrum's exponent n is {n:.3g}: below {N_LOWEST:g} no smooth interface is left, so the material is "
            "not of this family"
        )
    if spread > SPREAD_HIGHEST and lower["spread"] > SPREAD_HIGHEST:
        refusals.append(
            f"the spread of a is {spread:.2g}: so wide a mixture of lengths describes any smooth curve, which tells "
            "nothing of the material"
        )
    is_sparse = min(porosity, 1 - porosity) <= ndtr(-T_HIGH) * (1 + _AT_BOUND)
    if is_sparse:
        refusals.append(f"porosity is at the end of what is fitted, {porosity:.2g}: it cannot be told")
    bounds = {
        f"n at {N_FITTED[0]:g}": is_lowest,
        f"n at {N_FITTED[1]:g}": n >= N_FITTED[1] * (1 - _AT_BOUND),
        f"the spread at {SPREAD_HIGH:g}": spread >= SPREAD_HIGH * (1 - _AT_BOUND),
    }
    notes = (
        [f"the fit ends at a bound: {' and '.join(found)}"]
        if (found := [b for b, is_at in bounds.items() if is_at])
        else []
    )
    reason = "; ".join(filter(None, [verdict.reason, *refusals, *notes]))
    return replace(verdict, is_applicable=verdict.is_applicable and not refusals, reason=reason)


def warn_of_scale(fit: Fit) -> str:
    """Return a doubt about the unit of q where ``a`` is unusual, else "".

    The family has no scale of its own: a curve whose q is ten times too small fits as well, with an a ten times too
    large, so that no verdict on the fit can tell.
    """
    a, end = fit.values["a"], float(fit.q_nm1[-1])
    low, high = _USUAL_A
    if a > high or (a > _LARGE_A and end < _USUAL_END):
        return (
            f"a = {a:.3g} nm, from a curve that ends at {end:.3g} per nm, is unusually large: if its q is in 1/A, a is "
            f"{a / 10:.3g} nm"
        )
    if a < low:
        return (
            f"a = {a:.3g} nm, from a curve that ends at {end:.3g} per nm, is unusually small: if its q was in 1/nm "
            f"already, and not in 1/A, a is {10 * a:.3g} nm"
        )
    return ""

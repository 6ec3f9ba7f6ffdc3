"""Does the fitted curve describe the data? It does, it does within x %, or it does not, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.target import Target

#: standard deviations of the reduced chi-square beyond which noise alone is not what is left
_SURE = 4.0
#: the largest smooth error of the model, relative, with which a fit still is one
MODEL_ERROR = 0.01
#: a smooth misfit has about that many independent parts along a curve
FEATURES = 20
#: errors that the scatter contradicts by more than that were not believed in the first place
_BELIEVED = 2.5
#: points that are looked at together to say where a misfit is
_WINDOW = 9


@dataclass(frozen=True)
class Verdict:
    """``chi2`` reduced, for points as they scatter; ``model_error`` relative, 0 where noise alone explains the rest.

    ``is_applicable`` and ``reason`` as a result states them; ``worst`` is the largest residual in standard deviations.
    """

    chi2: float
    model_error: float
    is_applicable: bool
    reason: str
    worst: float


def judge_residual(target: Target, curve: FloatArray, free: int) -> Verdict:
    """Return the verdict on a fitted ``curve`` (Q,) of ``free`` parameters."""
    # errors of correlated points are those of means over many: a point scatters less about the curve
    point = target.point_variance
    rest = target.intensity - curve
    degrees = max(rest.size - free, 1)
    limit = limit_chi2(degrees, target.correlation)

    def reduce(error: float) -> float:
        return float(np.sum(rest**2 / (point + (error * curve) ** 2)) / degrees)

    chi2 = reduce(0.0)
    worst = float(np.max(np.abs(rest) / np.sqrt(point)))
    if chi2 <= limit:
        return Verdict(chi2, 0.0, True, "", worst)
    if reduce(MODEL_ERROR) <= limit:
        error = float(brentq(lambda x: reduce(x) - limit, 0.0, MODEL_ERROR, xtol=1e-6))
        return Verdict(
            chi2, error, True, f"the curve fits within {error:.1%} (chi-square {chi2:.3g}), not to its noise", worst
        )
    return Verdict(chi2, MODEL_ERROR, False, _explain(target, rest / np.sqrt(point), chi2), worst)


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


def widen_variance(target: Target, curve: FloatArray, model_error: float) -> FloatArray:
    """Return the (Q,) variances with a smooth error of the model, which does not average out over neighbours."""
    together = max(target.q_nm1.size / FEATURES, 1.0)
    return target.variance + (model_error * curve) ** 2 * together


def _explain(target: Target, residual: FloatArray, chi2: float) -> str:
    size = min(_WINDOW, residual.size)
    means = np.convolve(residual, np.ones(size) / np.sqrt(size), "valid")
    index = int(np.argmax(np.abs(means)))
    low, high = target.q_nm1[index], target.q_nm1[index + size - 1]
    side = "above" if means[index] > 0 else "below"
    return (
        f"no curve of this family fits: chi-square {chi2:.3g}, the data lie {side} the fit most from {low:.3g} to "
        f"{high:.3g} per nm ({abs(means[index]):.0f} standard deviations)"
    )

"""Numbers that a curve gives without a model: invariant, Porod constant, correlation length."""

from __future__ import annotations

import numpy as np
from scipy.integrate import trapezoid

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Points
from pyfai_grf.features.invariant import compute_invariant

#: Porod's law is fitted from this part of the highest q on
POROD_PART = 0.5
_FEWEST_POROD_POINTS = 8


def compute_porod_constant(points: Points, start_nm1: float | None = None) -> tuple[float, float]:
    """Return Porod's constant K and its standard error, from I q^4 = K + B q^4; units of I per nm^4.

    A weighted straight line (in q^4) through the points from ``start_nm1`` on, by default the upper half of the q
    range; B is a flat background. Weights are 1 / sigma^2.
    The error is that of the weighted fit, enlarged where the points scatter more than sigma. It does not know
    whether the curve has reached Porod's law: for this material that takes q a > 8 for 0.5 % (two phases), and K is
    a mere description of the tail below. For I/V in nm^3, K = 2 pi S_V, with S_V the interface area per volume.
    Both are NaN where the numbers are too large or too small for a line.

    Raises
    ------
    InputError
        If there are fewer than 8 usable points from ``start_nm1`` on.
    """
    q, intensity = points.q_nm1, points.intensity
    part = q >= (POROD_PART * q[-1] if start_nm1 is None else start_nm1)
    if np.count_nonzero(part) < _FEWEST_POROD_POINTS:
        raise InputError(
            f"Porod's constant needs {_FEWEST_POROD_POINTS} points, found {np.count_nonzero(part)} "
            f"of a curve that ends at {q[-1]:.3g} per nm: take a smaller start_nm1"
        )
    return _fit_line(q[part], intensity[part], points.sigma[part])


def compute_correlation_length(points: Points) -> float:
    """Return the correlation length pi int q I dq / int q^2 I dq in nm, over the measured range, unextrapolated.

    Porod's definition: over all q this is 2 int gamma(r) dr, gamma the normalised correlation function.
    A range that ends early at high q makes it too long, one that begins late at low q too short.
    NaN where the invariant is not positive.

    """
    q, intensity = points.q_nm1, points.intensity
    # trapezoids, not the sum of Eq. 12: at low q, where q I is large, its full step at the end counts
    with np.errstate(all="ignore"):
        invariant = trapezoid(intensity * q**2, q)
        length = float(np.pi * trapezoid(intensity * q, q) / invariant) if invariant > 0 else float("nan")
    return length if np.isfinite(length) else float("nan")


def summarise(points: Points) -> dict[str, float]:
    """Return the numbers of this module; NaN for a Porod constant that has too few points.

    Keys: invariant, porod_constant, porod_constant_error (on the curve's scale), correlation_length_nm.

    """
    try:
        constant, error = compute_porod_constant(points)
    except InputError:
        constant = error = float("nan")
    return {
        "invariant": float(compute_invariant(points.q_nm1, points.intensity)),
        "porod_constant": constant,
        "porod_constant_error": error,
        "correlation_length_nm": compute_correlation_length(points),
    }


def _fit_line(q: FloatArray, intensity: FloatArray, sigma: FloatArray) -> tuple[float, float]:
    """Fit I = K q^-4 + B with standard errors ``sigma``; return K and its standard error, NaN if they overflow."""
    # in units of the last q and the smallest sigma, around the weighted mean: no matrix, so none that is singular
    # where a single sigma is far too small
    with np.errstate(all="ignore"):
        x, weight = (q[-1] / q) ** 4, (sigma.min() / sigma) ** 2
        x = x - np.average(x, weights=weight)
        y = (intensity - np.average(intensity, weights=weight)) / sigma.min()
        norm = np.sum(weight * x**2)
        slope = np.sum(weight * x * y) / norm
        spread = max(float(np.sum(weight * (y - slope * x) ** 2)) / (q.size - 2), 1.0)
        scale = sigma.min() * q[-1] ** 4
        found = float(slope * scale), float(np.sqrt(spread / norm) * scale)
    return found if np.isfinite(found).all() else (float("nan"), float("nan"))

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
    return _fit_line(q[part] ** 4, intensity[part], points.sigma[part])


def compute_correlation_length(points: Points) -> float:
    """Return the correlation length pi int q I dq / int q^2 I dq in nm, over the measured range, unextrapolated.

    Porod's definition: over all q this is 2 int gamma(r) dr, gamma the normalised correlation function.
    A range that ends early at high q makes it too long, one that begins late at low q too short.
    NaN where the invariant is not positive.

    """
    q, intensity = points.q_nm1, points.intensity
    # trapezoids, not the sum of Eq. 12: at low q, where q I is large, its full step at the end counts
    invariant = trapezoid(intensity * q**2, q)
    return float(np.pi * trapezoid(intensity * q, q) / invariant) if invariant > 0 else float("nan")


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


def _fit_line(q4: FloatArray, intensity: FloatArray, sigma: FloatArray) -> tuple[float, float]:
    """Fit I = K q^-4 + B with standard errors ``sigma``; return K and its standard error."""
    design = np.stack([1 / q4, np.ones_like(q4)], axis=1) / sigma[:, np.newaxis]
    scale = np.linalg.norm(design, axis=0)
    solution, residual, _, _ = np.linalg.lstsq(design / scale, intensity / sigma, rcond=None)
    covariance = np.linalg.inv((design / scale).T @ (design / scale))
    spread = max(float(residual[0]) / (len(q4) - 2), 1.0)
    return float(solution[0] / scale[0]), float(np.sqrt(covariance[0, 0] * spread) / scale[0])

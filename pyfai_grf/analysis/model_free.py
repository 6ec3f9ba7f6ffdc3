"""Numbers that a curve gives without a model: invariant, Porod constant, correlation length."""

from __future__ import annotations

import numpy as np
from scipy.integrate import trapezoid

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.features.points import select_usable
from pyfai_grf.features.significance import estimate_sigma

#: Porod's law is fitted from this part of the highest q on
POROD_PART = 0.5
_FEWEST_POROD_POINTS = 8


def compute_invariant(curve: Curve) -> float:
    """Return 4 pi sum I q^2 dq over the curve's own points; units of I per nm^3.

    Röding et al. 2022, Eq. 12, doi:10.3389/fmats.2022.956839, with the local dq where q (1/nm) is not equidistant.
    Nothing is added beyond the measured range: for an infinite range and I/V in nm^3 it would be
    8 pi^3 porosity (1 - porosity). Gaps are bridged by their neighbours. A background left in I counts with q^2.

    Raises
    ------
    InputError
        If the curve has fewer than two usable points.
    """
    points = select_usable(curve)
    q = points.q_nm1
    return float(4 * np.pi * np.sum(points.intensity * q**2 * np.gradient(q)))


def compute_porod_constant(curve: Curve, start_nm1: float | None = None) -> tuple[float, float]:
    """Return Porod's constant K and its standard error, from I q^4 = K + B q^4; units of I per nm^4.

    A weighted straight line (in q^4) through the points from ``start_nm1`` on, by default the upper half of the q
    range; B is a flat background. Weights are the curve's sigma, or, where it has none, what the local scatter says.
    The error is that of the weighted fit, enlarged where the points scatter more than sigma. It does not know
    whether the curve has reached Porod's law: for this material that takes q a > 8 for 0.5 % (two phases), and K is
    a mere description of the tail below. For I/V in nm^3, K = 2 pi S_V, with S_V the interface area per volume.

    Raises
    ------
    InputError
        If there are fewer than 8 usable points from ``start_nm1`` on.
    """
    points = select_usable(curve)
    q, intensity = points.q_nm1, points.intensity
    part = q >= (POROD_PART * q[-1] if start_nm1 is None else start_nm1)
    if np.count_nonzero(part) < _FEWEST_POROD_POINTS:
        raise InputError(
            f"Porod's constant needs {_FEWEST_POROD_POINTS} points, found {np.count_nonzero(part)} "
            f"of a curve that ends at {q[-1]:.3g} per nm: take a smaller start_nm1"
        )
    sigma = estimate_sigma(q[part], intensity[part]) if points.sigma is None else points.sigma[part]
    return _fit_line(q[part] ** 4, intensity[part], sigma)


def compute_correlation_length(curve: Curve) -> float:
    """Return the correlation length pi int q I dq / int q^2 I dq in nm, over the measured range, unextrapolated.

    Porod's definition: over all q this is 2 int gamma(r) dr, gamma the normalised correlation function.
    A range that ends early at high q makes it too long, one that begins late at low q too short.
    NaN where the invariant is not positive.

    Raises
    ------
    InputError
        If the curve has fewer than two usable points.
    """
    points = select_usable(curve)
    q, intensity = points.q_nm1, points.intensity
    # trapezoids, not the sum of Eq. 12: at low q, where q I is large, its full step at the end counts
    invariant = trapezoid(intensity * q**2, q)
    return float(np.pi * trapezoid(intensity * q, q) / invariant) if invariant > 0 else float("nan")


def summarise(curve: Curve) -> dict[str, float]:
    """Return the numbers of this module; NaN for a Porod constant that has too few points.

    Keys: invariant, porod_constant, porod_constant_error (on the curve's scale), correlation_length_nm.

    Raises
    ------
    InputError
        If the curve has fewer than two usable points.
    """
    points = select_usable(curve)
    try:
        constant, error = compute_porod_constant(points)
    except InputError:
        constant = error = float("nan")
    return {
        "invariant": compute_invariant(points),
        "porod_constant": constant,
        "porod_constant_error": error,
        "correlation_length_nm": compute_correlation_length(points),
    }


def _fit_line(q4: FloatArray, intensity: FloatArray, sigma: FloatArray) -> tuple[float, float]:
    """Fit I = K q^-4 + B with standard errors ``sigma``; return K and its standard error."""
    known = sigma > 0
    # without any noise to go by, equal relative errors: Porod's q^-4
    sigma = np.where(known, sigma, np.median(sigma[known])) if known.any() else 1 / q4
    design = np.stack([1 / q4, np.ones_like(q4)], axis=1) / sigma[:, np.newaxis]
    scale = np.linalg.norm(design, axis=0)
    solution, residual, _, _ = np.linalg.lstsq(design / scale, intensity / sigma, rcond=None)
    covariance = np.linalg.inv((design / scale).T @ (design / scale))
    spread = float(residual[0]) / (len(q4) - 2)
    if known.any():
        spread = max(spread, 1.0)
    return float(solution[0] / scale[0]), float(np.sqrt(covariance[0, 0] * spread) / scale[0])

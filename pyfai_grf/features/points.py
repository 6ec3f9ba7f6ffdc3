"""The points of a curve that count: which are usable, what they weigh, and how much of q each stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve

# a point next to a gap stands for at most this many times its nearer half spacing
_GAP_RATIO = 3.0


def select_usable(curve: Curve) -> Curve:
    """Return ``curve`` without its gaps: points with NaN anywhere, q <= 0, or a known weight of zero (empty bins).

    A sigma that is NaN throughout means that it is unknown, and becomes None.

    Raises
    ------
    InputError
        If the arrays differ in length, q does not increase, a sigma is negative, or fewer than two points are left.
    """
    q, intensity = _to_array(curve.q_nm1, "q"), _to_array(curve.intensity, "intensity")
    sigma = None if curve.sigma is None else _to_array(curve.sigma, "sigma")
    weight = None if curve.weight is None else _to_array(curve.weight, "weight")
    for name, array in (("intensity", intensity), ("sigma", sigma), ("weight", weight)):
        if array is not None and len(array) != len(q):
            raise InputError(f"the curve has {len(q)} q values and {len(array)} of {name}: they must be as many")
    keep = np.isfinite(q) & np.isfinite(intensity) & (np.nan_to_num(q) > 0)
    if sigma is not None and np.isnan(sigma).all():
        sigma = None
    if sigma is not None:
        keep &= np.isfinite(sigma)
    if weight is not None:
        keep &= np.isfinite(weight) & (np.nan_to_num(weight) > 0)
    if np.count_nonzero(keep) < 2:
        raise InputError(f"the curve has {np.count_nonzero(keep)} usable points of {len(q)}: check mask and columns")
    if np.any(np.diff(q[keep]) <= 0):
        found = q[keep][1:][np.diff(q[keep]) <= 0][0]
        raise InputError(f"q must increase from point to point, and does not at {found:.6g} per nm: sort the curve")
    if sigma is not None and np.any(sigma[keep] < 0):
        raise InputError(f"sigma must not be negative, found {sigma[keep].min():g}")
    return replace(
        curve,
        q_nm1=q[keep],
        intensity=intensity[keep],
        sigma=None if sigma is None else sigma[keep],
        weight=None if weight is None else weight[keep],
    )


def get_weight(curve: Curve) -> FloatArray:
    """Return the weights (Q,) of the points in an average: the curve's own, or q, the pixel count of a flat detector.

    The weight of a point belongs to its whole bin. Where bins are not equally wide the count goes as q dq.
    """
    if curve.weight is not None:
        return curve.weight
    return curve.q_nm1 * np.gradient(curve.q_nm1)


def compute_bins(q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the (left, right) edges, (Q,) each, of the bins that the points ``q`` (Q,) stand for.

    Midpoints between neighbours, except that no bin reaches far into a gap.
    """
    step = np.diff(q)
    left, right = np.append(step[0], step), np.append(step, step[-1])
    return q - np.minimum(left, _GAP_RATIO * right) / 2, q + np.minimum(right, _GAP_RATIO * left) / 2


def _to_array(values: ArrayLike, name: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InputError(f"{name} must be one column of numbers, found shape {array.shape}")
    return array

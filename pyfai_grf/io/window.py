"""The part of a curve that an analysis uses."""

from __future__ import annotations

import math
from dataclasses import replace

from pyfai_grf.core.errors import InputError, QRangeError
from pyfai_grf.core.records import Curve
from pyfai_grf.io.columns import MIN_POINTS


def check_window(q_min_nm1: float | None, q_max_nm1: float | None) -> None:
    """Return silently if the two bounds, in 1/nm, None where open, make a window.

    Raises
    ------
    InputError
        If one is negative or not finite, or the first is not below the second.
    """
    for name, bound in (("q_min", q_min_nm1), ("q_max", q_max_nm1)):
        if bound is not None and not 0 <= bound < math.inf:
            raise InputError(f"{name} is {bound:g}: it must be a finite number, 0 or more, in 1/nm")
    if q_min_nm1 is not None and q_max_nm1 is not None and q_min_nm1 >= q_max_nm1:
        raise InputError(f"q_min is {q_min_nm1:g} and q_max {q_max_nm1:g} per nm: the first must be below the second")


def select_window(curve: Curve, q_min_nm1: float | None = None, q_max_nm1: float | None = None) -> Curve:
    """Return the points of ``curve`` from ``q_min_nm1`` to ``q_max_nm1``, both included; None leaves a side open.

    The bounds that were asked for stand in ``metadata["q_window_nm1"]``.

    Raises
    ------
    InputError
        If the bounds make no window.
    QRangeError
        If too few points lie in it.
    """
    check_window(q_min_nm1, q_max_nm1)
    if q_min_nm1 is None and q_max_nm1 is None:
        return curve
    q = curve.q_nm1
    low, high = q_min_nm1 or 0.0, math.inf if q_max_nm1 is None else q_max_nm1
    keep = (q >= low) & (q <= high)
    if keep.sum() < MIN_POINTS:
        raise QRangeError(
            f"{keep.sum()} of {q.size} points lie in the window {_format(q_min_nm1, q_max_nm1)}, at least {MIN_POINTS} "
            f"must: the curve runs from {q[0]:.3g} to {q[-1]:.3g} per nm"
            if q.size
            else "the curve has no points"
        )
    return replace(
        curve,
        q_nm1=q[keep],
        intensity=curve.intensity[keep],
        sigma=None if curve.sigma is None else curve.sigma[keep],
        weight=None if curve.weight is None else curve.weight[keep],
        metadata={**curve.metadata, "q_window_nm1": [q_min_nm1, q_max_nm1]},
    )


def _format(q_min_nm1: float | None, q_max_nm1: float | None) -> str:
    if q_min_nm1 is None:
        return f"up to {q_max_nm1:g} per nm"
    return f"from {q_min_nm1:g}" + (" per nm on" if q_max_nm1 is None else f" to {q_max_nm1:g} per nm")

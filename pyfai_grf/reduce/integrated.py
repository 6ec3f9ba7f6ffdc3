"""What pyFAI has integrated already, as a curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.core.units import parse_q_unit
from pyfai_grf.frames.markers import is_counted
from pyfai_grf.reduce.counting import estimate_counts

__all__ = ["convert_result", "is_counted"]

#: error models (pyFAI.containers.ErrorModel) that say no more of the variance than the counts themselves do
_COUNTING_MODELS = {"NO", "POISSON"}
_INTEGRATOR = "integrate1d_ng"


def convert_result(result: Any, metadata: Mapping[str, Any] | None = None, *, is_counts: bool = True) -> Curve:
    """Return pyFAI's ``Integrate1dResult`` as a curve, empty bins left out.

    Where the pixels hold counts (``is_counts``) and pyFAI was given no variance and no dark, ``sigma`` follows from
    the summed counts of each bin and its neighbours, whether pyFAI gave an error or not: its Poisson model is too
    large on sparse frames (see ``pyfai_grf.reduce.counting``). Otherwise it is pyFAI's own, None if there is none.
    Where pyFAI split pixels, neighbouring bins share photons and sigma is somewhat too large.

    ``weight`` is the sum of pixel normalisations; ``counts`` the sum of the signal if the pixels hold counts.

    Raises
    ------
    InputError
        If the result is not one-dimensional, its abscissa is not q, or fewer than two bins hold pixels.
    """
    if np.ndim(result.intensity) != 1:
        raise InputError(
            f"the integration gave {np.ndim(result.intensity)} dimensions: a curve comes from a 1D integration"
        )
    unit = str(getattr(result.unit, "name", result.unit))
    q = np.asarray(result.radial, np.float64) * parse_q_unit(unit)
    intensity = np.asarray(result.intensity, np.float64)
    exposure = _to_array(result.sum_normalization)
    keep = np.isfinite(q) & (q > 0) & np.isfinite(intensity)
    for filled in (exposure, _to_array(result.count)):
        if filled is not None:
            keep &= filled > 0
    if np.count_nonzero(keep) < 2:
        raise InputError(f"only {np.count_nonzero(keep)} of {q.size} bins hold a pixel: check the mask and the q range")
    counts = _find_counts(result) if is_counts else None
    sigma, noise = _to_array(result.sigma), "pyFAI's error model"
    if counts is not None and exposure is not None:
        used = q > 0  # the pooling divides by q, and needs the empty bins in their places
        expected = estimate_counts(np.where(keep, counts, 0.0)[used], np.where(keep, exposure, 0.0)[used], q[used])
        sigma, noise = np.zeros(q.size), "counts"
        sigma[used] = np.sqrt(expected) / np.where(keep, exposure, 1.0)[used]
    return Curve(
        q[keep],
        intensity[keep],
        None if sigma is None else sigma[keep],
        None if exposure is None else exposure[keep],
        None if counts is None else float(counts[keep].sum()),
        {**(metadata or {}), "noise_model": noise if sigma is not None else "none", **_describe(result, unit)},
    )


def _find_counts(result: Any) -> FloatArray | None:
    """Return the (Q,) counts in each bin, None where the sums of the result cannot be counts."""
    counts = _to_array(result.sum_signal)
    model = getattr(result.error_model, "name", "NO")
    if counts is None or model not in _COUNTING_MODELS or result.has_dark_correction:
        return None
    # sigma clipping and medians leave pixels out by their value: their sums are no Poisson counts
    if result.method_called != _INTEGRATOR or not np.isfinite(counts).all() or counts.min() < 0 or not counts.any():
        return None
    return counts


def _describe(result: Any, unit: str) -> dict[str, Any]:
    """Return what the logbook keeps of the integration."""
    geometry = result.poni.as_dict() if hasattr(result.poni, "as_dict") else None
    found = {"method": str(result.method), "q_unit": unit, "normalization_factor": result.normalization_factor}
    return {"pyFAI": {**found, "polarization_factor": str(result.polarization_factor), "poni": geometry}}


def _to_array(values: Any) -> FloatArray | None:
    return None if values is None else np.asarray(values, np.float64)

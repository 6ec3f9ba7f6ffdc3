"""What a row says of its fit: verdict, chi-square, the spectrum, the parts of the curve, and the regressors' answer."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.records import Fit, PredictionRow
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.fit.verdict import warn_of_scale

_PARTS = ("", "_lower", "_upper")
#: a background below 0 is told where it is so many standard errors away from it, and this part of the material's
#: intensity at the last point
_SURE, _BELOW = 3.0, 0.3
#: errors are told to be too small from this factor on
_SCATTERED = 1.3


def describe_fit(row: PredictionRow) -> dict[str, float | str]:
    """Return the columns of a row for which a fit was asked, their names with units; the same keys for every row.

    ``fit_verdict`` is "fits", "fits within ...", or why it does not; "" where there is no fit. ``background`` and
    ``upturn`` (at the first q) are on the curve's scale. ``lowest`` and ``highest`` are over the spectra that describe
    the curve about as well, ``near_spectra``, where they were ranked.
    """
    fit, nan = row.fit, float("nan")
    asked = {} if row.model is None else row.model.values
    columns: dict[str, float | str] = {
        "fit_verdict": "" if fit is None else fit.reason or "fits",
        "chi2": nan if fit is None else fit.chi2,
        "largest_residual": nan if fit is None else fit.worst,
        "fit_spectrum": "" if fit is None else fit.spectrum,
    }
    for name in ("spectrum_n", "spread"):
        values = ({}, {}, {}) if fit is None else (fit.values, fit.lower, fit.upper)
        columns |= {name + part: float(value.get(name, nan)) for part, value in zip(_PARTS, values, strict=True)}
    columns["background"] = nan if fit is None else float(fit.background[0])
    columns["upturn"] = nan if fit is None else float(fit.upturn[0])
    ranges = {} if fit is None or not fit.alternatives else fit.ranges
    for name, column in (("a", "a_nm"), ("porosity", "porosity")):
        columns[f"{column}_lowest"], columns[f"{column}_highest"] = ranges.get(name, (nan, nan))
    near = () if fit is None else (other for other in fit.alternatives if other.is_near)
    columns["near_spectra"] = "; ".join(f"{other.spectrum} (chi-square {other.chi2:.3g})" for other in near)
    return columns | {"model_a_nm": asked.get("a", nan), "model_porosity": asked.get("porosity", nan)}


def list_warnings(fit: Fit) -> list[str]:
    """Return what a user should know of a fit: what other spectra make of the curve, and a background below 0."""
    others = fit.describe_alternatives()
    others = "" if others in fit.reason else others
    found = [f"other spectra: {others}"] if others else []
    if not fit.is_applicable:
        return found
    if fit.noise_scale > _SCATTERED:
        found.append(
            f"the points scatter {fit.noise_scale:.2g} times more than their errors say: taken as their errors"
        )
    return [*found, *filter(None, [warn_of_scale(fit)]), *_list_backgrounds(fit)]


def _list_backgrounds(fit: Fit) -> list[str]:
    flat = float(fit.background[0])
    sure = (
        _SURE * np.sqrt(fit.covariance[fit.names.index("background")][fit.names.index("background")]) if flat else 0.0
    )
    last = np.flatnonzero(np.isfinite(fit.residual))[-1]
    material = float((fit.curve - fit.background - fit.upturn)[last])
    if flat < -max(sure, _BELOW * material):
        return [
            f"the fit has a background of {flat:.3g}, {-flat / material:.2g} times what the material scatters at "
            f"{fit.q_nm1[last]:.3g} per nm, below 0: more was subtracted than there was"
        ]
    return []


def describe_settings(options: FitOptions | None) -> dict[str, object]:
    """Return what the settings of a results file say of the fit: its options, or that none was asked for."""
    return {"fit": None if options is None else options.describe()}


def find_fitted(fit: Fit) -> tuple[float, float]:
    """Return the (lowest, highest) q in 1/nm of the points that were fitted."""
    q = fit.q_nm1[np.isfinite(fit.residual)]
    return float(q[0]), float(q[-1])

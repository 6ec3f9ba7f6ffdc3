"""Other spectra on the same points: which of them describe a curve as well, and what they make of its parameters."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from scipy.integrate import trapezoid
from scipy.optimize import brentq

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import NEAR, Alternative, Fit, Points
from pyfai_grf.features.points import select_points
from pyfai_grf.fit.curve_fit import fit_family, make_family
from pyfai_grf.fit.family import PARAMETERS, Family, Shape
from pyfai_grf.fit.options import DEFAULT_FIT, FitOptions
from pyfai_grf.fit.target import Target, make_target
from pyfai_grf.fit.verdict import FEATURES, limit_chi2, measure_scatter
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, get_spectrum, list_spectra

#: wave numbers, in units of 1/a, that a spectrum is integrated over: to four digits for all but the roughest
_WAVES = 0.5 * np.sinh(np.linspace(0.0, 6.5, 4000))

#: a spread that is wide; by how much of its square it moves ln a; and minima of porosity or spread that are two
_WIDE, _LEAN, _APART = 0.3, 4.5, 0.02

#: a porosity this near to 0.5 may be 0.5; and a spread that is rare
_AT_HALF, _DOUBTFUL_SPREAD = 1e-3, 0.25

_LOGGER = logging.getLogger(__name__)


def compare_families(
    points: Points, fit: Fit, material: str = "two-phase-low-porosity", options: FitOptions = DEFAULT_FIT
) -> Fit:
    """Return ``fit``, of these points with these options, with its ``alternatives``; see :func:`rank_families`.

    Where another spectrum describes the curve clearly better, the fit is not applicable: it is of another kind.
    """
    found = replace(fit, alternatives=rank_families(points, fit, material, options))
    if not (found.is_applicable and found.is_outdone):
        return found
    reason = f"{found.describe_alternatives()}: the material is not of the kind that was fitted, fit that spectrum"
    return replace(found, is_applicable=False, reason=reason)


def is_doubtful(fit: Fit) -> bool:
    """Return whether a fit that applies looks like those of other spectra do, and has to be compared with them.

    It ends at a bound, or does not reach the noise; its spread is wide; or its porosity may be 0.5, where a curve
    hardly depends on it.
    """
    if not fit.is_applicable or "spectrum_n" not in fit.values:
        return False
    porosity = min(abs(fit.lower["porosity"] - 0.5), abs(fit.upper["porosity"] - 0.5))
    return bool(fit.reason) or porosity < _AT_HALF or fit.values.get("spread", 0.0) > _DOUBTFUL_SPREAD


def rank_families(
    points: Points, fit: Fit, material: str = "two-phase-low-porosity", options: FitOptions = DEFAULT_FIT
) -> tuple[Alternative, ...]:
    """Return what the other families of spectra make of the points of a ``fit``, best first.

    Those of the power, Matern and shell spectra, each with its shape parameter free, the published spectrum, and every
    spectrum that another package has registered, at its defaults; each without a spread of a, and with one unless the
    options forbid it. A spread makes two minima, one narrow and one wide, of which either may be the better; the
    other one is listed too where it is near, of the fit's own family as well. All with the background, the upturn, the
    resolution and the ranges of ``options``. What cannot be told is left out.

    The criterion is Akaike's: with Bayes', a family would be left out for being free alone, and what is asked is what
    else may be true. Chi-square is divided by that of the best family where that is above 1. A misfit beyond noise
    is smooth, with some 20 independent parts along a curve whatever the number of points, and counts as those.

    Raises
    ------
    InputError
        If the points are too few, or the material is not one of two phases.
    """
    own = make_family(options)
    used = select_points(points, ~options.find_excluded(points.q_nm1))
    target = make_target(used, options.resolution_nm1)
    others = _fit_others(points, fit, own, material, options)
    chi2 = _measure_chi2([fit, *(other for _, other in others)], target)
    scores = _score(chi2, [len(fit.names), *(len(other.names) for _, other in others)], target)
    length = _measure_length(own.name_spectrum(fit.values) if np.isfinite(fit.values["a"]) else DEFAULT_SPECTRUM)
    found, seen = [], {own}
    for (family, other), score in zip(others, scores[1:], strict=True):
        is_near = score - min(scores) <= NEAR
        is_second, seen = family in seen, seen | {family}
        if not np.isfinite(other.values["a"]) or (is_second and not is_near):
            continue
        text = family.name_spectrum(other.values)
        alternative = Alternative(
            text,
            other.values,
            other.errors,
            other.values["a"] * _measure_length(text) / length,
            other.chi2,
            len(other.names),
            score - scores[0],
            is_near,
            other.is_applicable,
        )
        found.append(alternative)
    return tuple(sorted(found, key=lambda alternative: alternative.criterion))


def _fit_others(points: Points, fit: Fit, own: Family, material: str, options: FitOptions) -> list[tuple[Family, Fit]]:
    """Return every family with its fit, and a second one where a family with a spread has another minimum."""
    found = []
    for family in dict.fromkeys([own, *_list_families(options.spread is not False)]):
        first = fit if family == own else fit_family(points, family, material, options)
        if family != own:
            found.append((family, first))
        if not family.has_spread or not np.isfinite(first.values["a"]):
            continue
        below = _turn_spread(family, first)
        second = fit_family(points, family, material, options, below=below)
        if any(abs(second.values[name] - first.values[name]) > _APART for name in ("porosity", "spread")):
            found.append((family, second))
    return found


def _turn_spread(family: Family, fit: Fit) -> Shape:
    """Return a start with a wide spread for a fit with a narrow one, and the other way round."""
    spread = fit.values["spread"]
    other = _WIDE if spread < _WIDE / 2 else 0.0
    # what a wide distribution shows most is longer than its middle: larger volumes scatter more
    log_a = np.log(fit.values["a"]) + _LEAN * (spread**2 - other**2)
    inverse_n = 0.125
    if family.spectrum is None:
        inverse_n = family.write_parameter(fit.values[PARAMETERS[family.form]])
    return Shape(float(log_a), 0.5, inverse_n, other**2)


def _list_families(has_spread: bool) -> list[Family]:
    spreads = (True, False) if has_spread else (False,)
    pinned = [get_spectrum(DEFAULT_SPECTRUM)]
    for name in list_spectra():
        if name in (*PARAMETERS, DEFAULT_SPECTRUM):
            continue
        try:
            pinned.append(get_spectrum(name))
        except InputError as error:  # it has no defaults, or is not the spectrum of a field
            _LOGGER.info("the spectrum %s is not compared: %s", name, error)
    free = [Family(None, spread, form) for form in PARAMETERS for spread in spreads]
    return [*free, *(Family(spectrum, spread) for spectrum in pinned for spread in spreads)]


def _measure_chi2(fits: list[Fit], target: Target) -> list[float]:
    """Return the reduced chi-square of each in one measure, the least scatter of the points about any of the curves."""
    found, scatter = [], []
    for fit in fits:
        fitted = np.flatnonzero(np.isfinite(fit.residual))
        curve = fit.curve[fitted[np.argsort(fit.q_nm1[fitted])]]
        total = np.sum((target.intensity - curve) ** 2 / target.point_variance)
        found.append(float(total) / max(curve.size - len(fit.names), 1))
        scatter.append(measure_scatter(target, curve))
    return [value / min(scatter) for value in found]


def _score(chi2: list[float], free: list[int], target: Target) -> list[float]:
    """Return Akaike's criterion of each, chi-square in units of what the best leaves of the points of ``target``."""
    count, together = target.q_nm1.size, 1.0 + 2.0 * target.correlation
    best = min(chi2)
    excess = max(best - limit_chi2(count - free[chi2.index(best)], target.correlation), 0.0)
    inflation = max(best, 1.0) + excess * max(count / together / FEATURES - 1.0, 0.0)
    degrees = [max(count - number, 1) / together for number in free]
    return [d * value / inflation + 2 * k for d, value, k in zip(degrees, chi2, free, strict=True)]


def _measure_length(text: str) -> float:
    """Return the distance, in units of a, at which the correlation of a spectrum's field has fallen to one half."""
    density = _WAVES**2 * get_spectrum(text).density(_WAVES)
    total = trapezoid(density, _WAVES)

    def correlate(r: float) -> float:
        return float(trapezoid(density * np.sinc(_WAVES * r / np.pi), _WAVES) / total) - 0.5

    r = 1e-3
    while correlate(r) > 0:
        r *= 1.25
    return float(brentq(correlate, r / 1.25, r, xtol=1e-6))

"""May the model be asked at all? From the merged bins, the ranges of the features, and the shape of the curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.parameters import PARAMETERS, Material
from pyfai_grf.features.significance import MERGED_FRACTION_LIMIT
from pyfai_grf.features.specification import OVERSUBTRACTED, Features, FeatureSpec, bin_curves
from pyfai_grf.learn.smooth import Projection
from pyfai_grf.learn.symptoms import describe_symptoms
from pyfai_grf.theory.closed_form import average_curves
from pyfai_grf.theory.spectra import Spectrum

#: a feature may lie this many training standard deviations outside the training range, and the curve this many times
#: farther from the components than 99.9 % of the training set
_RANGE_SLACK, _RESIDUAL_SLACK = 0.1, 1.5
#: part of the intensity that a model's own error may move a bin by, beside counting noise; how much worse than 99.9 %
#: of the calibration data a fit may be; the largest flat background, in parts of I(q_max) (trained up to 0.5)
_MODEL_ERROR, _MISFIT_SLACK, _BACKGROUND_LIMIT = 0.01, 1.5, 1.0


#: what follows from a shape that the model does not know
_FOREIGN = ": not a material of this class as it stands"


def join_reasons(reasons: Iterable[str]) -> str:
    """Return the reasons that are not empty as one text, which says once what follows from them."""
    given = [reason for reason in reasons if reason]
    facts = [reason.removesuffix(_FOREIGN) for reason in given]
    return "; ".join(facts) + (_FOREIGN if facts != given else "")


def judge_features(spec: FeatureSpec, projection: Projection, features: Features) -> list[str]:
    """Return for each curve why it is unlike the training data, "" where it is not; N strings."""
    z = projection.standardise(features.values)
    outside = np.maximum(z - projection.high, projection.low - z)
    # less noise than in the training data does no harm; what more of it is depends on how it is told
    count = spec.noise_count
    louder = projection.low - z if spec.noise == "counts" else z - projection.high
    outside[:, -count:] = np.maximum(0, louder[:, -count:])
    worst = np.argmax(outside, axis=1)
    residual = projection.measure_residual(features.values)
    reasons = []
    for row, column in enumerate(worst):
        is_outside = outside[row, column] > _RANGE_SLACK
        if features.merged[row] > MERGED_FRACTION_LIMIT:
            reasons.append(_explain_merging(features, row))
        elif is_outside and column >= len(spec.names) - count:
            reasons.append("the curve is noisier than all of the training data: count longer, or average frames")
        elif is_outside or residual[row] > _RESIDUAL_SLACK:
            values = features.values[row, :-count]
            seen = describe_symptoms(spec.q_bins_nm1, values, features.errors[row])
            side = "above" if z[row, column] > 0 else "below"
            if not seen and is_outside:
                seen = f"the {spec.names[column]} is {side} all of the training data"
            elif not seen:
                seen = (
                    f"the curve's shape is {residual[row]:.1f} times farther from the model's than 99.9 % of the "
                    "training data"
                )
            reasons.append(seen + _FOREIGN)
        else:
            reasons.append("")
    return reasons


def _explain_merging(features: Features, row: int) -> str:
    """Return why too many bins of curve ``row`` say nothing by themselves."""
    if np.isfinite(start := features.negative_from[row]):
        return (
            f"the intensity is negative by more than {OVERSUBTRACTED:.0f} standard errors from q = {start:.2g} per nm "
            "on: more background was subtracted than there is"
        )
    return (
        f"low statistics: {features.merged[row]:.0%} of the model's q bins do not stand out of their noise by "
        f"themselves (at most {MERGED_FRACTION_LIMIT:.0%} may): count longer, average frames, or check the background"
    )


@dataclass(frozen=True)
class Fit:
    """How the expected curve of the predicted parameters, scaled and with a flat background, fits N curves.

    ``misfit`` (N,): mean squared deviation of the bins, in units of their error and 1 % of the intensity together.
    ``background`` (N,) in parts of the expected intensity at the end of the grid, ``background_error`` (N,) its error.
    """

    misfit: FloatArray
    background: FloatArray
    background_error: FloatArray


def fit_expected(spec: FeatureSpec, features: Features, a: FloatArray, porosity: FloatArray, spectrum: Spectrum) -> Fit:
    """Return how the two-phase closed form at ``a`` and ``porosity`` (N,) fits the binned curves, by least squares."""
    data = np.exp(features.values[:, : -spec.noise_count])
    # outside these bounds the verdict on the values says enough
    expected = average_curves(spec.q_nm1, np.maximum(a, 1e-3), np.clip(porosity, 0.01, 0.99), spectrum)
    curve = bin_curves(spec, expected)
    curve /= curve[:, -1:]
    weight = 1 / (data**2 * (features.errors**2 + _MODEL_ERROR**2))
    s, sx, sxx = (np.sum(weight * curve**power, axis=1) for power in range(3))
    sy, sxy = (np.sum(weight * data * curve**power, axis=1) for power in range(2))
    determinant = s * sxx - sx**2
    scale, flat = (s * sxy - sx * sy) / determinant, (sxx * sy - sx * sxy) / determinant
    rest = data - scale[:, np.newaxis] * curve - flat[:, np.newaxis]
    misfit = np.mean(weight * rest**2, axis=1)
    return Fit(misfit, flat / np.abs(scale), np.sqrt(sxx / determinant) / np.abs(scale))


def judge_fit(fit: Fit, limit: float) -> list[str]:
    """Return for each curve why the expected curve does not fit it, "" where it does; N strings."""
    reasons = []
    for misfit, flat, error in zip(fit.misfit, fit.background, fit.background_error, strict=True):
        if not misfit <= _MISFIT_SLACK * limit:
            reasons.append(
                f"the expected curve of the predicted values misses this one {np.sqrt(misfit / limit):.1f} times more "
                f"than it may{_FOREIGN}"
            )
        elif abs(flat) > _BACKGROUND_LIMIT + 3 * error:
            reasons.append(
                f"a flat background of {flat:.2g} times the intensity at the end of the model's q range is left: "
                "subtract it"
            )
        else:
            reasons.append("")
    return reasons


def judge_values(material: Material, length_scale: float, values: Mapping[str, FloatArray]) -> list[str]:
    """Return for each curve which prediction leaves the published range (with half the margin), "" if none does."""
    count = len(next(iter(values.values())))
    reasons: list[list[str]] = [[] for _ in range(count)]
    for name, predicted in values.items():
        low, high = material.get_range(name)
        entry = PARAMETERS[name]
        slack_low, slack_high = (entry.low - entry.design_low) / 2, (entry.design_high - entry.high) / 2
        scale = length_scale if name == "a" else 1.0
        for row in np.flatnonzero((predicted < scale * (low - slack_low)) | (predicted > scale * (high + slack_high))):
            reasons[row].append(
                f"{name} comes out as {predicted[row]:.3g} {entry.unit}".rstrip()
                + f", outside the model's {scale * low:.3g} to {scale * high:.3g}"
            )
    return ["; ".join(found) for found in reasons]

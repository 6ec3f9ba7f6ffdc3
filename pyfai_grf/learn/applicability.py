"""May the model be asked at all? From the merged bins, the ranges of the features, and the shape of the curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.parameters import PARAMETERS, Material
from pyfai_grf.features.significance import MERGED_FRACTION_LIMIT
from pyfai_grf.features.specification import OVERSUBTRACTED, Features, FeatureSpec, bin_curves
from pyfai_grf.learn.smooth import Projection
from pyfai_grf.learn.symptoms import describe_symptoms
from pyfai_grf.theory.closed_form import average_curves, expected_intensity
from pyfai_grf.theory.spectra import Spectrum

#: a feature may lie this many training standard deviations outside the training range, and the curve this many times
#: farther from the components than 99.9 % of the training set
_RANGE_SLACK, _RESIDUAL_SLACK = 0.1, 1.5
#: part of the intensity that a model's own error may move a bin by, beside counting noise; how much worse than 99.9 %
#: of the calibration data a fit may be; the largest flat background, in parts of I(q_max) (trained up to 0.5)
_MODEL_ERROR, _MISFIT_SLACK, _BACKGROUND_LIMIT = 0.01, 2.5, 1.0
#: of the derivatives by ln a and porosity; and what keeps columns apart that are alike
_STEP, _RIDGE = 1e-3, 1e-12
#: steps from the prediction to the best fit, and how long one may be in ln a and in porosity; the porosities fitted
_STEPS, _LONGEST, _POROSITY_FITTED = 2, 0.1, (0.01, 0.99)


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
    """How an expected curve near the predicted parameters, scaled and with a flat background, fits N curves.

    ``misfit`` (N,): mean squared deviation of the bins, in units of their error and 1 % of the intensity together.
    ``background`` (N,) in parts of the expected intensity at the end of the grid, ``background_error`` (N,) its error,
    at the predicted parameters themselves.
    """

    misfit: FloatArray
    background: FloatArray
    background_error: FloatArray


def fit_expected(spec: FeatureSpec, features: Features, a: FloatArray, porosity: FloatArray, spectrum: Spectrum) -> Fit:
    """Return how the two-phase closed form near ``a`` and ``porosity`` (N,) fits the binned curves, by least squares.

    The misfit is what is left after two steps in both: the error of a prediction is no misfit of the material.
    """
    data = np.exp(features.values[:, : -spec.noise_count])
    merged = _Merged(spec, data)
    root = 1 / (data * np.hypot(features.errors, _MODEL_ERROR) * np.sqrt(merged.size))
    flat, low, high = np.ones_like(data), *_POROSITY_FITTED
    # outside these bounds the verdict on the values says enough
    a, porosity = np.maximum(a, 1e-3), np.clip(porosity, low, high)
    drawn = _draw(spec, a, porosity, spectrum)
    curve = merged.average(drawn)
    solved, covariance, misfit = _solve(root, data, curve, flat)
    scale = np.abs(solved[:, 0])
    background, error = solved[:, 1] / scale, np.sqrt(covariance[:, 1, 1]) / scale
    for _ in range(_STEPS):
        slopes = _differentiate(spec, a, porosity, spectrum)
        step, _, left = _solve(root, data, curve, flat, *(merged.average(drawn * slope) for slope in slopes))
        misfit = np.minimum(misfit, left)
        by_a, by_porosity = (step[:, n] / np.where(step[:, 0] > 0, step[:, 0], np.inf) for n in (2, 3))
        a = a * np.exp(np.clip(by_a, -_LONGEST, _LONGEST))
        porosity = np.clip(porosity + np.clip(by_porosity, -_LONGEST, _LONGEST), low, high)
        drawn = _draw(spec, a, porosity, spectrum)
        curve = merged.average(drawn)
        misfit = np.minimum(misfit, _solve(root, data, curve, flat)[2])
    return Fit(misfit, background, error)


class _Merged:
    """The bins (N, B) of noisy curves that were merged: runs of equal values, each of which counts once."""

    def __init__(self, spec: FeatureSpec, data: FloatArray) -> None:
        self._weight = np.add.reduceat(spec.q_nm1, spec.starts)
        starts = np.diff(data, axis=1, prepend=-1.0) != 0
        self._rows = np.flatnonzero(~starts.all(axis=1))
        self._starts = [np.flatnonzero(starts[row]) for row in self._rows]
        #: (N, B) how many bins share each bin's value
        self.size = np.ones_like(data)
        for row, first in zip(self._rows, self._starts, strict=True):
            self.size[row] = self._spread(np.diff(first, append=data.shape[1]), first)

    def average(self, curves: FloatArray) -> FloatArray:
        """Return ``curves`` (N, B) with means in the place of what was merged."""
        result = curves.copy()
        for row, first in zip(self._rows, self._starts, strict=True):
            total = np.add.reduceat(self._weight * curves[row], first) / np.add.reduceat(self._weight, first)
            result[row] = self._spread(total, first)
        return result

    def _spread(self, values: FloatArray, first: NDArray[np.intp]) -> FloatArray:
        return np.repeat(values, np.diff(first, append=self._weight.size))


def _draw(spec: FeatureSpec, a: FloatArray, porosity: FloatArray, spectrum: Spectrum) -> FloatArray:
    """Return the (N, B) bins of expected curves, the last one 1."""
    curve = bin_curves(spec, average_curves(spec.q_nm1, a, porosity, spectrum))
    return curve / curve[:, -1:]


def _differentiate(
    spec: FeatureSpec, a: FloatArray, porosity: FloatArray, spectrum: Spectrum
) -> tuple[FloatArray, FloatArray]:
    """Return the (N, B) derivatives of ln I by ln a and by porosity, at the bins' centres."""
    q = spec.q_bins_nm1
    low, high = _POROSITY_FITTED
    inside = np.clip(porosity, low + _STEP, high - _STEP)
    ends = ((a * np.exp(_STEP), porosity), (a * np.exp(-_STEP), porosity), (a, inside + _STEP), (a, inside - _STEP))
    logs = [np.log(expected_intensity(q, length, part, spectrum=spectrum)) for length, part in ends]
    return (logs[0] - logs[1]) / (2 * _STEP), (logs[2] - logs[3]) / (2 * _STEP)


def _solve(root: FloatArray, data: FloatArray, *columns: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the least-squares amplitudes (N, C) of ``columns`` (N, B) each, their covariance, the mean square left."""
    design = np.stack(columns, axis=1) * root[:, np.newaxis]
    size = np.sqrt(np.einsum("ncb,ncb->nc", design, design))
    size = np.where(size > 0, size, 1.0)
    design = design / size[..., np.newaxis]
    gram = design @ design.transpose(0, 2, 1) + _RIDGE * np.eye(len(columns))
    solved = np.linalg.solve(gram, (design @ (data * root)[..., np.newaxis]))[..., 0]
    rest = data * root - np.einsum("nc,ncb->nb", solved, design)
    covariance = np.linalg.inv(gram) / (size[:, :, np.newaxis] * size[:, np.newaxis, :])
    return solved / size, covariance, np.mean(rest**2, axis=1)


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
            seen = f"{abs(flat):.2g} times the intensity of the last part of the model's q range"
            reasons.append(
                f"a flat background of {seen} is left: subtract it"
                if flat > 0
                else f"the curve lies below the expected one by {seen}: too much background was subtracted, or pixels "
                "hold markers that were taken for measurements"
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

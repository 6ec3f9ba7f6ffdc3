"""May the model be asked at all? From the merged bins, the ranges of the features, and the shape of the curve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pyfai_grf.core.parameters import PARAMETERS, Material
from pyfai_grf.core.records import FloatArray
from pyfai_grf.features.significance import explain_merging
from pyfai_grf.features.specification import Features, FeatureSpec
from pyfai_grf.learn.smooth import Projection

#: a feature may lie this many training standard deviations outside the training range, and the curve this many times
#: farther from the components than 99.9 % of the training set
_RANGE_SLACK, _RESIDUAL_SLACK = 0.1, 1.5


def judge_features(spec: FeatureSpec, projection: Projection, features: Features) -> list[str]:
    """Return for each curve why it is unlike the training data, "" where it is not; N strings."""
    z = projection.standardise(features.values)
    outside = np.maximum(z - projection.high, projection.low - z)
    # less noise than in the training data does no harm; what more of it is depends on how it is told
    quieter = 1 if spec.noise == "counts" else -1
    outside[:, -1] = np.maximum(0, -quieter * (z[:, -1] - (projection.low if quieter > 0 else projection.high)[-1]))
    worst = np.argmax(outside, axis=1)
    residual = projection.measure_residual(features.values) / projection.residual_limit
    reasons = []
    for row, column in enumerate(worst):
        if merged := explain_merging(float(features.merged[row])):
            reasons.append(merged)
        elif outside[row, column] > _RANGE_SLACK and column == len(spec.names) - 1:
            reasons.append("the curve is noisier than all of the training data: count longer, or average frames")
        elif outside[row, column] > _RANGE_SLACK:
            side = "above" if z[row, column] > 0 else "below"
            reasons.append(f"{spec.names[column]} is {side} all of the training data: not a material of this class")
        elif residual[row] > _RESIDUAL_SLACK:
            reasons.append(
                f"the curve's shape is {residual[row]:.1f} times farther from the model's than 99.9 % of the training "
                "data: not a material of this class"
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

"""A table against boxes that it was not made of, at any porosities and film thicknesses.

Films of the same thickness are compared: the boxes have it without error, unlike the layer fraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.tabulation.pool import Pooled
from pyfai_grf.tabulation.store import BoxFolder
from pyfai_grf.theory.scale_free import compute_scale_free_intensity
from pyfai_grf.theory.three_phase_table import (
    LAYER_NODES,
    ThreePhaseTable,
    compute_jackknife_variance,
    mix_phases,
)


@dataclass(frozen=True)
class Comparison:
    """Simulated and expected I/(V a^3) of one sample at ``x`` (S,), with the standard errors of both.

    ``layer_fraction`` is what the table has for the film's thickness, ``simulated_layer`` what the boxes have, with its
    standard error.
    """

    porosity: float
    layer_fraction: float
    simulated_layer: tuple[float, float]
    x: FloatArray
    simulated: FloatArray
    simulated_error: FloatArray
    expected: FloatArray
    expected_error: FloatArray


def compare_boxes(
    pooled: Pooled, folder: BoxFolder, table: ThreePhaseTable, layer_density: float
) -> Iterator[Comparison]:
    """Yield a comparison for every porosity and film thickness of ``pooled``, the boxes of ``folder``; x ascending."""
    setting = folder.setting
    order = np.argsort(pooled.x)
    x = pooled.x[order]
    for j, porosity in enumerate(setting.porosities):
        solid = compute_scale_free_intensity(x, porosity, setting.spectrum)
        for k in range(pooled.layer.shape[2]):
            layers = pooled.layer[:, j, k]
            film = compute_scale_free_intensity(x, porosity * (1 - layers), setting.spectrum)
            dd = film * np.exp(pooled.logratio[:, j, k, order])
            sd = np.sqrt(solid * dd) * pooled.coherence[:, j, k, order]
            curves = mix_phases(layer_density, dd, sd, solid)
            layer = _find_layer(table, float(porosity), folder.thicknesses[j, k])
            expected = table.expect_error(x, float(porosity), layer, layer_density)
            found = float(layers[0]), float(_estimate_error(layers))
            yield Comparison(float(porosity), layer, found, x, curves[0], _estimate_error(curves), *expected)


def _estimate_error(rows: FloatArray) -> FloatArray:
    """Return the jackknife's standard error from rows 1 .. R, each of which leaves one group out."""
    return np.asarray(np.sqrt(compute_jackknife_variance(rows[1:])))


def _find_layer(table: ThreePhaseTable, porosity: float, thickness: float) -> float:
    """Return the layer fraction of a film of this thickness, up to the table's largest."""
    highest = float(LAYER_NODES[-1])
    if table.get_thickness(porosity, highest) <= thickness:
        return highest
    return float(brentq(lambda nu: table.get_thickness(porosity, nu) - thickness, 0.0, highest))

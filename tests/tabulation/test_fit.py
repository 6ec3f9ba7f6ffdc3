"""The fit of the three-phase table to pooled boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from pyfai_grf.tabulation.controls import GROUPS
from pyfai_grf.tabulation.fit import make_table, measure_noise
from pyfai_grf.tabulation.grids import BoxSetting
from pyfai_grf.tabulation.pool import Pooled
from pyfai_grf.tabulation.store import BoxFolder
from pyfai_grf.theory.closed_form import compute_surface_per_volume, expected_intensity


def test_the_noise_is_that_of_the_replicates() -> None:
    """Replicates of independent noise of size s: a standard error of s (R - 1) / sqrt(R), smoothed over 15 shells."""
    rng = np.random.default_rng(6)
    values = 0.01 * rng.standard_normal((1 + GROUPS, 2, 2, 400))
    noise = measure_noise(values, (0, 200, 400))
    assert noise.shape == (2, 2, 400)
    assert noise.mean() == pytest.approx(0.01 * (GROUPS - 1) / np.sqrt(GROUPS), rel=0.03)


def test_the_fit_finds_what_went_in() -> None:
    """Pooled boxes made from smooth functions, and noise of 0.2 %: back within 0.2 % of what a face scatters."""
    setting = BoxSetting()
    rng = np.random.default_rng(8)
    x = np.concatenate((np.arange(2, 60) * 0.05, np.arange(2, 260) * 0.1))
    layer = np.multiply.outer(np.ones(len(setting.thresholds)), setting.layer_fractions)
    porosities = setting.porosities[:, np.newaxis]
    thicknesses = layer * porosities / compute_surface_per_volume(1.0, porosities) * (1 - 0.1 * layer)

    def expect(nu: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nu, t = nu[..., np.newaxis], t[..., np.newaxis]
        return nu * (0.1 + x**2 / (4 + x**2)), (1 - 0.2 * nu) * np.cos(x * t) + 0.3 * nu * np.sin(x * t) / (1 + x)

    ratio, coherence = expect(layer, thicknesses)
    ratios, coherences = (v + 2e-3 * rng.standard_normal((1 + GROUPS, *v.shape)) / (1 + x) for v in (ratio, coherence))
    pooled = Pooled(x, (0, 58, x.size), ratios, coherences, np.stack([layer] * (1 + GROUPS)), {})
    table = make_table(pooled, BoxFolder(Path(), setting, thicknesses))
    nu, porosity = 0.23, float(ndtr(0.4))
    t = table.get_thickness(porosity, nu)
    flat = nu * porosity / float(compute_surface_per_volume(1.0, porosity))
    assert t == pytest.approx(flat * (1 - 0.1 * nu), rel=1e-4)
    ratio, coherence = expect(np.array(nu), np.array(t))
    solid, film = expected_intensity(x, 1.0, porosity), expected_intensity(x, 1.0, porosity * (1 - nu))
    dd = film * np.exp(ratio)
    expected = 0.49 * dd + 0.42 * np.sqrt(solid * dd) * coherence + 0.09 * solid
    found = table.expect(x, porosity, nu, 0.7)
    assert (np.abs(found - expected) / (0.49 * dd + 0.09 * solid)).max() < 2e-3

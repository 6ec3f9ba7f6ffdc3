"""The table beside boxes that it was not made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.tabulation import boxes
from pyfai_grf.tabulation.check import compare_boxes
from pyfai_grf.tabulation.grids import BoxSetting
from pyfai_grf.tabulation.pool import pool_boxes
from pyfai_grf.tabulation.store import BoxFolder, Plan, add_boxes, open_boxes
from pyfai_grf.theory.three_phase import get_table
from pyfai_grf.theory.three_phase_table import LAYER_NODES


def test_films_of_one_thickness_are_compared(small_folder: BoxFolder) -> None:
    table, setting = get_table(), small_folder.setting
    samples = list(compare_boxes(pool_boxes(small_folder), small_folder, table, 0.7))
    assert len(samples) == small_folder.thicknesses.size
    for sample, (j, k) in zip(samples, np.ndindex(*small_folder.thicknesses.shape), strict=True):
        assert sample.porosity == pytest.approx(setting.porosities[j])
        if sample.layer_fraction < LAYER_NODES[-1]:
            found = table.get_thickness(sample.porosity, sample.layer_fraction)
            assert found == pytest.approx(small_folder.thicknesses[j, k], rel=1e-6)
        assert (np.diff(sample.x) >= 0).all()
        assert all(len(v) == len(sample.x) for v in (sample.simulated, sample.simulated_error, sample.expected))
        assert (sample.expected_error > 0).all()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fresh_boxes_agree_with_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another seed, porosities and layer fractions between the nodes: within the errors of both."""
    monkeypatch.setattr(boxes, "_PILOT_SHAPE", 96)
    setting = BoxSetting(seed=77, shape=256, thresholds=(-0.7, 0.5), layer_fractions=(0.1, 0.3, 0.5))
    folder = open_boxes(tmp_path / "boxes", setting)
    add_boxes(folder, Plan(coarse=20, fine=3, wide=20, pair=3))
    for sample in compare_boxes(pool_boxes(folder), folder, get_table(), 0.7):
        layer, error = sample.simulated_layer
        assert abs(layer - sample.layer_fraction) < 4 * error + 1e-3 * layer
        scatter = np.hypot(sample.simulated_error, sample.expected_error)
        # shells of one box are correlated at high q: the mean square deviation itself scatters, by about a half
        assert np.mean(((sample.simulated - sample.expected) / scatter) ** 2) < 3

"""Boxes large enough to run and too small to learn from, and a quick pilot."""

from __future__ import annotations

import pytest

from pyfai_grf.tabulation import boxes
from pyfai_grf.tabulation.grids import BoxSetting
from pyfai_grf.tabulation.store import BoxFolder, Plan, add_boxes, open_boxes


@pytest.fixture(scope="session")
def small() -> BoxSetting:
    """Boxes of 8 a an edge."""
    return BoxSetting(shape=96, voxels_per_a=12.0, thresholds=(-0.6, 0.2, 0.9), layer_fractions=(0.1, 0.3, 0.6))


@pytest.fixture
def quick_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pilot that chooses the thicknesses take one small box."""
    monkeypatch.setattr(boxes, "_PILOT_SHAPE", 64)
    monkeypatch.setattr(boxes, "_PILOT_BOXES", 1)


@pytest.fixture(scope="session")
def small_folder(small: BoxSetting, tmp_path_factory: pytest.TempPathFactory) -> BoxFolder:
    """A folder with enough boxes of each kind to be pooled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boxes, "_PILOT_SHAPE", 64)
        patch.setattr(boxes, "_PILOT_BOXES", 1)
        folder = open_boxes(tmp_path_factory.mktemp("boxes") / "small", small)
    add_boxes(folder, Plan(coarse=20, fine=4, wide=12, pair=4))
    return folder

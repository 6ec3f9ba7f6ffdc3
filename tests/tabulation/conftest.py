"""Boxes large enough to run and too small to learn from, and a quick pilot."""

from __future__ import annotations

import pytest

from pyfai_grf.tabulation import boxes
from pyfai_grf.tabulation.grids import BoxSetting


@pytest.fixture(scope="session")
def small() -> BoxSetting:
    """Boxes of 8 a an edge."""
    return BoxSetting(shape=96, voxels_per_a=12.0, thresholds=(-0.6, 0.2, 0.9), layer_fractions=(0.1, 0.3, 0.6))


@pytest.fixture
def quick_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pilot that chooses the thicknesses take one small box."""
    monkeypatch.setattr(boxes, "_PILOT_SHAPE", 64)
    monkeypatch.setattr(boxes, "_PILOT_BOXES", 1)

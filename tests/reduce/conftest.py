"""A small detector, a curve, and frames made from both."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyFAI.detectors import detector_factory
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

PIXEL_M = 172e-6


@dataclass
class Setup:
    """A square detector of 200 pixels that covers 0.02 to 3.1 per nm, its beam off centre, and a curve to put on it."""

    integrator: Any
    shape: tuple[int, int]
    q: np.ndarray
    solid_angle: np.ndarray

    def copy_integrator(self) -> Any:
        fresh = copy.copy(self.integrator)
        fresh.detector = copy.copy(self.integrator.detector)
        return fresh

    def expect_frame(self, counts: float, curve: Callable[[np.ndarray], np.ndarray] | None = None) -> np.ndarray:
        """Return the (H, W) expected counts, ``counts`` in all, of a curve (default: plateau, q^-4, flat tail)."""
        intensity = (curve or fall)(self.q) * self.solid_angle
        return intensity * (counts / intensity.sum())


def fall(q: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + (4.0 * q) ** 4) + 1e-4


@pytest.fixture(scope="session")
def setup() -> Setup:
    detector = detector_factory("Detector", {"pixel1": PIXEL_M, "pixel2": PIXEL_M, "max_shape": [200, 200]})
    integrator = AzimuthalIntegrator(
        dist=0.5, poni1=95.3 * PIXEL_M, poni2=101.6 * PIXEL_M, detector=detector, wavelength=1e-10
    )
    shape = (200, 200)
    q = integrator.array_from_unit(shape, "center", "q_nm^-1", scale=True)
    return Setup(integrator, shape, q, np.array(integrator.solidAngleArray(shape)))


@pytest.fixture
def poni(setup: Setup, tmp_path: Path) -> str:
    path = tmp_path / "setup.poni"
    setup.integrator.save(str(path))
    return str(path)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    path = Path(__file__).parents[2].parent / "shared/data"
    if not path.is_dir():
        pytest.skip("the measured data are not beside this checkout")
    return path

"""What every test may use: the array backends, a detector, the measured files, libraries that stay off the screen."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# before any test imports Qt or matplotlib: continuous integration has no screen
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import DeviceError

SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"
PIXEL_M = 172e-6


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend in turn; "cuda" only under ``-m gpu`` and where there is a GPU."""
    try:
        return get_backend(request.param)
    except DeviceError as problem:
        pytest.skip(str(problem))


@pytest.fixture
def xp(backend: Backend) -> Any:
    """The array library of ``backend``: numpy, and cupy under ``-m gpu``."""
    return backend.xp


@dataclass
class Setup:
    """A square detector of 200 pixels that covers 0.02 to 3.1 per nm, its beam off centre, and curves to put on it."""

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

    def expect_material(self, counts: float, a: float = 3.0, porosity: float = 0.3) -> np.ndarray:
        """Return the (H, W) expected counts, ``counts`` in all, of a two-phase material."""
        from pyfai_grf.theory.closed_form import expected_intensity

        grid = np.linspace(0.9 * self.q.min(), 1.1 * self.q.max(), 2000)
        intensity = expected_intensity(grid, a, porosity)
        return self.expect_frame(counts, lambda q: np.interp(q, grid, intensity))


def fall(q: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + (4.0 * q) ** 4) + 1e-4


@pytest.fixture(scope="session")
def setup() -> Setup:
    """The one detector of all tests that reduce frames."""
    from pyFAI.detectors import detector_factory
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    shape = (200, 200)
    detector = detector_factory("Detector", {"pixel1": PIXEL_M, "pixel2": PIXEL_M, "max_shape": list(shape)})
    integrator = AzimuthalIntegrator(
        dist=0.5, poni1=95.3 * PIXEL_M, poni2=101.6 * PIXEL_M, detector=detector, wavelength=1e-10
    )
    q = integrator.array_from_unit(shape, "center", "q_nm^-1", scale=True)
    return Setup(integrator, shape, q, np.array(integrator.solidAngleArray(shape)))


@pytest.fixture
def poni(setup: Setup, tmp_path: Path) -> str:
    """The geometry of ``setup`` as a file."""
    path = tmp_path / "setup.poni"
    setup.integrator.save(str(path))
    return str(path)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured files, which is too large for the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the measured files are not here ({SHARED_DATA.name} next to the repository)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rough two-phase model for 0.05 to 2.5 per nm, trained in seconds as a user does it, once for all tests."""
    from pyfai_grf.cli import main

    path = tmp_path_factory.mktemp("models") / "small"
    grid = ["--q-min", "0.05", "--q-max", "2.5", "--q-points", "100"]
    command = ["train", "--material", "two-phase-low-porosity", *grid, "--examples", "1000", "--quiet"]
    assert main([*command, "-o", str(path)]) == 0
    return path

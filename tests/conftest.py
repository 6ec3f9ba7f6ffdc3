"""What every test may use: backends, a detector, measured files, a small model, a cluster; nothing on the screen."""

from __future__ import annotations

import copy
import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# before any test imports Qt or matplotlib: continuous integration has no screen
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest

# a shell starts what runs in the background with Ctrl-C ignored, and what it starts inherits that
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import DeviceError

#: what other programs wrote; its README.md says which, and how
PEERS = Path(__file__).parent / "data" / "peers"
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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB that can really be filled, empty; it needs Linux and the superuser."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
    except OSError as problem:
        pytest.skip(f"no disk of its own can be mounted: {problem}")
    if done.returncode:
        pytest.skip(f"no disk of its own can be mounted: {done.stderr.strip()}")
    yield folder
    # lazily: a process that ends may still have a file open
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def peer_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``peer_file(name)``: the path of a file of tests/data/peers, unpacked if it is packed there."""
    folder = tmp_path_factory.mktemp("peers")

    def unpack(name: str) -> Path:
        plain, packed = PEERS / name, PEERS / f"{name}.gz"
        if plain.exists():
            return plain
        path = folder / name
        if not path.exists():
            path.write_bytes(gzip.decompress(packed.read_bytes()))
        return path

    return unpack


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rough two-phase model for 0.05 to 2.5 per nm, trained in seconds as a user does it, once for all tests."""
    from pyfai_grf.cli import main

    path = tmp_path_factory.mktemp("models") / "small"
    grid = ["--q-min", "0.05", "--q-max", "2.5", "--q-points", "100"]
    command = ["train", "--material", "two-phase-low-porosity", *grid, "--examples", "1000", "--quiet"]
    assert main([*command, "-o", str(path)]) == 0
    return path


class Cluster:
    """A Dask scheduler and its workers, each a process as somebody starts it by hand, which can be killed."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "cluster.json"
        self._log = (folder / "cluster.log").open("w")
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        _wait_for(self.file.exists)

    def _start(self, role: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", role, *options, "--scheduler-file", str(self.file), "--no-dashboard"]
        path = os.pathsep.join(filter(None, sys.path))  # what a test has made importable
        return subprocess.Popen(command, stdout=self._log, stderr=self._log, env=os.environ | {"PYTHONPATH": path})

    def add_worker(self, *options: str, threads: int = 1) -> None:
        """Start a worker, without a nanny, so that the process is the worker."""
        fixed = ("--nthreads", str(threads), "--memory-limit", "0", "--no-nanny", "--host", "127.0.0.1")
        self.workers.append(self._start("worker", *fixed, *options))

    def close(self) -> None:
        """Kill all that still runs."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._log.close()


def _wait_for(is_done: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_done():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen within a minute")


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], bool]], None]:
    """A function that waits for something that will happen, a minute at most."""
    return _wait_for


@pytest.fixture
def start_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Cluster]]:
    """A function that starts a Dask scheduler without workers; all is killed after the test."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    clusters = []

    def start() -> Cluster:
        clusters.append(Cluster(tmp_path_factory.mktemp("cluster")))
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.close()


@pytest.fixture
def cluster(start_cluster: Callable[[], Cluster]) -> Cluster:
    """A Dask scheduler without workers, in a process of its own."""
    return start_cluster()

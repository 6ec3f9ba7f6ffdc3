"""What every test may use: the array backends, the measured files, and libraries that stay off the screen."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# before any test imports Qt or matplotlib: continuous integration has no screen
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import DeviceError

#: what other programs wrote; its README.md says which, and how
PEERS = Path(__file__).parent / "data" / "peers"
SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


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


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured files, which is too large for the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the measured files are not here ({SHARED_DATA.name} next to the repository)")
    return SHARED_DATA


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

"""A small library, and how two library files are compared."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.library.generate import generate_library
from pyfai_grf.library.shard import Setting, open_shard


@pytest.fixture(scope="session")
def setting() -> Setting:
    return Setting(library_seed=6, shape=32)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, setting: Setting) -> Path:
    """A library of 40 structures made in one go by one process."""
    path = tmp_path_factory.mktemp("library") / "library-6.h5"
    generate_library(path, 40, setting, "cpu")
    return path


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return every dataset and attribute of a library file."""
    with h5py.File(path) as file:
        arrays = {name: dataset[()] for name, dataset in file.items()}
        return arrays | {f"@{name}": np.asarray(value) for name, value in file.attrs.items()}


@pytest.fixture(scope="session")
def assert_equal_files() -> Callable[[Path, Path], None]:
    def compare(one: Path, other: Path) -> None:
        first, second = _read_arrays(one), _read_arrays(other)
        assert first.keys() == second.keys()
        for name, values in first.items():
            np.testing.assert_array_equal(values, second[name], err_msg=name)

    return compare


_GROW = """
import sys
from pyfai_grf.library import generate
from pyfai_grf.library.shard import Setting
from pyfai_grf.workers.crew import Crew
generate._SAVE_EVERY_S, generate._SAVE_SHARE = -1.0, 1.0  # saves all the time, so that a kill often meets one
held = []
def report(done, total, workers):
    if held and done > held[0]:
        print("growing", flush=True)
    held.append(done)
path, seed, shape, processes, scheduler = sys.argv[1:]
print("ready", flush=True)
crew = Crew("cpu", int(processes), scheduler or None)
generate.generate_library(path, 100_000, Setting(int(seed), shape=int(shape)), crew, report)
"""


def _grow_and_kill(path: Path, setting: Setting, processes: int, scheduler: str, stage: str, delay_s: float) -> None:
    """Start growing in a process of its own, and end it without warning ``delay_s`` after it has reached ``stage``."""
    numbers = (setting.library_seed, setting.shape, processes)
    command = [sys.executable, "-c", _GROW, str(path), *map(str, numbers), scheduler]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while process.stdout.readline() != f"{stage}\n":
            assert process.poll() is None, "the process ended by itself"
        time.sleep(delay_s)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)


@pytest.fixture
def check_kills(
    tmp_path: Path, setting: Setting, assert_equal_files: Callable[[Path, Path], None]
) -> Callable[..., None]:
    """A function that kills a growing run several times at random moments, and looks at what is left each time."""
    if not hasattr(signal, "SIGKILL"):
        pytest.skip("no SIGKILL on this system")

    def check(kills: int, processes: int = 1, scheduler: str = "", longest_s: float = 0.6) -> None:
        path, reference = tmp_path / "library-6.h5", tmp_path / "reference.h5"
        moments = random.Random(kills)
        held: set[int] = set()
        for kill in range(kills):
            stage = "growing" if kill else "ready"  # the first time perhaps before anything is there
            _grow_and_kill(path, setting, processes, scheduler, stage, moments.uniform(0.0, longest_s))
            if not path.exists():
                continue
            indices = open_shard(path).get_column("index").tolist()  # readable, and its checksum is right
            assert len(indices) == len(set(indices))  # nothing twice
            assert held <= set(indices)  # nothing that was saved is lost
            held = set(indices)
        assert held
        generate_library(path, max(held) + 5, setting, "cpu")
        generate_library(reference, max(held) + 5, setting, "cpu")
        assert_equal_files(path, reference)
        assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name, reference.name]  # no drafts

    return check

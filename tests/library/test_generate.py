"""Growing a library: what is stored is what was simulated, and no interruption leaves a trace."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import DeviceError, InputError
from pyfai_grf.library import generate
from pyfai_grf.library.design import get_point, get_seed
from pyfai_grf.library.generate import compute_chords, compute_thickness, generate_library, simulate_structure
from pyfai_grf.library.shard import DENSITIES, Setting, open_shard
from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.structure import LAYER, PORE, SOLID, make_structure

SETTING = Setting(library_seed=6, shape=32)


def read_arrays(path):
    """Return every dataset and attribute of a library file."""
    with h5py.File(path) as file:
        arrays = {name: dataset[()] for name, dataset in file.items()}
        return arrays | {f"@{name}": np.asarray(value) for name, value in file.attrs.items()}


def assert_equal_files(one, other):
    first, second = read_arrays(one), read_arrays(other)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A library of 40 structures made in one go."""
    path = tmp_path_factory.mktemp("library") / "library-6.h5"
    generate_library(path, 40, SETTING, "cpu")
    return path


# --- one structure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 17])
def test_a_structure_is_the_one_its_seed_and_parameters_give(undisturbed, index):
    """Anybody can make a stored structure again, from the public function."""
    stored = open_shard(undisturbed).structures[index]
    point = get_point(6, index)
    assert stored.seed == get_seed(6, index)
    assert {name: getattr(stored, name) for name in point} == point
    labels = make_structure(**point, shape=32, voxel_size=0.5, seed=stored.seed, device="cpu")
    shells = compute_shells(get_backend("cpu"), labels, 0.5, SETTING.nodes_nm1[-1])
    for row, density in enumerate(DENSITIES):
        exact = shells.compute_intensity(SETTING.nodes_nm1, density)
        np.testing.assert_allclose(stored.intensity[row], exact, rtol=35 / 65535 / 2 * 1.01)  # 16-bit logarithms
    # faces counted dumbly
    for axis in range(3):
        neighbour = np.roll(labels, -1, axis)
        for column, pair in enumerate(((PORE, LAYER), (PORE, SOLID), (LAYER, SOLID))):
            faces = np.sum((labels == pair[0]) & (neighbour == pair[1]))
            faces += np.sum((labels == pair[1]) & (neighbour == pair[0]))
            assert stored.boundaries[axis, column] == faces


def test_the_order_in_which_structures_are_made_does_not_matter(undisturbed):
    backend = get_backend("cpu")
    stored = open_shard(undisturbed)
    for index in (31, 3):
        again = simulate_structure(backend, SETTING, index)
        np.testing.assert_allclose(again.intensity, stored.structures[index].intensity, rtol=35 / 65535 / 2 * 1.01)


def test_chords_are_those_of_every_line_through_the_box():
    """Mean chord by walking along every line: the length in a phase over the number of its pieces."""
    labels = make_structure(2.0, 0.6, 0.3, shape=24, seed=2, device="cpu")
    boundaries = np.zeros((3, 3), dtype=int)
    pieces, length = np.zeros(3), np.zeros(3)
    for axis in range(3):
        lines = np.moveaxis(labels, axis, -1).reshape(-1, 24)
        for line in lines:
            for here, following in zip(line, np.roll(line, -1), strict=True):
                length[here] += 1
                if here != following:
                    pieces[here] += 1  # ends here
                    boundaries[axis, {1: 0, 2: 1, 3: 2}[int(here) + int(following)]] += 1
    voxels = np.bincount(labels.ravel(), minlength=3)
    np.testing.assert_allclose(compute_chords(voxels, boundaries, 0.5), 0.5 * length / pieces, rtol=1e-12)


def test_chords_and_thickness_of_a_plane_film():
    """Slabs of pore 10, layer 3, solid 8, layer 3 voxels along one axis: chords only along that axis."""
    sides = 24 * 24
    boundaries = np.zeros((3, 3), dtype=int)
    boundaries[0] = 2 * sides, 0, 2 * sides
    voxels = np.array([10, 6, 8]) * sides
    # averaged over three axes, along two of which no line ever leaves its phase: three times the slab
    np.testing.assert_allclose(compute_chords(voxels, boundaries, 0.5), 3 * 0.5 * np.array([10, 3, 8]))
    # Cauchy's 2/3 is for isotropic surfaces: a plane across one axis counts two thirds of its area
    assert compute_thickness(voxels[LAYER], boundaries, 0.5) == pytest.approx(3 * 0.5 / (2 / 3))


def test_an_absent_phase_has_no_chord_and_no_thickness():
    boundaries = np.zeros((3, 3), dtype=int)
    boundaries[:, 1] = 100
    chords = compute_chords(np.array([500, 0, 500]), boundaries, 0.5)
    assert np.isnan(chords[LAYER])
    assert np.all(chords[[PORE, SOLID]] > 0)
    assert np.isnan(compute_thickness(0, boundaries, 0.5))


# --- growing ----------------------------------------------------------------------------------------------------------


def test_progress_is_reported_and_the_file_complete(tmp_path):
    seen = []
    shard = generate_library(tmp_path / "new.h5", 5, SETTING, "cpu", lambda done, total: seen.append((done, total)))
    assert seen == [(i, 5) for i in range(1, 6)]
    assert list(shard.structures) == list(range(5))
    assert list(open_shard(tmp_path / "new.h5").structures) == list(range(5))
    assert [path.name for path in tmp_path.iterdir()] == ["new.h5"]


def test_grown_in_steps_it_is_the_library_made_in_one_go(tmp_path, undisturbed):
    path = tmp_path / "library-6.h5"
    for count in (1, 7, 7, 3, 40):  # asking for fewer than there are takes none away
        shard = generate_library(path, count, SETTING, "cpu")
        assert len(shard.structures) == max(count, 7 if count == 3 else 0)
    assert_equal_files(path, undisturbed)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_interruption_loses_nothing(tmp_path, undisturbed, stop):
    path = tmp_path / "library-6.h5"

    def interrupt(done, total):
        if done == 11:
            raise stop

    with pytest.raises(stop):
        generate_library(path, 40, SETTING, "cpu", interrupt)
    assert len(open_shard(path).structures) == 11
    generate_library(path, 40, SETTING, "cpu")
    assert_equal_files(path, undisturbed)


def test_a_failed_save_is_made_up_for(tmp_path, undisturbed, monkeypatch):
    """The disk fills up half-way: a clear error, the old file, and the next run goes on from there."""
    path = tmp_path / "library-6.h5"
    generate_library(path, 10, SETTING, "cpu")
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail)
        full.setattr(generate, "_SAVE_EVERY_S", 0.0)
        with pytest.raises(InputError, match="No space left on device; what was saved before is intact"):
            generate_library(path, 40, SETTING, "cpu")
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    generate_library(path, 40, SETTING, "cpu")
    assert_equal_files(path, undisturbed)


@pytest.mark.parametrize(
    "setting",
    [
        Setting(library_seed=7, shape=32),
        Setting(library_seed=6, shape=48),
        Setting(library_seed=6, shape=32, voxel_size_nm=0.6),
        Setting(library_seed=6, shape=32, smoothing_nm=0.0),
        Setting(library_seed=6, shape=32, spectrum="another"),
        Setting(library_seed=6, shape=32, generator_version=99),
    ],
)
def test_a_library_of_another_setting_is_not_touched(undisturbed, setting):
    before = undisturbed.read_bytes()
    with pytest.raises(InputError, match=r"was made with [a-z_]+ \S+, not \S+: use another"):
        generate_library(undisturbed, 50, setting, "cpu")
    assert undisturbed.read_bytes() == before


def test_bad_requests(tmp_path):
    with pytest.raises(InputError, match="--count is 0"):
        generate_library(tmp_path / "new.h5", 0, SETTING, "cpu")
    with pytest.raises(DeviceError, match="unknown device"):
        generate_library(tmp_path / "new.h5", 1, SETTING, "gpu")
    with pytest.raises(InputError, match="cannot write"):
        generate_library(tmp_path / "missing" / "new.h5", 1, SETTING, "cpu")
    (tmp_path / "text.h5").write_text("not a library")
    with pytest.raises(InputError, match="cannot read the structure library"):
        generate_library(tmp_path / "text.h5", 1, SETTING, "cpu")
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.h5"]


# --- killed -----------------------------------------------------------------------------------------------------------

GROW = """
import sys
from pyfai_grf.library import generate
from pyfai_grf.library.shard import Setting
generate._SAVE_EVERY_S = 0.0  # saves all the time, so that a kill often meets one
seen = []
def report(done, total):
    if not seen:
        print("growing", flush=True)
    seen.append(done)
print("ready", flush=True)
generate.generate_library(sys.argv[1], int(sys.argv[2]), Setting(library_seed=6, shape=32), "cpu", report)
"""


def grow_and_kill(path, count, delay_s, stage):
    """Start growing in a process of its own, and end it without warning ``delay_s`` after it has reached ``stage``."""
    process = subprocess.Popen([sys.executable, "-c", GROW, str(path), str(count)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while (line := process.stdout.readline()) != f"{stage}\n":
            assert line, "the process ended by itself"
        time.sleep(delay_s)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_resumes_as_if_nothing_had_been(tmp_path, kills):
    path, reference = tmp_path / "library-6.h5", tmp_path / "reference.h5"
    count = 3000  # far more than a killed process gets to
    moments = random.Random(kills)
    held = 0
    for kill in range(kills):
        stage = "growing" if kill else "ready"  # the first time perhaps before anything is there
        grow_and_kill(path, count, moments.uniform(0.0, 0.6), stage)
        if not path.exists():
            continue
        indices = read_arrays(path)["index"].tolist()
        assert indices == list(range(len(indices)))  # readable, nothing twice, none left out
        assert len(indices) >= held  # nothing that was saved is lost
        held = len(indices)
    assert held > 0
    final = held + 5
    generate_library(path, final, SETTING, "cpu")
    generate_library(reference, final, SETTING, "cpu")
    assert_equal_files(path, reference)

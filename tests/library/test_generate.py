"""Growing a library: what is stored is what was simulated, and no interruption leaves a trace."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import DeviceError, GrfError, InputError
from pyfai_grf.core.versions import GENERATOR_VERSION
from pyfai_grf.library import generate
from pyfai_grf.library.design import get_point, get_seed
from pyfai_grf.library.generate import compute_chords, compute_thickness, generate_library, simulate_structure
from pyfai_grf.library.shard import DENSITIES, Setting, Shard, open_shard
from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.structure import LAYER, PORE, SOLID, make_structure
from pyfai_grf.theory.spectra import get_spectrum

# --- one structure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 17])
def test_a_structure_is_the_one_its_seed_and_parameters_give(undisturbed, index, setting):
    """Anybody can make a stored structure again, from the public function."""
    stored = open_shard(undisturbed).structures[index]
    point = get_point(6, index)
    assert stored.seed == get_seed(6, index)
    assert {name: getattr(stored, name) for name in point} == point
    how: dict[str, Any] = {**point, "shape": 32, "voxel_size": 0.5, "seed": stored.seed, "device": "cpu"}
    labels = make_structure(**how)
    shells = compute_shells(get_backend("cpu"), labels, 0.5, setting.nodes_nm1[-1])
    for row, density in enumerate(DENSITIES):
        exact = shells.compute_intensity(setting.nodes_nm1, density)
        np.testing.assert_allclose(stored.intensity[row], exact, rtol=35 / 65535 / 2 * 1.01)  # 16-bit logarithms
    # faces counted dumbly
    for axis in range(3):
        neighbour = np.roll(labels, -1, axis)
        for column, pair in enumerate(((PORE, LAYER), (PORE, SOLID), (LAYER, SOLID))):
            faces = np.sum((labels == pair[0]) & (neighbour == pair[1]))
            faces += np.sum((labels == pair[1]) & (neighbour == pair[0]))
            assert stored.boundaries[axis, column] == faces


def test_the_order_in_which_structures_are_made_does_not_matter(undisturbed, setting):
    backend = get_backend("cpu")
    stored = open_shard(undisturbed)
    for index in (31, 3):
        again = simulate_structure(backend, setting, index)
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


def test_progress_is_reported_and_the_file_complete(tmp_path, setting):
    seen = []
    shard = generate_library(tmp_path / "new.h5", 5, setting, "cpu", lambda *progress: seen.append(progress))
    assert seen == [(i, 5, 1) for i in range(6)]
    assert list(shard.structures) == list(range(5))
    assert list(open_shard(tmp_path / "new.h5").structures) == list(range(5))
    assert [path.name for path in tmp_path.iterdir()] == ["new.h5"]


def test_grown_in_steps_it_is_the_library_made_in_one_go(tmp_path, undisturbed, setting, assert_equal_files):
    path = tmp_path / "library-6.h5"
    for count in (1, 7, 7, 3, 40):  # asking for fewer than there are takes none away
        shard = generate_library(path, count, setting, "cpu")
        assert len(shard.structures) == max(count, 7 if count == 3 else 0)
    assert_equal_files(path, undisturbed)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_interruption_loses_nothing(tmp_path, undisturbed, stop, setting, assert_equal_files):
    path = tmp_path / "library-6.h5"

    def interrupt(done, total, workers):
        if done == 11:
            raise stop

    with pytest.raises(stop):
        generate_library(path, 40, setting, "cpu", interrupt)
    assert len(open_shard(path).structures) == 11
    generate_library(path, 40, setting, "cpu")
    assert_equal_files(path, undisturbed)


def test_a_failed_save_is_made_up_for(tmp_path, undisturbed, monkeypatch, setting, assert_equal_files):
    """The disk fills up half-way: a clear error, the old file, and the next run goes on from there."""
    path = tmp_path / "library-6.h5"
    generate_library(path, 10, setting, "cpu")
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail)
        full.setattr(generate, "_SAVE_EVERY_S", -1.0)
        with pytest.raises(InputError, match="No space left on device; what was saved before is intact"):
            generate_library(path, 40, setting, "cpu")
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    generate_library(path, 40, setting, "cpu")
    assert_equal_files(path, undisturbed)


@pytest.mark.parametrize(
    "wanted",
    [
        Setting(library_seed=7, shape=32),
        Setting(library_seed=6, shape=48),
        Setting(library_seed=6, shape=32, voxel_size_nm=0.6),
        Setting(library_seed=6, shape=32, smoothing_nm=0.0),
        Setting(library_seed=6, shape=32, spectrum="power:n=6"),
    ],
)
def test_a_library_of_another_setting_is_not_touched(undisturbed, wanted):
    before = undisturbed.read_bytes()
    with pytest.raises(InputError, match=r"was made with [a-z_]+ \S+, not \S+: use another"):
        generate_library(undisturbed, 50, wanted, "cpu")
    assert undisturbed.read_bytes() == before


def test_a_library_of_another_generator_is_not_touched(tmp_path):
    path = tmp_path / "old.h5"
    Shard(path, Setting(library_seed=6, shape=32, generator_version=0)).save()
    before = path.read_bytes()
    for version in (0, GENERATOR_VERSION):  # whoever asks
        wanted = Setting(library_seed=6, shape=32, generator_version=version)
        with pytest.raises(InputError, match=r"generator version 0, this is version \d+: .*another file with another"):
            generate_library(path, 5, wanted, "cpu")
    assert path.read_bytes() == before


def test_the_spectrum_is_stored_by_its_canonical_name(tmp_path, setting):
    path = tmp_path / "new.h5"
    generate_library(path, 2, Setting(6, shape=32, spectrum="power: n = 6.0"), "cpu")
    assert open_shard(path).setting.spectrum == get_spectrum("power:n=6").text
    generate_library(path, 3, Setting(6, shape=32, spectrum="power:n=6"), "cpu")
    published = generate_library(tmp_path / "other.h5", 3, setting, "cpu")
    other = open_shard(path).get_column("log_codes") != published.get_column("log_codes")
    assert other.any(axis=(1, 2)).all()
    with pytest.raises(InputError, match="nonsense"):
        generate_library(tmp_path / "none.h5", 2, Setting(6, shape=32, spectrum="nonsense"), "cpu")


def test_what_goes_wrong_in_a_structure_is_one_line(tmp_path, undisturbed, monkeypatch, setting, assert_equal_files):
    path = tmp_path / "library-6.h5"

    def fail(backend, labels):
        raise MemoryError("Unable to allocate\n9 GB")

    generate_library(path, 3, setting, "cpu")
    with monkeypatch.context() as full:
        full.setattr(generate, "count_boundaries", fail)
        with pytest.raises(
            GrfError, match=r"structure 3 failed \(MemoryError: Unable to allocate 9 GB\): use fewer workers"
        ):
            generate_library(path, 40, setting, "cpu")
    generate_library(path, 40, setting, "cpu")
    assert_equal_files(path, undisturbed)


def test_bad_requests(tmp_path, setting):
    with pytest.raises(InputError, match="count is 0"):
        generate_library(tmp_path / "new.h5", 0, setting, "cpu")
    with pytest.raises(DeviceError, match="unknown device"):
        generate_library(tmp_path / "new.h5", 1, setting, "gpu")
    with pytest.raises(InputError, match="cannot write"):
        generate_library(tmp_path / "missing" / "new.h5", 1, setting, "cpu")
    (tmp_path / "text.h5").write_text("not a library")
    with pytest.raises(InputError, match="cannot read the structure library"):
        generate_library(tmp_path / "text.h5", 1, setting, "cpu")
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.h5"]


def test_drafts_of_killed_runs_are_removed(tmp_path, setting):
    """Those of processes of this machine that are gone, not of running ones, other machines or other libraries."""
    if os.name != "posix":
        pytest.skip("no asking whether a process runs")
    path = tmp_path / "library-6.h5"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    start = f".library-6.h5.{platform.node()}."
    gone = f"{start}{ended.pid}.part"
    others = [f"{start}{os.getppid()}.part", f".library-6.h5.elsewhere.{ended.pid}.part", f".x{gone}", f"{start}x.part"]
    for name in (gone, *others):
        (tmp_path / name).write_bytes(b"half a file")
    generate_library(path, 2, setting, "cpu")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*others, path.name])


def test_saving_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    """By a clock of our own: a save takes 1 s in a library that makes one structure a second."""
    now = [0.0]
    saved_at = []
    save = Shard.save

    def save_slowly(shard):
        save(shard)
        now[0] += 1.0
        saved_at.append(now[0])

    def tick(done, total, workers):
        now[0] += 1.0

    monkeypatch.setattr(generate.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Shard, "save", save_slowly)
    generate_library(tmp_path / "new.h5", 150, Setting(6, shape=16), "cpu", tick)
    first, second, third, *later = saved_at
    assert first == 1.0  # the empty file
    assert second - first <= 4.0  # after two seconds; compresses what was there, which the next do not
    assert third - second <= 4.0
    # then 50 s after each save; a save, and a structure until the clock is looked at again, come on top
    assert later[0] - third == pytest.approx(50.0, abs=2.5)
    assert len(later) == 3  # and the last one at the end


def test_one_run_at_a_time(tmp_path, setting):
    """Each would write the whole file, without what the other has made."""
    path = tmp_path / "new.h5"

    def report(done, total, workers):
        with pytest.raises(InputError, match=f"is being written by process {os.getpid()}"):
            generate_library(path, 5, setting, "cpu")

    assert len(generate_library(path, 2, setting, "cpu", report).structures) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["new.h5"]

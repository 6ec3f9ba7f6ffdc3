"""The library file: what comes back is what went in, to half a step of the 16-bit logarithms; damage is refused."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

from pyfai_grf.cli.hints import word_problem
from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.library.contents import encode_intensity
from pyfai_grf.library.design import get_split
from pyfai_grf.library.generate import simulate_structure
from pyfai_grf.library.shard import DENSITIES, Setting, Shard, open_shard, read_setting
from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.structure import StructureModel, make_labels

#: ln I over 5..40 in 65535 steps: rounding is off by half a step at most
HALF_STEP = (40 - 5) / 65535 / 2


@pytest.fixture(scope="module")
def setting():
    return Setting(library_seed=4, shape=32)


@pytest.fixture(scope="module")
def structures(setting):
    backend = get_backend("cpu")
    return [simulate_structure(backend, setting, index) for index in range(6)]


@pytest.fixture
def shard(tmp_path, setting, structures):
    return Shard(tmp_path / "library-4.h5", setting, {s.index: s for s in structures})


# --- round trip -------------------------------------------------------------------------------------------------------


def test_round_trip(shard, structures):
    shard.save()
    again = open_shard(shard.path)
    assert again.setting == shard.setting
    assert list(again.structures) == [s.index for s in structures]
    for before in structures:
        after = again.structures[before.index]
        assert (after.seed, after.a, after.porosity, after.layer_fraction) == (
            before.seed,
            before.a,
            before.porosity,
            before.layer_fraction,
        )
        np.testing.assert_array_equal(after.boundaries, before.boundaries)
        np.testing.assert_allclose(after.mean_chords_nm, before.mean_chords_nm, rtol=1e-7)
        assert after.layer_thickness_nm == pytest.approx(before.layer_thickness_nm, rel=1e-7)
        np.testing.assert_array_equal(after.log_codes, before.log_codes)


def test_structures_of_many_blocks_come_back_in_order(shard, structures):
    """Added in any order, saved in between: blocks are compressed again where something has come into them."""
    rng = np.random.default_rng(1)
    codes = {}
    for position, index in enumerate(rng.permutation(np.arange(6, 300)).tolist()):
        codes[index] = rng.integers(0, 65536, structures[0].log_codes.shape, dtype=np.uint16)
        shard.add(dataclasses.replace(structures[0], index=index, log_codes=codes[index]))
        if position % 60 == 0:
            shard.save()
    shard.save()
    again = open_shard(shard.path)
    assert list(again.structures) == list(range(300))
    for index, expected in codes.items():
        np.testing.assert_array_equal(again.structures[index].log_codes, expected)


def test_saving_again_changes_nothing(shard):
    shard.save()
    first = {name: dataset[()] for name, dataset in h5py.File(shard.path).items()}
    again = open_shard(shard.path)
    again.save()
    with h5py.File(shard.path) as file:
        for name, values in first.items():
            np.testing.assert_array_equal(file[name][()], values)


def test_an_empty_shard_is_a_file_too(tmp_path, setting):
    Shard(tmp_path / "new.h5", setting).save()
    again = open_shard(tmp_path / "new.h5")
    assert again.setting == setting
    assert again.structures == {}


# --- curves from nodes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "porosity", "layer_fraction"), [(2.0, 0.6, 0.3), (5.0, 0.3, 0.1), (1.0, 0.8, 0.5)])
def test_curves_are_rebuilt_between_the_nodes(tmp_path, structures, a, porosity, layer_fraction):
    """A spline through three nodes a grid step is Eq. 4 itself, for any contrast."""
    setting = Setting(library_seed=4, shape=64)
    backend = get_backend("cpu")
    model = StructureModel(a, porosity, layer_fraction, setting.shape)
    labels = make_labels(backend, model, 1)
    nodes = setting.nodes_nm1
    shells = compute_shells(backend, labels, 0.5, nodes[-1])
    intensity = np.array([shells.compute_intensity(nodes, density) for density in DENSITIES])
    shard = Shard(tmp_path / "library-4.h5", setting)
    shard.add(dataclasses.replace(structures[0], log_codes=encode_intensity(intensity)))
    q = np.linspace(nodes[0], nodes[-1], 997)
    exact = np.array([shells.compute_intensity(q, density) for density in DENSITIES])
    # n in grid steps: below 4 and 10 steps a box's own scatter, 1/sqrt(N_eff), is above 7 % and 3 %
    n = q * setting.shape * 0.5 / (2 * np.pi)
    allowed = np.select([n < 4, n < 10], [5e-3, 2e-3], 1e-3)
    # half a step of 5.3e-4 more from the 16 bits; the spline's overshoot makes it 1.5 half steps at most
    stored = shard.interpolate(q)[0]
    allowed += 1.5 * HALF_STEP
    assert np.all(np.abs(stored / exact - 1) < allowed)
    # any layer density from the quadratic through the three
    quadratic = np.linalg.inv(np.polynomial.polynomial.polyvander(np.array(DENSITIES), 2))
    weights = np.polynomial.polynomial.polyvander(np.array([0.3, 0.8]), 2) @ quadratic
    other = np.array([shells.compute_intensity(q, density) for density in (0.3, 0.8)])
    # errors of the three add up with these weights, on the scale of the largest curve
    scale = np.abs(weights) @ exact
    assert np.all(np.abs(weights @ stored - other) < allowed * scale)


def test_interpolation_keeps_inside_the_stored_range(shard, setting):
    nodes = setting.nodes_nm1
    assert shard.interpolate(nodes[[0, -1]]).shape == (6, 3, 2)
    for q in ([nodes[0] * 0.99, 1.0], [1.0, nodes[-1] * 1.01]):
        with pytest.raises(InputError, match=r"not inside the library's 0\.3927 to 4\.712 1/nm"):
            shard.interpolate(np.array(q))


def test_curves_columns_and_splits_run_by_index(shard, structures):
    turned = Shard(shard.path, shard.setting, {s.index: s for s in structures[::-1]})
    q = np.linspace(0.5, 4, 5)
    np.testing.assert_array_equal(turned.interpolate(q), shard.interpolate(q))
    assert turned.get_column("index").tolist() == list(range(6))
    np.testing.assert_array_equal(turned.get_column("a"), [s.a for s in structures])
    assert turned.get_column("boundaries").shape == (6, 3, 3)
    assert turned.get_splits().tolist() == [get_split(4, index) for index in range(6)]


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_structure_is_added_once(shard, structures):
    with pytest.raises(InputError, match="structure 0 is already in"):
        shard.add(structures[0])


def test_a_missing_file_has_a_hint_at_the_command_that_makes_one(tmp_path):
    path = tmp_path / "none.h5"
    with pytest.raises(InputError, match=r"there is no structure library .*none\.h5: make one first") as found:
        open_shard(path)
    assert word_problem(found.value).endswith(f"('pyfai-grf generate {path} --count N' makes one)")


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "odd.h5"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read the structure library"):
        open_shard(path)


@pytest.mark.parametrize(("name", "value"), [("format", "recipes"), ("format_version", 2), ("format", None)])
def test_other_formats_are_refused(shard, name, value):
    shard.save()
    with h5py.File(shard.path, "r+") as file:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value
    with pytest.raises(InputError, match="is not a pyfai-grf structure library of format version 1"):
        open_shard(shard.path)


@pytest.mark.parametrize("name", ["log_intensity", "seed", "boundaries"])
def test_a_file_that_lacks_something_is_refused(shard, name):
    shard.save()
    with h5py.File(shard.path, "r+") as file:
        del file[name]
    with pytest.raises(InputError, match="cannot read the structure library"):
        open_shard(shard.path)


def test_damage_is_noticed(shard):
    """Cut short anywhere, or a bit turned anywhere: what is read is what was written, or the file is refused."""
    shard.save()
    data = shard.path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for attempt in range(300):
        damaged = bytearray(data)
        if attempt % 3 == 0:
            damaged = damaged[: rng.integers(len(data))]
        else:
            damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        shard.path.write_bytes(damaged)
        try:
            again = open_shard(shard.path)
        except InputError:
            refused += 1
            continue
        assert again.setting == shard.setting
        for column in ("index", "seed", "a", "log_codes", "boundaries"):
            np.testing.assert_array_equal(again.get_column(column), shard.get_column(column))
    assert refused >= 100  # whatever is cut short


@pytest.mark.parametrize("name", ["log_intensity", "seed", "a", "boundaries", "q_nm1"])
def test_a_changed_value_is_noticed(shard, name):
    shard.save()
    with h5py.File(shard.path, "r+") as file:
        values = file[name][()]
        values.flat[0] += 1
        file[name][...] = values
    with pytest.raises(InputError, match="its checksum is wrong, so the file is damaged: use another copy"):
        open_shard(shard.path)


def test_a_changed_setting_is_noticed(shard):
    shard.save()
    with h5py.File(shard.path, "r+") as file:
        file.attrs["library_seed"] = 5
    with pytest.raises(InputError, match="its checksum is wrong"):
        open_shard(shard.path)


def test_a_library_without_a_checksum_is_read(shard):
    """As those of version 0.1 are, the bundled ones among them."""
    shard.save()
    with h5py.File(shard.path, "r+") as file:
        del file.attrs["crc32"]
    assert list(open_shard(shard.path).structures) == list(range(6))


def test_other_codes_are_refused(shard):
    shard.save()
    with h5py.File(shard.path, "r+") as file:
        file.attrs["log_intensity_low"] = 4.0
    with pytest.raises(InputError, match="coded differently"):
        open_shard(shard.path)


def test_the_setting_alone(shard, setting, tmp_path):
    shard.save()
    assert read_setting(shard.path) == setting
    (tmp_path / "text.h5").write_text("not a library")
    with pytest.raises(InputError, match="cannot read the structure library"):
        read_setting(tmp_path / "text.h5")


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 1000, 6000])
def test_a_full_disk_keeps_what_was_saved(shard, tmp_path, room):
    """In a process whose files may not grow beyond ``room`` bytes: a clear line, the old file, no crash at the end."""
    pytest.importorskip("resource", reason="no file size limits on this system")
    shard.save()
    before = shard.path.read_bytes()
    assert len(before) > room
    program = f"""
        import resource
        from pyfai_grf.core.errors import InputError
        from pyfai_grf.library.shard import open_shard
        shard = open_shard({str(shard.path)!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))
        for _ in range(2):
            try:
                shard.save()
            except InputError as problem:
                print(problem)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(f"cannot write {shard.path}: " in line and "what was saved before is intact" in line for line in lines)
    assert shard.path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [shard.path]


@pytest.mark.parametrize("place", ["missing/library.h5", "file/library.h5"])
def test_a_place_that_cannot_be_written(tmp_path, setting, place):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="cannot write"):
        Shard(tmp_path / place, setting).save()

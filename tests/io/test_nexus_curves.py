"""Curves in HDF5: maps and stacks, entries by name, slits, and files that are damaged, unfinished or hostile."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.curves import collect_curves, read_curves

Q = np.linspace(0.05, 3.0, 40)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741


def _add_curve(parent: h5py.Group, name: str, intensity: np.ndarray = I, unit: str = "1/nm", **more) -> h5py.Group:
    """Add a SASdata as Irena, Nika and Matilda write it."""
    group = parent.create_group(name)
    group.attrs.update({"NX_class": "NXdata", "canSAS_class": "SASdata", "signal": "I", "I_axes": "Q"})
    group.update({"Q": Q, "I": intensity, "Idev": 0.01 * np.abs(intensity), **more})
    group["Q"].attrs["units"] = unit
    group["I"].attrs["uncertainties"] = "Idev"
    return group


def _add_entry(file: h5py.File, path: str, title: str = "", **more) -> h5py.Group:
    entry = file.create_group(path)
    entry.attrs.update({"NX_class": "NXsubentry", "canSAS_class": "SASentry"})
    if title:
        entry["title"] = title
    return _add_curve(entry, "sasdata", **more)


def _get_places(curves) -> list[str]:
    return [curve.metadata["source"].partition("::")[2] for curve in curves]


# --- several entries ---------------------------------------------------------------------------------------------


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Four curves: two samples in an entry of their own each, one measured twice, one with a telling title."""
    with h5py.File(tmp_path / "series.h5", "w") as file:
        for number, (path, title) in enumerate(
            [("entry/Rh3", "Rh3"), ("entry/Rh30", "other"), ("night/S21", "S21"), ("day/S21", "S21 again")]
        ):
            _add_entry(file, path, title, intensity=(number + 1) * I)
    return tmp_path / "series.h5"


def test_what_is_wrong_with_every_entry_is_said_once_and_counted(series: Path) -> None:
    curves, problems = collect_curves(series, "A")
    assert curves == []
    assert [str(problem).partition(": ")[2][:45] for problem in problems] == [
        "the unit A that was given contradicts the fil",
        "the same holds for 3 more in it: the unit A t",
    ]


# --- slits -------------------------------------------------------------------------------------------------------


def test_smeared_twin_is_named_and_left_out_and_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    """As Matilda and pyirena write a USAXS sample: desmeared, and beside it as it was measured."""
    path = tmp_path / "Rh3.h5"
    with h5py.File(path, "w") as file:
        _add_entry(file, "entry/Rh3", "Rh3", intensity=I)
        smeared = _add_entry(file, "entry/Rh3_SMR", "Rh3", intensity=2 * I, dQl=0.26, dQw=0.001 * Q)
        smeared["Q"].attrs["resolutions"] = "dQw,dQl"
    (curve,) = read_curves(path)
    np.testing.assert_array_equal(curve.intensity, I)
    assert curve.metadata["warnings"] == [
        "Rh3.h5 holds Rh3, and Rh3_SMR, which is slit-smeared (slit length 0.26 1/nm, dQl) and left out; "
        f"{path}::Rh3 names the first alone"
    ]
    assert read_curves(f"{path}::Rh3")[0].metadata["warnings"] == []
    with pytest.raises(InputError, match=r"Rh3_SMR/sasdata: slit-smeared \(slit length 0\.26 1/nm, dQl\).*desmear"):
        read_curves(f"{path}::Rh3_SMR")


@pytest.mark.parametrize("title", ["A", ""])
def test_smeared_curve_without_twin_is_refused_and_the_others_are_read(title: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        _add_entry(file, "entry/A", title)
        _add_entry(file, "entry/B_SMR", title and "B")
    curves, problems = collect_curves(tmp_path / "file.h5")
    assert _get_places(curves) == ["/entry/A/sasdata"]
    assert "slit-smeared (it is called B_SMR)" in str(problems[0])
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("notes", "attributes", "reason"),
    [
        ({"SlitLength": [np.float32(0.0234)]}, {}, r"slit length 0\.0234, SlitLength; nothing says"),
        ({"SlitLength": [np.float32(0.0234)], "Wname": [b"SMR_Int"]}, {}, "the data are SMR_Int"),
        ({}, {"slit_length": 0.1}, r"slit length 0\.1, slit_length; nothing says"),
        ({}, {"Smearing": "Slit"}, "smearing: Slit"),
        ({"SlitLength": [np.float32(0.0234)], "Wname": [b"DSM_Int"]}, {}, None),  # VTMA.h5 of Irena
        ({"SlitLength": [np.float32(0.0234)], "DataDesmeared": [b"yes"]}, {}, None),  # Lew_Sa3
        ({"SlitLength": [np.float32(np.nan)]}, {}, None),
        ({}, {"slit_length": 0.0}, None),
        ({}, {"smearing": "none"}, None),
    ],
)
def test_notes_of_programs_tell_smeared_from_desmeared(
    notes: dict, attributes: dict, reason: str | None, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        group = _add_curve(file.create_group("sample"), "data")
        group["I"].attrs.update(attributes)
        note = group.create_group("IGORWaveNote")
        note.attrs["NX_class"] = "NXnote"
        note.update(notes)
    if reason is None:
        assert len(read_curves(tmp_path / "file.h5")) == 1
        return
    with pytest.raises(InputError, match=rf"slit-smeared \({reason}"):
        read_curves(tmp_path / "file.h5")


# --- maps and stacks ---------------------------------------------------------------------------------------------


def _write_map(path: Path, space: str = "q", unit: str = "nm^-1", written: int = 6) -> np.ndarray:
    """As pyFAI-diffmap writes: q first in what is shown, last in what was computed, errors beside that."""
    intensity = np.arange(1.0, 7.0).reshape(2, 3, 1) * I
    intensity.reshape(6, 40)[written:] = np.nan
    with h5py.File(path, "w") as file:
        file.create_group("entry_0000").attrs["NX_class"] = "NXentry"
        file["entry_0000/title"] = "diff_map"
        group = file.create_group("entry_0000/pyFAI/result")
        group.attrs.update({"NX_class": "NXdata", "signal": "map", "axes": [space, "slow", "fast"]})
        group.create_dataset("intensity", data=intensity, dtype="f4", fillvalue=np.nan, chunks=(1, 3, 40))
        group["intensity"].attrs["interpretation"] = "spectrum"
        group["errors"] = 0.01 * intensity
        layout = h5py.VirtualLayout((40, 2, 3), dtype="f4")
        for slow, fast in np.ndindex(2, 3):
            layout[:, slow, fast] = h5py.VirtualSource(group["intensity"])[slow, fast]
        group.create_virtual_dataset("map", layout).attrs["interpretation"] = "image"
        group.update({"slow": np.arange(2.0), "fast": np.arange(3.0), "map_ptr": np.arange(6).reshape(2, 3)})
        group[space] = Q
        group[space].attrs["unit"] = unit
    return intensity.astype(np.float32).reshape(6, 40)


def test_every_point_of_a_map_is_a_curve(tmp_path: Path) -> None:
    intensity = _write_map(tmp_path / "map.h5")
    curves = read_curves(tmp_path / "map.h5")
    assert [c.metadata["frame"] for c in curves] == list(range(6))
    assert {(c.metadata["title"], c.metadata["entry"]) for c in curves} == {("diff_map", "entry_0000")}
    assert curves[5].metadata["position"] == {"slow": 1, "fast": 2}
    for curve, expected in zip(curves, intensity, strict=True):
        np.testing.assert_array_equal(curve.intensity, expected)
        np.testing.assert_allclose(curve.sigma, 0.01 * expected, rtol=1e-6)  # single precision
        np.testing.assert_array_equal(curve.q_nm1, Q)


def test_map_with_q_first_and_nothing_else_is_turned(tmp_path: Path) -> None:
    intensity = _write_map(tmp_path / "map.h5")
    with h5py.File(tmp_path / "map.h5", "r+") as file:
        group = file["entry_0000/pyFAI/result"]
        shown = group["map"][()]
        for name in ("intensity", "errors", "map"):
            del group[name]
        group["map"] = shown
    curves = read_curves(tmp_path / "map.h5")
    np.testing.assert_array_equal(np.stack([c.intensity for c in curves]), intensity)


def test_map_over_an_angle_is_refused_in_one_line(tmp_path: Path) -> None:
    _write_map(tmp_path / "map.h5", "2th", "deg")
    curves, problems = collect_curves(tmp_path / "map.h5", "nm")
    assert curves == []
    assert len(problems) == 1
    assert 'scattering angle, 2-theta (deg), not q: integrate again with unit q_nm^-1 ("unit"' in str(problems[0])


def test_points_that_were_not_measured_are_counted(tmp_path: Path) -> None:
    _write_map(tmp_path / "map.h5", written=3)
    curves, problems = collect_curves(tmp_path / "map.h5")
    assert len(curves) == 3
    assert [str(p).partition(": ")[2] for p in problems] == ["nothing was written into 3 of 6 frames: 3-5"]


def test_frames_that_hold_what_hdf5_fills_in_were_not_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        group = _add_curve(file, "stack")
        del group["I"], group["Idev"]
        group.attrs["I_axes"] = ".,Q"
        group.create_dataset("I", (9, 40), "f8", chunks=(1, 40))[[1, 4]] = [I, I]
    curves, problems = collect_curves(tmp_path / "stack.h5")
    assert [c.metadata["frame"] for c in curves] == [1, 4]
    assert "7 of 9 frames: 0, 2-3, 5-8" in str(problems[0])


# --- damaged, unfinished, hostile --------------------------------------------------------------------------------


def test_damage_to_one_entry_leaves_the_others(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        for name in "abc":
            group = _add_entry(file, f"entry/{name}")
            del group["I"]
            group.create_dataset("I", data=I, chunks=(40,), fletcher32=True)
        offset = file["entry/b/sasdata/I"].id.get_chunk_info(0).byte_offset
    content = bytearray((tmp_path / "file.h5").read_bytes())
    content[offset + 8] ^= 0xFF
    (tmp_path / "file.h5").write_bytes(content)
    curves, problems = collect_curves(tmp_path / "file.h5")
    assert _get_places(curves) == ["/entry/a/sasdata", "/entry/c/sasdata"]
    assert "/entry/b/sasdata: damaged or incomplete HDF5 file" in str(problems[0])


@pytest.mark.parametrize(
    ("shape", "chunks", "message"),
    [
        ((10**5, 10**5), (1, 10**5), "hardly anything was written|next to nothing was written"),
        ((10**7, 40), (1000, 40), "declares 10000000 curves of 40 points"),
        ((2 * 10**6,), (1000,), "declares 1 curves of 2000000 points"),
    ],
)
def test_sizes_that_are_only_declared_are_not_believed(
    shape: tuple[int, ...], chunks: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        group = _add_curve(file, "huge")
        for name in ("I", "Idev", "Q"):
            del group[name]
        group.create_dataset("I", shape, "f8", chunks=chunks)
        group.create_dataset("Q", shape[-1:], "f8", chunks=chunks[-1:])
        group["Q"].attrs["units"] = "1/nm"
    curves, problems = collect_curves(tmp_path / "file.h5")
    assert curves == []
    with pytest.raises(InputError, match=message):
        raise problems[0]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        h5py.h5g.create(file.id, b"prob\xe9").close()
        sample = h5py.Group(h5py.h5o.open(file.id, b"prob\xe9"))
        sample["title"] = np.bytes_("\x1b[31mSilicon é\n".encode("latin-1"))
        _add_curve(sample, "data")["I"].attrs["units"] = b"1/cm\xb9\x1b\n"
    (curve,) = read_curves(tmp_path / "file.h5")
    assert curve.metadata["intensity_unit"] == "1/cm"
    assert curve.metadata["source"] == f"{tmp_path}/file.h5::/prob\\udce9/data"
    assert curve.metadata["title"] == "[31mSilicon �"
    (named,) = read_curves(f"{tmp_path}/file.h5::" + os.fsdecode(b"prob\xe9"))
    np.testing.assert_array_equal(named.intensity, I)

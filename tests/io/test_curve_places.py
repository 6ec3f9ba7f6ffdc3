"""A curve is found under every name that a user may give it, and a name that is none gets a list of those there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.curve_group import CurveGroup
from pyfai_grf.io.curve_places import find_places, find_title, shorten_places

Q = np.linspace(0.05, 3.0, 40)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741


def add_curve(parent: h5py.Group, name: str, kind: str = "SASdata", unit: str = "1/nm") -> h5py.Group:
    """Add a SASdata, or an NXdata only."""
    group = parent.create_group(name)
    group.attrs.update({"NX_class": "NXdata", "signal": "I", "axes": ["Q"]})
    if kind != "NXdata":
        group.attrs["canSAS_class"] = kind
    group.update({"Q": Q, "I": I})
    group["Q"].attrs["units"] = unit
    return group


@pytest.fixture
def file() -> Iterator[h5py.File]:
    """An empty file in memory."""
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as h5:
        yield h5


@pytest.fixture
def series(file: h5py.File) -> h5py.File:
    """Four curves: two samples in an entry of their own each, one measured twice, one with a telling title."""
    for path, title in [("entry/Rh3", "Rh3"), ("entry/Rh30", "other"), ("night/S21", "S21"), ("day/S21", "S21 again")]:
        add_curve(file, f"{path}/sasdata")
        file[path]["title"] = title
    return file


def refuse(file: h5py.File, inner: str) -> str:
    """Return what is said of a name that leads to no curve."""
    with pytest.raises(InputError, match=r"^c\.h5") as caught:
        find_places(file, "c.h5", inner)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ("/entry/Rh3", ["/entry/Rh3/sasdata"]),
        ("entry/Rh3/sasdata", ["/entry/Rh3/sasdata"]),
        ("/entry/Rh3/sasdata/I", ["/entry/Rh3/sasdata"]),
        ("/entry/Rh3/sasdata/Q", ["/entry/Rh3/sasdata"]),
        ("Rh3", ["/entry/Rh3/sasdata"]),
        ("/Rh3/", ["/entry/Rh3/sasdata"]),
        ("Rh3/sasdata", ["/entry/Rh3/sasdata"]),
        ("night", ["/night/S21/sasdata"]),
        ("entry", ["/entry/Rh3/sasdata", "/entry/Rh30/sasdata"]),
        ("S21 again", ["/day/S21/sasdata"]),
        ("/", ["/day/S21/sasdata", "/entry/Rh3/sasdata", "/entry/Rh30/sasdata", "/night/S21/sasdata"]),
        ("", ["/day/S21/sasdata", "/entry/Rh3/sasdata", "/entry/Rh30/sasdata", "/night/S21/sasdata"]),
    ],
)
def test_curve_is_found_by_path_name_or_title(asked: str, places: list[str], series: h5py.File) -> None:
    found = find_places(series, "c.h5", asked)
    assert sorted(found) == places
    for place, parts in found.items():
        assert isinstance(parts, CurveGroup)
        assert parts.intensity == series[place]["I"]


def test_a_name_of_several_is_answered_with_their_paths(series: h5py.File) -> None:
    message = refuse(series, "S21")
    assert message.startswith("c.h5::S21: several")
    assert "/day/S21/sasdata" in message
    assert "/night/S21/sasdata" in message
    assert "Rh3" not in message


@pytest.mark.parametrize("asked", ["Au", "/entry/gone", "Rh", "sasdata/I/deeper", "title\0"])
def test_a_name_of_none_is_answered_with_what_there_is(asked: str, series: h5py.File) -> None:
    message = refuse(series, asked)
    assert message.startswith(f"c.h5::{asked}: nothing there")
    assert "/entry/Rh3/sasdata" in message


def test_dataset_that_is_no_part_of_a_curve(series: h5py.File) -> None:
    assert "without a q axis" in refuse(series, "/entry/Rh3/title")


def test_only_the_first_of_many_are_listed(file: h5py.File) -> None:
    for number in range(30):
        add_curve(file, f"sample{number:02d}/sasdata")
    message = refuse(file, "gone")
    assert "/sample05/sasdata and 24 more" in message
    assert "sample06" not in message


def test_what_there_is_without_any_curve(file: h5py.File) -> None:
    assert "nothing in it" in refuse(file, "")
    file["lonely"] = 1.0
    assert "/lonely" in refuse(file, "")
    file.create_group("plot").attrs["NX_class"] = "NXdata"
    message = refuse(file, "")
    assert "/plot" in message
    assert "lonely" not in message
    image = add_curve(file, "image")
    del image["I"]
    image["I"] = np.tile(I, (36, 1))
    image.attrs["interpretation"] = "image"
    assert "two dimensions" in refuse(file, "")


# --- which of several ---------------------------------------------------------------------------------------------


def test_sasdata_stands_above_nxdata_and_q_above_an_angle(file: h5py.File) -> None:
    add_curve(file, "angle", "NXdata", "2th_deg")
    assert list(find_places(file, "c.h5")) == ["/angle"]  # refused, with the reason, by whoever makes a curve of it
    add_curve(file, "plain", "NXdata")
    assert list(find_places(file, "c.h5")) == ["/plain"]
    add_curve(file, "sas")
    assert list(find_places(file, "c.h5")) == ["/sas"]
    assert list(find_places(file, "c.h5", "/plain")) == ["/plain"]
    assert list(find_places(file, "c.h5", "angle")) == ["/angle"]


def test_other_plots_and_sectors_are_not_taken_for_curves(file: h5py.File) -> None:
    add_curve(file, "curve", "NXdata")
    plot = file.create_group("plot")
    plot.attrs.update({"NX_class": "NXdata", "signal": "temperature", "axes": ["time"]})
    plot.update({"temperature": np.arange(20.0), "time": np.arange(20.0)})
    sectors = add_curve(file, "sectors", "NXdata")
    del sectors["I"]
    sectors["I"] = np.tile(I, (36, 1))
    sectors.attrs.update({"axes": ["chi", "Q"], "interpretation": "image"})
    assert list(find_places(file, "c.h5")) == ["/curve"]
    assert "no one-dimensional curve" in refuse(file, "/sectors")


def test_a_place_is_the_path_that_led_there(tmp_path: Path) -> None:
    """Not the name that the object has in the other file."""
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        add_curve(file, "1.1/sasdata")
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["sample"] = h5py.ExternalLink("scan.h5", "/1.1")
        file["same"] = h5py.SoftLink("/sample/sasdata")
        assert list(find_places(file, "c.h5", "/sample")) == ["/sample/sasdata"]
        assert list(find_places(file, "c.h5", "/same")) == ["/same"]
        assert list(find_places(file, "c.h5", "/same/I")) == ["/same"]
        assert len(find_places(file, "c.h5")) == 1


def test_group_that_cannot_be_read_is_told_and_the_others_are_found(
    series: h5py.File, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyfai_grf.io import curve_places

    describe = curve_places.describe_group

    def fail(group: h5py.Group) -> CurveGroup | None:
        if group.name == "/entry/Rh3/sasdata":
            raise OSError("damaged")
        return describe(group)

    monkeypatch.setattr(curve_places, "describe_group", fail)
    found = find_places(series, "c.h5")
    assert {place for place, parts in found.items() if isinstance(parts, OSError)} == {"/entry/Rh3/sasdata"}
    assert len(found) == 4


# --- names for people --------------------------------------------------------------------------------------------


def test_title_is_the_nearest_above(file: h5py.File) -> None:
    add_curve(file, "entry/sample/sasdata")
    assert find_title(file, "/entry/sample/sasdata") == "sasdata"
    file["entry/title"] = "entry's"
    assert find_title(file, "/entry/sample/sasdata") == "entry's"
    file["entry/sample/title"] = [np.bytes_("sample's ")]
    assert find_title(file, "/entry/sample/sasdata") == "sample's"
    del file["entry/sample/title"]
    file["entry/sample/title"] = np.arange(3)  # no text
    assert find_title(file, "/entry/sample/sasdata") == "entry's"
    file["entry/sample/sasdata/title"] = "its own is the axis's"
    assert find_title(file, "/entry/sample/sasdata") == "entry's"


@pytest.mark.parametrize(
    ("places", "names"),
    [
        ([], []),
        (["/entry/sasdata"], ["entry"]),
        (["/entry/Rh3/sasdata", "/entry/Rh30/sasdata"], ["Rh3", "Rh30"]),
        (["/a/x", "/b/x", "/a/y"], ["/a/x", "b", "y"]),
        (["/a/a/b", "/c/b"], ["a", "c"]),
        (["/a/b", "/b/a"], ["/a/b", "/b/a"]),
    ],
)
def test_short_names_are_those_that_no_other_has(places: list[str], names: list[str]) -> None:
    assert shorten_places(places) == dict(zip(places, names, strict=True))

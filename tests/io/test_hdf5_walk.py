"""Every group is found once, whatever links lead where, and text is text in whatever form a file holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io import hdf5_walk
from pyfai_grf.io.hdf5_walk import (
    decode_name,
    encode_name,
    get_classes,
    get_item,
    get_name,
    read_attribute,
    read_names,
    read_text,
    walk_groups,
)


@pytest.fixture
def file() -> Iterator[h5py.File]:
    """An empty file in memory."""
    # nexusformat turns the tracking of order on for everybody
    with h5py.File("memory.h5", "w", driver="core", backing_store=False, track_order=False) as h5:
        yield h5


def list_places(top: h5py.Group, place: str = "/") -> list[str]:
    return [at for at, _, _ in walk_groups(top, place)]


# --- walking -----------------------------------------------------------------------------------------------------


def test_every_group_below_in_order_with_its_classes(file: h5py.File) -> None:
    for name in ("b/d", "a/c/e"):
        file.create_group(name)
    file["b"].attrs.update({"NX_class": "NXentry", "canSAS_class": np.bytes_("SASentry")})
    file["number"] = 1.0
    found = {at: kinds - {""} for at, _, kinds in walk_groups(file, "/")}
    assert found == {"/a": set(), "/a/c": set(), "/a/c/e": set(), "/b": {"NXentry", "SASentry"}, "/b/d": set()}
    assert list(found) == sorted(found)
    assert list_places(file["a"], "/as/asked") == ["/as/asked/c", "/as/asked/c/e"]


def test_a_group_with_several_names_comes_once(file: h5py.File) -> None:
    file.create_group("a/below")
    file["b"] = h5py.SoftLink("/a")
    file["c"] = file["a"]  # a hard link
    file["a/loop"] = h5py.SoftLink("/")
    file["a/below/up"] = file["a"]
    assert list_places(file) in (["/a", "/a/below"], ["/a", "/a/below", "/a/loop"])


def test_notes_are_not_searched(file: h5py.File) -> None:
    file.create_group("note/below")
    file["note"].attrs["NX_class"] = "NXnote"
    assert list_places(file) == ["/note"]


def test_links_that_go_round_down_or_nowhere(tmp_path: Path) -> None:
    """Loops, a chain of 300 groups, links to nothing, to files that are not HDF5, and one to itself."""
    (tmp_path / "text.txt").write_text("not HDF5")
    with h5py.File(tmp_path / "file.h5", "w") as file:
        deep = file.create_group("deep")
        for _ in range(300):
            deep = deep.create_group("er")
        file["loop"] = h5py.SoftLink("/")
        file["itself"] = h5py.SoftLink("/itself")
        file["again"] = h5py.ExternalLink("file.h5", "/")
        file["lost"] = h5py.ExternalLink("lost.h5", "/")
        file["text"] = h5py.ExternalLink("text.txt", "/")
        file["passwords"] = h5py.ExternalLink("/etc/passwd", "/")
        file["folder"] = h5py.ExternalLink(".", "/")
        file.create_group("sample")
        places = list_places(file)
    assert len(places) < 20  # not three hundred deep
    assert sum(at.endswith("sample") for at in places) == 1
    assert not {"/lost", "/itself", "/text", "/passwords", "/folder"} & set(places)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes with a path")
def test_link_to_a_pipe_is_not_opened(tmp_path: Path) -> None:
    """To open it would wait for ever for somebody who writes."""
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["pipe"] = h5py.ExternalLink("pipe", "/")
        file["whole"] = h5py.ExternalLink(str(tmp_path / "pipe"), "/")
        file["device"] = h5py.ExternalLink("/dev/zero", "/")
        file.create_group("sample")
        assert list_places(file) == ["/sample"]


def test_linked_file_is_walked_once_though_it_is_closed_in_between(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with h5py.File(tmp_path / "data" / "scan.h5", "w") as file:
        file.create_group("1.1/measurement")
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for name in ("a", "b"):
            file[name] = h5py.ExternalLink("data/scan.h5", "/1.1")
        file["c"] = h5py.ExternalLink("data/../data/scan.h5", "/1.1")
    with h5py.File(tmp_path / "master.h5") as file:
        assert list_places(file) == ["/a", "/a/measurement"]


def test_too_many_groups_are_not_searched(file: h5py.File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_walk, "_MAX_GROUPS", 50)
    for number in range(50):
        file.create_group(f"{number:02d}")
    assert len(list_places(file)) == 50
    file.create_group("50")
    with pytest.raises(InputError, match=r"memory\.h5: more than 50 groups"):
        list_places(file)


# --- names and what they lead to ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"plain", "Å/日本".encode(), b"prob\xe9", b"\xff\xfe", b""])
def test_names_of_any_bytes_come_back(name: bytes) -> None:
    assert encode_name(decode_name(name)) == name
    assert decode_name(decode_name(name)) == decode_name(name)  # text stays


def test_group_whose_name_is_not_utf8(file: h5py.File) -> None:
    h5py.h5g.create(file.id, b"prob\xe9").close()
    (place,) = list_places(file)
    assert place == "/" + os.fsdecode(b"prob\xe9")
    found = get_item(file, place)
    assert isinstance(found, h5py.Group)
    assert get_name(found) == os.fsdecode(b"prob\xe9")


@pytest.mark.parametrize("name", ["gone", "lost", "itself", "number/below", "", "a\0b", "\udce9"])
def test_what_leads_nowhere_is_none(name: str, file: h5py.File) -> None:
    file["number"] = 1.0
    file["lost"] = h5py.ExternalLink("gone.h5", "/")
    file["itself"] = h5py.SoftLink("/itself")
    assert get_item(file, name) is None


# --- attributes and text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Å", "Å"),
        (np.bytes_("1/nm "), "1/nm"),
        ("Å".encode(), "Å"),
        (7, "7"),
        (1.5, "1.5"),
        (["nm"], "nm"),
        (np.array([b"nm"]), "nm"),
        (np.array([["nm"]], dtype=h5py.string_dtype()), "nm"),
        (["a", "b"], ""),
        (np.zeros(0), ""),
        (h5py.Empty("S1"), ""),
        (None, ""),
    ],
)
def test_text_in_any_form(value: Any, text: str, file: h5py.File) -> None:
    """As Python hands it over, and as it comes back from an attribute and from a dataset."""
    assert read_text(np.asarray(value) if isinstance(value, list) else value) == text
    if value is not None:
        file.attrs["said"] = value
        assert read_text(read_attribute(file, "said")) == text
        file["said"] = value
        assert read_text(file["said"][()]) == text


def test_text_that_is_not_utf8(file: h5py.File) -> None:
    """What h5py has decoded keeps its bytes, so that a name in an attribute still leads to what is called so."""
    assert read_text(b"\xe9 ") == "�"
    file.attrs["signal"] = b"prob\xe9"
    h5py.h5g.create(file.id, b"prob\xe9").close()
    assert isinstance(get_item(file, read_text(read_attribute(file, "signal"))), h5py.Group)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["frame", "Q"], ["frame", "Q"]),
        (np.array([b".", b"q"]), [".", "q"]),
        ("a,b", ["a", "b"]),
        ("a:b", ["a", "b"]),
        ("a b", ["a", "b"]),
        ("[a, b]", ["a", "b"]),
        (["q"], ["q"]),
        (["a,b"], ["a", "b"]),
        ("", []),
        (None, []),
        (np.zeros(0), []),
    ],
)
def test_names_of_axes(value: Any, names: list[str]) -> None:
    assert read_names(np.asarray(value) if isinstance(value, list) else value) == names


def test_attribute_that_cannot_be_read_is_none(file: h5py.File) -> None:
    """A kind of number that NumPy does not have: time, which HDF5 knows and h5py does not."""
    space = h5py.h5s.create(h5py.h5s.SCALAR)
    h5py.h5a.create(file.id, b"when", h5py.h5t.UNIX_D32LE, space)
    assert read_attribute(file, "when") is None
    assert read_attribute(file, "gone") is None


def test_classes_of_nexus_and_of_cansas(file: h5py.File) -> None:
    file.attrs.update({"NX_class": ["NXdata"], "canSAS_class": np.bytes_("SASdata")})
    assert get_classes(file) == {"NXdata", "SASdata"}

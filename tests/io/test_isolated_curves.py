"""What a damaged file does to HDF5, a crash or an endless loop, costs that file and no more."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.child_process import end_child
from pyfai_grf.core.errors import InputError
from pyfai_grf.io import isolated_curves
from pyfai_grf.io.columns import Columns
from pyfai_grf.io.curves import collect_curves, read_curves
from pyfai_grf.io.isolated_curves import read_isolated_columns

Q = np.linspace(0.05, 3.0, 40)


def _write_stack(path: Path, frames: int = 5) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("stack")
        group.attrs.update({"NX_class": "NXdata", "signal": "I", "axes": [".", "Q"]})
        group["I"] = np.arange(1.0, frames + 1)[:, None] / (1 + Q**4)
        group["Q"] = Q
        group["Q"].attrs["units"] = "1/nm"
    return path


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process is waiting, and none of the test's stays."""
    idle: list = []
    monkeypatch.setattr(isolated_curves, "_idle", idle)
    yield
    for process in idle:
        end_child(process)


def test_one_process_serves_file_after_file(fresh: None, tmp_path: Path) -> None:
    path = _write_stack(tmp_path / "stack.h5")
    assert len(read_curves(path)) == 5
    (process,) = isolated_curves._idle
    with pytest.raises(InputError, match="nothing there"):
        read_curves(f"{path}::/gone")
    assert len(read_curves(path)) == 5
    assert isolated_curves._idle == [process]
    assert process.poll() is None


def test_two_files_by_turns(fresh: None, tmp_path: Path) -> None:
    one, other = _write_stack(tmp_path / "one.h5"), _write_stack(tmp_path / "other.h5", 3)
    turns = zip(read_isolated_columns(one), read_isolated_columns(other), strict=False)
    found = [(a.where, b.where) for a, b in turns if isinstance(a, Columns) and isinstance(b, Columns)]
    assert [b.partition(" ")[2] for _, b in found] == ["frame 0", "frame 1", "frame 2"]
    assert all(a.startswith(str(one)) and b.startswith(str(other)) for a, b in found)


def test_who_stops_early_leaves_nothing_behind(fresh: None, tmp_path: Path) -> None:
    columns = read_isolated_columns(_write_stack(tmp_path / "stack.h5", 2000))
    next(columns)
    assert isinstance(columns, Generator)
    columns.close()
    assert isolated_curves._idle == []  # its pipe is full of frames that nobody wants
    assert len(read_curves(_write_stack(tmp_path / "next.h5"))) == 5


def test_relative_names_stay_as_the_user_wrote_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_stack(tmp_path / "stack.h5")
    read_curves(tmp_path / "stack.h5")  # a process that was started elsewhere
    monkeypatch.chdir(tmp_path)
    assert read_curves("stack.h5")[0].metadata["source"] == "stack.h5::/stack"


@pytest.mark.kills
@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "reading it ended in SIGSEGV: the file is damaged"),
        ("os._exit(7)", "reading it ended with status 0x7"),
        ("os.write(1, b'nonsense that is longer than a head')", "the file is damaged"),
    ],
)
def test_crash_costs_the_file_alone_and_not_what_came_before(
    last: str, message: str, fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write_stack(tmp_path / "stack.h5")
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom pyfai_grf.io.nexus_curves import read_nexus_columns\n"
        "from pyfai_grf.io.reading_process import send\nout = os.fdopen(1, 'wb')\n"
        f"for found, _ in zip(read_nexus_columns(Path({str(path)!r})), range(2)): send(out, {{}}, found)\n{last}\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(isolated_curves, "_CODE", code)
        curves, problems = collect_curves(path)
    assert [c.metadata["frame"] for c in curves] == [0, 1]
    assert len(problems) == 1
    assert message in str(problems[0])
    assert len(read_curves(path)) == 5


@pytest.mark.kills
def test_endless_loop_in_hdf5_ends(fresh: None, tmp_path: Path) -> None:
    """A free block of no size in the heap of the attributes: HDF5 1.14 and 2.0 never get past it."""
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_group("entry").attrs["NX_class"] = "NXentry"
    content = bytearray((tmp_path / "file.h5").read_bytes())
    heap = content.index(b"GCOL")
    at = heap + 16
    while (number := int.from_bytes(content[at : at + 2], "little")) != 0:
        assert number < 100
        at += 16 + -(-int.from_bytes(content[at + 8 : at + 16], "little") // 8) * 8
    content[at + 8 : at + 16] = bytes(8)
    (tmp_path / "file.h5").write_bytes(content)
    found = []
    try:  # another HDF5 may find out by itself
        found = list(read_isolated_columns(tmp_path / "file.h5", limit_s=3.0))
    except InputError as problem:
        found = [problem]
    assert len(found) == 1
    assert isinstance(found[0], InputError)


def test_where_no_process_can_be_started_this_one_reads(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert len(read_curves(_write_stack(tmp_path / "stack.h5"))) == 5
    assert "no other can be started: there is no Python interpreter" in caplog.text

"""A folder of boxes: whoever makes them and however often they stop, it becomes the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfai_grf.core.errors import GrfError, InputError
from pyfai_grf.tabulation import store
from pyfai_grf.tabulation.grids import BoxSetting
from pyfai_grf.tabulation.store import Plan, add_boxes, open_boxes, read_boxes
from pyfai_grf.workers.crew import Crew

TWO = Crew("cpu", processes=2)
PLAN = Plan(coarse=3, fine=1, wide=2, pair=1)


def _compare(one: Path, other: Path) -> None:
    with np.load(one) as left, np.load(other) as right:
        assert set(left) == set(right)
        for name in left:
            # a field made on another grid differs by rounding
            np.testing.assert_allclose(left[name], right[name], rtol=2e-3, atol=2e-5 * np.abs(left[name]).max())


@pytest.mark.usefixtures("quick_pilot")
def test_a_folder_continues_where_it_was(tmp_path: Path, small: BoxSetting) -> None:
    """In one go, or in parts with a box lost in between: the same boxes."""
    whole, parts = open_boxes(tmp_path / "whole", small), open_boxes(tmp_path / "parts", small)
    calls = []
    add_boxes(whole, Plan(coarse=2, fine=1, wide=1, pair=1), report=lambda *progress: calls.append(progress))
    assert calls == [(0, 3, 1), (1, 3, 1), (2, 3, 1), (3, 3, 1)]
    for part in (2, 1):
        add_boxes(parts, Plan(2, 1, 0, 0, part, 2))
    parts.find(0, "fine").unlink()  # as a kill between two files leaves it
    again = read_boxes(tmp_path / "parts")
    add_boxes(again, Plan(2, 1, 1, 1))
    for kind, boxes in (("coarse", [0, 1]), ("fine", [0]), ("wide", [0]), ("pair", [0])):
        assert whole.list_boxes(kind) == again.list_boxes(kind) == boxes
        for index in boxes:
            _compare(whole.find(index, kind), parts.find(index, kind))


@pytest.mark.usefixtures("quick_pilot")
def test_a_folder_belongs_to_its_setting(tmp_path: Path, small: BoxSetting) -> None:
    open_boxes(tmp_path / "boxes", small)
    with pytest.raises(InputError, match="choose another folder"):
        open_boxes(tmp_path / "boxes", replace(small, seed=2))


def test_no_folder_of_boxes(tmp_path: Path) -> None:
    (tmp_path / "setting.json").write_text("[]")
    with pytest.raises(InputError, match="not a folder of three-phase boxes"):
        read_boxes(tmp_path)


# --- workers ----------------------------------------------------------------------------------------------------------


def _read_folder(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}


@pytest.fixture
def undisturbed(tmp_path: Path, small: BoxSetting, quick_pilot: None) -> dict[str, bytes]:
    """The files that one process makes in one go."""
    folder = open_boxes(tmp_path / "undisturbed", small)
    add_boxes(folder, PLAN)
    return _read_folder(folder.path)


@pytest.mark.usefixtures("quick_pilot")
def test_two_processes_make_the_folder_of_one(tmp_path: Path, small: BoxSetting, undisturbed: dict[str, bytes]) -> None:
    folder = open_boxes(tmp_path / "two", small)
    calls: list[tuple[int, int, int]] = []
    add_boxes(folder, PLAN, TWO, lambda *progress: calls.append(progress))
    assert _read_folder(folder.path) == undisturbed
    assert {(total, workers) for _, total, workers in calls} == {(5, 2)}
    assert calls[-1][0] == 5
    add_boxes(folder, PLAN, TWO, lambda *progress: calls.append(progress))  # nothing is missing
    assert calls[-1][0] == 5
    assert _read_folder(folder.path) == undisturbed


@pytest.mark.usefixtures("quick_pilot")
def test_a_cluster_makes_the_folder_of_one(
    tmp_path: Path, small: BoxSetting, undisturbed: dict[str, bytes], cluster: Any
) -> None:
    for _ in range(2):
        cluster.add_worker()
    folder = open_boxes(tmp_path / "cluster", small)
    add_boxes(folder, PLAN, Crew("cpu", scheduler=str(cluster.file)))
    assert _read_folder(folder.path) == undisturbed


@pytest.mark.usefixtures("quick_pilot")
def test_parts_with_several_workers_are_the_whole(
    tmp_path: Path, small: BoxSetting, undisturbed: dict[str, bytes]
) -> None:
    folder = open_boxes(tmp_path / "parts", small)
    for part in (1, 2):
        add_boxes(folder, replace(PLAN, part=part, parts=2), TWO)
    assert _read_folder(folder.path) == undisturbed


_MAKE = """
import sys
from pathlib import Path
from pyfai_grf.tabulation.store import Plan, add_boxes, read_boxes
from pyfai_grf.workers.crew import Crew
plan = Plan(coarse=3, fine=1, wide=2, pair=1)
add_boxes(read_boxes(Path(sys.argv[1])), plan, Crew("cpu", 2), lambda *progress: print(progress[0], flush=True))
"""


@pytest.mark.kills
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.usefixtures("quick_pilot")
def test_killed_it_continues_where_it_was(tmp_path: Path, small: BoxSetting, undisturbed: dict[str, bytes]) -> None:
    """Killed after each box that came in: finished boxes stay, and no file is ever half written."""
    folder = open_boxes(tmp_path / "killed", small)
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _MAKE, str(folder.path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        while process.stdout.readline().strip() in ("0",):
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        for name, content in _read_folder(folder.path).items():
            assert content == undisturbed[name]
    add_boxes(read_boxes(folder.path), PLAN, TWO)
    assert _read_folder(folder.path) == undisturbed
    assert list(folder.path.glob(".*")) == []  # drafts of the killed


@pytest.mark.usefixtures("quick_pilot")
def test_what_goes_wrong_names_the_box(tmp_path: Path, small: BoxSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("Unable to allocate 9 GB")

    folder = open_boxes(tmp_path / "boxes", small)
    monkeypatch.setattr(store, "measure_box", fail)
    with pytest.raises(GrfError, match=r"^box 0 \(fine, coarse, pair\) failed \(MemoryError: Unable to"):
        add_boxes(folder, PLAN)


@pytest.mark.usefixtures("quick_pilot")
def test_a_full_disk_keeps_finished_boxes(tmp_path: Path, small: BoxSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = open_boxes(tmp_path / "boxes", small)
    write: Callable[..., None] = store.write_bytes
    left = [2]

    def fill(path: Path, content: bytes, advice: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            monkeypatch.setattr(os, "fsync", fail)
        write(path, content, advice)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_bytes", fill)
    with pytest.raises(InputError, match="No space left on device; run again, finished boxes are kept"):
        add_boxes(folder, PLAN)
    assert len(_read_folder(folder.path)) == 3  # the setting and two kinds of box 0

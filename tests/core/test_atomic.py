"""What is written whole is there whole or not at all: after an exception, a kill, on a full disk."""

from __future__ import annotations

import os
import platform
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pyfai_grf.core import atomic
from pyfai_grf.core.atomic import replace_file, replace_folder, write_bytes, write_text
from pyfai_grf.core.errors import InputError


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    with replace_file(target) as draft:
        assert (draft.name, draft.parent.parent) == ("out.txt", tmp_path)
        draft.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    write_text(target, "Å")
    assert target.read_bytes() == "Å".encode()
    assert list_names(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, ValueError, OSError(28, "No space left on device")])
def test_an_exception_leaves_what_was_there(tmp_path: Path, problem: BaseException | type[BaseException]) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    expected = InputError if isinstance(problem, OSError) else problem

    def write() -> None:
        with replace_file(target, "; try again") as draft:
            draft.write_text("half")
            raise problem

    with pytest.raises(expected) as caught:  # type: ignore[arg-type]
        write()
    if isinstance(problem, OSError):
        assert str(caught.value) == f"cannot write {target}: No space left on device; try again"
    assert target.read_text() == "old"
    assert list_names(tmp_path) == ["out.txt"]


@pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")
def test_permissions_and_links_stay(tmp_path: Path) -> None:
    behind, link = tmp_path / "behind.txt", tmp_path / "link.txt"
    behind.write_text("old")
    behind.chmod(0o640)
    link.symlink_to("behind.txt")
    write_text(link, "new")
    assert link.is_symlink()
    assert behind.read_text() == "new"
    assert stat.S_IMODE(behind.stat().st_mode) == 0o640
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "fresh.txt", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "fresh.txt").stat().st_mode) == 0o640


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no devices here")
def test_only_files_are_replaced(tmp_path: Path) -> None:
    """The superuser could put a file in the place of /dev/null."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/full")):
        with pytest.raises(InputError, match=f"cannot write {target}: it is there and is not a file"):
            write_bytes(target, b"x")
    with pytest.raises(InputError, match="Not a directory"), replace_folder(tmp_path / "pipe"):
        pass
    assert list_names(tmp_path) == ["folder", "pipe"]


def test_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*nowhere.out\.txt: No such file or directory$"):
        write_text(tmp_path / "nowhere" / "out.txt", "x")


def test_long_names(tmp_path: Path) -> None:
    name = "é" * 125 + ".txt"  # 254 bytes; the draft's folder has a longer name, were it not cut
    write_text(tmp_path / name, "new")
    assert list_names(tmp_path) == [name]


@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_folder_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_at_once: bool) -> None:
    if not is_at_once:  # as on other systems than Linux
        monkeypatch.setattr(atomic, "_exchange_at_once", lambda one, other: False)
    target = tmp_path / "new" / "bundle"
    for content in ("first", "second"):
        with replace_folder(target) as draft:
            (draft / f"{content}.txt").write_text(content)
        assert list_names(target) == [f"{content}.txt"]

    def fail() -> None:
        with replace_folder(target) as draft:
            (draft / "third.txt").write_text("third")
            raise OSError("boom")

    with pytest.raises(InputError, match=r"cannot write .*: boom"):
        fail()
    assert list_names(target) == ["second.txt"]
    assert list_names(target.parent) == ["bundle"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_exchange_at_once", lambda one, other: False)
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old.txt").write_text("old")
    replace = os.replace

    def fail(one: Path, other: Path) -> None:
        if Path(one).parent.name.endswith(".part"):
            raise OSError("not now")
        replace(one, other)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match="not now"), replace_folder(target) as draft:
        (draft / "new.txt").write_text("new")
    assert list_names(target) == ["old.txt"]
    assert list_names(tmp_path) == ["bundle"]


WRITE_AND_DIE = """
    import os, signal, sys
    from pyfai_grf.core.atomic import replace_file, replace_folder
    kind, target = sys.argv[1:]
    with (replace_file if kind == "file" else replace_folder)(target) as draft:
        (draft if kind == "file" else draft / "half.txt").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.kills
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_leaves_what_was_there_and_the_next_run_clears_up(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    if kind == "file":
        target.write_text("old")
    else:
        target.mkdir()
        (target / "old.txt").write_text("old")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(WRITE_AND_DIE), kind, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    (draft,) = (path for path in tmp_path.iterdir() if path != target)
    assert draft.name.startswith(f".out.{platform.node()}.")
    if kind == "file":
        assert target.read_text() == "old"
        write_text(target, "new")
    else:
        assert list_names(target) == ["old.txt"]
        with replace_folder(target):
            pass
    assert list_names(tmp_path) == ["out"]


def test_a_full_disk_leaves_what_was_there(small_disk: Path) -> None:
    write_bytes(small_disk / "out.bin", b"old")
    with pytest.raises(InputError, match=r"cannot write .*out\.bin: No space left on device$"):
        write_bytes(small_disk / "out.bin", bytes(2**23))
    assert (small_disk / "out.bin").read_bytes() == b"old"
    assert list_names(small_disk) == ["out.bin"]

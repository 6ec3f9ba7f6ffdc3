"""One writer at a time; a process that is gone holds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyfai_grf.core import lock
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.lock import OutputLock

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no locks of this kind there")

HOLD = """
import sys, time
from pyfai_grf.core.lock import OutputLock
lock = OutputLock(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_is_refused_and_told_who_is_the_first(tmp_path: Path) -> None:
    (tmp_path / "link.h5").symlink_to("out.h5")
    with OutputLock(tmp_path / "out.h5") as held:
        assert held.is_held
        for name in ("out.h5", "link.h5"):
            with pytest.raises(InputError, match=f"is being written by process {os.getpid()} on .*: wait for it"):
                OutputLock(tmp_path / name)
        OutputLock(tmp_path / "other.h5").release()
    held.release()
    OutputLock(tmp_path / "out.h5").release()
    assert [path.name for path in tmp_path.iterdir()] == ["link.h5"]


@pytest.mark.kills
def test_a_process_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.h5"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=f"is being written by process {other.pid}"):
            OutputLock(target)
        other.kill()
    assert [path.name for path in tmp_path.iterdir()] == [".out.h5.lock"]
    with OutputLock(target) as held:
        assert held.is_held
    assert not list(tmp_path.iterdir())


def test_a_lock_that_was_taken_away_is_not_taken_for_one(tmp_path: Path) -> None:
    """Somebody removes the file of the first, the second makes another: the first must not remove that one."""
    first = OutputLock(tmp_path / "out.h5")
    (tmp_path / ".out.h5.lock").unlink()
    with OutputLock(tmp_path / "out.h5"), pytest.raises(InputError, match="is being written"):
        OutputLock(tmp_path / "out.h5")
    first.release()


@pytest.mark.parametrize("reason", ["no module", "no locks here"])
def test_where_there_are_no_locks_nobody_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "no module":
        monkeypatch.setattr(lock, "fcntl", None)
    else:

        def refuse(number: int, operation: int) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with OutputLock(tmp_path / "out.h5") as held, OutputLock(tmp_path / "out.h5"):
        assert not held.is_held
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_for_the_writer_to_find(tmp_path: Path) -> None:
    with OutputLock(tmp_path / "nowhere" / "out.h5") as held:
        assert not held.is_held

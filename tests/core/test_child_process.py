"""A child answers through its pipes, is bounded in time and memory, and says how it ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyfai_grf.core.child_process import (
    OUT_OF_TIME,
    PATIENCE_S,
    compute_time_limit,
    describe_end,
    end_child,
    start_child,
)

_ECHO = """
import os
from pyfai_grf.core.child_process import take_pipes
source, sink = take_pipes()
print("noise", flush=True)
os.system("echo noise; echo noise >&2")
sink.write(source.readline().upper())
sink.flush()
"""


def talk(code: str, text: bytes = b"") -> tuple[bytes, int]:
    """Return what a child says to ``text``, and its exit status."""
    process = start_child(code, errors=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(text)
    process.stdin.flush()
    answer = process.stdout.read()
    return answer, end_child(process, PATIENCE_S)


def test_nothing_that_is_printed_gets_between_the_answers() -> None:
    assert talk(_ECHO, b"hello\n") == (b"HELLO\n", 0)


def test_a_child_imports_from_where_its_parent_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.py").write_text("WORD = 'found'")
    monkeypatch.syspath_prepend(tmp_path)
    assert talk("import only_here, sys; sys.stdout.write(only_here.WORD)") == (b"found", 0)


def test_variables_are_added_to_those_of_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_PARENT", "1")
    process = start_child("import os; print(os.environ['OF_THE_PARENT'], os.environ['MORE'])", {"MORE": "2"})
    assert process.communicate()[0].split() == [b"1", b"2"]


@pytest.mark.kills
@pytest.mark.parametrize(
    "work", ["while True: pass", "sum(range(10**15))"]
)  # in Python, and in C without a look around
def test_a_step_without_end_is_ended(work: str) -> None:
    code = f"from pyfai_grf.core.child_process import limit_time\nwith limit_time(0.2):\n    {work}"
    assert talk(code) == (b"", OUT_OF_TIME)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit what a process may have")
def test_memory_is_limited() -> None:
    code = """
import numpy as np
from pyfai_grf.core.child_process import limit_memory
limit_memory()
try:
    np.zeros(10**11)
except MemoryError:
    print("refused", len(np.ones(10**6)), flush=True)
"""
    assert talk(code) == (b"refused 1000000\n", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
@pytest.mark.kills
def test_the_end_of_a_child_is_described() -> None:
    _, status = talk("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert describe_end(status) == "ended in SIGSEGV"
    process = start_child("import time; time.sleep(600)")
    assert end_child(process) == -signal.SIGKILL
    assert describe_end(3) == "ended with status 0x3"
    assert describe_end(-1073741819) == "ended with status 0xc0000005"  # an access violation on Windows


def test_a_frozen_program_does_not_start_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(OSError, match="no Python interpreter"):
        start_child("pass")


def test_large_files_have_more_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(4_000_000))
    assert compute_time_limit(tmp_path / "a", 30.0) == pytest.approx(31.0)
    assert compute_time_limit(tmp_path / "none", 30.0) == 30.0
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    assert compute_time_limit(tmp_path / "sparse", 30.0) < 600

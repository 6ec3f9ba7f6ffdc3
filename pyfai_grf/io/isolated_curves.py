"""HDF5 curves read by a process of their own: a damaged file that crashes HDF5, or never lets it go, costs no more."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pyfai_grf.core.child_process import (
    OUT_OF_TIME,
    PATIENCE_S,
    compute_time_limit,
    describe_end,
    end_child,
    start_child,
)
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.files import check_regular_file
from pyfai_grf.io.columns import Columns
from pyfai_grf.io.reading_process import receive, send

_LOGGER = logging.getLogger(__name__)

#: seconds that a step may take: opening a file and searching it, or reading one curve
TIME_LIMIT_S = 60.0
_CODE = "from pyfai_grf.io.reading_process import serve; serve()"

#: processes that wait for work, and whose children they are
_idle: list[subprocess.Popen[bytes]] = []
_owner = os.getpid()


def read_isolated_columns(path: Path, inner: str = "", limit_s: float | None = None) -> Iterator[Columns | InputError]:
    """Yield what ``nexus_curves.read_nexus_columns`` yields, read by another process; by this one if none can start.

    ``limit_s`` bounds each step, in seconds; None stands for a generous limit that grows with the file.

    Raises
    ------
    InputError
        As ``read_nexus_columns``.
    """
    check_regular_file(path)
    limit_s = compute_time_limit(path, TIME_LIMIT_S) if limit_s is None else limit_s
    try:
        process = _take_process()
    except OSError as problem:
        from pyfai_grf.io.nexus_curves import read_nexus_columns

        _LOGGER.warning("%s is read in this process, for no other can be started: %s", path, problem)
        yield from read_nexus_columns(path, inner)
        return
    is_done = False
    try:
        yield from _exchange(process, path, inner, limit_s)
        is_done = True
    except InputError:
        is_done = True
        raise
    except (EOFError, OSError, ValueError, KeyError, TypeError):
        yield InputError(f"{path}: {_describe_death(end_child(process, PATIENCE_S), limit_s)}: the file is damaged")
    finally:
        if is_done and process.poll() is None:
            _idle.append(process)
        else:
            end_child(process)


def _exchange(
    process: subprocess.Popen[bytes], path: Path, inner: str, limit_s: float
) -> Iterator[Columns | InputError]:
    """Yield the answers of the process; raises EOFError and others if it dies or talks nonsense."""
    assert process.stdin is not None
    assert process.stdout is not None
    # the path as the user wrote it, for messages
    send(process.stdin, {"folder": os.getcwd(), "path": os.fspath(path), "inner": inner, "limit_s": limit_s})
    while True:
        head, columns = receive(process.stdout)
        if columns is not None:
            yield columns
        elif "problem" in head:
            yield InputError(str(head["problem"]))
        elif head["end"]:
            raise InputError(str(head["end"]))
        else:
            return


def _take_process() -> subprocess.Popen[bytes]:
    """Return a process that waits for work; raises OSError if none can be started."""
    global _owner
    if _owner != os.getpid():  # forked: the processes are the parent's
        _idle.clear()
        _owner = os.getpid()
    with contextlib.suppress(IndexError):
        while (process := _idle.pop()).poll() is not None:
            pass
        return process
    return start_child(_CODE, {"OPENBLAS_NUM_THREADS": "1"}, subprocess.DEVNULL)


def _describe_death(status: int, limit_s: float) -> str:
    return f"not read within {limit_s:.0f} s" if status == OUT_OF_TIME else f"reading it {describe_end(status)}"


@atexit.register
def _end_idle() -> None:
    if _owner == os.getpid():
        for process in _idle:
            end_child(process)

"""Processes that do one kind of work for this one, whatever the work may do to them.

The child is a Python of its own that imports what it needs: no main module runs twice, nothing is forked. It answers on
standard output what it is asked on standard input, and ends when that does. A child that works for files of others
limits its memory, and the time of each step.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import IO

#: exit status of a child whose clock ran out, as faulthandler sets it
OUT_OF_TIME = 1
#: seconds for a child that has closed its output to end
PATIENCE_S = 5.0
#: bytes of a file that are worth a second more, up to a size for which nobody has to wait for hours
_BYTES_PER_S, _MOST_BYTES = 4e6, 2**31
#: bytes of memory that a child may have: half of what the machine has, within these
_LEAST_MEMORY, _MOST_MEMORY = 2 * 2**30, 16 * 2**30
#: no console window, and no Ctrl-C
_WINDOWS_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


def start_child(
    code: str, environment: Mapping[str, str] | None = None, errors: int | IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Return a process that runs ``code`` and imports from where this one does; Ctrl-C is not for it.

    ``environment`` is added to that of this process; ``errors`` is its standard error, None for this one's own.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    if not sys.executable or getattr(sys, "frozen", False):  # a frozen program would start itself
        raise OSError("there is no Python interpreter to start")
    found = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, "PYTHONPATH": found, **(environment or {})},
        start_new_session=True,
        creationflags=_WINDOWS_FLAGS,
    )


def end_child(process: subprocess.Popen[bytes], patience_s: float = 0.0) -> int:
    """End a process, unless it ends by itself within ``patience_s`` seconds, and return its exit status."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience_s)
    process.kill()
    for stream in filter(None, (process.stdin, process.stdout)):
        with contextlib.suppress(OSError):  # there may be something left to send
            stream.close()
    return process.wait()


def describe_end(status: int) -> str:
    """Return how a process ended, to follow a verb: "ended in SIGSEGV"."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"ended in {signal.Signals(-status).name}"
    return f"ended with status {status & 0xFFFFFFFF:#x}"


def compute_time_limit(path: str | os.PathLike[str], least_s: float) -> float:
    """Return the seconds that a step of reading ``path`` may take: ``least_s``, and more for a large file."""
    try:
        size = os.path.getsize(path)
    except OSError:
        size = 0
    return least_s + min(size, _MOST_BYTES) / _BYTES_PER_S


def take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Return what comes from the parent and what goes to it; whatever else is printed in this child is dropped."""
    pipes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    return pipes


def limit_memory() -> None:
    """Let a file that claims 100 GB fail instead of driving the machine into swapping; leave no core files."""
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        most = min(_MOST_MEMORY, max(_LEAST_MEMORY, half))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


@contextlib.contextmanager
def limit_time(limit_s: float) -> Iterator[None]:
    """End this child if the context lasts longer; the clock is one of the C library, which no endless loop stops."""
    faulthandler.dump_traceback_later(limit_s, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()

"""The process that reads HDF5 curves: what a damaged file does to HDF5, crash or endless loop, it does to this process.

It answers requests on standard input until the other side is gone, and ends itself when one step takes longer than
the request allows: the clock is one of the C library, which runs also while HDF5 never returns.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import struct
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.columns import Columns

#: exit status of a process whose clock ran out, as faulthandler sets it
OUT_OF_TIME = 1

_ARRAYS = ("q", "intensity", "sigma", "weight")
_LENGTH = struct.Struct(">I")
#: no message is longer: a million points, or the longest text
_MOST_BYTES = 1 << 26
#: memory beyond this, or half of what the machine has, is given to no file
_MOST_MEMORY, _LEAST_MEMORY = 16 * 2**30, 2 * 2**30


def send(stream: IO[bytes], head: dict[str, Any], columns: Columns | None = None) -> None:
    """Write a message: a head, and the columns that go with it, in JSON and bare numbers."""
    arrays = []
    if columns is not None:
        about = {key: value for key, value in asdict(columns).items() if key not in _ARRAYS}
        given = [(name, getattr(columns, name)) for name in _ARRAYS if getattr(columns, name) is not None]
        arrays = [np.ascontiguousarray(values, dtype=np.float64) for _, values in given]
        head = {**head, "columns": about, "sizes": {name: values.size for name, values in given}}
    text = json.dumps(head).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    for array in arrays:
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], Columns | None]:
    """Return the head of the next message, and the columns that it brings.

    Raises
    ------
    EOFError
        If the other side is gone.
    ValueError, KeyError, TypeError
        If that is not a message: the other side may be out of its mind over a damaged file.
    """
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    head = json.loads(_read(stream, length))
    if "columns" not in head:
        return head, None
    arrays: dict[str, Any] = dict.fromkeys(_ARRAYS)
    for name, size in head.pop("sizes").items():
        arrays[name] = np.frombuffer(_read(stream, 8 * int(size)), dtype=np.float64)
    return head, Columns(**arrays, **head.pop("columns"))


def _read(stream: IO[bytes], length: int) -> bytes:
    if not 0 <= length <= _MOST_BYTES:
        raise ValueError(f"a message of {length} bytes")
    content = stream.read(length)
    if len(content) < length:
        raise EOFError("the other side is gone")
    return content


def serve() -> None:
    """Answer requests until the other side is gone."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # nothing that a library prints may get between the answers
        os.dup2(null, stream)
    _limit_memory()
    with contextlib.suppress(EOFError, OSError):
        while True:
            _answer(sink, receive(source)[0])
    os._exit(0)  # without another try at sending what nobody reads


def _answer(sink: IO[bytes], request: dict[str, Any]) -> None:
    from pyfai_grf.io.nexus_curves import read_nexus_columns

    limit_s = float(request["limit_s"])
    os.chdir(request["folder"])
    faulthandler.dump_traceback_later(limit_s, exit=True, file=2)
    try:
        for found in read_nexus_columns(Path(request["path"]), request["inner"]):
            faulthandler.cancel_dump_traceback_later()  # waiting for the other side counts for nothing
            if isinstance(found, InputError):
                send(sink, {"problem": str(found)})
            else:
                send(sink, {}, found)
            faulthandler.dump_traceback_later(limit_s, exit=True, file=2)
        end: dict[str, Any] = {"end": ""}
    except InputError as problem:
        end = {"end": str(problem)}
    faulthandler.cancel_dump_traceback_later()
    send(sink, end)


def _limit_memory() -> None:
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

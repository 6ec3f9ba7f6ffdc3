"""The process that reads HDF5 curves: what a damaged file does to HDF5, it does to this process alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyfai_grf.core.child_process import limit_memory, limit_time, take_pipes
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.messages import receive_array, receive_head, send_message
from pyfai_grf.io.columns import Columns

_ARRAYS = ("q", "intensity", "sigma", "weight")
#: no curve has more points
_MOST_POINTS = 2**23


def send(stream: IO[bytes], head: dict[str, Any], columns: Columns | None = None) -> None:
    """Write a message: a head, and the columns that go with it."""
    arrays = []
    if columns is not None:
        about = {key: value for key, value in asdict(columns).items() if key not in _ARRAYS}
        given = [(name, getattr(columns, name)) for name in _ARRAYS if getattr(columns, name) is not None]
        arrays = [np.asarray(values, dtype=np.float64) for _, values in given]
        head = {**head, "columns": about, "sizes": {name: values.size for name, values in given}}
    send_message(stream, head, arrays)


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], Columns | None]:
    """Return the head of the next message, and the columns that it brings.

    Raises
    ------
    EOFError
        If the other side is gone.
    ValueError, KeyError, TypeError
        If that is not a message.
    """
    head = receive_head(stream)
    if "columns" not in head:
        return head, None
    arrays: dict[str, Any] = dict.fromkeys(_ARRAYS)
    for name, size in head.pop("sizes").items():
        if not 0 <= int(size) <= _MOST_POINTS:
            raise ValueError(f"a column of {size} points")
        arrays[name] = receive_array(stream, (int(size),), "f8")
    return head, Columns(**arrays, **head.pop("columns"))


def serve() -> None:
    """Answer requests until the other side is gone."""
    source, sink = take_pipes()
    limit_memory()
    with contextlib.suppress(EOFError, OSError):
        while True:
            _answer(sink, receive(source)[0])
    os._exit(0)  # without another try at sending what nobody reads


def _answer(sink: IO[bytes], request: dict[str, Any]) -> None:
    from pyfai_grf.io.nexus_curves import read_nexus_columns

    os.chdir(request["folder"])
    steps = read_nexus_columns(Path(request["path"]), request["inner"])
    end: dict[str, Any] = {"end": ""}
    try:
        while (found := _take_step(steps, float(request["limit_s"]))) is not None:
            if isinstance(found, InputError):
                send(sink, {"problem": str(found)})
            else:
                send(sink, {}, found)
    except InputError as problem:
        end = {"end": str(problem)}
    send(sink, end)


def _take_step(steps: Iterator[Columns | InputError], limit_s: float) -> Columns | InputError | None:
    with limit_time(limit_s):
        return next(steps, None)

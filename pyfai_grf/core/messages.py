"""Messages between two processes: a head in JSON, bare numbers behind it.

Nothing that is received can do more than be wrong: the other side may be out of its mind over a damaged file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_LENGTH = struct.Struct(">I")
#: no head is longer
_MOST_BYTES = 2**26


def send_message(stream: IO[bytes], head: dict[str, Any], arrays: Iterable[NDArray[Any]] = ()) -> None:
    """Write a head and the values of ``arrays``, whose types and shapes the head has to tell."""
    text = json.dumps(head).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    for array in arrays:
        stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    stream.flush()


def receive_head(stream: IO[bytes]) -> dict[str, Any]:
    """Return the head of the next message.

    Raises
    ------
    EOFError
        If the other side is gone.
    ValueError
        If that is not a message.
    """
    (length,) = _LENGTH.unpack(_fill(stream, bytearray(_LENGTH.size)))
    if length > _MOST_BYTES:
        raise ValueError(f"a head of {length} bytes")
    head = json.loads(bytes(_fill(stream, bytearray(length))))
    if not isinstance(head, dict):
        raise ValueError(f"a head that is a {type(head).__name__}")
    return head


def receive_array(stream: IO[bytes], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Return the next array behind a head; raises EOFError if the other side is gone.

    Raises
    ------
    ValueError, TypeError
        If that is not a type of plain numbers, or not a shape.
    """
    array = np.empty(shape, dtype)
    if array.dtype.kind not in "iufb":
        raise ValueError(f"an array of {dtype}")
    _fill(stream, array.reshape(-1).view(np.uint8).data)
    return array


def _fill(stream: IO[bytes], buffer: Any) -> Any:
    """Read as many bytes as ``buffer`` has room for, and return it."""
    view, done = memoryview(buffer), 0
    while done < len(view):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("the other side is gone")
        done += count
    return buffer

"""What travels between the process that decodes frames and the one that wants them: heads in JSON, bare arrays behind.

Nothing that is read here can do more than be wrong: the other side may be out of its mind over a damaged file.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.frames.frame import MOST_PIXELS, Frame, check_image

_LENGTH = struct.Struct(">I")
#: a head beyond this is none
_MOST_BYTES = 2**24


def send(stream: IO[bytes], head: dict[str, Any], frame: Frame | None = None) -> None:
    """Write a message; a frame's (H, W) values and bad pixels follow its head."""
    arrays: list[NDArray[Any]] = []
    if frame is not None:
        arrays = [np.ascontiguousarray(frame.data), np.ascontiguousarray(frame.bad)]
        about = {"dtype": frame.data.dtype.str, "shape": frame.data.shape, "metadata": dict(frame.metadata)}
        head = {**head, "frame": {**about, "source": frame.source, "index": frame.index}}
    text = json.dumps(head).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    for array in arrays:
        stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], Frame | None]:
    """Return the head of the next message and its frame, if it brings one.

    Raises
    ------
    EOFError
        If the other side is gone.
    ValueError, KeyError, TypeError
        If that is no message.
    """
    (length,) = _LENGTH.unpack(_read(stream, bytearray(_LENGTH.size)))
    if length > _MOST_BYTES:
        raise ValueError(f"a head of {length} bytes")
    head = json.loads(bytes(_read(stream, bytearray(length))))
    about = head.pop("frame", None)
    if about is None:
        return head, None
    rows, columns = (int(number) for number in about["shape"])
    if not 0 < rows * columns <= MOST_PIXELS:
        raise ValueError(f"a frame of {rows} x {columns} pixels")
    data = np.empty((rows, columns), str(about["dtype"]))
    check_image(data, "message")  # numbers, not objects
    bad = np.empty(data.shape, np.bool_)
    for array in (data, bad):
        _read(stream, array.reshape(-1).view(np.uint8).data)
    return head, Frame(data, bad, str(about["source"]), int(about["index"]), about["metadata"])


def _read(stream: IO[bytes], buffer: Any) -> Any:
    """Fill ``buffer`` and return it."""
    view, done = memoryview(buffer), 0
    while done < len(view):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("the other side is gone")
        done += count
    return buffer

"""Frames as messages between the process that decodes them and the one that wants them."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

from pyfai_grf.core.messages import receive_array, receive_head, send_message
from pyfai_grf.frames.frame import MOST_PIXELS, Frame, check_image


def send(stream: IO[bytes], head: dict[str, Any], frame: Frame | None = None) -> None:
    """Write a message; a frame's (H, W) values and bad pixels follow its head."""
    if frame is None:
        send_message(stream, head)
        return
    about = {"dtype": frame.data.dtype.str, "shape": frame.data.shape, "metadata": dict(frame.metadata)}
    head = {**head, "frame": {**about, "source": frame.source, "index": frame.index}}
    send_message(stream, head, (frame.data, frame.bad))


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], Frame | None]:
    """Return the head of the next message and its frame, if it brings one.

    Raises
    ------
    EOFError
        If the other side is gone.
    ValueError, KeyError, TypeError
        If that is not a message.
    """
    head = receive_head(stream)
    about = head.pop("frame", None)
    if about is None:
        return head, None
    rows, columns = (int(number) for number in about["shape"])
    if not 0 < rows * columns <= MOST_PIXELS:
        raise ValueError(f"a frame of {rows} x {columns} pixels")
    data = receive_array(stream, (rows, columns), str(about["dtype"]))
    check_image(data, "message")
    bad = receive_array(stream, data.shape, np.dtype(np.bool_).str)
    return head, Frame(data, bad, str(about["source"]), int(about["index"]), about["metadata"])

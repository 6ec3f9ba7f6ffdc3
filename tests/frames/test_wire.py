"""Frames travel as they are; whatever else comes through the pipe is an error, not a frame."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest

from pyfai_grf.frames import wire
from pyfai_grf.frames.frame import Frame


@pytest.mark.parametrize("kind", ["<i4", ">u2", "<f4", ">f8", "|b1", "|u1", "<u8"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_frame_arrives_as_it_was_sent(kind: str, is_whole: bool) -> None:
    values = np.arange(48).reshape(6, 8).astype(kind)
    values = values if is_whole else values[::2, ::-3]
    frame = Frame(values, values > 5, "a::/b\udcff", 7, {"monitor": 2.5})
    stream = io.BytesIO()
    wire.send(stream, {"number": 3}, frame)
    wire.send(stream, {"number": 4})
    stream.seek(0)
    head, found = wire.receive(stream)
    assert head == {"number": 3}
    assert found is not None
    assert found.data.dtype == np.dtype(kind)
    np.testing.assert_array_equal(found.data, frame.data)
    np.testing.assert_array_equal(found.bad, frame.bad)
    assert (found.source, found.index, found.metadata) == (frame.source, frame.index, frame.metadata)
    assert wire.receive(stream) == ({"number": 4}, None)
    with pytest.raises(EOFError):
        wire.receive(stream)


@pytest.mark.parametrize(
    "about",
    [
        {"dtype": "|O", "shape": [2, 2]},
        {"dtype": "<i4", "shape": [10**6, 10**6]},
        {"dtype": "<i4", "shape": [-2, -2]},
        {"dtype": "<i4", "shape": [4]},
        {"dtype": "nonsense", "shape": [2, 2]},
        {"shape": [2, 2]},
        {"dtype": "<U9", "shape": [2, 2]},
    ],
)
def test_what_is_not_a_frame_is_an_error(about: dict) -> None:
    text = json.dumps({"frame": {"source": "", "index": 0, "metadata": {}, **about}}).encode()
    with pytest.raises((ValueError, KeyError, TypeError)):
        wire.receive(io.BytesIO(struct.pack(">I", len(text)) + text + bytes(100)))

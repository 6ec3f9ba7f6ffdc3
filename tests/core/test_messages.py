"""Numbers and text pass between processes as they are; whatever else comes through the pipe is an error."""

from __future__ import annotations

import io

import numpy as np
import pytest

from pyfai_grf.core.messages import receive_array, receive_head, send_message


def test_heads_and_arrays_arrive_as_they_were_sent() -> None:
    stream = io.BytesIO()
    table = np.arange(12.0).reshape(3, 4)[:, ::2]
    send_message(stream, {"name": "a\udcff\n", "value": None}, (table, np.array([True, False])))
    send_message(stream, {})
    stream.seek(0)
    assert receive_head(stream) == {"name": "a\udcff\n", "value": None}
    np.testing.assert_array_equal(receive_array(stream, (3, 2), "<f8"), table)
    np.testing.assert_array_equal(receive_array(stream, (2,), "|b1"), [True, False])
    assert receive_head(stream) == {}
    with pytest.raises(EOFError):
        receive_head(stream)


@pytest.mark.parametrize("content", [b"\xff\xff\xff\xff", b"\0\0\0\2{", b"\0\0\0\4nope", b"\0", b"\0\0\0\2[]"])
def test_what_is_not_a_message_is_an_error(content: bytes) -> None:
    with pytest.raises((ValueError, EOFError)):
        receive_head(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["|O", "<U3", "nonsense", "<M8[s]"])
def test_what_are_not_numbers_is_an_error(kind: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        receive_array(io.BytesIO(bytes(1000)), (2,), kind)


def test_an_array_that_ends_too_early_is_an_error() -> None:
    with pytest.raises(EOFError):
        receive_array(io.BytesIO(bytes(15)), (2,), "<f8")

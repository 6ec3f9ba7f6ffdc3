"""Frames in their order, each once, whatever was done before and whatever cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from pyfai_grf.analysis.frame_queue import FrameGroup, FrameQueue
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve, PredictionRow, Result
from pyfai_grf.frames.frame import Frame, make_frame

#: source -> number of frames; what is missing cannot be read
FILES = {"one.h5": 3, "two.h5": 2}


def read(sources: Sequence[str], report: Callable[[InputError], None], starts: Mapping[str, int]) -> Iterator[Frame]:
    for source in sources:
        if source not in FILES:
            report(InputError(f"no such file: {source}"))
            continue
        for index in range(starts.get(source, 0), FILES[source]):
            yield make_frame(np.zeros((2, 2)), source, index)


def make_row(source: str, frame: int, count: int = 1) -> Result:
    said = PredictionRow.make_empty(("a",), "")
    return Result(source, frame, Curve(np.ones(1), np.ones(1)), said, {"frames_averaged": float(count)})


def list_groups(queue: FrameQueue, average: int | None) -> list[list[tuple[str, int]] | str]:
    found: list[list[tuple[str, int]] | str] = []
    for group in queue.take_groups(average):
        if isinstance(group, FrameGroup):
            frames = [group.frames] if isinstance(group.frames, Frame) else list(group.frames)
            found.append([(frame.source, frame.index) for frame in frames])
        else:
            found.append(str(group))
    return found


@pytest.mark.parametrize(
    ("average", "expected"),
    [
        (1, [["one.h5", 0], ["one.h5", 1], ["one.h5", 2], ["two.h5", 0], ["two.h5", 1]]),
        (2, [["one.h5", 0, 1], ["one.h5", 2, "two.h5", 0], ["two.h5", 1]]),
        (None, [["one.h5", 0, 1, 2, "two.h5", 0, 1]]),
    ],
)
def test_groups(average: int | None, expected: list[list[str | int]]) -> None:
    found = []
    for group in list_groups(FrameQueue(list(FILES), read), average):
        assert isinstance(group, list)
        flat: list[str | int] = []
        entries: Any = group  # what ``read`` below makes of a frame
        for source, index in entries:
            flat += [index] if source in flat else [source, index]
        found.append(flat)
    assert found == expected


def test_a_source_that_cannot_be_read_is_named_where_it_stood() -> None:
    found = list_groups(FrameQueue(["one.h5", "gone.h5", "two.h5"], read), 1)
    assert found[3] == "no such file: gone.h5"
    assert len(found) == 6


def test_a_group_that_nobody_reads_is_not_a_group_of_its_own() -> None:
    queue = FrameQueue(list(FILES), read)
    assert sum(isinstance(group, FrameGroup) for group in queue.take_groups(2)) == 3


def test_frames_that_have_a_row_are_left_out() -> None:
    done = [make_row("one.h5", 0), make_row("two.h5", 0)]
    assert list_groups(FrameQueue(list(FILES), read, done), 1) == [
        [("one.h5", 1)], [("one.h5", 2)], [("two.h5", 1)]
    ]  # fmt: skip


def test_groups_that_have_a_row_are_left_out_whole() -> None:
    done = [make_row("one.h5", 0, 2)]
    assert list_groups(FrameQueue(list(FILES), read, done), 2) == [[("one.h5", 2), ("two.h5", 0)], [("two.h5", 1)]]

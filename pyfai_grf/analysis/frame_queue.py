"""The frames of a run in their order, those left out that have a row already, in groups that become one curve each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Result
from pyfai_grf.frames.frame import Frame

#: (source, start) to the frames of that source from that index on
ReadFrames = Callable[..., Iterator[Frame]]


@dataclass(frozen=True)
class FrameGroup:
    """Frames that become one curve; ``source`` and ``index`` are the first one's. ``frames`` is read once."""

    source: str
    index: int
    frames: Frame | Iterable[Frame]


class FrameQueue:
    """Reads the frames of ``sources`` one after the other; a source that cannot be read does not stop the others."""

    def __init__(self, sources: Sequence[str], read_frames: ReadFrames, done: Sequence[Result] = ()) -> None:
        self._sources = sources
        self._read = read_frames
        #: frame that a row begins with -> how many frames it stands for
        self._done = {(r.source, r.frame): int(r.extras.get("frames_averaged", 1)) for r in done}
        self._problems: list[InputError] = []

    def take_groups(self, average: int | None) -> Iterator[FrameGroup | InputError]:
        """Yield groups of ``average`` consecutive frames (None: all), and problems with sources as they are met.

        A group that could not be used is read to its end: what is left of it is not a group of its own.
        """
        frames = self._leave_out_done(self._read_all())
        while (first := next(frames, None)) is not None:
            yield from self._take_problems()
            group = chain([first], islice(frames, None if average is None else average - 1))
            yield FrameGroup(first.source, first.index, first if average == 1 else group)
            for _ in group:
                pass
        yield from self._take_problems()

    def _read_all(self) -> Iterator[Frame]:
        for source in self._sources:
            try:
                yield from self._read(source)
            except InputError as problem:
                self._problems.append(problem)

    def _leave_out_done(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            count = self._done.get((frame.source, frame.index))
            if count is None:
                yield frame
            for _ in islice(frames, (count or 1) - 1):
                pass

    def _take_problems(self) -> Iterator[InputError]:
        while self._problems:
            yield self._problems.pop(0)

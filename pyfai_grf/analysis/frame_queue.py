"""The frames of a run in their order, those left out that have a row already, in groups that become one curve each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Result
from pyfai_grf.frames.frame import Frame

#: (sources, report a problem, source -> first frame wanted) to the frames of all sources
ReadSeries = Callable[[Sequence[str], Callable[[InputError], None], Mapping[str, int]], Iterator[Frame]]


@dataclass(frozen=True)
class FrameGroup:
    """Frames that become one curve; ``source`` and ``index`` are the first one's. ``frames`` is read once."""

    source: str
    index: int
    frames: Frame | Iterable[Frame]


class FrameQueue:
    """Takes the frames of ``sources`` one after the other; what cannot be read does not stop the others.

    ``done`` are the rows of a run that is resumed: their frames are left out.
    """

    def __init__(self, sources: Sequence[str], read_series: ReadSeries, done: Sequence[Result] = ()) -> None:
        self._sources = sources
        self._read_series = read_series
        #: frame that a row begins with -> how many frames it stands for
        self._done = {(_get_real(r.source), r.frame): int(r.extras.get("frames_averaged", 1)) for r in done}
        self._problems: list[InputError] = []

    def take_groups(self, average: int | None) -> Iterator[FrameGroup | InputError]:
        """Yield groups of ``average`` consecutive frames (None: all), and problems with sources as they are met.

        A group that could not be used is read to its end: what is left of it is not a group of its own.
        """
        starts = self._find_starts() if average == 1 else {}
        frames = self._leave_out_done(self._read_series(self._sources, self._problems.append, starts))
        while (first := next(frames, None)) is not None:
            yield from self._take_problems()
            group = chain([first], islice(frames, None if average is None else average - 1))
            yield FrameGroup(first.source, first.index, first if average == 1 else group)
            for _ in group:
                pass
        yield from self._take_problems()

    def _find_starts(self) -> dict[str, int]:
        """Return source -> first frame without a row: what comes before need not be decoded."""
        rows: dict[str, set[int]] = {}
        for name, index in self._done:
            for source in {name, name.partition("::")[0]}:
                rows.setdefault(source, set()).add(index)
        known = {source: _get_real(source) for source in self._sources if _get_real(source) in rows}
        return {source: next(k for k in count() if k not in rows[real]) for source, real in known.items()}

    def _leave_out_done(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            number = self._done.get((_get_real(frame.source), frame.index))
            if number is None:
                yield frame
            for _ in islice(frames, (number or 1) - 1):
                pass

    def _take_problems(self) -> Iterator[InputError]:
        while self._problems:
            yield self._problems.pop(0)


def _get_real(source: str) -> str:
    """Return a source by its real path, however it was spelled."""
    path, separator, inner = source.partition("::")
    return os.path.realpath(path) + separator + inner

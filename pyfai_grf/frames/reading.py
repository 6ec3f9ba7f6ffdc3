"""Reading one source frame by frame, by the decoding process; where none can be started, by this one."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyfai_grf.core.child_process import compute_time_limit
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.files import check_regular_file
from pyfai_grf.frames import decoder
from pyfai_grf.frames.decoder import Answer, CannotStartError, Request, get_decoder
from pyfai_grf.frames.frame import Frame

if TYPE_CHECKING:
    from pyfai_grf.frames.stack import Stack

#: frames of a source in a row that may end the process before the rest of the source is left out
_MOST_DEATHS = 3
_numbers = itertools.count()


@dataclass(frozen=True)
class _Announced:
    """A source whose first frame is being decoded, and what its file was like then."""

    request: Request
    stamp: tuple[int, int]


_announced: _Announced | None = None


def announce(source: str) -> None:
    """Let the decoding of the first frame of ``source`` begin; returns at once, whatever is the matter with it."""
    global _announced
    with contextlib.suppress(InputError, OSError):
        request = _make_request(source)
        found = _Announced(request, _get_stamp(request.path))
        if _announced is not None:
            if replace(request, number=_announced.request.number) == _announced.request:
                return
            get_decoder().close(_announced.request.number)
        _announced = found
        get_decoder().prepare(request)


class FrameIterator(Iterator[Frame]):
    """The frames of a source from number ``start`` on; behind one that cannot be read it goes on with the next."""

    def __init__(self, source: str, start: int = 0) -> None:
        self._source = source
        self._next = start
        self._count: int | None = None
        self._request: Request | None = None
        self._here: Stack | None = None
        self._deaths = 0
        self._is_over = False

    def __next__(self) -> Frame:
        if self._is_over:
            raise StopIteration
        if self._request is None:
            self._is_over = True  # if this fails
            request = _make_request(self._source)
            self._request = request if self._next else _take_announced(request)
            self._is_over = False
        answer = self._ask(replace(self._request, index=self._next))
        self._note(answer)
        if answer.frame is not None:
            return answer.frame
        if not answer.problem:
            raise StopIteration
        raise InputError(answer.problem)

    def close(self) -> None:
        """Close the source; there are no more frames."""
        if not self._is_over and self._request is not None:
            self._is_over = True
            get_decoder().close(self._request.number)
            if self._here is not None:
                self._here.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the end of the interpreter anything may be gone already
            self.close()

    def _ask(self, request: Request) -> Answer:
        if self._here is None:
            with contextlib.suppress(CannotStartError):  # said once
                return get_decoder().read(request)
        return self._read_here(request)

    def _read_here(self, request: Request) -> Answer:
        from pyfai_grf.frames.stack import open_stack

        try:
            self._here = self._here or open_stack(request.path, request.inner, request.name)
        except InputError as problem:
            return Answer(None, str(problem), 0)
        count = self._here.count
        try:
            return Answer(self._here.read(request.index) if request.index < count else None, "", count)
        except InputError as problem:
            return Answer(None, str(problem), count)

    def _note(self, answer: Answer) -> None:
        """Step on to the next frame, if there is one and the source is worth it."""
        self._next += 1
        self._count = self._count if answer.count is None else answer.count
        self._deaths = self._deaths + 1 if answer.has_died else 0
        if self._count is None or self._next >= self._count:
            self._is_over = True
        elif self._deaths >= _MOST_DEATHS:
            self.close()
            answer.problem += f"; so were {_MOST_DEATHS - 1} before, the rest of the file is left out"
        if self._is_over and self._here is not None:
            self._here.close()


def _make_request(source: str) -> Request:
    """Return the request for the first frame of ``source``; raises InputError if that is not a file."""
    name, _, inner = source.partition("::")
    check_regular_file(name)
    path = os.path.abspath(name)
    return Request(next(_numbers), path, inner, name, limit_s=compute_time_limit(path, decoder.TIME_LIMIT_S))


def _get_stamp(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


def _take_announced(request: Request) -> Request:
    """Return what was announced instead of ``request`` if it is the same and the file has not changed meanwhile."""
    global _announced
    if _announced is None or replace(request, number=_announced.request.number) != _announced.request:
        return request
    found, _announced = _announced, None
    with contextlib.suppress(OSError):
        if _get_stamp(request.path) == found.stamp:
            return found.request
    get_decoder().close(found.request.number)
    return request

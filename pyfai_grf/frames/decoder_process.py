"""The process that decodes frames: whatever a damaged file does to it, it does to this process alone.

It answers requests on standard input until the client is gone. Between two requests it decodes the frame that will
probably be asked for next. It ends itself when one step takes longer than the client has allowed: the clock is one of
the C library, which runs also while a decoder never returns.
"""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from pyfai_grf.core.child_process import limit_memory, limit_time, take_pipes
from pyfai_grf.core.errors import InputError
from pyfai_grf.frames import wire
from pyfai_grf.frames.frame import Frame
from pyfai_grf.frames.stack import Stack, open_stack

_LOGGER = logging.getLogger(__name__)

#: sources that are kept open for clients that read several by turns; one more closes the oldest
_MOST_OPEN = 8
#: messages of libraries that are passed on with a frame
_MOST_MESSAGES = 20
#: exit status after an error that is nobody's file; 1 is that of the clock
_FAILED = 3


@dataclass
class _Source:
    """An open source, and the frame or error that was prepared for position ``ready_at``."""

    stack: Stack
    limit_s: float
    ready: Frame | InputError | None = None
    ready_at: int = -1


class _Desk:
    """Opens sources and reads their frames, as the client's requests say."""

    def __init__(self, sink: IO[bytes], log: list[list[Any]]) -> None:
        self._sink = sink
        self._log = log
        self._sources: dict[int, _Source] = {}
        self._current: tuple[int, int] | None = None  # the source last read, and its next frame
        self._hint: dict[str, Any] | None = None

    def handle(self, request: dict[str, Any]) -> None:
        """Do what one request asks for, and what the next one will probably ask for."""
        if request["do"] == "read":
            self._answer(request)
        elif request["do"] == "prepare":
            self._hint = request
        else:
            self._close(request["number"])
        self._prepare()

    def _answer(self, request: dict[str, Any]) -> None:
        number, index = request["number"], request["index"]
        answer: Frame | InputError | None
        count = 0
        try:
            source = self._open(request)
            count = source.stack.count
            answer = self._read(number, source, index) if index < count else None
            source.ready = None  # from here on the client has it
        except InputError as problem:
            answer = problem
        text = str(answer) if isinstance(answer, InputError) else ""
        frame = answer if isinstance(answer, Frame) else None
        wire.send(self._sink, {"number": number, "count": count, "problem": text, "log": self._log}, frame)
        self._log.clear()
        if index + 1 >= count:
            self._close(number)
        else:
            self._current = number, index + 1

    def _open(self, request: dict[str, Any]) -> _Source:
        """Return the source of ``request``, opened if it is not open; the client learns how many frames it has."""
        number = request["number"]
        if number not in self._sources:
            while len(self._sources) >= _MOST_OPEN:
                self._close(next(iter(self._sources)))
            self._begin(number, request["index"])
            with limit_time(request["limit_s"]), _report():
                stack = open_stack(request["path"], request["inner"], request["name"])
            self._sources[number] = _Source(stack, request["limit_s"])
        source = self._sources[number] = self._sources.pop(number)  # the last one used is the last one closed
        wire.send(self._sink, {"count": source.stack.count, "number": number})
        return source

    def _read(self, number: int, source: _Source, index: int) -> Frame | InputError:
        if source.ready is None or source.ready_at != index:
            self._begin(number, index)
            source.ready_at = index
            try:
                with limit_time(source.limit_s), _report():
                    source.ready = source.stack.read(index)
            except InputError as problem:
                source.ready = problem
        return source.ready

    def _begin(self, number: int, index: int) -> None:
        """Say what is about to be read: if nothing follows, that was it."""
        wire.send(self._sink, {"begin": [number, index]})

    def _prepare(self) -> None:
        """Read the next frame of the current source, or the first of the one announced."""
        if self._current is not None:
            number, index = self._current
            if number in self._sources:
                self._read(number, self._sources[number], index)
        elif self._hint is not None:
            request, self._hint = self._hint, None
            with contextlib.suppress(InputError):  # who asks for it will be told
                source = self._open({**request, "index": 0})
                if isinstance(self._read(request["number"], source, 0), InputError):
                    source.ready = None  # it may be a file that is being written: the next look counts

    def _close(self, number: int) -> None:
        if self._current is not None and self._current[0] == number:
            self._current = None
        if self._hint is not None and self._hint["number"] == number:
            self._hint = None
        if (source := self._sources.pop(number, None)) is not None:
            source.stack.close()


def serve() -> None:
    """Answer requests on standard input until the client is gone."""
    source, sink = take_pipes()
    log = _collect_messages()
    limit_memory()
    wire.send(sink, {"ready": True})
    desk = _Desk(sink, log)
    status = 0
    try:
        while True:
            desk.handle(wire.receive(source)[0])
    except (EOFError, OSError):  # the client is gone
        pass
    except BaseException:
        status = _FAILED
    os._exit(status)  # without another try at sending what nobody reads


@contextlib.contextmanager
def _report() -> Iterator[None]:
    """Keep for --verbose where an error comes from."""
    try:
        yield
    except InputError as problem:
        if problem.__cause__ is not None:
            _LOGGER.info("%s", "".join(traceback.format_exception(problem)))
        raise


def _collect_messages() -> list[list[Any]]:
    """Return a list that fills with what this package and libraries log: [name, level, text]."""
    log: list[list[Any]] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if len(log) < _MOST_MESSAGES:
                with contextlib.suppress(Exception):  # a library's mistake about its own message
                    log.append([record.name, record.levelno, record.getMessage()[:2000]])

    logging.basicConfig(handlers=[Collector()], level=logging.WARNING)
    _LOGGER.setLevel(logging.INFO)
    return log

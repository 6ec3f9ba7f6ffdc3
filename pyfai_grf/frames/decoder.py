"""Frames decoded by a process of its own: what a damaged file does, crash or endless loop, costs a frame and no more.

One process serves this one; it is started when the first frame is wanted or announced, and anew after it ended. It
works ahead: while the caller reduces a frame, the next one is decoded.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import subprocess
import tempfile
import threading
from dataclasses import asdict, dataclass
from typing import IO, Any, NoReturn

from pyfai_grf.core.child_process import OUT_OF_TIME, PATIENCE_S, describe_end, end_child, start_child
from pyfai_grf.frames import wire
from pyfai_grf.frames.frame import Frame

_LOGGER = logging.getLogger(__name__)

#: seconds that opening a file, or reading a frame of it, may take, and more for a large file
TIME_LIMIT_S = 30.0
#: processes that may end before the frame they were asked for is given up, whoever ended them
_ATTEMPTS = 3
#: a frame has some MB, a pipe otherwise 64 kB
_PIPE_BYTES = 2**20
_CODE = "from pyfai_grf.frames.decoder_process import serve; serve()"


class CannotStartError(Exception):
    """No process for decoding can be started here."""


@dataclass(frozen=True)
class Request:
    """Frame ``index`` of a source that is read as number ``number``; ``name`` is for messages."""

    number: int
    path: str
    inner: str
    name: str
    index: int = 0
    limit_s: float = TIME_LIMIT_S


@dataclass
class Answer:
    """A frame, or what is wrong with it ("" past the last); the source has ``count`` frames, None if not known."""

    frame: Frame | None = None
    problem: str = ""
    count: int | None = None
    has_died: bool = False


class Decoder:
    """The process and its pipes; threads take turns."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._obstacle = ""  # why no process can be started
        self._is_ready = False
        self._begun: tuple[int, int] | None = None  # number and index of what the process began last
        self._closed: list[int] = []  # numbers of sources that are not wanted any more

    def read(self, request: Request) -> Answer:
        """Return the answer to a request, whatever becomes of the process meanwhile.

        Raises
        ------
        CannotStartError
            If there is no process and none can be started.
        """
        with self._lock:
            answer = Answer()
            for attempt in range(_ATTEMPTS):
                self._start()
                try:
                    self._await_start()
                    self._exchange(request, answer)
                    return answer
                except (EOFError, OSError, ValueError, KeyError, TypeError):
                    status = self._end(PATIENCE_S)
                except BaseException:  # Ctrl-C, say: half a frame is left in the pipe
                    self._end()
                    raise
                # death may have come over another frame, read ahead, or from outside: only a second one counts
                if self._begun == (request.number, request.index) and (attempt or status == OUT_OF_TIME):
                    break
            answer.problem, answer.has_died = _describe_death(request, status), True
            return answer

    def prepare(self, request: Request) -> None:
        """Let the process begin with a source that will be wanted soon; returns at once, if need be without it."""
        if self._lock.acquire(blocking=False):
            with contextlib.suppress(CannotStartError, OSError):
                self._start()
                self._send({"do": "prepare", **asdict(request)})
            self._lock.release()

    def close(self, number: int) -> None:
        """Let the process close source ``number``; waits for nobody, so that a garbage collector may call it."""
        if self.owner != os.getpid():
            return
        self._closed.append(number)
        if self._lock.acquire(blocking=False):
            try:
                if self._process is not None:
                    self._send_closed()
            except OSError:  # the next request will find out
                pass
            finally:
                self._lock.release()

    def stop(self) -> None:
        """End the process; another one is started when it is needed."""
        self._end()

    def _start(self) -> None:
        if self._process is not None:
            return
        if self._obstacle:
            raise CannotStartError(self._obstacle)
        self._is_ready, self._begun = False, None
        self._closed.clear()
        try:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process lives)
            # it does no algebra that is worth a thread
            self._process = start_child(_CODE, {"OPENBLAS_NUM_THREADS": "1"}, self._errors)
        except OSError as problem:
            if self._errors is not None:
                self._errors.close()
            self._give_up(problem.strerror or str(problem))
        _widen_pipe(self._process)

    def _give_up(self, obstacle: str) -> NoReturn:
        """Keep in mind that no process can be started."""
        self._obstacle = obstacle
        _LOGGER.warning("frames are decoded in this process, for no other can be started: %s", obstacle)
        raise CannotStartError(obstacle)

    def _await_start(self) -> None:
        """Return when the process has imported what it needs."""
        if self._is_ready:
            return
        try:
            self._is_ready = bool(self._receive()[0]["ready"])
        except (EOFError, OSError, ValueError, KeyError, TypeError):
            reason = self._read_errors()
            self._end()
            self._give_up(reason)

    def _exchange(self, request: Request, answer: Answer) -> None:
        """Send a request and fill in its answer."""
        with contextlib.suppress(OSError):  # of a process that has died; what it has said before can be read
            self._send_closed()
            self._send({"do": "read", **asdict(request)})
        while True:
            head, answer.frame = self._receive()
            if "begin" in head:
                self._begun = (int(head["begin"][0]), int(head["begin"][1]))
            if head.get("number") == request.number:
                answer.count = int(head["count"])
            if "problem" in head:
                break
        answer.problem = str(head["problem"])
        for name, level, text in head["log"]:
            logging.getLogger(str(name)).log(int(level), "%s", text)

    def _send(self, head: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        wire.send(self._process.stdin, head)

    def _send_closed(self) -> None:
        while self._closed:
            self._send({"do": "close", "number": self._closed.pop()})

    def _receive(self) -> tuple[dict[str, Any], Frame | None]:
        assert self._process is not None
        assert self._process.stdout is not None
        return wire.receive(self._process.stdout)

    def _read_errors(self) -> str:
        """Return the last line that a process has said which did not get as far as its first message."""
        assert self._process is not None
        assert self._errors is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S)
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"

    def _end(self, patience_s: float = 0.0) -> int:
        """End the process, unless it ends by itself, and return its exit status."""
        if (process := self._process) is None:
            return 0
        self._process = None
        if self._errors is not None:
            self._errors.close()
        return end_child(process, patience_s)


def get_decoder() -> Decoder:
    """Return the decoder of this process; one that was forked gets its own."""
    global _decoder
    if _decoder is None or _decoder.owner != os.getpid():
        if _decoder is not None:
            _left_behind.append(_decoder)  # its process belongs to the parent, which will end it
        _decoder = Decoder()
    return _decoder


_decoder: Decoder | None = None
_left_behind: list[Decoder] = []


@atexit.register
def _stop() -> None:
    if _decoder is not None and _decoder.owner == os.getpid():
        _decoder.stop()


def _widen_pipe(process: subprocess.Popen[bytes]) -> None:
    """Let a frame through in few portions, where the system lets us choose."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    assert process.stdout is not None
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # more than this user may have
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _describe_death(request: Request, status: int) -> str:
    """Return in one line how the process ended over a request."""
    where = f"{request.name}: frame {request.index}"
    if status == OUT_OF_TIME:
        return f"{where} was not read within {request.limit_s:.0f} s: the file is damaged, or its disk too slow"
    return f"{where} cannot be read: decoding it {describe_end(status)}: the file is damaged"

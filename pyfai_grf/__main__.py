"""The command pyfai-grf, also as python -m pyfai_grf; here it begins, so that Ctrl-C is obeyed from here on."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any, NoReturn

_AGAIN_S = 0.02
#: the signals that have been obeyed
_interrupted: list[int] = []


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """End at once in one line: nothing has been begun, or all is done."""
    os.write(2, b"pyfai-grf: stopped\n")
    os._exit(130)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, a little later while a module is loaded: compiled ones take it for a fault of theirs."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib") and _ask_again():
            return
        frame = frame.f_back
    _interrupted.append(number)
    raise KeyboardInterrupt


def _ask_again() -> bool:
    """Let ``_interrupt`` be called again in a moment; False where the system cannot."""
    if not hasattr(signal, "setitimer"):
        return False
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
    return True


def _report_unraisable(problem: Any) -> None:
    """Do not lose a KeyboardInterrupt that came where nothing can be raised, such as in a destructor.

    What else comes to pass there after one follows from it: destructors of what was not yet made.
    """
    if issubclass(problem.exc_type, KeyboardInterrupt) and _ask_again():
        return
    if not _interrupted:
        sys.__unraisablehook__(problem)


def _report_uncaught(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    """Say nothing of a KeyboardInterrupt: compiled code prints it before it drops it (see ``_report_unraisable``)."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, problem, trace)


def _catch_interrupt(handler: Any) -> None:
    """Let ``handler`` answer to Ctrl-C, unless whoever started this process does not want it to be heard."""
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, handler)


_catch_interrupt(_stop)


def main() -> int:
    """Run the command that ``sys.argv`` names and return its exit status."""
    from pyfai_grf.cli import main as run_command

    sys.excepthook, sys.unraisablehook = _report_uncaught, _report_unraisable
    try:
        _catch_interrupt(_interrupt)
        return run_command()
    except KeyboardInterrupt:  # before the command began, or after its end
        os.write(2, b"pyfai-grf: stopped\n")
        return 130
    finally:
        _catch_interrupt(_stop)
        if hasattr(signal, "setitimer"):  # an alarm that nobody answers to would end the process
            signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.exit(main())

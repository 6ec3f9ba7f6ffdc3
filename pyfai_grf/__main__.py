"""The command pyfai-grf, also as python -m pyfai_grf; here it begins, so that Ctrl-C is obeyed from here on."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, NoReturn

_AGAIN_S = 0.02


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
    raise KeyboardInterrupt


def _ask_again() -> bool:
    """Let ``_interrupt`` be called again in a moment; False where the system cannot."""
    if not hasattr(signal, "setitimer"):
        return False
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
    return True


def _report_unraisable(problem: Any) -> None:
    """Do not lose a KeyboardInterrupt that came where nothing can be raised, such as in a destructor."""
    if not (issubclass(problem.exc_type, KeyboardInterrupt) and _ask_again()):
        sys.__unraisablehook__(problem)


def _catch_interrupt(handler: Any) -> None:
    """Let ``handler`` answer to Ctrl-C, unless whoever started this process does not want it to be heard."""
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, handler)


_catch_interrupt(_stop)


def main() -> int:
    """Run the command that ``sys.argv`` names and return its exit status."""
    from pyfai_grf.cli import main as run_command

    sys.unraisablehook = _report_unraisable
    try:
        _catch_interrupt(_interrupt)
        return run_command()
    except KeyboardInterrupt:  # before the command began, or after its end
        os.write(2, b"pyfai-grf: stopped\n")
        return 130
    finally:
        _catch_interrupt(_stop)


if __name__ == "__main__":
    sys.exit(main())

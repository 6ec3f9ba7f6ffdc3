"""One writer for a file: a lock beside it that the system takes back when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from types import TracebackType

from pyfai_grf.core.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, where no other process can replace a file that is open
    fcntl = None  # type: ignore[assignment]


class OutputLock:
    """The right to write the file ``target``, until ``release`` (or as a context).

    The lock is held on the file ``.NAME.lock`` beside; one that a killed process left does not count. Where the file
    system has no locks, nothing is locked.

    Raises
    ------
    InputError
        If another process, or another writer of this one, holds it; ``advice`` says what to do, ``hint`` and ``facts``
        are the error's.
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        advice: str = "wait for it, or choose another name",
        hint: str = "",
        **facts: object,
    ) -> None:
        self._advice, self._hint, self._facts = advice, hint, facts
        real = Path(os.path.realpath(target))
        self._path = real.with_name(f".{os.fsdecode(os.fsencode(real.name)[:200])}.lock")
        self._number: int | None = None
        while fcntl is not None and not self._is_current():
            self._number = self._open(target)
            if self._number is None:
                return

    @property
    def is_held(self) -> bool:
        """Whether others can see the lock: not on a system or a file system that has none."""
        return self._number is not None

    def release(self) -> None:
        """Give the right back; a second time does nothing."""
        number, self._number = self._number, None
        if number is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()  # while it is locked: whoever opened it before looks again
            os.close(number)

    def __enter__(self) -> OutputLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _open(self, target: str | os.PathLike[str]) -> int | None:
        """Return the number of the locked file, None where there are no locks or the folder cannot be written."""
        try:
            number = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:  # whoever writes the file itself will say why
            return None
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(number, 300, 0).decode("utf-8", "replace").strip() or "another process"
            os.close(number)
            message = f"{target} is being written by {holder}: {self._advice}"
            raise InputError(message, self._hint, **self._facts) from None
        except OSError:  # a file system without locks
            os.close(number)
            self._path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):  # on a full disk nobody learns who it is
            os.ftruncate(number, 0)
            os.pwrite(number, f"process {os.getpid()} on {platform.node()}\n".encode(), 0)
        return number

    def _is_current(self) -> bool:
        """Return whether the locked file is still the one beside the target; closes one that is not."""
        if self._number is None:
            return False
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._number), os.stat(self._path)):
                return True
        os.close(self._number)
        return False

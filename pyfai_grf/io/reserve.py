"""Full disks: space held back, so that HDF5 can still close a file, and a file whose failures HDF5 does not see."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pyfai_grf.core.errors import InputError, describe_problem

#: more than HDF5 keeps unwritten between two flushes here
RESERVE_BYTES = 2 * 2**20


class DiskReserve:
    """``size`` bytes on the disk of ``folder``, in a file without a name, until ``release``.

    HDF5 keeps what it could not write, tries again on closing, fails again, and then crashes the interpreter when it
    shuts down. Space given back between the failure and the closing lets it close in order.

    Raises
    ------
    InputError
        If the folder cannot be written or has less room than that.
    """

    def __init__(self, folder: Path, size: int = RESERVE_BYTES) -> None:
        try:
            self._file: IO[bytes] | None = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (held until release)
        except OSError as problem:
            raise InputError(f"cannot write in {folder}: {describe_problem(problem)}") from None
        try:
            fill_file(self._file, size)
        except OSError as problem:
            self._file.close()
            raise InputError(
                f"no room in {folder} ({size / 2**20:.0f} MiB to start with): {describe_problem(problem)}; "
                "free space or choose another folder"
            ) from None

    def release(self) -> None:
        """Give the space back; a second time does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> DiskReserve:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class WatchedFile(io.FileIO):
    """A new file for HDF5 to write through, which keeps failures to itself until ``check``.

    A write that fails is repeated in the room that ``reserve`` gives back, or else dropped: the file is of no use then,
    but HDF5 can close it. What HDF5 knows to have failed ends the process in some places (in its own copy, before 2.0).

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: Path, reserve: DiskReserve) -> None:
        super().__init__(path, "w+b")
        self._reserve = reserve
        self._problem: OSError | None = None

    def check(self) -> None:
        """Raise the first OSError of a write, if there was one."""
        if self._problem is not None:
            raise self._problem

    def write(self, data: Any) -> int:
        """Take all of ``data``, and return its length."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[super().write(left) :]
            except OSError as problem:
                if not self._make_room(problem):
                    break
        return size

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file to ``size`` bytes."""
        try:
            return super().truncate(size)
        except OSError as problem:
            if self._make_room(problem):
                with contextlib.suppress(OSError):
                    return super().truncate(size)
            return int(size or 0)

    def _make_room(self, problem: OSError) -> bool:
        """Note the first failure, and return whether there is more room now."""
        if self._problem is not None:
            return False
        self._problem = problem
        self._reserve.release()
        return True


def fill_file(file: IO[bytes], size: int) -> None:
    """Let an open, empty file take ``size`` bytes on the disk; raises OSError if there is no room."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:  # macOS, Windows
        file.write(bytes(size))
        file.flush()

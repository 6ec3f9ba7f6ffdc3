"""The results file: rows while a run lasts, NXcanSAS entries when it ends."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import h5py

from pyfai_grf.core.atomic import WRITE_ERRORS
from pyfai_grf.core.errors import GrfError, InputError, describe_problem
from pyfai_grf.core.provenance import Provenance, format_now
from pyfai_grf.core.records import Result
from pyfai_grf.io.journal import Journal, check_curve, create_journal, mark_writer, start_journal
from pyfai_grf.io.journal_rows import copy_rows, count_rows, read_provenance, read_rows
from pyfai_grf.io.nxcansas import write_sas_entry
from pyfai_grf.io.reserve import DiskReserve, WatchedFile

logger = logging.getLogger(__name__)

#: the oldest format with SWMR; "latest" would shut out programs with an older HDF5
_FORMAT = ("v110", "v110")
_FLUSH_EVERY = 25

#: files that this process is writing
_being_written: set[Path] = set()


class ResultsWriter:
    """Writes a results file row by row (a context manager).

    With ``swmr`` other programs may read the file meanwhile (HDF5's single writer, multiple readers; not on network
    file systems), and every row that was appended outlives a killed process. Without, the file keeps the oldest
    format; it can be read after a kill only if that did not fall into a write. Leaving the context adds the NXcanSAS
    entries, also when it is left by an exception. ``is_resumed``: the file exists, its rows stay, more are appended.

    Raises
    ------
    InputError
        If the file exists (unless ``overwrite``) or cannot be written; from ``append`` if the disk is full: the rows
        before stay, and ``export`` completes the file later.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        provenance: Provenance,
        *,
        swmr: bool = True,
        overwrite: bool = False,
        is_resumed: bool = False,
    ) -> None:
        self.path = Path(path)
        self._provenance = provenance
        self._is_swmr = swmr
        self._h5: h5py.File | None = None
        self._journal: Journal | None = None
        self._is_open = True
        if self.path.exists() and not (overwrite or is_resumed):
            raise InputError(f"{self.path} exists already: choose another name or remove it")
        self._reserve = DiskReserve(self.path.resolve().parent)
        try:
            if is_resumed:
                self._reopen()
            else:
                with h5py.File(self.path, "w", libver=_FORMAT if swmr else None, locking=False) as h5:
                    create_journal(h5, provenance)
        except InputError:
            self._reserve.release()
            raise
        except WRITE_ERRORS as problem:
            self._reserve.release()
            raise InputError(f"cannot write {self.path}: {describe_problem(problem)}") from None
        _being_written.add(self.path.resolve())

    def append(self, result: Result) -> None:
        """Append one row; when this returns, other programs see it and a kill does not undo it."""
        if not self._is_open:
            raise InputError(f"{self.path} is closed: no row can be added")
        check_curve(result.curve)
        try:
            if self._journal is None:
                self._journal = self._start(result)
            self._journal.append(result)
        except WRITE_ERRORS as problem:
            count = self._journal.count if self._journal else 0
            self._release()
            raise InputError(
                f"cannot write {self.path}: {describe_problem(problem)}; its first {count} rows are kept, "
                f"'pyfai-grf export {self.path}' completes it once that is mended"
            ) from None

    def close(self) -> None:
        """Add the NXcanSAS entries and close; a second time, or after a failed write, does nothing."""
        if self._is_open:
            self._release()
            _complete(self.path, self.path)

    def _reopen(self) -> None:
        """Put a file in the place of ``path`` that holds its rows, and goes on growing."""
        target = self.path.resolve()
        partial = target.with_name(target.name + ".part")
        try:
            with _open_results(target) as source:
                _check_writer(target, source)
                with h5py.File(partial, "w", libver=_FORMAT if self._is_swmr else None, locking=False) as h5:
                    if count_rows(source):
                        copy_rows(source, h5)
                        mark_writer(h5)
                    else:
                        create_journal(h5, self._provenance)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def _start(self, first: Result) -> Journal:
        # no lock: a viewer that holds one must not stop the run
        self._h5 = h5py.File(self.path, "r+", libver=_FORMAT if self._is_swmr else None, locking=False)
        if not count_rows(self._h5):
            start_journal(self._h5, self._provenance, first)
        journal = Journal(self._h5, self._provenance.parameters)
        if self._is_swmr:
            self._h5.swmr_mode = True
        return journal

    def _release(self) -> None:
        self._is_open = False
        _being_written.discard(self.path.resolve())
        self._reserve.release()
        try:
            if self._h5 is not None:
                self._h5.close()
        except WRITE_ERRORS as problem:
            logger.warning("%s did not close in order: %s", self.path, describe_problem(problem))

    def __enter__(self) -> ResultsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except GrfError as second:
            if problem is None:
                raise
            logger.warning("%s", second)  # the first problem is the one to report


def export(path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> int:
    """Complete a results file whose run was killed, and return its number of rows.

    The NXcanSAS entries are added as at the end of a run; a complete file is left as it is. With ``output`` the
    complete file is written there and ``path`` stays untouched.

    Raises
    ------
    InputError
        If ``path`` is no results file or is still being written, if ``output`` exists, or if there is no room.
    """
    target = Path(path if output is None else output)
    if output is not None and target.exists():
        raise InputError(f"{target} exists already: choose another name or remove it")
    with _open_results(Path(path)) as h5:
        count = count_rows(h5)
        is_complete = "end_time" in h5["prediction"]
        if output is None:
            _check_writer(Path(path), h5)
    if not is_complete:
        _complete(Path(path), target)
    elif output is not None:
        shutil.copyfile(path, target)
    return count


def read_results(path: str | os.PathLike[str]) -> tuple[Provenance, list[Result]]:
    """Read a results file: complete, still being written, or left behind by a killed run.

    Raises
    ------
    InputError
        If the file is missing, damaged or no results file.
    """
    with _open_results(Path(path)) as h5:
        try:
            return read_provenance(h5), list(read_rows(h5))
        except (KeyError, OSError, RuntimeError, ValueError) as problem:
            raise InputError(f"{path} is damaged: {describe_problem(problem)}") from None


def _complete(path: Path, target: Path) -> None:
    """Write the complete form of ``path`` beside ``target`` and put it in its place at one stroke."""
    target = target.resolve()
    partial = target.with_name(target.name + ".part")
    try:
        with _open_results(path) as source, DiskReserve(target.parent) as reserve:
            _write_complete(source, partial, reserve)
        os.replace(partial, target)
    except WRITE_ERRORS as problem:
        raise InputError(
            f"cannot write {target}: {describe_problem(problem)}; the rows in {path} are kept, "
            f"'pyfai-grf export {path}' completes it once that is mended"
        ) from None
    finally:
        partial.unlink(missing_ok=True)


def _write_complete(source: h5py.File, partial: Path, reserve: DiskReserve) -> None:
    with WatchedFile(partial, reserve) as file:
        try:
            with h5py.File(file, "w", libver=_FORMAT, track_order=False) as h5:  # sasdata reads in name order
                _write_entries(source, h5, file)
        except Exception:
            file.check()  # what the disk says, rather than what follows from it
            raise
        file.check()


def _write_entries(source: h5py.File, h5: h5py.File, file: WatchedFile) -> None:
    copy_rows(source, h5)
    h5["prediction/end_time"] = format_now()
    provenance = read_provenance(source)
    for row, result in enumerate(read_rows(source)):
        write_sas_entry(h5, f"entry{row:05d}", result, provenance)
        if row == 0:
            h5.attrs["default"] = "entry00000"
        if row % _FLUSH_EVERY == 0:
            h5.flush()
            file.check()


def _check_writer(path: Path, h5: h5py.File) -> None:
    """Refuse to replace a file under a run that still appends to it."""
    if "end_time" in h5["prediction"]:
        return
    pid, host = int(h5["prediction"].attrs["writer_pid"]), h5["prediction"].attrs["writer_host"]
    advice = f"wait for it, or write the complete file elsewhere: pyfai-grf export {path} -o OTHER.h5"
    if host != socket.gethostname():
        raise InputError(f"{path} was being written on {host}, and whether it still is cannot be seen here: {advice}")
    if path.resolve() in _being_written if pid == os.getpid() else _is_alive(pid):
        raise InputError(f"{path} is still being written by process {pid}: {advice}")


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # there a signal 0 is Ctrl-C, and an open file cannot be replaced anyway
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _open_results(path: Path) -> Iterator[h5py.File]:
    """Open a results file for reading, whatever state its writer left it in."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        h5 = _open_hdf5(path)
    except OSError as problem:
        raise InputError(f"cannot read {path} as HDF5: {describe_problem(problem)}") from None
    with h5:
        if "prediction/process" not in h5:
            raise InputError(f"{path} is not a results file of pyfai-grf: it has no /prediction/process")
        yield h5


def _open_hdf5(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as problem:
        # a file that is being written, or whose writer was killed, bears a mark that HDF5 wants h5clear for; only then
        # is SWMR right: on a file cut short it waits for the missing part for hours
        if "h5clear" not in str(problem):
            raise
    return h5py.File(path, "r", libver="latest", swmr=True, locking=False)

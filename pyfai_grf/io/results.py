"""The results file: rows while a run lasts, NXcanSAS entries when it ends."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType

import h5py

from pyfai_grf.core.atomic import WRITE_ERRORS, is_running, replace_file, write_bytes
from pyfai_grf.core.errors import GrfError, InputError, describe_problem
from pyfai_grf.core.files import check_regular_file
from pyfai_grf.core.hdf5_files import open_hdf5
from pyfai_grf.core.hdf5_heaps import check_heaps
from pyfai_grf.core.hdf5_image import build_image
from pyfai_grf.core.lock import OutputLock
from pyfai_grf.core.provenance import Provenance, format_now
from pyfai_grf.core.records import Result
from pyfai_grf.io.journal import Journal, check_curve, create_journal, mark_writer, start_journal
from pyfai_grf.io.journal_fits import create_fits
from pyfai_grf.io.journal_rows import check_sizes, copy_rows, read_all, read_provenance, read_rows
from pyfai_grf.io.nxcansas import write_sas_entry
from pyfai_grf.io.reserve import DiskReserve, WatchedFile

logger = logging.getLogger(__name__)

#: the oldest format with SWMR; "latest" would shut out programs with an older HDF5
_FORMAT = ("v110", "v110")
_FLUSH_EVERY = 25


class ResultsWriter:
    """Writes a results file row by row (a context manager).

    With ``swmr`` other programs may read the file meanwhile (HDF5's single writer, multiple readers; not on network
    file systems), and every row that was appended outlives a killed process. Without, the file keeps the oldest
    format; it can be read after a kill only if that did not fall into a write. Leaving the context adds the NXcanSAS
    entries, also when it is left by an exception. ``is_resumed``: the file exists, its rows stay, more are appended.

    Raises
    ------
    InputError
        If the file exists (unless ``overwrite``), is being written by somebody else, or cannot be written; from
        ``append`` if the disk is full: the rows before stay, and ``export`` completes the file later.
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
        with ExitStack() as stack:
            self._lock = stack.enter_context(OutputLock(self.path))
            if self.path.exists() and not (overwrite or is_resumed):
                raise InputError(f"{self.path} exists already: choose another name or remove it")
            self._reserve = stack.enter_context(DiskReserve(self.path.resolve().parent))
            if not (is_resumed and self._reopen()):
                write_bytes(self.path, build_image(lambda h5: create_journal(h5, provenance), libver=self._format))
            stack.pop_all()  # both last until the file is closed
        self._is_open = True

    @property
    def count(self) -> int:
        """The number of rows so far."""
        return 0 if self._journal is None else self._journal.count

    def append(self, result: Result) -> None:
        """Append one row; when this returns, other programs see it and a kill does not undo it."""
        if not self._is_open:
            raise InputError(f"{self.path} is closed: no row can be added")
        check_curve(result.curve, result.prediction.fit)
        try:
            if self._journal is None:
                self._journal = self._start(result)
            elif not self._journal.has_room(result):
                self._journal = self._make_room(self._h5)
            self._journal.append(result)
        except WRITE_ERRORS as problem:
            self._give_up()
            raise InputError(
                f"cannot write {self.path}: {describe_problem(problem)}; {self._advise()}", "export", path=self.path
            ) from None

    def close(self) -> None:
        """Add the NXcanSAS entries and close; a second time, or after a failed write, does nothing.

        A Ctrl-C while this lasts is obeyed at the end of it, a second one at once.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._finish()
        except KeyboardInterrupt:
            self._finish()
            raise
        finally:
            self._lock.release()

    @property
    def _format(self) -> tuple[str, str] | None:
        return _FORMAT if self._is_swmr else None

    def _reopen(self) -> bool:
        """Go on with the rows of the file; False if it has none."""
        with _open_results(self.path) as source:
            _check_writer(self.path, source, self._lock, "wait for it, or choose another name")
            if not _check_content(self.path, source):
                return False
            self._journal = self._lay_out(lambda h5: copy_rows(source, h5))
        return True

    def _start(self, first: Result) -> Journal:
        """Return the journal of a file with the columns that ``first`` has, which takes the place of the empty one."""

        def fill(h5: h5py.File) -> None:
            create_journal(h5, self._provenance)
            start_journal(h5, self._provenance, first)

        return self._lay_out(fill)

    def _make_room(self, before: h5py.File) -> Journal:
        """Return the journal of a file with the rows of ``before`` and room for fits, which takes its place."""
        before.close()  # HDF5 trips over copies from a file that it is writing, and Windows over open files

        def fill(h5: h5py.File) -> None:
            with _open_results(self.path) as source:
                copy_rows(source, h5)
            create_fits(h5["prediction"], self._provenance.parameters)

        try:
            return self._lay_out(fill)
        except GrfError as problem:
            self._give_up()
            raise InputError(f"{problem}; {self._advise()}", "export", path=self.path) from None

    def _advise(self) -> str:
        return f"its first {self.count} rows are kept, export completes it once that is mended"

    def _give_up(self) -> None:
        """Leave the file as it is: what is on the disk can be read, and no more is written."""
        self._is_open = False
        self._release()
        self._lock.release()

    def _lay_out(self, fill: Callable[[h5py.File], None]) -> Journal:
        """Put the file that ``fill`` makes in its place; it is open by then, so that no kill finds it half open."""
        with replace_file(self.path) as draft:
            self._h5 = h5py.File(draft, "w", libver=self._format, locking=False)
            fill(self._h5)
            mark_writer(self._h5)
            if os.name != "nt":
                return self._begin(self._h5)
            self._h5.close()  # an open file keeps its name there
        # no lock: a viewer that holds one must not stop the run
        self._h5 = h5py.File(self.path, "r+", libver=self._format, locking=False)
        return self._begin(self._h5)

    def _begin(self, h5: h5py.File) -> Journal:
        journal = Journal(h5, self._provenance.parameters)
        h5.flush()
        if self._is_swmr:
            h5.swmr_mode = True
        return journal

    def _finish(self) -> None:
        self._release()
        _complete(self.path, self.path)

    def _release(self) -> None:
        """Close the journal and give the reserve back; a second time does nothing."""
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
        If ``path`` is no results file, is damaged or still being written, if ``output`` exists, or if there is no room.
    """
    path, target = Path(path), Path(path if output is None else output)
    if output is not None and target.exists():
        raise InputError(f"{target} exists already: choose another name or remove it")
    check_regular_file(path)
    advice = "wait for it, or write the complete file elsewhere"
    with OutputLock(path, advice, hint="export elsewhere", path=path) if output is None else nullcontext() as lock:
        with _open_results(path) as h5:
            count = _check_content(path, h5)
            is_complete = "end_time" in h5["prediction"]
            if lock is not None:
                _check_writer(path, h5, lock, advice, "export elsewhere")
        if not is_complete:
            _complete(path, target)
        elif output is not None:
            with replace_file(target) as draft:
                shutil.copyfile(path, draft)
    return count


def read_results(path: str | os.PathLike[str]) -> tuple[Provenance, list[Result]]:
    """Read a results file: complete, still being written, or left behind by a killed run.

    Raises
    ------
    InputError
        If the file is missing, damaged or no results file.
    """
    with _open_results(Path(path)) as h5, _describe_damage(path):
        check_sizes(h5)
        return read_provenance(h5), list(read_rows(h5))


def _check_content(path: Path, h5: h5py.File) -> int:
    """Read all that the file holds, and return its number of rows; InputError if anything of it is damaged."""
    with _describe_damage(path):
        check_sizes(h5)
        read_provenance(h5)
        count = sum(1 for _ in read_rows(h5))
        read_all(h5)
    return count


def _complete(path: Path, target: Path) -> None:
    """Write the complete form of ``path`` beside ``target`` and put it in its place at one stroke."""
    advice = f"; the rows in {path} are kept, export completes it once that is mended"
    # closed in this order: the source before its place is taken
    with (
        replace_file(target, advice, hint="export", path=path) as draft,
        _open_results(path) as source,
        DiskReserve(target.resolve().parent) as reserve,
    ):
        _check_content(path, source)  # so that what fails from here on is the writing
        _write_complete(source, draft, reserve)


def _write_complete(source: h5py.File, draft: Path, reserve: DiskReserve) -> None:
    with WatchedFile(draft, reserve) as file:
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


def _check_writer(path: Path, h5: h5py.File, lock: OutputLock, advice: str, hint: str = "") -> None:
    """Refuse to replace a file under a run that still appends to it."""
    if "end_time" in h5["prediction"]:
        return
    with _describe_damage(path):
        pid, host = int(h5["prediction"].attrs["writer_pid"]), str(h5["prediction"].attrs["writer_host"])
    if host != socket.gethostname():
        message = f"{path} was being written on {host}, and whether it still is cannot be seen here: {advice}"
        raise InputError(message, hint, path=path)
    if not lock.is_held and pid != os.getpid() and is_running(pid):  # without a lock the number has to do
        raise InputError(f"{path} is being written by process {pid}: {advice}", hint, path=path)


@contextmanager
def _open_results(path: Path) -> Iterator[h5py.File]:
    """Open a results file for reading, whatever state its writer left it in."""
    check_regular_file(path)
    with _describe_damage(path):
        check_heaps(path)
    with open_hdf5(path) as h5:
        with _describe_damage(path):
            is_ours = "prediction/process" in h5
        if not is_ours:
            raise InputError(f"{path} is not a results file of pyfai-grf: it has no /prediction/process")
        yield h5


@contextmanager
def _describe_damage(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except GrfError:
        raise
    except Exception as problem:  # whatever a wrong byte in a wrong place does to HDF5, JSON and NumPy
        raise InputError(f"{path} is damaged: {describe_problem(problem)}") from None

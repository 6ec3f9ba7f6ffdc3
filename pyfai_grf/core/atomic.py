"""Whole files and folders: written beside their place, put into it at one stroke, so that a failure costs nothing.

A draft has the name of the file (writers look at the suffix, and some write the name), in a folder beside it that is
called ``.NAME.HOST.PID-N.part``. What a killed process left on this machine is removed when the same file is written
again.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from pyfai_grf.core.errors import InputError, describe_problem

#: what a write may raise: OSError from the system and from HDF5 on opening, RuntimeError from HDF5 on writing, flushing
#: and closing
WRITE_ERRORS = (OSError, RuntimeError)

_Path = str | os.PathLike[str]
#: bytes of a name that its draft repeats: a name may have 255
_NAME_BYTES = 120
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_count = itertools.count()


@contextlib.contextmanager
def replace_file(target: _Path, advice: str = "", hint: str = "", **facts: object) -> Iterator[Path]:
    """Yield the name of a draft; leaving the context puts what was written there in the place of ``target``.

    The draft is on the disk before it gets the name; it has the permissions of the file that it replaces. Where
    ``target`` is a link, the file behind it is replaced. Left by an exception, ``target`` is what it was.

    Raises
    ------
    InputError
        If the file cannot be written, or ``target`` is there and is not a file (a folder, a device); ``advice``
        follows the reason, ``hint`` and ``facts`` are the error's.
    """
    real = Path(os.path.realpath(target))
    with _describe_failure(target, advice, hint, facts), _make_draft(real) as draft:
        mode = _check_replaceable(real)
        yield draft
        _flush(draft)
        if mode is not None:
            os.chmod(draft, mode)
        os.replace(draft, real)
        _flush(real.parent)


@contextlib.contextmanager
def replace_folder(target: _Path, advice: str = "") -> Iterator[Path]:
    """Yield an empty folder; leaving the context puts it in the place of the folder ``target``, which is deleted.

    Otherwise as ``replace_file``. On Linux the two folders change places in one step; elsewhere there is a moment
    between two steps in which a kill leaves the old folder beside, under the name ``.NAME.old``.

    Raises
    ------
    InputError
        As ``replace_file``.
    """
    real = Path(os.path.realpath(target))
    with _describe_failure(target, advice):
        real.parent.mkdir(parents=True, exist_ok=True)
        with _make_draft(real) as draft:
            draft.mkdir()
            yield draft
            for path in (*draft.rglob("*"), draft):
                _flush(path)
            _exchange_folders(draft, real)
            _flush(real.parent)


def write_text(target: _Path, text: str) -> None:
    """Write ``text`` in UTF-8 as the whole file ``target``; raises InputError as ``replace_file``."""
    with replace_file(target) as draft:
        draft.write_text(text, encoding="utf-8")


def write_bytes(target: _Path, content: bytes, advice: str = "") -> None:
    """Write ``content`` as the whole file ``target``; raises InputError as ``replace_file``."""
    with replace_file(target, advice) as draft:
        draft.write_bytes(content)


def remove_drafts(target: _Path) -> None:
    """Remove the drafts of ``target`` that killed processes of this machine left; those of running ones stay."""
    real = Path(os.path.realpath(target))
    if os.name != "posix":  # elsewhere there is no asking whether a process runs
        return
    start = _start_draft(real)
    with contextlib.suppress(OSError):
        for name in os.listdir(real.parent):
            number = name.removeprefix(start).removesuffix(".part")
            process = number.partition("-")[0]
            if name == f"{start}{number}.part" and process.isdecimal() and not is_running(int(process)):
                _remove(real.parent / name)


def is_running(process: int) -> bool:
    """Return whether there is a process of that number on this machine; False on Windows, which cannot be asked."""
    if os.name == "nt":  # there a signal 0 is Ctrl-C
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        pass
    return True


@contextlib.contextmanager
def _describe_failure(
    target: _Path, advice: str, hint: str = "", facts: Mapping[str, object] = MappingProxyType({})
) -> Iterator[None]:
    try:
        yield
    except WRITE_ERRORS as problem:
        message = f"cannot write {os.fspath(target)}: {describe_problem(problem)}{advice}"
        raise InputError(message, hint, **facts) from None


@contextlib.contextmanager
def _make_draft(real: Path) -> Iterator[Path]:
    """Yield the name of ``real`` in a folder beside it, which is removed in the end with all that is in it."""
    remove_drafts(real)
    folder = real.with_name(f"{_start_draft(real)}{os.getpid()}-{next(_count)}.part")
    try:
        folder.mkdir()
        yield folder / real.name
    finally:
        _remove(folder)


def _start_draft(real: Path) -> str:
    """Return how the folders of this machine's drafts begin; the number of the process follows."""
    name = os.fsdecode(os.fsencode(real.name)[:_NAME_BYTES])
    return f".{name}.{platform.node()}."


def _check_replaceable(real: Path) -> int | None:
    """Return the permissions of the file at ``real``, None if there is none; OSError if it must not be replaced."""
    try:
        found = real.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is there and is not a file")
    if not os.access(real, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(found.st_mode)


def _exchange_folders(draft: Path, real: Path) -> None:
    """Let ``draft`` and ``real`` change places; what was at ``real`` is then at ``draft``."""
    if not real.exists():
        os.replace(draft, real)
    elif not real.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    elif not _exchange_at_once(draft, real):
        aside = real.with_name(f".{real.name}.old")
        os.replace(real, aside)
        try:
            os.replace(draft, real)
        except OSError:
            os.replace(aside, real)
            raise
        os.replace(aside, draft)


def _exchange_at_once(one: Path, other: Path) -> bool:
    """Let two names change places in one step; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):  # a C library without it
        return False
    return not rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)


def _flush(path: Path) -> None:
    """Wait until a file is on the disk, or the names in a folder where the system can tell."""
    if path.is_dir():
        with contextlib.suppress(OSError):
            _flush_descriptor(os.open(path, os.O_RDONLY))
    else:
        _flush_descriptor(os.open(path, os.O_RDWR))


def _flush_descriptor(number: int) -> None:
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()

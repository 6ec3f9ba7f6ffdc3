"""What a file from outside has to be before anybody opens it."""

from __future__ import annotations

import os
import stat

from pyfai_grf.core.errors import InputError

#: a geometry or a configuration is smaller: what is larger is something else, and is not read
MAX_SETTINGS_BYTES = 2**24
#: kind of a thing that is not a file, as ``stat`` names it -> in words
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
#: where a process finds what it has open already: another process finds something else there
_OPEN_ALREADY = ("/dev/stdin", "/dev/fd/", "/proc/")


def check_regular_file(path: str | os.PathLike[str]) -> None:
    """Return silently if ``path`` is a regular file, or a link to one; nothing is opened, so nothing can block.

    Raises
    ------
    InputError
        If there is nothing, or a folder, a pipe, a socket or a device (reading these may never end).
    """
    name = os.fspath(path)
    try:
        kind = stat.S_IFMT(os.stat(name).st_mode)
    except FileNotFoundError:
        raise InputError(f"no such file: {name}") from None
    except OSError as problem:
        raise InputError(f"cannot read {name}: {problem.strerror or problem}") from None
    except ValueError:  # a NUL in the name
        raise InputError(f"{name!r} is not the name of a file: check it") from None
    if kind == stat.S_IFDIR:
        raise InputError(f"{name} is a folder: name a file")
    if kind != stat.S_IFREG:
        raise InputError(f"{name} is {_KINDS.get(kind, 'not a file')}: save what it gives, and name that file")
    if os.path.abspath(name).startswith(_OPEN_ALREADY):
        raise InputError(f"{name} is what this process has open: name the file itself")

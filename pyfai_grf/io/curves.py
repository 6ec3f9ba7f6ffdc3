"""Reduced curves out of the files that pyFAI, ewoksxrpd, SasView, Irena, ATSAS and plain text tables keep them in."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.files import check_regular_file
from pyfai_grf.core.records import Curve
from pyfai_grf.core.units import parse_q_unit
from pyfai_grf.io.columns import Columns, check_curve, choose_unit, make_curve

logger = logging.getLogger(__name__)

#: how many bytes at the start tell what kind of file it is
_SNIFFED = 256
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HDF5_SUFFIXES = {".h5", ".hdf5", ".hdf", ".nxs", ".nx5", ".nexus", ".nx"}


def read_curves(source: str | Path, unit: str | None = None, columns: Sequence[str] | None = None) -> list[Curve]:
    """Return every curve in ``source``.

    Parameters
    ----------
    source : a path, or ``file.h5::/path`` for one group or dataset of an HDF5 file, or ``file.h5::name`` for the entry
        of that name. Read are NXcanSAS (one curve per SASdata), NXdata as pyFAI (``pyFAI-integrate``,
        ``pyFAI-diffmap``, NXmonopd, NXazint1d) and ewoksxrpd write it (one curve per frame), CanSAS 1D XML, ``.pdh``,
        and text tables.
    unit : unit of q ("nm", "A", ...) for a file that does not say it. It never overrides a file that does.
    columns : for a text table whose header does not settle it, the names of its columns in order: "q", "I", "sigma",
        "dq", and "_" for one that does not count.

    Returns
    -------
    list of Curve, q in 1/nm; ``metadata`` holds ``source``, ``frame``, ``title``, ``q_unit`` and ``q_unit_from``
    ("file": as the file spells it, or "given": as ``unit`` does), and ``warnings``; of HDF5 also ``entry``, the short
    name by which the curve can be asked for, and in a map ``position``, axis -> index.

    Raises
    ------
    InputError
        If anything of it cannot be used: no such file, damaged, no curve inside, an angle as abscissa, a slit-smeared
        curve, a unit that is not said or contradicts ``unit``, or a curve that is none (see ``make_curve``).
    """
    curves, problems = collect_curves(source, unit, columns)
    if problems:
        raise problems[0]
    return curves


def collect_curves(
    source: str | Path, unit: str | None = None, columns: Sequence[str] | None = None
) -> tuple[list[Curve], list[InputError]]:
    """Return the usable curves in ``source``, and one error for each that is not.

    As ``read_curves``, for a series that should go on where one of its curves is unusable.

    Raises
    ------
    InputError
        If the file as a whole cannot be read.
    """
    curves: list[Curve] = []
    problems: list[InputError] = []
    for found in stream_curves(source, unit, columns):
        if isinstance(found, InputError):
            problems.append(found)
        else:
            curves.append(found)
    logger.debug("%s: %d curves, %d unusable", source, len(curves), len(problems))
    return curves, problems


def stream_curves(
    source: str | Path, unit: str | None = None, columns: Sequence[str] | None = None
) -> Iterator[Curve | InputError]:
    """Yield the curves in ``source`` one after the other, and in place of each unusable one what is wrong with it.

    As ``collect_curves``, for series that are better not held in memory; the file is open meanwhile.

    Raises
    ------
    InputError
        If the file as a whole cannot be read.
    """
    if unit is not None:
        parse_q_unit(unit)
    place, is_refused, reasons = "", False, Counter[str]()
    for found in _read_columns(str(source), columns):
        if isinstance(found, InputError):
            yield found
            continue
        if found.metadata["source"] != place:  # what is wrong with a whole stack is said once, not for every frame
            place = str(found.metadata["source"])
            is_refused = (problem := _check_stack(replace(found, where=place), unit)) is not None
            if problem is not None:
                reasons[reason := str(problem).removeprefix(place)] += 1
                if reasons[reason] == 1:
                    yield problem
        if not is_refused:
            yield _try_curve(found, unit)
    for reason, count in reasons.items():  # a wrong unit, say, in a file of 240 entries
        if count > 1:
            yield InputError(f"{source}: the same holds for {count - 1} more in it{reason}")


def _check_stack(first: Columns, unit: str | None) -> InputError | None:
    """Return what the first frame of a stack shows to be wrong with all of them."""
    try:
        check_curve(first)
        choose_unit(first, unit)
    except InputError as problem:
        return problem
    return None


def _try_curve(columns: Columns, unit: str | None) -> Curve | InputError:
    try:
        return make_curve(columns, unit)
    except InputError as problem:
        return problem


def _read_columns(source: str, columns: Sequence[str] | None) -> Iterator[Columns | InputError]:
    name, separator, inner = source.partition("::")
    path = Path(name)
    start = _read_start(path)
    if start.startswith(_HDF5_SIGNATURE):
        from pyfai_grf.io.isolated_curves import read_isolated_columns

        return read_isolated_columns(path, inner)
    if path.suffix.lower() in _HDF5_SUFFIXES:
        raise InputError(f"{name}: not an HDF5 file (damaged, cut short, or something else under this name)")
    from pyfai_grf.io.cansas_xml import is_xml, read_xml_columns

    if is_xml(start):
        return read_xml_columns(path, inner)
    if separator:
        raise InputError(f"{name}: not an HDF5 file, and so without a part {inner!r}: leave out what follows ::")
    from pyfai_grf.io.text_curves import read_text_columns

    return iter([read_text_columns(path, columns)])


def _read_start(path: Path) -> bytes:
    """Return the first bytes of the file; raises InputError if there is no such file, or nothing in it."""
    if path.is_dir():
        raise InputError(f"{path}: a directory, not a file: give the files in it, for example {path}/*.h5")
    check_regular_file(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(_SNIFFED)
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    if not start:
        raise InputError(f"{path}: the file is empty")
    return start

"""Reduced curves out of the files that pyFAI, ewoksxrpd, SasView, Irena and plain text tables keep them in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.core.units import parse_q_unit
from pyfai_grf.io.columns import Columns, make_curve

logger = logging.getLogger(__name__)

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HDF5_SUFFIXES = {".h5", ".hdf5", ".hdf", ".nxs", ".nx5", ".nexus", ".nx"}


def read_curves(source: str | Path, unit: str | None = None) -> list[Curve]:
    """Return every curve in ``source``.

    Parameters
    ----------
    source : a path, or ``file.h5::/path`` for one group or dataset of an HDF5 file. Read are NXcanSAS (one curve per
        SASdata), NXdata as pyFAI (``pyFAI-integrate``, NXmonopd, NXazint1d) and ewoksxrpd write it (one curve per
        frame), and text of 2 or 3 columns (q, I, sigma).
    unit : unit of q ("nm", "A", ...) for a file that does not say it. It never overrides a file that does.

    Returns
    -------
    list of Curve, q in 1/nm; ``metadata`` holds ``source``, ``frame``, ``title``, ``q_unit`` as the file spells it,
    and ``warnings``.

    Raises
    ------
    InputError
        If anything of it cannot be used: no such file, damaged, no curve inside, an angle as abscissa, a unit that is
        not said or contradicts ``unit``, or a curve that is none (see ``make_curve``).
    """
    curves, problems = collect_curves(source, unit)
    if problems:
        raise problems[0]
    return curves


def collect_curves(source: str | Path, unit: str | None = None) -> tuple[list[Curve], list[InputError]]:
    """Return the usable curves in ``source``, and one error for each that is not.

    As ``read_curves``, for a series that should go on where one of its curves is unusable.

    Raises
    ------
    InputError
        If the file as a whole cannot be read.
    """
    if unit is not None:
        parse_q_unit(unit)
    curves: list[Curve] = []
    problems: list[InputError] = []
    for columns in _read_columns(str(source)):
        try:
            curves.append(make_curve(columns, unit))
        except InputError as problem:
            problems.append(problem)
    logger.debug("%s: %d curves, %d unusable", source, len(curves), len(problems))
    return curves, problems


def _read_columns(source: str) -> Iterator[Columns]:
    name, separator, inner = source.partition("::")
    path = Path(name)
    try:
        is_hdf5 = _is_hdf5(path)
    except OSError as problem:
        raise InputError(f"{name}: cannot be read: {problem.strerror or problem}") from None
    if is_hdf5:
        from pyfai_grf.io.nexus_curves import read_nexus_columns

        return read_nexus_columns(path, inner)
    if separator or path.suffix.lower() in _HDF5_SUFFIXES:
        raise InputError(f"{name}: not an HDF5 file (damaged, cut short, or something else under this name)")
    from pyfai_grf.io.text_curves import read_text_columns

    return iter([read_text_columns(path)])


def _is_hdf5(path: Path) -> bool:
    """Return whether the file starts with the HDF5 signature."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: a directory, not a file: give the files in it, for example {path}/*.h5")
    with path.open("rb") as stream:
        start = stream.read(len(_HDF5_SIGNATURE))
    if not start:
        raise InputError(f"{path}: the file is empty")
    return start == _HDF5_SIGNATURE

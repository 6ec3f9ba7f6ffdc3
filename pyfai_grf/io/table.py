"""The table: CSV with one row a frame, for spreadsheets and scripts."""

from __future__ import annotations

import contextlib
import csv
import math
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from pyfai_grf.core.errors import InputError, describe_problem
from pyfai_grf.core.lock import OutputLock
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.provenance import Provenance
from pyfai_grf.core.records import Result
from pyfai_grf.core.spelling import spell_out

_BOUNDS = ("", "_lower", "_upper")
#: what every table begins with
COLUMNS = (
    "source",
    "frame",
    "material",
    *(parameter.column + bound for parameter in PARAMETERS.values() for bound in _BOUNDS),
    "is_applicable",
    "reason",
    "answer_from",
)
#: what a formula begins with; the last four are the wide forms, which some spreadsheets take for the same
_FORMULA = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_PROVENANCE = ("model", "flavour", "model_sha256", "model_version", "spectrum", "layer_density", "created", "command")


class TableWriter:
    """Writes a CSV table (UTF-8) row by row; every row is flushed as it is written (a context manager).

    The columns are ``COLUMNS``, the extras of the first row, and where the predictions come from. A number that is
    missing (NaN, or a parameter that the material class does not have) is an empty field.

    Raises
    ------
    InputError
        If the file exists (unless ``overwrite``), is being written by somebody else, or cannot be written; the rows
        before stay.
    """

    def __init__(self, path: str | os.PathLike[str], provenance: Provenance, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        with ExitStack() as stack:
            if self.path.is_file() or not self.path.exists():  # a terminal or a pipe takes what everybody writes
                stack.enter_context(OutputLock(self.path))
            if self.path.is_file() and not overwrite:
                raise InputError(f"{self.path} exists already: choose another name or remove it")
            try:
                # file names that are not UTF-8 are spelled out
                self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            except OSError as problem:
                raise InputError(f"cannot write {self.path}: {describe_problem(problem)}") from None
            self._held = stack.pop_all()
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._provenance = _describe_provenance(provenance)
        self._material = provenance.material
        self._extras: tuple[str, ...] | None = None
        self._count = 0
        self._size = 0

    def append(self, result: Result) -> None:
        """Write one row."""
        if self._extras is None:
            self._write_header(tuple(result.extras))
        row: list[Any] = [result.source, result.frame, self._material]
        said = result.prediction
        for name in PARAMETERS:
            row += [bounds.get(name) for bounds in (said.values, said.lower, said.upper)]
        row += [bool(said.is_applicable), said.reason, said.source]
        row += [result.extras.get(name) for name in self._extras or ()]
        self._write([*row, *self._provenance.values()])
        self._count += 1

    def close(self) -> None:
        """Close the file; a table without rows keeps its header. A second time does nothing."""
        if self._file.closed:
            return
        if self._extras is None:
            self._write_header(())
        try:
            self._file.close()
        except OSError as problem:
            raise InputError(f"cannot write {self.path}: {describe_problem(problem)}") from None
        finally:
            self._held.close()

    def _write_header(self, extras: tuple[str, ...]) -> None:
        self._extras = tuple(name for name in extras if name not in COLUMNS and name not in self._provenance)
        self._write([*COLUMNS, *self._extras, *self._provenance])

    def _write(self, row: list[Any]) -> None:
        if self._file.closed:
            raise InputError(f"{self.path} is closed: no row can be added")
        try:
            self._csv.writerow([_format_cell(value) for value in row])
            self._file.flush()
        except OSError as problem:
            self._drop_broken_row()
            raise InputError(
                f"cannot write {self.path}: {describe_problem(problem)}; its first {self._count} rows are kept"
            ) from None
        self._size = os.fstat(self._file.fileno()).st_size

    def _drop_broken_row(self) -> None:
        """Close the file and cut off half a row, whose last number might pass for a whole one."""
        with contextlib.suppress(OSError), self._held:
            self._file.close()
        if self.path.is_file():
            with contextlib.suppress(OSError):
                os.truncate(self.path, self._size)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _describe_provenance(provenance: Provenance) -> dict[str, Any]:
    columns = {name: getattr(provenance, name) for name in _PROVENANCE}
    return {**columns, "versions": _join_versions(provenance.versions)}


def _join_versions(versions: Mapping[str, str]) -> str:
    return " ".join(f"{name}={version}" for name, version in versions.items())


def _format_cell(value: Any) -> str:
    """Return the text of one field: numbers to nine digits, truth as true and false, nothing for a missing number.

    A text that a spreadsheet would take for a formula, and carry out, has an apostrophe before it; control characters,
    which a terminal would obey, are spelled out.
    """
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else f"{value:.9g}"
    text = spell_out(str(value), kept="\n\t")
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text

"""The one way into a results file: curves go in, rows are written as they come, the files are complete at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from pyfai_grf.analysis.fit_columns import describe_settings
from pyfai_grf.analysis.rows import analyze_curve
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.provenance import Provenance
from pyfai_grf.core.records import Curve, Outcome, Result
from pyfai_grf.fit.options import DEFAULT_FIT, FitOptions
from pyfai_grf.io.hdf5_fields import dump_json
from pyfai_grf.io.results import ResultsWriter, read_results
from pyfai_grf.io.table import TableWriter
from pyfai_grf.learn.bundle import Model

Path = str | os.PathLike[str]

#: what must be the same for rows of one file: who asks, and what was done to the frames
_SAME = ("material", "model_sha256", "settings")


@dataclass(frozen=True)
class Outputs:
    """The files that an analysis writes: a results file (HDF5), a table (CSV); None where it is not wanted.

    ``is_resumed``: go on with a results file that exists; the table is written again from its rows.
    """

    results: Path | None = None
    table: Path | None = None
    overwrite: bool = False
    is_resumed: bool = False


class Recorder:
    """Analyzes curves by one model, and a fit with ``options`` unless these are None, and writes their rows.

    A context manager.

    Files are made with the first row: an empty one would stand in the way of the corrected command. Leaving the
    context completes them, also when it is left by an exception.

    Attributes
    ----------
    provenance : what the files say of where their rows come from.
    done : rows that were there before, of a run that is resumed.

    Raises
    ------
    InputError
        If a file exists (unless overwritten or resumed) or cannot be written, or a file to be resumed is of another
        model or other settings.
    """

    def __init__(
        self,
        model: Model,
        settings: Mapping[str, Any],
        command: str,
        outputs: Outputs | None = None,
        options: FitOptions | None = DEFAULT_FIT,
    ) -> None:
        self.model = model
        self.options = options.complete(model.description.spectrum) if options and model.has_fit else None
        stated = {**settings, **describe_settings(self.options)}
        self.provenance: Provenance = _make_provenance(model, stated, command)
        self.done: list[Result] = []
        self._place = 0
        self._outputs = outputs or Outputs()
        self._writers: list[ResultsWriter | TableWriter] = []
        self._stack = ExitStack()
        for path in (self._outputs.results, self._outputs.table):
            if path is not None:
                _check_target(path, self._outputs.overwrite or self._outputs.is_resumed)
        if self._outputs.is_resumed:
            try:
                self._resume()
            except BaseException:
                self._stack.close()  # what was opened is completed again
                raise

    def record(self, curve: Curve) -> Outcome:
        """Return what became of ``curve``, written when this returns; raises InputError if it cannot be written."""
        outcome = self.analyze(curve)
        if outcome.result is not None:
            self.write(outcome.result)
        return outcome

    def analyze(self, curve: Curve) -> Outcome:
        """Return what becomes of ``curve``, without writing it."""
        outcome = analyze_curve(self.model, curve, self.options, self._place)
        self._place += 1
        fit = None if outcome.result is None else outcome.result.prediction.fit
        if fit is not None and fit.is_outdone:
            self._place = 0  # the next curve is probably no better described: other spectra are ranked for it too
        return outcome

    def write(self, result: Result) -> None:
        """Append a row to the files; raises InputError if it cannot be written: the rows before stay."""
        if not self._writers:
            self._open(is_resumed=False)
        for writer in self._writers:
            writer.append(result)

    def _open(self, is_resumed: bool) -> None:
        overwrite = self._outputs.overwrite
        if self._outputs.results is not None:
            writer = ResultsWriter(self._outputs.results, self.provenance, overwrite=overwrite, is_resumed=is_resumed)
            self._writers.append(self._stack.enter_context(writer))
            if is_resumed and writer.count != len(self.done):
                # from here on nobody else writes, but another run may have ended since the rows were read
                before = len(self.done)
                raise InputError(
                    f"{writer.path} had {before} rows and has {writer.count} now: another run wrote it, try again"
                )
        if self._outputs.table is not None:
            table = TableWriter(self._outputs.table, self.provenance, overwrite=overwrite or is_resumed)
            self._writers.append(self._stack.enter_context(table))

    def _resume(self) -> None:
        path = self._outputs.results
        if path is None:
            raise InputError("a run is resumed from its results file: name one")
        if not os.path.exists(path):
            return
        before, self.done = read_results(path)
        self._place = len(self.done)
        _check_same(path, before, self.provenance)
        self._open(is_resumed=True)
        for writer in self._writers:
            if isinstance(writer, TableWriter):
                for result in self.done:
                    writer.append(result)

    def close(self) -> None:
        """Complete the files; a second time does nothing."""
        self._stack.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, problem, trace)


def _describe_change(name: str, before: Any, now: Any) -> str:
    """Return in words what differs, of two dictionaries the first entry that does."""
    if isinstance(before, dict) and isinstance(now, dict):
        key = next(key for key in {**before, **now} if before.get(key) != now.get(key))
        return _describe_change(f"{name}, {key}", before.get(key), now.get(key))
    return f"its {name} was {before}, now it is {now}"


def _check_same(path: Path, before: Provenance, now: Provenance) -> None:
    """Raise InputError unless rows that are added under the provenance ``now`` belong to those that were there."""
    one, other = ({name: json.loads(dump_json(getattr(kept, name))) for name in _SAME} for kept in (before, now))
    # files that were written before digests were have none
    digests, others = (kept["settings"].pop("digests", {}) for kept in (one, other))
    for name in _SAME:
        if one[name] != other[name]:
            raise InputError(
                f"{path} cannot be resumed: {_describe_change(name, one[name], other[name])}: give the same, or "
                "another file"
            )
    changed = [name for name in digests if name in others and digests[name] != others[name]]
    changed += [name for name in sorted(digests.keys() ^ others.keys()) if digests and others]
    if changed:
        names = [f"{name} {one['settings'].get(name) or ''}".strip() for name in changed]
        raise InputError(
            f"{path} cannot be resumed: what its {' and '.join(names)} held has changed since: restore it, or write "
            "another file"
        )


def _check_target(path: Path, may_exist: bool) -> None:
    """Raise InputError if ``path`` cannot be written: better now than with the first row."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.lexists(path) and not may_exist:
        raise InputError(f"{os.fspath(path)} exists already: choose another name or remove it")
    if not os.path.isdir(folder):
        raise InputError(f"cannot write {os.fspath(path)}: there is no folder {folder}")


def _make_provenance(model: Model, settings: Mapping[str, Any], command: str) -> Provenance:
    """Return the provenance of predictions by ``model``: ``settings`` of the reduction, ``command`` that was given."""
    known = model.description
    return Provenance(
        material=known.material,
        model=model.name,
        flavour=known.flavour,
        model_sha256=model.sha256,
        model_version=str(known.model_version),
        spectrum=known.spectrum,
        layer_density=known.layer_density,
        q_grid_nm1=model.q_nm1,
        parameters=model.parameters,
        settings=settings,
        command=command,
    )

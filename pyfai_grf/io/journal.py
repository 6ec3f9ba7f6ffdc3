"""The running part of a results file: rows appended one by one, readable by others meanwhile.

Under ``/prediction``, all along the frame axis: the NXdata ``curves`` (on the grid of the first curve), one NXdata a
parameter, and three NXcollections: ``rows`` (short columns for people), ``other_curves`` (points of curves on another
grid, one after the other) and ``log`` (the whole text of each row as JSON: HDF5 has no strings of variable length that
may grow under SWMR). ``frame`` grows last, after everything else is flushed: a row counts once it is there. What a fit
adds: ``io/journal_fits.py``.
"""

from __future__ import annotations

import json
import math
import os
import socket
import zlib
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.provenance import PROVENANCE_TEXTS, Provenance
from pyfai_grf.core.records import Curve, Fit, Result
from pyfai_grf.io.growing_columns import TEXT_WIDTH, create_column, create_spectra, put_points, put_row
from pyfai_grf.io.hdf5_fields import clean_text, create_group, cut_text, dump_json, find_unit, write_array
from pyfai_grf.io.journal_fits import (
    FIT_CURVES,
    FitColumns,
    create_fits,
    describe_fit,
    describe_model,
    has_fit,
    list_numbers,
)
from pyfai_grf.io.nxcansas import LOG_LOG

#: the half width of a 90 % interval in standard errors is 1.645
INTERVAL_TO_ERROR = 3.29

#: what ``curves`` and ``other_curves`` hold beside q
CURVE_FIELDS = ("intensity", "intensity_errors", "weight")
#: what a parameter's NXdata holds along the frame axis
_PARAMETER_COLUMNS = ("value", "lower", "upper", "errors")
#: what ``rows`` holds beside the extra columns
_ROW_COLUMNS = ("source", "source_frame", "reason", "answer_from")


def create_journal(h5: h5py.File, provenance: Provenance) -> None:
    """Write what is known before the first row."""
    h5.attrs.update({"NX_class": "NXroot", "default": "prediction", "creator": "pyfai-grf"})
    entry = create_group(h5, "prediction", "NXentry")
    mark_writer(h5)
    # an attribute here and below: the readers of NXcanSAS take a dataset of that name for the title of the last curve
    entry.attrs["title"] = f"{provenance.material} by {clean_text(provenance.model)} ({provenance.flavour})"
    entry["start_time"] = provenance.created
    process = create_group(entry, "process", "NXprocess")
    process["program"] = "pyfai-grf"
    process["version"] = provenance.versions.get("pyfai-grf", "")
    process["date"] = provenance.created
    for name in PROVENANCE_TEXTS:
        process[name] = clean_text(getattr(provenance, name))
    process["parameters"] = json.dumps(provenance.parameters)
    process["settings"] = dump_json(dict(provenance.settings))
    process["versions"] = dump_json(dict(provenance.versions))
    write_array(process, "q_grid", provenance.q_grid_nm1, "1/nm", "q grid of the model (1/nm)")
    if provenance.layer_density is not None:
        write_array(process, "layer_density", provenance.layer_density, "", "electron density, layer over solid")
    process.attrs["crc32"] = compute_group_checksum(process)


def mark_writer(h5: h5py.File) -> None:
    """Say in the file who is writing it."""
    h5["prediction"].attrs.update({"writer_pid": os.getpid(), "writer_host": socket.gethostname()})


class Journal:
    """Appends rows to an open file."""

    def __init__(self, h5: h5py.File, parameters: tuple[str, ...]) -> None:
        """Continue with the rows that ``h5`` holds: one at least, see ``start_journal``."""
        entry = h5["prediction"]
        self._h5 = h5
        self._grid = entry["curves/q"][()]
        self._frame, self._applicable = entry["frame"], entry["is_applicable"]
        groups = ("rows", "curves", "other_curves", "log")
        self._rows, self._curves, self._other, self._log = (dict(entry[name].items()) for name in groups)
        self._values = {name: {key: entry[name][key] for key in _PARAMETER_COLUMNS} for name in parameters}
        self._extras = {
            name: h5py.check_string_dtype(column.dtype) is not None
            for name, column in self._rows.items()
            if name not in _ROW_COLUMNS
        }
        self._fits = FitColumns(entry) if "fit" in entry else None
        self.count = len(self._frame)
        self._other_count = max(len(self._other[name]) for name in ("q", *CURVE_FIELDS))
        self._text_count = int(self._log["end"][self.count - 1]) if self.count else 0

    def has_room(self, result: Result) -> bool:
        """Return whether all that ``result`` holds has its place in the file: for a fit see ``create_fits``."""
        return self._fits is not None or not has_fit(result.prediction)

    def append(self, result: Result) -> None:
        """Append one row and flush it; the row counts when everything of it is on its way to the disk."""
        row = self.count
        span = self._append_curve(row, result.curve)
        self._append_values(row, result)
        if self._fits is not None:
            self._fits.append(row, result.prediction, span)
        text = np.frombuffer(_describe_row(result, span).encode(), dtype=np.uint8)
        put_points(self._log["text"], self._text_count, text)
        put_row(self._log["end"], row, self._text_count + len(text))
        put_row(self._log["crc32"], row, compute_row_checksum(text, result, tuple(self._values)))
        self._h5.flush()
        put_row(self._frame, row, row)
        self._h5.flush()
        self.count += 1
        self._text_count += len(text)
        if span is not None:
            self._other_count = span[1]

    def _append_curve(self, row: int, curve: Curve) -> tuple[int, int] | None:
        """Write the points, and return where they lie in ``other_curves`` if they are on another grid."""
        fields = dict(zip(CURVE_FIELDS, (curve.intensity, curve.sigma, curve.weight), strict=True))
        is_same = np.array_equal(curve.q_nm1, self._grid)
        for name, values in fields.items():
            put_row(self._curves[name], row, values if is_same and values is not None else math.nan)
        if is_same:
            return None
        start, size = self._other_count, len(curve.q_nm1)
        for name, values in {"q": curve.q_nm1, **fields}.items():
            put_points(self._other[name], start, np.broadcast_to(math.nan if values is None else values, size))
        return start, start + size

    def _append_values(self, row: int, result: Result) -> None:
        said = result.prediction
        for name, columns in self._values.items():
            value, lower, upper = (part.get(name, math.nan) for part in (said.values, said.lower, said.upper))
            bounds = {"value": value, "lower": lower, "upper": upper, "errors": (upper - lower) / INTERVAL_TO_ERROR}
            for column, number in bounds.items():
                put_row(columns[column], row, number)
        put_row(self._applicable, row, bool(said.is_applicable))
        put_row(self._rows["source"], row, cut_text(result.source, TEXT_WIDTH))
        put_row(self._rows["source_frame"], row, result.frame)
        put_row(self._rows["reason"], row, cut_text(said.reason, TEXT_WIDTH))
        if "answer_from" in self._rows:  # files that were begun before there were fits have none
            put_row(self._rows["answer_from"], row, cut_text(said.source, TEXT_WIDTH))
        for name, is_text in self._extras.items():
            extra = result.extras.get(name)
            put_row(self._rows[name], row, cut_text(str(extra or ""), TEXT_WIDTH) if is_text else to_number(extra))


def start_journal(h5: h5py.File, provenance: Provenance, first: Result) -> None:
    """Lay out the rows of an open file; ``first``, which is not written yet, decides the q grid and extra columns."""
    entry = h5["prediction"]
    frame = create_column(entry, "frame", "i8", "frame, in order of arrival")
    applicable = create_column(entry, "is_applicable", "?", "whether the model applies")
    _create_curves(entry, np.array(first.curve.q_nm1, dtype=float), frame)
    for name in provenance.parameters:
        _create_parameter(entry, name, frame, applicable)
    _create_rows(entry, first)
    other = create_group(entry, "other_curves", "NXcollection")
    for name in ("q", *CURVE_FIELDS):
        create_column(other, name, "f8", f"{name} of curves on another q grid", 1024)
    if has_fit(first.prediction):
        create_fits(entry, provenance.parameters)
    log = create_group(entry, "log", "NXcollection")
    create_column(log, "text", "u1", "JSON, UTF-8, one object a frame", 8192)
    create_column(log, "end", "i8", "where the text of a frame ends")
    create_column(log, "crc32", "u4", "CRC-32 of the numbers and the text of a frame")
    entry.attrs["default"] = "curves"


def _create_parameter(entry: h5py.Group, name: str, frame: h5py.Dataset, applicable: h5py.Dataset) -> None:
    parameter = PARAMETERS[name]
    data = create_group(entry, name, "NXdata", signal="value", axes=["frame"])
    data.attrs["title"] = parameter.meaning
    data["frame"] = frame
    data["is_applicable"] = applicable
    labels = {
        "value": parameter.column,
        "lower": "lower bound of the 90 % prediction interval",
        "upper": "upper bound of the 90 % prediction interval",
        "errors": "(upper - lower) / 3.29",
    }
    for key, label in labels.items():
        create_column(data, key, "f8", label, unit=parameter.unit)


def _create_rows(entry: h5py.Group, first: Result) -> None:
    rows = create_group(entry, "rows", "NXcollection")
    text = h5py.string_dtype("utf-8", TEXT_WIDTH)
    note = f"(at most {TEXT_WIDTH} bytes; whole in log)"
    create_column(rows, "source", text, f"where the curve comes from {note}", 64)
    create_column(rows, "source_frame", "i8", "frame within the source")
    create_column(rows, "reason", text, f"why the model does not apply {note}", 64)
    create_column(rows, "answer_from", text, "whose answer it is: model and fit, fit, model, or nobody's", 64)
    for name, value in first.extras.items():
        if name in _ROW_COLUMNS:
            raise InputError(f"an extra column cannot be called {name!r}: the results file has one of that name")
        if isinstance(value, str):
            create_column(rows, name, text, f"{name} {note}", 64)
        else:
            create_column(rows, name, "f8", name, unit=find_unit(name))


def compute_row_checksum(text: NDArray[np.uint8], result: Result, parameters: Sequence[str]) -> int:
    """Return the CRC-32 of the ``text`` that the log holds of ``result``, and of its numbers for ``parameters``.

    An array that is None counts as one that is NaN throughout, a fit that is None as nothing.
    """
    curve, row = result.curve, result.prediction
    bounds = [[part.get(name, math.nan) for part in (row.values, row.lower, row.upper)] for name in parameters]
    checksum = zlib.crc32(text.tobytes())
    measured = (curve.q_nm1, curve.intensity, curve.sigma, curve.weight, bounds, float(row.is_applicable))
    for values in (*measured, *list_numbers(row, parameters)):
        numbers = np.ascontiguousarray(math.nan if values is None else values, dtype="<f8")
        if not np.isnan(numbers).all():
            checksum = zlib.crc32(numbers.tobytes(), checksum)
    return checksum


def compute_group_checksum(group: h5py.Group) -> int:
    """Return the CRC-32 of the datasets in ``group``, by name."""
    checksum = 0
    for name in sorted(group):
        value = group[name][()]
        checksum = zlib.crc32(name.encode() + (value if isinstance(value, bytes) else value.tobytes()), checksum)
    return checksum


def check_curve(curve: Curve, fit: Fit | None = None) -> None:
    """Raise InputError unless all arrays of ``curve`` are as long as its q axis, and ``fit`` is drawn on that."""
    shape = np.shape(curve.q_nm1)
    if len(shape) != 1 or not shape[0]:
        raise InputError(f"a curve needs a q axis with at least one point, found shape {shape}")
    for name in ("intensity", "sigma", "weight"):
        values = getattr(curve, name)
        if values is not None and np.shape(values) != shape:
            raise InputError(f"{name} of the curve has shape {np.shape(values)}, its q axis {shape}")
    if fit is None:
        return
    if not np.array_equal(fit.q_nm1, curve.q_nm1, equal_nan=True):
        raise InputError("the fit is not drawn at the points of the curve")
    for name in FIT_CURVES.values():
        if np.shape(getattr(fit, name)) != shape:
            raise InputError(f"{name} of the fit has shape {np.shape(getattr(fit, name))}, its q axis {shape}")


def _describe_row(result: Result, span: tuple[int, int] | None) -> str:
    curve = result.curve
    record = {
        "source": result.source,
        "frame": result.frame,
        "reason": result.prediction.reason,
        "extras": dict(result.extras),
        "metadata": dict(curve.metadata),
        "counts": curve.counts,
        "has_sigma": curve.sigma is not None,
        "has_weight": curve.weight is not None,
        "span": span,
        "answer_from": result.prediction.source,
        "model": describe_model(result.prediction.model),
        "fit": describe_fit(result.prediction.fit),
    }
    return dump_json(record)


def _create_curves(entry: h5py.Group, grid: FloatArray, frame: h5py.Dataset) -> None:
    data = create_group(entry, "curves", "NXdata", signal="intensity", axes=["frame", "q"], SILX_style=LOG_LOG)
    data.attrs["title"] = "reduced curves"
    data["frame"] = frame
    write_array(data, "q", grid, "1/nm", "scattering vector q (1/nm)")
    for name in CURVE_FIELDS:
        create_spectra(data, name, grid.size, "" if name == "weight" else "arbitrary")


def to_number(value: Any) -> float:
    """Return ``value`` as a float, NaN where it is missing or no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan

"""The running part of a results file: rows appended one by one, readable by others meanwhile.

Under ``/prediction``, all along the frame axis: the NXdata ``curves`` (on the grid of the first curve), one NXdata a
parameter, and three NXcollections: ``rows`` (short columns for people), ``other_curves`` (points of curves on another
grid, one after the other) and ``log`` (the whole text of each row as JSON: HDF5 has no strings of variable length that
may grow under SWMR). ``frame`` grows last, after everything else is flushed: a row counts once it is there.
"""

from __future__ import annotations

import json
import math
import os
import socket
from typing import Any

import h5py
import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.provenance import PROVENANCE_TEXTS, Provenance
from pyfai_grf.core.records import Curve, Result
from pyfai_grf.io.hdf5_fields import clean_text, create_group, cut_text, dump_json, find_unit, write_array
from pyfai_grf.io.nxcansas import LOG_LOG

#: the half width of a 90 % interval in standard errors is 1.645
INTERVAL_TO_ERROR = 3.29

_TEXT_WIDTH = 256
#: what ``curves`` and ``other_curves`` hold beside q
CURVE_FIELDS = ("intensity", "intensity_errors", "weight")


def create_journal(h5: h5py.File, provenance: Provenance) -> None:
    """Write what is known before the first row."""
    h5.attrs.update({"NX_class": "NXroot", "default": "prediction", "creator": "pyfai-grf"})
    entry = create_group(h5, "prediction", "NXentry", writer_pid=os.getpid(), writer_host=socket.gethostname())
    entry["title"] = f"{provenance.material} by {clean_text(provenance.model)} ({provenance.flavour})"
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


class Journal:
    """Appends rows to an open file; made with the first row, which decides the q grid and the extra columns."""

    def __init__(self, h5: h5py.File, provenance: Provenance, first: Result) -> None:
        entry = h5["prediction"]
        self._h5 = h5
        self._grid = np.array(first.curve.q_nm1, dtype=float)
        self._extras = {name: isinstance(value, str) for name, value in first.extras.items()}
        self._frame = _create_column(entry, "frame", "i8", "frame, in order of arrival")
        self._applicable = _create_column(entry, "is_applicable", "?", "whether the model applies")
        self._curves = _create_curves(entry, self._grid, self._frame)
        self._values = {name: self._create_parameter(entry, name) for name in provenance.parameters}
        self._rows = self._create_rows(entry)
        other = create_group(entry, "other_curves", "NXcollection")
        self._other = {
            name: _create_column(other, name, "f8", f"{name} of curves on another q grid", 1024)
            for name in ("q", *CURVE_FIELDS)
        }
        log = create_group(entry, "log", "NXcollection")
        self._text = _create_column(log, "text", "u1", "JSON, UTF-8, one object a frame", 8192)
        self._end = _create_column(log, "end", "i8", "where the text of a frame ends")
        entry.attrs["default"] = "curves"
        self.count = 0
        self._other_count = 0
        self._text_count = 0

    def append(self, result: Result) -> None:
        """Append one row and flush it; the row counts when everything of it is on its way to the disk."""
        row = self.count
        span = self._append_curve(row, result.curve)
        self._append_values(row, result)
        text = np.frombuffer(_describe_row(result, span).encode(), dtype=np.uint8)
        _put(self._text, self._text_count, text)
        _put(self._end, row, self._text_count + len(text))
        self._h5.flush()
        _put(self._frame, row, row)
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
            _put(self._curves[name], row, values if is_same and values is not None else math.nan)
        if is_same:
            return None
        start, size = self._other_count, len(curve.q_nm1)
        for name, values in {"q": curve.q_nm1, **fields}.items():
            _put(self._other[name], start, np.full(size, math.nan) if values is None else np.asarray(values))
        return start, start + size

    def _append_values(self, row: int, result: Result) -> None:
        for name, columns in self._values.items():
            value, lower, upper = (d.get(name, math.nan) for d in (result.values, result.lower, result.upper))
            bounds = {"value": value, "lower": lower, "upper": upper, "errors": (upper - lower) / INTERVAL_TO_ERROR}
            for column, number in bounds.items():
                _put(columns[column], row, number)
        _put(self._applicable, row, bool(result.is_applicable))
        _put(self._rows["source"], row, cut_text(result.source, _TEXT_WIDTH))
        _put(self._rows["source_frame"], row, result.frame)
        _put(self._rows["reason"], row, cut_text(result.reason, _TEXT_WIDTH))
        for name, is_text in self._extras.items():
            extra = result.extras.get(name)
            _put(self._rows[name], row, cut_text(str(extra or ""), _TEXT_WIDTH) if is_text else to_number(extra))

    def _create_parameter(self, entry: h5py.Group, name: str) -> dict[str, h5py.Dataset]:
        parameter = PARAMETERS[name]
        data = create_group(entry, name, "NXdata", signal="value", axes=["frame"])
        data["title"] = parameter.meaning
        data["frame"] = self._frame
        data["is_applicable"] = self._applicable
        labels = {
            "value": parameter.column,
            "lower": "lower bound of the 90 % prediction interval",
            "upper": "upper bound of the 90 % prediction interval",
            "errors": "(upper - lower) / 3.29",
        }
        return {key: _create_column(data, key, "f8", label, unit=parameter.unit) for key, label in labels.items()}

    def _create_rows(self, entry: h5py.Group) -> dict[str, h5py.Dataset]:
        rows = create_group(entry, "rows", "NXcollection")
        text = h5py.string_dtype("utf-8", _TEXT_WIDTH)
        note = f"(at most {_TEXT_WIDTH} bytes; whole in log)"
        columns = {
            "source": _create_column(rows, "source", text, f"where the curve comes from {note}", 64),
            "source_frame": _create_column(rows, "source_frame", "i8", "frame within the source"),
            "reason": _create_column(rows, "reason", text, f"why the model does not apply {note}", 64),
        }
        for name, is_text in self._extras.items():
            if name in columns:
                raise InputError(f"an extra column cannot be called {name!r}: the results file has one of that name")
            if is_text:
                columns[name] = _create_column(rows, name, text, f"{name} {note}", 64)
            else:
                columns[name] = _create_column(rows, name, "f8", name, unit=find_unit(name))
        return columns


def check_curve(curve: Curve) -> None:
    """Raise InputError unless all arrays of ``curve`` are as long as its q axis."""
    shape = np.shape(curve.q_nm1)
    if len(shape) != 1 or not shape[0]:
        raise InputError(f"a curve needs a q axis with at least one point, found shape {shape}")
    for name in ("intensity", "sigma", "weight"):
        values = getattr(curve, name)
        if values is not None and np.shape(values) != shape:
            raise InputError(f"{name} of the curve has shape {np.shape(values)}, its q axis {shape}")


def _describe_row(result: Result, span: tuple[int, int] | None) -> str:
    curve = result.curve
    record = {
        "source": result.source,
        "frame": result.frame,
        "reason": result.reason,
        "extras": dict(result.extras),
        "metadata": dict(curve.metadata),
        "counts": curve.counts,
        "has_sigma": curve.sigma is not None,
        "has_weight": curve.weight is not None,
        "span": span,
    }
    return dump_json(record)


def _create_curves(entry: h5py.Group, grid: FloatArray, frame: h5py.Dataset) -> dict[str, h5py.Dataset]:
    data = create_group(entry, "curves", "NXdata", signal="intensity", axes=["frame", "q"], SILX_style=LOG_LOG)
    data["title"] = "reduced curves"
    data["frame"] = frame
    write_array(data, "q", grid, "1/nm", "scattering vector q (1/nm)")
    datasets = {}
    # chunks of about 64 kB: each is written again with every row that falls into it
    chunks = (max(1, 8192 // grid.size), grid.size)
    for name in CURVE_FIELDS:
        dataset = data.create_dataset(
            name, (0, grid.size), "f8", maxshape=(None, grid.size), chunks=chunks, fillvalue=math.nan
        )
        dataset.attrs.update({"units": "" if name == "weight" else "arbitrary", "interpretation": "spectrum"})
        datasets[name] = dataset
    return datasets


def _create_column(
    group: h5py.Group, name: str, dtype: Any, label: str, chunk: int = 512, *, unit: str = ""
) -> h5py.Dataset:
    dataset = group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(chunk,))
    dataset.attrs.update({"units": unit, "long_name": label})
    return dataset


def _put(dataset: h5py.Dataset, start: int, values: Any) -> None:
    """Write ``values`` from index ``start`` on; the dataset ends with them."""
    is_many = isinstance(values, np.ndarray) and dataset.ndim == 1
    dataset.resize(start + (len(values) if is_many else 1), axis=0)
    dataset[slice(start, start + len(values)) if is_many else start] = values


def to_number(value: Any) -> float:
    """Return ``value`` as a float, NaN where it is missing or no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan

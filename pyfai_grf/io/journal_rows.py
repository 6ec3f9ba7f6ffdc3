"""Reading the running part of a results file, also while it grows (its layout: ``io/journal.py``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.provenance import PROVENANCE_TEXTS, Provenance
from pyfai_grf.core.records import Curve, PredictionRow, Result
from pyfai_grf.io.journal import CURVE_FIELDS, compute_group_checksum, compute_row_checksum
from pyfai_grf.io.journal_fits import FitReader

#: rows read at once
_BLOCK = 256
#: bytes read at once where nothing is kept
_BYTES = 2**24


def read_provenance(h5: h5py.File) -> Provenance:
    """Return where the rows of an open results file come from; ValueError if its checksum is wrong."""
    process = h5["prediction/process"]
    if process.attrs["crc32"] != compute_group_checksum(process):
        raise ValueError("the checksum of its provenance is wrong")
    return Provenance(
        **{name: process[name].asstr()[()] for name in PROVENANCE_TEXTS},
        layer_density=float(process["layer_density"][()]) if "layer_density" in process else None,
        q_grid_nm1=process["q_grid"][()],
        parameters=tuple(json.loads(process["parameters"].asstr()[()])),
        settings=json.loads(process["settings"].asstr()[()]),
        versions=json.loads(process["versions"].asstr()[()]),
        created=process["date"].asstr()[()],
    )


def count_rows(h5: h5py.File) -> int:
    """Return how many whole rows the file holds."""
    return int(h5["prediction/frame"].shape[0]) if "prediction/frame" in h5 else 0


def is_unfinished(h5: h5py.File) -> bool:
    """Return whether an open file is a results file with rows that was not completed: they are all that it holds."""
    return "prediction/log/crc32" in h5 and "prediction/end_time" not in h5


def check_sizes(h5: h5py.File) -> None:
    """Raise ValueError if a dataset claims to hold more than the file: reading it would take all memory there is."""
    size = h5.id.get_filesize()

    def check(name: str, node: h5py.Dataset | h5py.Group) -> None:
        if isinstance(node, h5py.Dataset) and node.nbytes > size:  # none of them is compressed
            raise ValueError(f"{name} claims to hold {node.nbytes} bytes in a file of {size}")

    h5.visititems(check)


def read_all(h5: h5py.File) -> None:
    """Read every dataset once: those of the NXcanSAS entries have checksums that HDF5 compares."""

    def read(name: str, node: h5py.Dataset | h5py.Group) -> None:
        if isinstance(node, h5py.Dataset) and node.size:
            step = max(1, _BYTES * len(node) // node.nbytes) if node.ndim else 1
            for start in range(0, len(node) if node.ndim else 1, step):
                _ = node[start : start + step] if node.ndim else node[()]

    h5.visititems(read)


def copy_rows(source: h5py.File, target: h5py.File) -> None:
    """Copy the running part of an open results file into an empty one: whole rows only, and nobody is writing them."""
    target.attrs.update({**source.attrs, "default": "prediction"})
    source.copy("prediction", target)
    _trim_rows(target)
    entry = target["prediction"]
    entry.pop("end_time", None)
    for name in ("writer_pid", "writer_host"):
        entry.attrs.pop(name, None)


def _trim_rows(h5: h5py.File) -> None:
    """Cut off what a killed or failed run left of a row that does not count."""
    count = count_rows(h5)

    def trim(name: str, node: h5py.Dataset | h5py.Group) -> None:
        is_by_frame = isinstance(node, h5py.Dataset) and node.maxshape[:1] == (None,)
        if is_by_frame and not name.startswith(("other_curves/", "log/text")):
            node.resize(count, axis=0)

    h5["prediction"].visititems(trim)


def read_rows(h5: h5py.File) -> Iterator[Result]:
    """Yield the rows of a file, also while it is being written; a row half written is not seen.

    Raises ValueError if the checksum of a row is wrong.
    """
    count = count_rows(h5)
    if not count:
        return
    entry = h5["prediction"]
    parameters = json.loads(entry["process/parameters"].asstr()[()])
    bounds = [{name: entry[name][key][:count] for name in parameters} for key in ("value", "lower", "upper")]
    applicable = entry["is_applicable"][:count]
    ends, checksums = entry["log/end"][:count], entry["log/crc32"][:count]
    grid, fits = entry["curves/q"][()], FitReader(entry, count)
    for first in range(0, count, _BLOCK):
        last = min(first + _BLOCK, count)
        block = {name: entry["curves"][name][first:last] for name in CURVE_FIELDS}
        fits.load(first, last)
        for row in range(first, last):
            text = entry["log/text"][ends[row - 1] if row else 0 : ends[row]]
            record = json.loads(text.tobytes())
            points = (grid, *(block[name][row - first] for name in CURVE_FIELDS))
            if record["span"]:
                points = tuple(entry["other_curves"][name][slice(*record["span"])] for name in ("q", *CURVE_FIELDS))
            values, lower, upper = ({name: float(b[name][row]) for name in parameters} for b in bounds)
            said = PredictionRow(
                values,
                lower,
                upper,
                bool(applicable[row]),
                record["reason"],
                source=record["answer_from"] if "answer_from" in record else _guess_source(bounds[0], row),
                model=fits.read_model(record.get("model"), row),
                fit=fits.read_fit(record.get("fit"), row, points[0], record["span"]),
            )
            result = Result(record["source"], record["frame"], _build_curve(points, record), said, record["extras"])
            if compute_row_checksum(text, result, parameters) != checksums[row]:
                raise ValueError(f"the checksum of row {row} is wrong")
            yield result


def _guess_source(values: Mapping[str, FloatArray], row: int) -> str:
    """Return whose answer a row is that was written before there were fits."""
    return "model" if any(np.isfinite(column[row]) for column in values.values()) else ""


def _build_curve(points: tuple[FloatArray, ...], record: dict[str, Any]) -> Curve:
    q_nm1, intensity, sigma, weight = points
    return Curve(
        q_nm1=q_nm1,
        intensity=intensity,
        sigma=sigma if record["has_sigma"] else None,
        weight=weight if record["has_weight"] else None,
        counts=record["counts"],
        metadata=record["metadata"],
    )

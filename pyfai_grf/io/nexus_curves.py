"""Curves in HDF5: NXcanSAS, and the NXdata groups of pyFAI and ewoksxrpd, one curve per frame."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the decompressors that detectors and ewoksxrpd write with)
import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError, describe_problem
from pyfai_grf.core.hdf5_files import open_hdf5
from pyfai_grf.core.hdf5_heaps import check_heaps
from pyfai_grf.io.columns import Columns, clean_title, to_numbers
from pyfai_grf.io.curve_group import CurveGroup
from pyfai_grf.io.curve_places import find_places, find_title, shorten_places
from pyfai_grf.io.hdf5_fields import clean_text
from pyfai_grf.io.hdf5_walk import HDF5_FAILURES, decode_name, encode_name, get_item, read_attribute, read_text
from pyfai_grf.io.journal_rows import check_sizes, is_unfinished, read_rows
from pyfai_grf.io.slit import describe_length, find_in_notes, is_smeared_name

#: a curve of more points, or a stack of more frames, is not one: the file is damaged, or something else
_MAX_POINTS, _MAX_FRAMES = 1_000_000, 1_000_000
#: a dataset is unfinished or damaged if it declares so many times what was written of it (compression aside)
_MAX_BYTES, _MAX_EMPTY = 1 << 30, 1000

_SLIT_NOTE = re.compile(r"slit|smear|wname", re.IGNORECASE)


@dataclass(frozen=True)
class _Found:
    """A curve or a stack of them; ``name`` is the short one by which it can be asked for."""

    where: str
    place: str
    parts: CurveGroup
    title: str
    name: str
    slit: str


def read_nexus_columns(path: Path, inner: str = "") -> Iterator[Columns | InputError]:
    """Yield the columns of every curve at ``inner`` of the HDF5 file, or in all of it, and what is wrong with others.

    ``inner`` is the path of a group or a dataset, or the name of an entry. In a group without curves of its own the
    groups below it are searched: SASdata if there are any, else NXdata over q. A slit-smeared curve that stands beside
    the desmeared one of the same sample is left out, and a warning says so.

    Raises
    ------
    InputError
        If the file is damaged, has nothing at ``inner``, or no curve there.
    """
    try:
        check_heaps(path)
    except (OSError, ValueError) as problem:
        raise _name_damage(path, problem) from None
    with open_hdf5(path) as file:
        try:
            if not inner and is_unfinished(file):
                yield from _read_rows(file, path)
                return
            places = find_places(file, str(path), inner)
        except HDF5_FAILURES as problem:
            raise _name_damage(path, problem) from None
        found, names = [], shorten_places(places)
        for place, parts in places.items():
            try:
                found.append(_find(file, path, place, parts, clean_text(names[place])))
            except HDF5_FAILURES as problem:
                yield _name_damage(f"{path}::{place}", problem)
        twins = _find_twins(found)
        left_out = {one.place for one in twins.values()}
        for one in found:
            if one.place in left_out:
                continue
            warnings = [_describe_twins(one, twins[one.place], path)] if one.place in twins else []
            try:
                yield from _read_frames(one, warnings)
            except HDF5_FAILURES as problem:
                yield _name_damage(one.where, problem)


def _read_rows(file: h5py.File, path: Path) -> Iterator[Columns | InputError]:
    """Yield the curves of a results file of ours that was not completed, of any grid; the first damaged one ends it."""
    where = f"{path}::/prediction"
    try:
        check_sizes(file)
        for row, result in enumerate(read_rows(file)):
            curve, title = result.curve, clean_title(f"{result.source} frame {result.frame}")
            points = (curve.q_nm1, curve.intensity, curve.sigma, curve.weight)
            metadata = {"source": where, "frame": row, "title": title, "warnings": []}
            yield Columns(*points, "1/nm", "q", f"{where} frame {row}", metadata)
    except Exception as problem:  # whatever a wrong byte in a wrong place does to HDF5, JSON and NumPy
        yield _name_damage(where, problem)


def _name_damage(where: str | Path, problem: Exception) -> InputError:
    if isinstance(problem, InputError):
        return problem
    return InputError(f"{where}: damaged or incomplete HDF5 file ({describe_problem(problem)})")


def _find(file: h5py.File, path: Path, place: str, parts: CurveGroup | Exception, name: str) -> _Found:
    """Return what is known of a curve; raises what kept its group from being read."""
    if isinstance(parts, Exception):
        raise parts
    where = clean_text(f"{path}::{place}")
    return _Found(
        where,
        place,
        parts,
        clean_title(find_title(file, place)),
        name,
        _find_slit(file[encode_name(place)], place, parts),
    )


def _find_slit(group: h5py.Group, place: str, parts: CurveGroup) -> str:
    """Return what says that a curve is slit-smeared: its names, a slit length, or the notes of the program."""
    length = get_item(group, "dQl")
    if isinstance(length, h5py.Dataset) and length.dtype.kind in "fiu" and 0 < length.size <= _MAX_POINTS:
        q = to_numbers(parts.q[()]) if parts.q.size <= _MAX_POINTS else np.ones(1)
        if found := describe_length(length[()], q, "dQl", parts.unit):
            return found
    if smeared := [name for name in place.split("/") if is_smeared_name(name)]:
        return f"it is called {smeared[0]}"
    return find_in_notes(_collect_notes(group, parts))


def _collect_notes(group: h5py.Group, parts: CurveGroup) -> dict[str, Any]:
    """Return what attributes and notes beside a curve say, name -> number or text."""
    notes: dict[str, Any] = {}
    for item in (group, parts.intensity, parts.q):
        notes.update(
            (name, _simplify(read_attribute(item, name))) for name in item.attrs if _SLIT_NOTE.search(str(name))
        )
    for name in group:
        below = get_item(group, decode_name(name))
        if isinstance(below, h5py.Group):
            fields = ((key, get_item(below, key)) for key in ("SlitLength", "Wname", "DataDesmeared"))
            notes.update((key, _simplify(f[()])) for key, f in fields if isinstance(f, h5py.Dataset) and f.size == 1)
    return notes


def _simplify(value: Any) -> Any:
    """Return a single number as a number, anything else as text."""
    single = value.flat[0] if isinstance(value, np.ndarray) and value.size == 1 else value
    return float(single) if isinstance(single, int | float | np.number) else read_text(single)


def _find_twins(found: list[_Found]) -> dict[str, _Found]:
    """Return place of a curve -> the slit-smeared curve of the same sample, by Irena's names or by their titles."""
    good = [one for one in found if not one.slit]
    places, titles = ({get_key(one): one for one in good} for get_key in (_get_base, _get_title))
    twins = {}
    for smeared in (one for one in found if one.slit):
        title = _get_title(smeared)
        other = places.get(_get_base(smeared)) or (titles.get(title) if title else None)
        if other is not None:
            twins[other.place] = smeared
    return twins


def _get_base(one: _Found) -> str:
    return one.place.lower().replace("_smr", "")


def _get_title(one: _Found) -> str:
    """Return the title that the entry has, "" where it has none and the group's own name stands for it."""
    return "" if one.title == posixpath.basename(one.place) else one.title


def _describe_twins(one: _Found, smeared: _Found, path: Path) -> str:
    return (
        f"{path.name} holds {one.name}, and {smeared.name}, which is slit-smeared ({smeared.slit}) and left out; "
        f"{path}::{one.name} names the first alone"
    )


def _read_frames(found: _Found, warnings: list[str]) -> Iterator[Columns | InputError]:
    """Yield one set of columns per frame: every position on the axes of the intensity other than q."""
    parts = found.parts
    _check_size(found)
    shape = parts.intensity.shape[: parts.axis] + parts.intensity.shape[parts.axis + 1 :]
    frames = int(np.prod(shape))
    q = None if parts.q.ndim > 1 else to_numbers(parts.q[()])
    metadata = {"source": found.where, "title": found.title, "entry": found.name, "warnings": warnings}
    if intensity_unit := clean_title(read_text(read_attribute(parts.intensity, "units"))):
        metadata["intensity_unit"] = intensity_unit
    empty = []
    for index in range(frames):
        row = tuple(int(i) for i in np.unravel_index(index, shape))
        at = (*row[: parts.axis], slice(None), *row[parts.axis :])
        intensity = to_numbers(parts.intensity[at])
        if frames > 1 and _is_unwritten(intensity, parts.intensity):
            empty.append(index)
            continue
        yield Columns(
            to_numbers(parts.q[at]) if q is None else q,
            intensity,
            None if parts.sigma is None else to_numbers(parts.sigma[at]),
            None if parts.weight is None else to_numbers(parts.weight[at if parts.weight.ndim > 1 else ()]),
            parts.unit,
            parts.axis_name,
            f"{found.where} frame {index}" if frames > 1 else found.where,
            {**metadata, "frame": index, **_name_position(parts, row)},
            found.slit,
        )
    if empty:
        yield InputError(f"{found.where}: nothing was written into {len(empty)} of {frames} frames: {_list(empty)}")


def _check_size(found: _Found) -> None:
    """Refuse what is declared, but cannot be: a damaged header asks for more than any machine has."""
    parts = found.parts
    points, frames = parts.intensity.shape[parts.axis], parts.intensity.size // parts.intensity.shape[parts.axis]
    if points > _MAX_POINTS or frames > _MAX_FRAMES:
        raise InputError(f"{found.where}: declares {frames} curves of {points} points: damaged, or not curves")
    for item in (parts.intensity, parts.q, parts.sigma, parts.weight):
        if item is None or item.is_virtual or item.external or item.nbytes < _MAX_BYTES:
            continue
        if item.id.get_storage_size() * _MAX_EMPTY < item.nbytes:
            size = item.nbytes / 2**30
            raise InputError(f"{found.where}: declares {size:.0f} GiB, of which next to nothing was written")


def _is_unwritten(intensity: FloatArray, dataset: h5py.Dataset) -> bool:
    """Return whether a frame holds the value throughout that HDF5 fills the unwritten with, or NaN."""
    fill = float(dataset.fillvalue)
    return bool(np.isnan(intensity).all() or (intensity == fill).all())


def _name_position(parts: CurveGroup, row: tuple[int, ...]) -> dict[str, Any]:
    """Return where on the other axes a frame stands, if the file names them, as in a map: axis -> index."""
    if len(parts.others) != len(row) or "." in parts.others or not row:
        return {}
    return {"position": dict(zip(parts.others, row, strict=True))}


def _list(numbers: list[int]) -> str:
    """Return numbers in words, runs as "3-7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    return ", ".join(words[:8]) + (" and more" if len(words) > 8 else "")

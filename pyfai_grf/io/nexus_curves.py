"""Curves in HDF5: NXcanSAS, and the NXdata groups of pyFAI and ewoksxrpd."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.columns import Columns, find_factor, is_angle

#: names that programs give to abscissa, intensity and error where no attribute says which is which
_Q_NAMES = ("Q", "q", "radial", "radial_axis", "polar_angle", "q_nm1", "q_nm^-1", "q_A^-1")
_I_NAMES = ("I", "intensity", "data", "Iq", "i")
_SIGMA_NAMES = ("Idev", "I_errors", "errors", "sigma", "error", "Ierr", "I_err")
#: what an average over bins weights with: pyFAI's NXcanSAS, then its NXazint1d (pixels per bin)
_WEIGHT_NAMES = ("sum_normalization", "norm", "weight")
_SEARCH_DEPTH = 12


@dataclass(frozen=True)
class CurveGroup:
    """The datasets of a group that make one curve, or one per frame: intensity (..., Q), q (Q,) or (..., Q)."""

    q: h5py.Dataset
    intensity: h5py.Dataset
    sigma: h5py.Dataset | None
    weight: h5py.Dataset | None

    @property
    def unit(self) -> str:
        """The q unit as the file says it: pyFAI writes ``unit``, NeXus asks for ``units``."""
        return _read_text(self.q.attrs.get("units")) or _read_text(self.q.attrs.get("unit"))

    @property
    def axis(self) -> str:
        """What the file calls the abscissa."""
        said = (_read_text(self.q.attrs.get(name)) for name in ("name", "long_name"))
        return " ".join(filter(None, said)) or _get_name(self.q)

    @property
    def is_on_q(self) -> bool:
        """Whether the abscissa is known to be q, by its unit or by its name."""
        return not is_angle(self.unit) and (find_factor(self.unit) is not None or _get_name(self.q) in _Q_NAMES)


def read_nexus_columns(path: Path, inner: str = "") -> Iterator[Columns]:
    """Yield the columns of every curve at ``inner`` (a group or a dataset) of the HDF5 file, or of the whole file.

    In a group without curves of its own the groups below it are searched: SASdata if there are any, else NXdata over q.

    Raises
    ------
    InputError
        If the file is damaged, has nothing at ``inner``, or no curve there.
    """
    try:
        with _open(path) as file:
            for place, parts in _find_groups(file, path, inner):
                yield from _read_frames(file, place, parts, path)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as problem:
        if isinstance(problem, InputError):
            raise
        text = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise InputError(f"{path}: damaged or incomplete HDF5 file ({text})") from None


def _open(path: Path) -> h5py.File:
    """Open for reading without a lock, and also while a SWMR writer holds it: the beamline may still be writing."""
    try:
        return h5py.File(path, "r", locking=False)
    except OSError:
        return h5py.File(path, "r", locking=False, swmr=True)


def _find_groups(file: h5py.File, path: Path, inner: str) -> list[tuple[str, CurveGroup]]:
    """Return the place of each curve in the file and its datasets.

    A place is the path that led there. An object's own ``name`` and ``parent`` are of no use where links cross files,
    as in the master files of BLISS: the name is then a path of the other file, or of neither.
    """
    where = f"{path}::{inner}" if inner else str(path)
    place = "/" + inner.strip("/")
    item: Any = file
    if inner:
        item = file.get(inner)
        if item is None:
            raise InputError(f"{where}: nothing there; the file has {_list_places(file)}")
    if isinstance(item, h5py.Dataset):
        place = posixpath.dirname(place)
        parts = _describe(file[place])
        if parts is None or item not in (parts.intensity, parts.q):
            raise InputError(f"{where}: a dataset without a q axis beside it: give the group that holds q and I")
        return [(place, parts)]
    parts = _describe(item)
    if parts is not None and place != "/":
        return [(place, parts)]
    found = _choose_groups(item, place)
    if found:
        return found
    places = _list_places(file)
    raise InputError(f"{where}: no one-dimensional curve (SASdata, or NXdata over q) found; the file has {places}")


def _choose_groups(top: h5py.Group, place: str) -> list[tuple[str, CurveGroup]]:
    """Return the curves below ``top``: SASdata, else NXdata over q, else NXdata over an angle (refused later)."""
    groups = list(_walk(top, place, set(), 0))
    sas = [(at, p) for at, g in groups if _get_class(g) == "SASdata" and (p := _describe(g)) is not None]
    if sas:
        return sas
    plots = [(at, p) for at, g in groups if _get_class(g) == "NXdata" and (p := _describe(g)) is not None]
    return [(at, p) for at, p in plots if p.is_on_q] or [(at, p) for at, p in plots if is_angle(f"{p.unit} {p.axis}")]


def _walk(group: h5py.Group, place: str, seen: set[Any], depth: int) -> Iterator[tuple[str, h5py.Group]]:
    """Yield every group below ``group`` once and its place, through links too (ewoksxrpd links its results)."""
    for name in group:
        try:
            item = group.get(name)
        except (OSError, RuntimeError):  # a link to a file that is not here
            continue
        if not isinstance(item, h5py.Group):
            continue
        identity = _identify(item)
        if identity in seen or depth > _SEARCH_DEPTH:
            continue
        seen.add(identity)
        at = posixpath.join(place, name)
        yield at, item
        yield from _walk(item, at, seen, depth + 1)


def _identify(group: h5py.Group) -> tuple[str, int]:
    """Return file and address: a linked file that was closed in between is opened again under another number."""
    name = h5py.h5f.get_name(group.id).decode("utf-8", "surrogateescape")
    return os.path.realpath(name), h5py.h5o.get_info(group.id).addr


def _get_class(group: h5py.Group) -> str:
    classes = {_read_text(group.attrs.get(name)) for name in ("canSAS_class", "NX_class")}
    return "SASdata" if "SASdata" in classes else next(iter(classes & {"NXdata"}), "")


def _describe(group: h5py.Group) -> CurveGroup | None:
    """Return the datasets of ``group`` that make a curve, or None if it holds none."""
    names = [_read_text(group.attrs.get("signal")), *_I_NAMES]
    intensity = _pick(group, [*names, *(n for n in group if _is_signal(group, n))])
    if intensity is None or intensity.ndim == 0 or intensity.dtype.kind not in "fiu":
        return None
    signal = _get_name(intensity)
    axes = _read_names(group.attrs.get("axes")) or _read_names(group.attrs.get(f"{signal}_axes"))
    axes = axes or _read_names(group.attrs.get("I_axes")) or _read_names(intensity.attrs.get("axes"))
    # without the attribute, a dataset that says of itself that it is the axis, else the usual names
    q = _pick(group, [axes[-1]] if axes and axes[-1] != "." else _Q_NAMES)
    if q is None or q.dtype.kind not in "fiu" or q.shape not in (intensity.shape[-1:], intensity.shape):
        return None
    if len(axes) > 1 and len(set(axes)) < len(axes) and "." not in axes:
        return None  # NXcanSAS in two dimensions: I_axes "Q,Q"
    if intensity.ndim > 1 and _read_text(group.attrs.get("interpretation")) == "image":
        return None  # azimuthal sectors or a detector image
    said = [_read_text(intensity.attrs.get(n)) for n in ("uncertainties", "uncertainty")]
    said += [_read_text(group.attrs.get(f"{signal}_{n}")) for n in ("uncertainties", "uncertainty")]
    sigma = _pick(group, [*said, f"{signal}_errors", *_SIGMA_NAMES], intensity.shape)
    weight = _pick(group, _WEIGHT_NAMES, intensity.shape) or _pick(group, _WEIGHT_NAMES, intensity.shape[-1:])
    return CurveGroup(q, intensity, sigma, weight)


def _is_signal(group: h5py.Group, name: str) -> bool:
    item = group.get(name)
    return isinstance(item, h5py.Dataset) and str(_read_text(item.attrs.get("signal"))) == "1"


def _pick(group: h5py.Group, names: Any, shape: tuple[int, ...] | None = None) -> h5py.Dataset | None:
    """Return the first dataset of ``group`` called one of ``names``, of the given shape if one is given."""
    for name in names:
        item = group.get(name) if name else None
        if isinstance(item, h5py.Dataset) and (shape is None or item.shape == shape):
            return item
    return None


def _read_frames(file: h5py.File, place: str, parts: CurveGroup, path: Path) -> Iterator[Columns]:
    """Yield one set of columns per frame: every row of the intensity along its last axis."""
    where = f"{path}::{place}"
    q = np.asarray(parts.q[()])
    frames = int(np.prod(parts.intensity.shape[:-1]))
    title = _find_title(file, place)
    warnings = []
    if "dQl" in file[place]:
        warnings.append("the file carries a slit length (dQl): a line-collimated curve must be desmeared first")
    for index in range(frames):
        row = np.unravel_index(index, parts.intensity.shape[:-1])
        metadata = {"source": where, "frame": index, "title": title, "warnings": warnings}
        if intensity_unit := _read_text(parts.intensity.attrs.get("units")):
            metadata["intensity_unit"] = intensity_unit
        yield Columns(
            q[row] if q.ndim > 1 else q,
            parts.intensity[row],
            None if parts.sigma is None else parts.sigma[row],
            None if parts.weight is None else parts.weight[row if parts.weight.ndim > 1 else ()],
            parts.unit,
            parts.axis,
            f"{where} frame {index}" if frames > 1 else where,
            metadata,
        )


def _find_title(file: h5py.File, place: str) -> str:
    """Return the nearest title above ``place``: its entry's, else the name of the group."""
    above = posixpath.dirname(place)
    while above != "/":
        title = file[above].get("title")
        if isinstance(title, h5py.Dataset):
            return _read_text(title[()])
        above = posixpath.dirname(above)
    return posixpath.basename(place)


def _list_places(file: h5py.File) -> str:
    """Return a short list of what a user might have meant."""
    named = [at for at, g in _walk(file, "/", set(), 0) if _get_class(g)] or [f"/{name}" for name in file]
    more = f" and {len(named) - 6} more" if len(named) > 6 else ""
    return (", ".join(named[:6]) + more) or "nothing in it"


def _get_name(item: h5py.Dataset) -> str:
    return posixpath.basename(item.name or "")


def _read_text(value: Any) -> str:
    """Return an attribute or a scalar dataset as text: files hold str, bytes, numbers and arrays of one of them."""
    if value is None:
        return ""
    if isinstance(value, np.ndarray):
        return _read_text(value.flat[0]) if value.size == 1 else ""
    return value.decode("utf-8", errors="replace").strip() if isinstance(value, bytes) else str(value).strip()


def _read_names(value: Any) -> list[str]:
    """Return the names in an ``axes`` attribute: an array of them, or the older "a,b" and "a:b"."""
    if isinstance(value, np.ndarray) and value.size != 1:
        return [_read_text(name) for name in value.flat]
    text = _read_text(value).strip("[]")
    return [name.strip() for name in text.replace(":", ",").split(",") if name.strip()]

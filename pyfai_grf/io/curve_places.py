"""Where in an HDF5 file the curves are, and how a user may name them."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable

import h5py

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.curve_group import CurveGroup, describe_group
from pyfai_grf.io.hdf5_walk import HDF5_FAILURES, decode_name, encode_name, get_item, read_text, walk_groups

_LISTED = 6

#: place -> datasets, or what keeps them from being read; a place is the path that led there
Places = dict[str, CurveGroup | Exception]


def find_places(file: h5py.File, where: str, inner: str = "") -> Places:
    """Return place -> datasets of each curve at ``inner``: a path, the name or the title of an entry, "" for all.

    A place is the path that led there. An object's own ``name`` and ``parent`` are of no use where links cross files,
    as in the master files of BLISS: the name is then a path of the other file, or of neither.

    Raises
    ------
    InputError
        If there is nothing of that name, no curve in it, or several to choose from; ``where`` names the file.
    """
    if not inner.strip("/"):
        return _choose_groups(file, "/") or _reject(file, where, _describe_none(file))
    where = f"{where}::{inner}"
    place = "/" + inner.strip("/")
    item = get_item(file, inner)
    if item is None:
        return _find_named(file, where, inner.strip("/"))
    if isinstance(item, h5py.Dataset):
        place = posixpath.dirname(place)
        parts = describe_group(file[encode_name(place)])
        if parts is None or item.id not in (parts.intensity.id, parts.q.id):
            raise InputError(f"{where}: a dataset without a q axis beside it: give the group that holds q and I")
        return {place: parts}
    described = describe_group(item)
    if described is not None:
        return {place: described}
    return _choose_groups(item, place) or _reject(file, where, _describe_none(item))


def _find_named(file: h5py.File, where: str, name: str) -> Places:
    """Return the curves in the entry that is called ``name``, wherever in the file it is."""
    curves = _choose_groups(file, "/")
    found = {at: parts for at, parts in curves.items() if f"/{name}/" in f"{at}/"}
    entries = {at[: f"{at}/".index(f"/{name}/")] for at in found}
    if not found:
        found = {at: parts for at, parts in curves.items() if find_title(file, at) == name}
        entries = set(found)
    if not found:
        return _reject(file, where, "nothing there")
    if len(entries) > 1:
        raise InputError(f"{where}: several entries are called so: give one of {_list(found)}")
    return found


def _describe_none(top: h5py.Group) -> str:
    """Return why there is no curve below ``top``."""
    groups = [group for _, group, kinds in walk_groups(top, "/") if "SASdata" in kinds]
    if any(isinstance(i := get_item(group, "I"), h5py.Dataset) and i.ndim > 1 for group in groups):
        return "no one-dimensional curve, only data in two dimensions: average them over the azimuth first"
    return "no one-dimensional curve (SASdata, or NXdata over q) found"


def _reject(file: h5py.File, where: str, problem: str) -> Places:
    raise InputError(f"{where}: {problem}; the file has {_list_places(file)}")


def _choose_groups(top: h5py.Group, place: str) -> Places:
    """Return the curves below ``top``: SASdata, else NXdata over q, else NXdata over an angle."""
    groups = list(walk_groups(top, place))
    sas = _describe_groups((at, group) for at, group, kinds in groups if "SASdata" in kinds)
    if sas:
        return sas
    plots = _describe_groups((at, group) for at, group, kinds in groups if "NXdata" in kinds)
    on_q: Places = {at: parts for at, parts in plots.items() if isinstance(parts, CurveGroup) and parts.is_on_q}
    # over an angle: refused, with the reason, where a curve is made of the columns
    return on_q or {at: parts for at, parts in plots.items() if isinstance(parts, Exception) or parts.is_on_angle}


def _describe_groups(groups: Iterable[tuple[str, h5py.Group]]) -> Places:
    places: Places = {}
    for at, group in groups:
        try:
            parts = describe_group(group)
        except HDF5_FAILURES as problem:
            places[at] = problem
        else:
            if parts is not None:
                places[at] = parts
    return places


def find_title(file: h5py.File, place: str) -> str:
    """Return the nearest title above ``place``: its entry's, else the name of the group."""
    above = posixpath.dirname(place)
    while above != "/":
        title = get_item(file, f"{above}/title")
        if isinstance(title, h5py.Dataset) and title.size == 1 and title.dtype.kind in "OSU":
            return read_text(title[()])
        above = posixpath.dirname(above)
    return posixpath.basename(place)


def shorten_places(places: Iterable[str]) -> dict[str, str]:
    """Return for each of ``places`` the first name on its path that no other has: by that it can be asked for."""
    parts = {place: place.strip("/").split("/") for place in places}
    count = Counter(name for names in parts.values() for name in dict.fromkeys(names))
    return {place: next((n for n in names if count[n] == 1), place) for place, names in parts.items()}


def _list_places(file: h5py.File) -> str:
    """Return a short list of what a user might have meant."""
    curves = list(_choose_groups(file, "/"))
    named = curves or [at for at, _, kinds in walk_groups(file, "/") if kinds & {"SASdata", "NXdata"}]
    return _list(named or [f"/{decode_name(name)}" for name in file]) or "nothing in it"


def _list(places: Iterable[str]) -> str:
    named = list(places)
    return ", ".join(named[:_LISTED]) + (f" and {len(named) - _LISTED} more" if len(named) > _LISTED else "")

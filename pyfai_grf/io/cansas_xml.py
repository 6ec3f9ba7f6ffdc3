"""Curves in CanSAS 1D XML (versions 1.0 and 1.1), as SasView, Mantid, NIST and ILL programs write it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.io.columns import Columns, clean_title, find_factor
from pyfai_grf.io.safe_xml import Element, read_elements
from pyfai_grf.io.slit import describe_length
from pyfai_grf.io.text_table import read_bytes

#: the children of an Idata that are read
_FIELDS = ("Q", "I", "Idev", "dQl")


@dataclass
class _SasData:
    """One SASdata: its name, the names of its entry, its points (field -> value), its units (field -> spellings)."""

    name: str
    entry: dict[str, str]
    points: list[dict[str, float]] = field(default_factory=list)
    units: dict[str, set[str]] = field(default_factory=dict)

    def get_column(self, name: str) -> FloatArray | None:
        """Return the values (Q,) of a field, NaN where a point lacks it; None if all do."""
        column = np.array([point.get(name, np.nan) for point in self.points], dtype=np.float64)
        return column if any(name in point for point in self.points) else None


def is_xml(start: bytes) -> bool:
    """Return whether a file that begins with ``start`` is XML."""
    text = start.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return text.startswith((b"<?xml", b"<SASroot", b"<!DOCTYPE", b"<!--"))


def read_xml_columns(path: Path, inner: str = "") -> Iterator[Columns | InputError]:
    """Yield the columns of every SASdata in the file at ``path``, or what is wrong with it.

    ``inner`` is the name, title or run of the entry that is wanted; "" for all.

    Raises
    ------
    InputError
        If the XML is damaged or hostile, is not CanSAS, or has no (such) data.
    """
    found = _read_root(read_bytes(path), str(path))
    labels = _make_labels(found)
    chosen = [n for n, data in enumerate(found) if not inner or inner.strip("/") in (labels[n], *data.entry.values())]
    if not chosen:
        names = ", ".join(labels[:6]) + (f" and {len(labels) - 6} more" if len(labels) > 6 else "")
        asked = f"::{inner}: no entry is called so" if inner else ": no SASdata in it"
        raise InputError(f"{path}{asked}" + (f"; the file has {names}" if names else ""))
    for n in chosen:
        try:
            yield _make_columns(found[n], labels[n], str(path) if len(found) == 1 else f"{path}::{labels[n]}")
        except InputError as problem:
            yield problem


def _read_root(content: bytes, where: str) -> list[_SasData]:
    """Return every SASdata of the file, in order."""
    found: list[_SasData] = []
    names: dict[str, str] = {}
    entry, data, point = Element("", {}), Element("", {}), dict[str, float]()
    for elements in read_elements(content, where):
        if elements[0].name != "SASroot":
            raise InputError(f"{where}: XML, but not of CanSAS (it begins with <{elements[0].name[:40]}>): give text")
        if len(elements) < 3 or elements[1].name != "SASentry":
            continue
        if elements[1] is not entry:
            entry, names = elements[1], {"name": elements[1].attributes.get("name", "")}
        name, text = elements[-1].name, elements[-1].text.strip()
        if len(elements) == 3 and name in ("Title", "Run"):
            names.setdefault(name, text)
        if elements[2].name != "SASdata":
            continue
        if elements[2] is not data:
            data, point = elements[2], {}
            found.append(_SasData(data.attributes.get("name", ""), names))
        if len(elements) == 5 and elements[3].name == "Idata" and name in _FIELDS:
            point[name] = _to_float(text)
            found[-1].units.setdefault(name, set()).add(elements[-1].attributes.get("unit", "").strip())
        elif len(elements) == 4 and name == "Idata":
            found[-1].points.append(point)
            point = {}
    return found


def _to_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _make_labels(found: list[_SasData]) -> list[str]:
    """Return the name by which each SASdata can be asked for: its entry's, and its own where an entry has several."""
    size = Counter(id(data.entry) for data in found)
    labels: list[str] = []
    for number, data in enumerate(found, 1):
        label = next((data.entry[key] for key in ("name", "Title", "Run") if data.entry.get(key)), f"entry {number}")
        if size[id(data.entry)] > 1:
            label += f"/{data.name or number}"
        taken = labels.count(label)
        labels.append(f"{label} ({taken + 1})" if taken else label)
    return labels


def _make_columns(data: _SasData, label: str, where: str) -> Columns:
    q, intensity = data.get_column("Q"), data.get_column("I")
    if q is None or intensity is None:
        raise InputError(f"{where}: no points with Q and I in its SASdata")
    units = sorted(data.units["Q"])
    if len({find_factor(unit) for unit in units}) > 1:
        raise InputError(f"{where}: its points have q in several units ({', '.join(map(repr, units))}): correct it")
    length = data.get_column("dQl")
    unit = units[0]
    slit = "" if length is None else describe_length(length, q, "dQl", unit)
    metadata = {"source": where, "frame": 0, "title": clean_title(data.entry.get("Title") or label)}
    if intensity_unit := clean_title(next(iter(sorted(data.units["I"])), "")):
        metadata["intensity_unit"] = intensity_unit
    return Columns(q, intensity, data.get_column("Idev"), None, unit, "Q", where, metadata, slit)

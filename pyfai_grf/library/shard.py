"""One file of the structure library: written whole and atomically, so that a kill never damages it.

Curves are compressed once, in blocks, so a save costs about 10 microseconds per structure plus the writing of its 2 kB:
0.1 s for 10,000 structures, 1 s for 100,000 (8 s the first time after opening). Memory: 10 kB per structure while a
file is written. Far beyond 100,000 structures, several shards with seeds of their own are more convenient.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from scipy.interpolate import CubicSpline

from pyfai_grf.core.atomic import write_bytes
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.hdf5_image import build_image
from pyfai_grf.library.contents import DENSITIES, LOG_LOW, LOG_STEP, Setting, Structure
from pyfai_grf.library.design import get_split

__all__ = ["DENSITIES", "Setting", "Shard", "Structure", "open_shard", "read_setting"]

FORMAT = "pyfai-grf structure library"
FORMAT_VERSION = 1
#: structures compressed together; a block that has not changed is not compressed again
_BLOCK = 64


@dataclass
class Shard:
    """The structures of one library file; ``save`` replaces the file in one step."""

    path: Path
    setting: Setting
    structures: dict[int, Structure] = field(default_factory=dict)
    _packed: dict[tuple[int, ...], bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def add(self, structure: Structure) -> None:
        """Add one structure.

        Raises
        ------
        InputError
            If there is already one with its index.
        """
        if structure.index in self.structures:
            raise InputError(f"structure {structure.index} is already in {self.path}")
        self.structures[structure.index] = structure

    def save(self) -> None:
        """Write the file beside the old one and put it in its place.

        Raises
        ------
        InputError
            If the file cannot be written; the old one stays as it was.
        """
        advice = "; what was saved before is intact, free some space and run again"
        write_bytes(self.path, build_image(self._write), advice)

    def _write(self, file: h5py.File) -> None:
        ordered = [self.structures[i] for i in sorted(self.structures)]
        file.attrs.update({"format": FORMAT, "format_version": FORMAT_VERSION, "densities": DENSITIES})
        file.attrs.update({f.name: getattr(self.setting, f.name) for f in fields(self.setting)})
        file.attrs.update({"log_intensity_low": LOG_LOW, "log_intensity_step": LOG_STEP})
        file["q_nm1"] = self.setting.nodes_nm1
        for name, kind in _COLUMNS.items():
            file[name] = np.array([getattr(s, name) for s in ordered], dtype=kind)
        curve = (len(DENSITIES), self.setting.nodes_nm1.size)
        codes = file.create_dataset(
            "log_intensity",
            shape=(len(ordered), *curve),
            maxshape=(None, *curve),
            chunks=(_BLOCK, *curve),
            dtype=_CODES,
            compression="gzip",
            shuffle=True,
        )
        blocks = [ordered[start : start + _BLOCK] for start in range(0, len(ordered), _BLOCK)]
        known, self._packed = self._packed, {}
        for row, block in enumerate(blocks):
            key = tuple(s.index for s in block)
            self._packed[key] = known.get(key) or _pack(block)
            codes.id.write_direct_chunk((row * _BLOCK, 0, 0), self._packed[key])
        file.attrs["crc32"] = _compute_checksum(file, (s.log_codes for s in ordered))

    def interpolate(self, q_nm1: np.ndarray) -> np.ndarray:
        """Return I at ``DENSITIES`` for all structures, by index, at ``q_nm1``: (S, 3, Q), on the paper's scale.

        Raises
        ------
        InputError
            If q is outside the stored range.
        """
        nodes = self.setting.nodes_nm1
        if q_nm1[0] < nodes[0] or q_nm1[-1] > nodes[-1]:
            raise InputError(
                f"q from {q_nm1[0]:.4g} to {q_nm1[-1]:.4g} 1/nm is not inside the library's {nodes[0]:.4g} to "
                f"{nodes[-1]:.4g} 1/nm: choose a smaller range, or scale the lengths",
                "length scale",
            )
        stored = self.get_column("log_codes") * LOG_STEP + LOG_LOW
        return np.exp(CubicSpline(nodes, stored, axis=2)(q_nm1))

    def get_splits(self) -> np.ndarray:
        """Return "train", "calibration" or "test" for all structures, by index: (S,) strings."""
        return np.array([get_split(self.setting.library_seed, i) for i in sorted(self.structures)])

    def get_column(self, name: str) -> np.ndarray:
        """Return one field of ``Structure`` for all structures, by index, stacked along the first axis."""
        return np.array([getattr(self.structures[i], name) for i in sorted(self.structures)])


def open_shard(path: str | Path) -> Shard:
    """Read a library file.

    Raises
    ------
    InputError
        If the file is missing, damaged, or not a structure library of this format.
    """
    return _read(Path(path), _read_structures)


def read_setting(path: str | Path) -> Setting:
    """Return what the structures of a library file have in common, without reading them.

    Raises
    ------
    InputError
        As ``open_shard`` does.
    """
    return _read(Path(path), lambda path, file: _read_setting(file))


_COLUMNS = {
    "index": np.uint32,
    "seed": np.uint64,
    "a": np.float64,
    "porosity": np.float64,
    "layer_fraction": np.float64,
    "boundaries": np.uint32,
    "mean_chords_nm": np.float32,
    "layer_thickness_nm": np.float32,
}


#: on disk, whatever the machine
_CODES = np.dtype("<u2")


def _pack(block: list[Structure]) -> bytes:
    """Return the curves of up to ``_BLOCK`` structures as HDF5's shuffle and gzip filters would store them."""
    codes = np.zeros((_BLOCK, *block[0].log_codes.shape), _CODES)
    codes[: len(block)] = [s.log_codes for s in block]
    return zlib.compress(codes.view(np.uint8).reshape(-1, _CODES.itemsize).T.tobytes(), 4)


def _compute_checksum(file: h5py.File, codes: Iterable[np.ndarray]) -> int:
    """Return the CRC-32 of the setting, the columns and the curves, whose ``codes`` the caller provides."""
    names = [f.name for f in fields(Setting)]
    crc = zlib.crc32(repr([_to_python(file.attrs[name]) for name in names]).encode())
    for values in [*(file[name][()] for name in ("q_nm1", *_COLUMNS)), *codes]:
        crc = zlib.crc32(np.ascontiguousarray(values).data, crc)
    return crc


T = TypeVar("T")


def _read(path: Path, read: Callable[[Path, h5py.File], T]) -> T:
    """Return ``read(path, file)``; whatever is wrong with the file becomes one line."""
    if not path.is_file():
        raise InputError(f"there is no structure library {path}: make one first", "library", path=path)
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs["format_version"] != FORMAT_VERSION:
                raise InputError(f"{path} is not a {FORMAT} of format version {FORMAT_VERSION}")
            return read(path, file)
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as problem:  # all of them seen on damaged files
        raise InputError(f"cannot read the structure library {path}: {problem}") from None


def _read_setting(file: h5py.File) -> Setting:
    return Setting(**{f.name: _to_python(file.attrs[f.name]) for f in fields(Setting)})


def _read_structures(path: Path, file: h5py.File) -> Shard:
    setting = _read_setting(file)
    columns = {name: file[name][()] for name in _COLUMNS}
    codes = file["log_intensity"][()]
    if (file.attrs["log_intensity_low"], file.attrs["log_intensity_step"]) != (LOG_LOW, LOG_STEP):
        raise ValueError("its intensities are coded differently")
    checksum = file.attrs.get("crc32")  # libraries of version 0.1 have none
    if checksum is not None and checksum != _compute_checksum(file, [codes]):
        raise ValueError("its checksum is wrong, so the file is damaged: use another copy")
    shard = Shard(path, setting)
    for row, index in enumerate(columns["index"]):
        values = {name: _to_python(column[row]) for name, column in columns.items()}
        shard.structures[int(index)] = Structure(log_codes=codes[row], **values)
    return shard


def _to_python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

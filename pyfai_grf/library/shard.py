"""One file of the structure library: written whole and atomically, so that a kill never damages it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.interpolate import CubicSpline

from pyfai_grf.core.errors import InputError
from pyfai_grf.library.design import get_split
from pyfai_grf.simulation.spectra import SPECTRUM
from pyfai_grf.simulation.structure import GENERATOR_VERSION, PAPER_SMOOTHING_NM

FORMAT = "pyfai-grf structure library"
FORMAT_VERSION = 1
#: densities at which intensities are stored; the quadratic through them gives every other (all three are positive)
DENSITIES = (0.0, 0.65, 1.0)
#: ln I is stored as 16-bit integers over this range: steps of 5.3e-4
_LOG_LOW, _LOG_HIGH = 5.0, 40.0
_STEP = (_LOG_HIGH - _LOG_LOW) / 65535


@dataclass(frozen=True)
class Setting:
    """What all structures of a shard have in common; lengths in nm."""

    library_seed: int
    shape: int = 512
    voxel_size_nm: float = 0.5
    smoothing_nm: float = PAPER_SMOOTHING_NM
    spectrum: str = SPECTRUM
    generator_version: int = GENERATOR_VERSION

    @property
    def nodes_nm1(self) -> np.ndarray:
        """q at which intensities are stored: three a grid step, from the first step to at least 4.5 / (2 voxels)."""
        step = 2 * np.pi / (self.shape * self.voxel_size_nm)
        last = int(np.ceil(2.25 / self.voxel_size_nm / step))
        return step * np.linspace(1, last, 3 * (last - 1) + 1)


@dataclass(frozen=True)
class Structure:
    """What is kept of one simulated structure.

    ``intensity`` is (3, M): I at ``DENSITIES`` on the nodes, on the paper's scale. ``boundaries`` (3, 3): voxel
    faces between pore|layer, pore|solid and layer|solid, for each axis. ``mean_chords_nm`` (3,): pore, layer, solid.
    """

    index: int
    seed: int
    a: float
    porosity: float
    layer_fraction: float
    intensity: np.ndarray
    boundaries: np.ndarray
    mean_chords_nm: np.ndarray
    layer_thickness_nm: float


@dataclass
class Shard:
    """The structures of one library file; ``save`` replaces the file in one step."""

    path: Path
    setting: Setting
    structures: dict[int, Structure] = field(default_factory=dict)

    def add(self, structure: Structure) -> None:
        """Add one structure.

        Raises
        ------
        InputError
            If its index is there already.
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
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            # assembled in memory: HDF5 itself does not survive a full disk (it crashes when the process ends)
            with h5py.File(draft.name, "w", driver="core", backing_store=False) as file:
                _write(file, self.setting, [self.structures[i] for i in sorted(self.structures)])
                file.flush()
                image = file.id.get_file_image()
            with open(draft, "wb") as stream:
                stream.write(image)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, self.path)
        except (OSError, RuntimeError) as problem:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise InputError(
                f"cannot write {self.path}: {problem}; what was saved before is intact, free some space and run again"
            ) from None

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
                f"{nodes[-1]:.4g} 1/nm: choose a smaller range, or scale the lengths (--length-scale)"
            )
        stored = np.log([self.structures[i].intensity for i in sorted(self.structures)])
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
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no structure library {path}: make one with 'pyfai-grf generate {path} --count N'")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs["format_version"] != FORMAT_VERSION:
                raise InputError(f"{path} is not a {FORMAT} of format version {FORMAT_VERSION}")
            return _read(path, file)
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as problem:  # all of them seen on damaged files
        raise InputError(f"cannot read the structure library {path}: {problem}") from None


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


def _write(file: h5py.File, setting: Setting, structures: list[Structure]) -> None:
    file.attrs.update({"format": FORMAT, "format_version": FORMAT_VERSION, "densities": DENSITIES})
    file.attrs.update({f.name: getattr(setting, f.name) for f in fields(setting)})
    file.attrs.update({"log_intensity_low": _LOG_LOW, "log_intensity_step": _STEP})
    file["q_nm1"] = setting.nodes_nm1
    for name, kind in _COLUMNS.items():
        file[name] = np.array([getattr(s, name) for s in structures], dtype=kind)
    logs = np.log([s.intensity for s in structures]) if structures else np.empty((0, 3, setting.nodes_nm1.size))
    codes = np.round((logs - _LOG_LOW) / _STEP)
    if codes.size and not (codes.min() >= 0 and codes.max() <= 65535):
        raise InputError("an intensity is outside the range that the library stores: the structure is not usable")
    options: dict[str, Any] = {"compression": "gzip", "shuffle": True} if structures else {}
    file.create_dataset("log_intensity", data=codes.astype(np.uint16), **options)


def _read(path: Path, file: h5py.File) -> Shard:
    setting = Setting(**{f.name: _to_python(file.attrs[f.name]) for f in fields(Setting)})
    columns = {name: file[name][()] for name in _COLUMNS}
    intensity = np.exp(
        file["log_intensity"][()] * float(file.attrs["log_intensity_step"]) + file.attrs["log_intensity_low"]
    )
    shard = Shard(path, setting)
    for row, index in enumerate(columns["index"]):
        values = {name: _to_python(column[row]) for name, column in columns.items()}
        shard.structures[int(index)] = Structure(intensity=intensity[row], **values)
    return shard


def _to_python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

"""Grow a structure library: simulate the structures of its design that the file does not hold yet."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from pyfai_grf.core.atomic import remove_drafts
from pyfai_grf.core.backend import Backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.lock import OutputLock
from pyfai_grf.core.versions import GENERATOR_VERSION
from pyfai_grf.library.contents import DENSITIES, Setting, Structure, encode_intensity
from pyfai_grf.library.design import get_point, get_seed
from pyfai_grf.library.shard import Shard, open_shard
from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.kernels import count_boundaries
from pyfai_grf.simulation.structure import LAYER, PORE, SOLID, StructureModel, make_labels
from pyfai_grf.theory.spectra import get_spectrum
from pyfai_grf.workers.crew import Crew, open_workers

#: seconds from one save to the next, at least
_SAVE_EVERY_S = 2.0
#: share of the time that saving may take: a save of 1 s (100,000 structures) is followed by 50 s of work
_SAVE_SHARE = 0.02


def generate_library(
    path: str | Path,
    count: int,
    setting: Setting,
    crew: Crew | str = "auto",
    report: Callable[[int, int, int], None] = lambda done, total, workers: None,
) -> Shard:
    """Grow the shard at ``path`` to ``count`` structures and return it; what it already holds is kept.

    ``crew`` says who simulates; the name of a device stands for this process on that device. ``report`` is called
    with (structures held, count, workers) when structures have come in, and about once a second while none do.

    Only this process writes the file. Stopped at any moment (or left by its workers or by the scheduler) and started
    again, the shard becomes the same as in one undisturbed run on the same kind of device. An error or Ctrl-C saves
    what was made. A kill loses what was made since the last save: 2 s of work, or 50 times what a save takes if that
    is more (about 5 s at 10,000 structures, 50 s at 100,000).

    Raises
    ------
    InputError
        If the shard was made with another setting or generator, or cannot be written, or its folder is missing.
    GrfError
        If the workers cannot be used, or one of them reports an error.
    """
    path = Path(path)
    if count < 1:
        raise InputError(f"count is {count}: give the total number of structures, 1 or more")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}")
    setting = replace(setting, spectrum=get_spectrum(setting.spectrum).text)
    crew = Crew(crew) if isinstance(crew, str) else crew
    with OutputLock(path):  # a second one would write over what this one has made
        shard = open_shard(path) if path.exists() else Shard(path, setting)
        _check_setting(path, shard.setting, setting)
        remove_drafts(path)
        missing = [index for index in range(count) if index not in shard.structures]
        if missing:
            with open_workers(crew, StructureTask(setting)) as simulate, _Saver(shard) as saver:
                for structures, workers in simulate(missing):
                    for structure in structures:
                        shard.add(structure)
                    saver.save_if_due()
                    report(len(shard.structures), count, workers)
    return shard


class _Saver:
    """Saves a shard now and then, in a small share of the time, and once more when the context ends."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._saved = len(shard.structures)
        if not shard.path.exists():
            shard.save()  # a place that cannot be written to is noticed now, not after the first structure
        self._share = math.inf  # the first save compresses what is already there, the next ones do not
        self._due = time.monotonic() + _SAVE_EVERY_S

    def __enter__(self) -> _Saver:
        return self

    def __exit__(self, *problem: object) -> None:
        self.save()

    def save_if_due(self) -> None:
        if time.monotonic() > self._due:
            self.save()

    def save(self) -> None:
        if len(self._shard.structures) == self._saved:
            return
        start = time.monotonic()
        self._shard.save()
        end = time.monotonic()
        self._saved = len(self._shard.structures)
        self._due = end + max(_SAVE_EVERY_S, (end - start) / self._share)
        self._share = _SAVE_SHARE


def _check_setting(path: Path, found: Setting, wanted: Setting) -> None:
    """Raise InputError if new structures would differ in kind from those that a shard holds."""
    if found.generator_version != GENERATOR_VERSION:
        raise InputError(
            f"{path} was made by generator version {found.generator_version}, this is version {GENERATOR_VERSION}: it "
            "can be used as it is but not grown; start another file with another seed",
            "seed",
        )
    if differences := _describe_differences(found, wanted):
        raise InputError(f"{path} was made with {differences}: use another file or its setting")


def _describe_differences(found: Setting, wanted: Setting) -> str:
    """Return the fields that differ, with both values; "" if none does."""
    pairs = [(field.name, getattr(found, field.name), getattr(wanted, field.name)) for field in fields(Setting)]
    return ", ".join(f"{name} {old}, not {new}" for name, old, new in pairs if old != new)


@dataclass(frozen=True)
class StructureTask:
    """The simulation of the structures of one library, for the workers."""

    setting: Setting

    def run(self, backend: Backend, index: int) -> Structure:
        """Return structure ``index``."""
        return simulate_structure(backend, self.setting, index)

    def describe(self, index: int) -> str:
        """Return "structure" and its number."""
        return f"structure {index}"


def simulate_structure(backend: Backend, setting: Setting, index: int) -> Structure:
    """Return structure ``index`` of the library with ``setting``: its parameters, intensities and geometry."""
    point, seed = get_point(setting.library_seed, index), get_seed(setting.library_seed, index)
    model = StructureModel(
        **point,
        shape=setting.shape,
        voxel_size_nm=setting.voxel_size_nm,
        smoothing_nm=setting.smoothing_nm,
        spectrum=setting.spectrum,
    )
    labels = make_labels(backend, model, seed)
    boundaries = np.asarray(backend.to_host(count_boundaries(backend, labels)))
    nodes = setting.nodes_nm1
    shells = compute_shells(backend, labels, setting.voxel_size_nm, nodes[-1])
    open_pore, pore = model.phase_counts
    voxels = np.array([open_pore, pore - open_pore, model.shape**3 - pore])
    return Structure(
        index=index,
        seed=seed,
        **point,
        log_codes=encode_intensity(np.array([shells.compute_intensity(nodes, density) for density in DENSITIES])),
        boundaries=boundaries,
        mean_chords_nm=compute_chords(voxels, boundaries, model.voxel_size_nm),
        layer_thickness_nm=compute_thickness(voxels[LAYER], boundaries, model.voxel_size_nm),
    )


def compute_chords(voxels: np.ndarray, boundaries: np.ndarray, voxel_size_nm: float) -> np.ndarray:
    """Return the mean chord of pore, layer and solid along the axes, (3,) nm; NaN for a phase that is absent.

    ``voxels`` (3,) counts the voxels of each phase, ``boundaries`` (3, 3) the faces (axis; pore|layer, pore|solid,
    layer|solid). Every chord ends at two faces.
    """
    pore_layer, pore_solid, layer_solid = boundaries.sum(axis=0)
    faces = np.zeros(3)
    faces[PORE], faces[LAYER] = pore_layer + pore_solid, pore_layer + layer_solid
    faces[SOLID] = pore_solid + layer_solid
    return np.where(faces > 0, 6 * voxels * voxel_size_nm / np.maximum(faces, 1), np.nan)


def compute_thickness(layer_voxels: int, boundaries: np.ndarray, voxel_size_nm: float) -> float:
    """Return the layer's volume over the mean area of its two sides, in nm; NaN without a layer.

    By Cauchy's formula, an isotropic surface has twice the area that its voxel faces show along one axis.
    """
    pore_layer, _, layer_solid = boundaries.sum(axis=0) * (2 / 3) * voxel_size_nm**2
    area = (pore_layer + layer_solid) / 2
    return float(layer_voxels * voxel_size_nm**3 / area) if area > 0 else float("nan")

"""Grow a structure library: simulate the structures of a design that a shard does not hold yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.library.design import get_point, get_seed
from pyfai_grf.library.shard import DENSITIES, Setting, Shard, Structure, open_shard
from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.kernels import count_boundaries
from pyfai_grf.simulation.structure import LAYER, PORE, SOLID, StructureModel, make_labels

#: seconds of work that a kill may cost at most (the structures are then made again, the same)
_SAVE_EVERY_S = 2.0


def generate_library(
    path: str | Path,
    count: int,
    setting: Setting,
    device: str = "auto",
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Shard:
    """Grow the shard at ``path`` to ``count`` structures and return it; what it holds already is kept.

    ``report`` is called with (structures held, count) after each structure. Stopped at any moment and started again,
    the shard becomes the same as in one undisturbed run on the same device.

    Raises
    ------
    InputError
        If the shard was made with another setting or generator, or cannot be written (or its folder is missing).
    """
    path = Path(path)
    if count < 1:
        raise InputError(f"--count is {count}: give the total number of structures, 1 or more")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}")
    shard = open_shard(path) if path.exists() else Shard(path, setting)
    if differences := _describe_differences(shard.setting, setting):
        raise InputError(f"{path} was made with {differences}: use another file or its setting")
    backend = get_backend(device)
    if not path.exists():
        shard.save()  # an unwritable place shows now, not after the first structure
    saved = time.monotonic()
    try:
        for index in range(count):
            if index in shard.structures:
                continue
            shard.add(simulate_structure(backend, setting, index))
            if time.monotonic() - saved > _SAVE_EVERY_S:
                shard.save()
                saved = time.monotonic()
            report(len(shard.structures), count)
    finally:
        shard.save()
    return shard


def _describe_differences(found: Setting, wanted: Setting) -> str:
    """Return the fields that differ with both values, "" if none does."""
    pairs = [(field.name, getattr(found, field.name), getattr(wanted, field.name)) for field in fields(Setting)]
    return ", ".join(f"{name} {old}, not {new}" for name, old, new in pairs if old != new)


def simulate_structure(backend: Backend, setting: Setting, index: int) -> Structure:
    """Return structure ``index`` of the library with ``setting``: parameters, intensities and its geometry."""
    point, seed = get_point(setting.library_seed, index), get_seed(setting.library_seed, index)
    model = StructureModel(
        **point, shape=setting.shape, voxel_size_nm=setting.voxel_size_nm, smoothing_nm=setting.smoothing_nm
    )
    labels = make_labels(backend, model, backend.make_rng(seed))
    boundaries = np.asarray(backend.to_host(count_boundaries(backend, labels)))
    nodes = setting.nodes_nm1
    shells = compute_shells(backend, labels, setting.voxel_size_nm, nodes[-1])
    open_pore, pore = model.phase_counts
    voxels = np.array([open_pore, pore - open_pore, model.shape**3 - pore])
    return Structure(
        index=index,
        seed=seed,
        **point,
        intensity=np.array([shells.compute_intensity(nodes, density) for density in DENSITIES]),
        boundaries=boundaries,
        mean_chords_nm=compute_chords(voxels, boundaries, model.voxel_size_nm),
        layer_thickness_nm=compute_thickness(voxels[LAYER], boundaries, model.voxel_size_nm),
    )


def compute_chords(voxels: np.ndarray, boundaries: np.ndarray, voxel_size_nm: float) -> np.ndarray:
    """Return the mean chord of pore, layer and solid along the axes, (3,) nm; NaN for a phase that is absent.

    ``voxels`` (3,) counts the voxels of each phase, ``boundaries`` (3, 3) the faces (axis; pore|layer, pore|solid,
    layer|solid). Every chord ends in two faces.
    """
    pore_layer, pore_solid, layer_solid = boundaries.sum(axis=0)
    faces = np.zeros(3)
    faces[PORE], faces[LAYER] = pore_layer + pore_solid, pore_layer + layer_solid
    faces[SOLID] = pore_solid + layer_solid
    return np.where(faces > 0, 6 * voxels * voxel_size_nm / np.maximum(faces, 1), np.nan)


def compute_thickness(layer_voxels: int, boundaries: np.ndarray, voxel_size_nm: float) -> float:
    """Return the layer's volume over the mean area of its two sides, in nm; NaN without a layer.

    By Cauchy's formula an isotropic surface has twice the area that its voxel faces show along one axis.
    """
    pore_layer, _, layer_solid = boundaries.sum(axis=0) * (2 / 3) * voxel_size_nm**2
    area = (pore_layer + layer_solid) / 2
    return float(layer_voxels * voxel_size_nm**3 / area) if area > 0 else float("nan")

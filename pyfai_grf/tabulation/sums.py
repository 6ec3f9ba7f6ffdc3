"""The boxes of one kind, stacked: shell means of the partial intensities, and what is exactly known about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation.grids import RAMP_WIDTH, BoxSetting, count_modes, get_grid, number_shells
from pyfai_grf.tabulation.store import BoxFolder
from pyfai_grf.theory.cross_spectra import compute_cross_spectra
from pyfai_grf.theory.scale_free import compute_scale_free_intensity


@dataclass(frozen=True)
class Shells:
    """Shells of half a grid step.

    Attributes
    ----------
    x, modes : (S,) mean x, and number of modes.
    ramp : (S,) exp(k^2 w^2), which undoes the coverage ramp.
    members : (M,) every x up to where control products are kept.
    weights : (M, L) what averages over the members, for the first L shells.
    """

    x: FloatArray
    modes: FloatArray
    ramp: FloatArray
    members: FloatArray
    weights: FloatArray

    def average(self, values: FloatArray) -> FloatArray:
        """Return the means (..., L) over the first L shells of ``values`` (..., M) at the ``members``."""
        return np.asarray(values @ self.weights)


def make_shells(setting: BoxSetting, kind: str) -> Shells:
    """Return the shells of the boxes of ``kind``, without the empty ones and without the last, which is cut in half."""
    grid = get_grid(setting, kind)
    shells = number_shells(grid.n_max)
    square = np.arange(shells.size)
    multiplicity = count_modes(grid.shape, grid.n_max, square, square.size)
    modes = np.bincount(shells, weights=multiplicity)[2:-1].astype(np.float64)
    step = 2 * np.pi / grid.length
    x = step * np.sqrt(np.bincount(shells, weights=multiplicity * square)[2:-1] / modes)
    inside = (multiplicity > 0) & (shells >= 2) & (shells < 2 * grid.n_control)
    members = np.flatnonzero(inside)
    weights = np.zeros((members.size, 2 * grid.n_control - 2))
    weights[np.arange(members.size), shells[members] - 2] = multiplicity[members] / modes[shells[members] - 2]
    ramp = np.exp(np.square(x * RAMP_WIDTH / grid.voxels_per_a))
    return Shells(x, modes, ramp, step * np.sqrt(members), weights)


@dataclass(frozen=True)
class Sums:
    """Boxes of one kind, stacked: means per mode with the ramp divided out, of B boxes, J porosities, K thicknesses.

    Attributes
    ----------
    index : (B,) numbers of the boxes.
    exact_ss, exact_controls : (J, S) and (J, J, L), the expectations of ``ss`` and ``controls``.
    dd, sd, ss : (B, J, K, S) twice and (B, J, S); D is solid and film, S is solid.
    volumes : (B, J, 1 + K) of the solid, and of solid and film.
    controls, mixed : (B, J, J, L), solid with solid, and (B, J, K, J, L), film with solid, on the first L shells.
    """

    setting: BoxSetting
    shells: Shells
    index: np.ndarray
    exact_ss: FloatArray
    exact_controls: FloatArray
    dd: FloatArray
    sd: FloatArray
    ss: FloatArray
    volumes: FloatArray
    controls: FloatArray
    mixed: FloatArray

    @property
    def layers(self) -> FloatArray:
        """Layer fractions of the boxes (B, J, K), relative to the expected pore volume."""
        volumes = self.volumes[:, :, 1:] - self.volumes[:, :, :1]
        return np.asarray(volumes / self.setting.porosities[:, np.newaxis])

    def select(self, kept: np.ndarray) -> Sums:
        """Return the boxes ``kept``."""
        arrays = (self.dd, self.sd, self.ss, self.volumes, self.controls, self.mixed)
        exact = self.exact_ss, self.exact_controls
        return Sums(self.setting, self.shells, self.index[kept], *exact, *(a[kept] for a in arrays))


def read_sums(folder: BoxFolder, kind: str) -> Sums:
    """Return all boxes of ``kind``.

    Raises
    ------
    InputError
        If there are fewer than two, or one cannot be read.
    """
    boxes = list(folder.read(kind))
    if len(boxes) < 2:
        raise InputError(f"{folder.path} holds {len(boxes)} {kind} boxes: at least two are needed, make more")
    setting, shells = folder.setting, make_shells(folder.setting, kind)
    low = shells.weights.shape[1]
    scale = shells.ramp / shells.modes
    arrays = {name: np.stack([box[name] for box in boxes]).astype(np.float64) for name in boxes[0]}
    full = {name: arrays[name][..., 2:-1] * scale for name in ("dd", "sd", "ss")}
    part = {name: arrays[name][..., 2 : 2 + low] * scale[:low] for name in ("controls", "mixed")}
    spectra = compute_cross_spectra(shells.members, np.array(setting.thresholds), setting.spectrum)
    controls = shells.average(spectra)
    ss = compute_scale_free_intensity(shells.x, setting.porosities, setting.spectrum)
    ss[:, :low] = np.einsum("jjs->js", controls)
    index = np.array(folder.list_boxes(kind))
    return Sums(setting, shells, index, ss, controls, **full, **part, volumes=arrays["volumes"])


def compute_reference(sums: Sums, layer: FloatArray) -> FloatArray:
    """Return the shell means (J, K, S) of the two-phase curves whose solid has the volume of solid and film."""
    shells, setting = sums.shells, sums.setting
    porosities = np.ravel(setting.porosities[:, np.newaxis] * (1 - layer))
    reference = compute_scale_free_intensity(shells.x, porosities, setting.spectrum)
    members = compute_scale_free_intensity(shells.members, porosities, setting.spectrum)
    reference[:, : shells.weights.shape[1]] = shells.average(members)
    return reference.reshape(*layer.shape, -1)

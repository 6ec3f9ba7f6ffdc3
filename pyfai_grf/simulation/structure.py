"""Two- and three-phase structures from a thresholded, smoothed Gaussian random field (Röding et al. 2022, Eq. 6-10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_SHAPE, PAPER_SMOOTHING_NM, PAPER_VOXEL_SIZE_NM
from pyfai_grf.simulation.distance import measure_distance
from pyfai_grf.simulation.field import compute_amplitudes, make_field
from pyfai_grf.simulation.kernels import PLANES, smooth_periodic
from pyfai_grf.simulation.ranking import label_by_rank
from pyfai_grf.theory.covariance import compute_flat_film
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum, get_spectrum

PORE, LAYER, SOLID = 0, 1, 2

#: the smoothed field orders voxels as long as the taps left out of its kernel would add less than this
_TRUNCATION = 1e-4
#: below this value of the smoothed field its float32 products underflow: the distance to the solid takes over
_UNDERFLOW = 1e-28


@dataclass(frozen=True)
class StructureModel:
    """One structure of the published model and the box it is made in; lengths in nm.

    Raises
    ------
    InputError
        If a value has no meaning in the model.
    """

    a: float
    porosity: float
    layer_fraction: float = 0.0
    shape: int = PAPER_SHAPE
    voxel_size_nm: float = PAPER_VOXEL_SIZE_NM
    smoothing_nm: float = PAPER_SMOOTHING_NM
    spectrum: str | Spectrum = DEFAULT_SPECTRUM

    def __post_init__(self) -> None:
        for name, value, is_valid, allowed in (
            ("a", self.a, 0 < self.a < np.inf, "a length in nm above 0"),
            ("porosity", self.porosity, 0 < self.porosity < 1, "between 0 and 1, both excluded"),
            ("layer_fraction", self.layer_fraction, 0 <= self.layer_fraction < 1, "0 or more and below 1"),
            ("shape", self.shape, self.shape == int(self.shape) and 8 <= self.shape <= 4096, "an integer of 8 to 4096"),
            ("voxel_size", self.voxel_size_nm, 0 < self.voxel_size_nm < np.inf, "a length in nm above 0"),
            ("smoothing", self.smoothing_nm, 0 <= self.smoothing_nm < np.inf, "a length in nm, 0 or more"),
        ):
            if not is_valid:
                raise InputError(f"{name} is {value}: it must be {allowed}")
        object.__setattr__(self, "shape", int(self.shape))  # 64.0 is as good as 64
        object.__setattr__(self, "spectrum", get_spectrum(self.spectrum))

    @property
    def phase_counts(self) -> tuple[int, int]:
        """Numbers of voxels that are pore, and that are not solid."""
        open_pore = round(self.porosity * (1 - self.layer_fraction) * self.shape**3)
        return open_pore, round(self.porosity * self.shape**3)

    @property
    def flat_film_nm(self) -> float:
        """Thickness of the layer's volume spread flat over the unsmoothed interface."""
        return float(self.a * compute_flat_film(self.porosity, self.layer_fraction, self.spectrum))


def make_structure(
    a: float,
    porosity: float,
    layer_fraction: float = 0.0,
    shape: int = PAPER_SHAPE,
    voxel_size: float = PAPER_VOXEL_SIZE_NM,
    seed: int = 1,
    device: str = "auto",
    smoothing: float = PAPER_SMOOTHING_NM,
    spectrum: str | Spectrum = DEFAULT_SPECTRUM,
) -> np.ndarray:
    """Return the phase labels of one periodic structure, (shape, shape, shape) uint8: 0 pore, 1 layer, 2 solid.

    Volume fractions are porosity (1 - layer_fraction), porosity layer_fraction and 1 - porosity, exact to one voxel.
    Röding et al. 2022, doi:10.3389/fmats.2022.956839, Eq. 6-10.

    Parameters
    ----------
    a : float
        Length scale in nm.
    porosity : float
        Volume fraction that is not solid.
    layer_fraction : float
        Fraction of the pore space that the layer at the interface fills; 0 for two phases.
    shape : int
        Edge of the box in voxels.
    voxel_size : float
        Edge of a voxel in nm.
    seed : int
        The same seed gives the same structure, on every device up to float32 rounding at the phase boundaries.
    device : {"auto", "cpu", "cuda"}
        Where to compute; "auto" is a GPU where one is usable.
    smoothing : float
        Standard deviation in nm of the Gaussian that smooths the interface (Eq. 9). 0 leaves it out; the layer is
        then ordered only by the distance to the solid.
    spectrum : str or Spectrum
        Spectral density of the field, such as "power:n=6".

    Returns
    -------
    ndarray
        The labels.

    Raises
    ------
    InputError
        If a parameter is out of range.
    DeviceError
        If "cuda" is asked for without a usable GPU.
    """
    backend = get_backend(device)
    model = StructureModel(a, porosity, layer_fraction, shape, voxel_size, smoothing, spectrum)
    return backend.to_host(make_labels(backend, model, seed))


def make_labels(backend: Backend, model: StructureModel, rng: Any) -> Any:
    """Return the phase labels of one realisation of ``model``, on the backend's device."""
    amplitudes = compute_amplitudes(model.a, model.shape, model.voxel_size_nm, model.spectrum)
    field = make_field(backend, rng, amplitudes, model.shape)
    return split_phases(backend, field, model)


def split_phases(backend: Backend, field: Any, model: StructureModel) -> Any:
    """Return the phase labels of the Gaussian ``field``: threshold, smooth, and rank to ``model``'s fractions."""
    open_pore, pore = model.phase_counts
    solid, _ = label_by_rank(backend, field, [pore], field)
    sigma = model.smoothing_nm / model.voxel_size_nm
    if sigma == 0 and open_pore == pore:
        return solid * SOLID
    depth = model.flat_film_nm / model.voxel_size_nm
    while sigma > 0 and ndtr(-depth / sigma) >= _UNDERFLOW:
        reach = _find_reach(depth, sigma)
        smooth = smooth_periodic(backend, solid, _make_taps(backend, sigma, reach))
        labels, (threshold, _) = label_by_rank(backend, smooth, [open_pore, pore], field)
        if open_pore == pore or ndtr(-(reach + 0.5) / sigma) <= 2 * _TRUNCATION * threshold:
            return labels
        del smooth, labels
        # the layer is thicker than expected: look further, at least by half
        depth = max(1.5 * depth, -sigma * ndtri(threshold)) if threshold > 0 else 2 * depth + sigma
    return _rank_by_distance(backend, field, solid, model)


def _rank_by_distance(backend: Backend, field: Any, solid: Any, model: StructureModel) -> Any:
    """Return phase labels where the layer reaches deeper than the smoothed field keeps an order.

    Voxels near the interface keep the order of the smoothed field. Those beyond are ordered by their distance to the
    solid, which is the order that the smoothed field would have without rounding.
    """
    xp = backend.xp
    sigma = model.smoothing_nm / model.voxel_size_nm
    reach = int(min(model.shape, max(8, 1.5 * model.flat_film_nm / model.voxel_size_nm)))
    if sigma > 0:
        values = smooth_periodic(backend, solid, _make_taps(backend, sigma, _find_reach(np.inf, sigma)))
    else:
        values = solid.astype(xp.float32)
    while True:
        distance = measure_distance(backend, solid, reach)

        def set_deep(part: slice, distance: Any = distance) -> None:
            xp.copyto(values[part], -distance[part], where=values[part] < xp.float32(_UNDERFLOW))

        backend.map_slices(set_deep, model.shape, PLANES)
        del distance, set_deep
        labels, (threshold, _) = label_by_rank(backend, values, model.phase_counts, field)
        if threshold > -(reach**2) or reach >= model.shape:
            return labels
        reach = min(2 * reach, model.shape)


def _find_reach(depth: float, sigma: float) -> int:
    """Return the kernel's radius in voxels that keeps the order of voxels ``depth`` voxels away from the interface."""
    level = max(float(ndtr(-max(depth, 0.0) / sigma)), _UNDERFLOW)
    return max(1, int(np.ceil(-sigma * ndtri(_TRUNCATION * level) - 0.5)))


def _make_taps(backend: Backend, sigma: float, reach: int) -> Any:
    taps = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    return backend.xp.asarray((taps / (2 * taps.sum() - taps[0])).astype(np.float32))

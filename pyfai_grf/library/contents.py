"""What a library keeps of each structure, and what its structures have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_LAYER_DENSITY, PAPER_SHAPE, PAPER_SMOOTHING_NM, PAPER_VOXEL_SIZE_NM
from pyfai_grf.core.versions import GENERATOR_VERSION
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM

#: layer densities at which intensities are stored; the quadratic through them gives all others
DENSITIES = (0.0, PAPER_LAYER_DENSITY, 1.0)
#: ln I is stored as 16-bit integers over this range: steps of 5.3e-4
LOG_LOW, LOG_HIGH = 5.0, 40.0
LOG_STEP = (LOG_HIGH - LOG_LOW) / 65535


@dataclass(frozen=True)
class Setting:
    """What all structures of a shard have in common; lengths in nm, ``spectrum`` as its canonical text."""

    library_seed: int
    shape: int = PAPER_SHAPE
    voxel_size_nm: float = PAPER_VOXEL_SIZE_NM
    smoothing_nm: float = PAPER_SMOOTHING_NM
    spectrum: str = DEFAULT_SPECTRUM
    generator_version: int = GENERATOR_VERSION

    @property
    def nodes_nm1(self) -> np.ndarray:
        """q at which intensities are stored: three per grid step, from the first step to at least 4.5 / (2 voxels)."""
        step = 2 * np.pi / (self.shape * self.voxel_size_nm)
        last = int(np.ceil(2.25 / self.voxel_size_nm / step))
        return step * np.linspace(1, last, 3 * (last - 1) + 1)


@dataclass(frozen=True)
class Structure:
    """What is kept of one simulated structure.

    Attributes
    ----------
    index, seed : its number in the library, and what its noise came from.
    a, porosity, layer_fraction : its parameters; ``a`` in nm.
    log_codes : (3, M) uint16, ``intensity`` as it is stored.
    boundaries : (3, 3) voxel faces between pore|layer, pore|solid and layer|solid, for each axis.
    mean_chords_nm : (3,) of pore, layer and solid.
    layer_thickness_nm : the layer's volume over the mean area of its two sides.
    """

    index: int
    seed: int
    a: float
    porosity: float
    layer_fraction: float
    log_codes: np.ndarray
    boundaries: np.ndarray
    mean_chords_nm: np.ndarray
    layer_thickness_nm: float

    @property
    def intensity(self) -> np.ndarray:
        """I at ``DENSITIES`` on the nodes, (3, M), on the paper's scale, to half a step of the logarithms (2.7e-4)."""
        return np.exp(self.log_codes * LOG_STEP + LOG_LOW)


def encode_intensity(intensity: np.ndarray) -> np.ndarray:
    """Return ``intensity`` as 16-bit codes of its logarithm.

    Raises
    ------
    InputError
        If a value is too small or too large for them.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        codes = np.round((np.log(intensity) - LOG_LOW) / LOG_STEP)
    if not (codes.min() >= 0 and codes.max() <= 65535):
        raise InputError("an intensity is outside the range that a library can store: this structure cannot be used")
    return codes.astype(np.uint16)

"""What the boxes of one three-phase table share, and the grids and shells of each kind of box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.versions import RECIPE_VERSION
from pyfai_grf.simulation.field import list_wave_numbers
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, get_spectrum

X_FINE, X_COARSE, X_WIDE = 25.5, 12.0, 4.0
KINDS = ("fine", "coarse", "wide", "pair")
#: products with the solids of all porosities are kept up to this x
X_CONTROL = 6.0
#: standard deviation of the coverage ramp, in voxels, which is divided out. With a narrower ramp, aliases would exceed
#: 1e-3 at q dx = 1.6; with a wider one, films that nearly meet would be misread (their Fourier factor is not a plane's)
RAMP_WIDTH = 0.4
#: thresholds of the unit field (porosity 0.05 to 0.95) and layer fractions of the shipped table's nodes
_THRESHOLDS = tuple(float(t) for t in np.linspace(-1.6449, 1.6449, 11))
_LAYER_FRACTIONS = (0.02, 0.06, 0.12, 0.19, 0.27, 0.36, 0.45, 0.54, 0.62)
#: in a shorter box the field would overlap with its periodic image
_SHORTEST = 8.0


@dataclass(frozen=True)
class BoxSetting:
    """What all boxes of one table share.

    Attributes
    ----------
    spectrum, seed : of the fields.
    shape, voxels_per_a : of the fine boxes: voxels an edge, and voxels per a.
    thresholds : of the unit field, one for each porosity, ascending.
    layer_fractions : those that the film thicknesses aim at, ascending.
    recipe_version : of the recipe that makes the boxes.

    Raises
    ------
    InputError
        If a value is outside what can be simulated.
    """

    spectrum: str = DEFAULT_SPECTRUM
    seed: int = 1
    shape: int = 512
    voxels_per_a: float = 16.0
    thresholds: tuple[float, ...] = _THRESHOLDS
    layer_fractions: tuple[float, ...] = _LAYER_FRACTIONS
    recipe_version: int = RECIPE_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "spectrum", get_spectrum(self.spectrum).text)
        for name in ("thresholds", "layer_fractions"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        limit = X_FINE / np.pi
        for name, value, is_valid, allowed in (
            ("shape", self.shape, self.shape % 4 == 0 and 64 <= self.shape <= 2048, "a multiple of 4 from 64 to 2048"),
            ("voxels_per_a", self.voxels_per_a, limit < self.voxels_per_a < np.inf, f"above {limit:.2f}"),
            ("length", self.length, self.length >= _SHORTEST, f"{_SHORTEST} a or more: shape / voxels_per_a"),
            ("recipe_version", self.recipe_version, self.recipe_version == RECIPE_VERSION, f"{RECIPE_VERSION} here"),
        ):
            if not is_valid:
                raise InputError(f"{name} of the boxes is {value}: it must be {allowed}")

    @property
    def porosities(self) -> np.ndarray:
        """The porosities (J,)."""
        return ndtr(np.array(self.thresholds))

    @property
    def length(self) -> float:
        """Edge of the box in units of a."""
        return self.shape / self.voxels_per_a


@dataclass(frozen=True)
class Grid:
    """The grid of one kind of box: voxels along an edge, edge in units of a, largest x."""

    shape: int
    length: float
    x_max: float

    @property
    def voxels_per_a(self) -> float:
        """Voxels per a."""
        return self.shape / self.length

    @property
    def n_max(self) -> int:
        """Largest wave number, in grid steps."""
        return int(np.ceil(self.x_max * self.length / (2 * np.pi)))

    @property
    def n_control(self) -> int:
        """Largest wave number of the products with all solids."""
        return min(int(np.ceil(X_CONTROL * self.length / (2 * np.pi))), self.n_max)


def get_grid(setting: BoxSetting, kind: str) -> Grid:
    """Return the grid of the boxes of ``kind``, one of ``KINDS``."""
    shape, length = setting.shape, setting.length
    return {
        "fine": Grid(shape, length, X_FINE),
        "coarse": Grid(shape // 2, length, X_COARSE),
        "wide": Grid(shape // 2, 2 * length, X_WIDE),
        "pair": Grid(shape // 4, length, X_WIDE),
    }[kind]


def count_modes(shape: int, n_max: int, bins: np.ndarray, size: int, minlength: int = 0) -> np.ndarray:
    """Return how many modes of the grid (|i|, |j|, |k| <= n_max) fall into each of ``bins``, given by n^2 < size."""
    numbers = list_wave_numbers(shape, n_max)
    square = numbers**2
    plane = np.add.outer(square, square).ravel()
    counts = np.zeros(max(int(bins.max()) + 1, minlength), dtype=np.int64)
    for k in numbers:
        n2 = plane + k * k
        counts += np.bincount(bins[n2[n2 < size]], minlength=counts.size)
    return counts


def number_shells(n_max: int) -> np.ndarray:
    """Return the shell of each n^2 = 0 .. n_max^2: the nearest multiple of half a grid step."""
    return np.rint(2 * np.sqrt(np.arange(n_max**2 + 1))).astype(np.int16)

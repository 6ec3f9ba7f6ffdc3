"""What a training run is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import Material, get_material
from pyfai_grf.core.published import PAPER_LAYER_DENSITY, PAPER_Q_NM1
from pyfai_grf.fit.options import FITTED
from pyfai_grf.theory.spectra import get_spectrum


@dataclass(frozen=True)
class TrainSettings:
    """Everything that decides a bundle, beside the library.

    ``name`` is the class, with "@paper" for the published setting. ``length_scale`` multiplies the published range of
    ``a`` (the whole model scales: q goes with its inverse). ``examples`` curves are drawn for a measured-sample
    model, ``draws`` noise draws a structure for a published-setting one. ``spectrum`` is kept in its canonical text,
    or is "fitted": every material has an exponent, a spread of ``a`` and a low-q upturn of its own, as a fit finds
    them. None: the libraries' for "@paper", else "fitted".

    Raises
    ------
    InputError
        If a value makes no sense, or the class cannot be trained in that flavour.
    """

    name: str
    q_nm1: FloatArray = field(default_factory=lambda: PAPER_Q_NM1)
    layer_density: float = PAPER_LAYER_DENSITY
    length_scale: float = 1.0
    examples: int = 60_000
    draws: int = 16
    bins: int = 60
    seed: int = 1
    spectrum: str | None = None

    def __post_init__(self) -> None:
        if self.material.phases == 3 and not self.is_paper:
            raise InputError(
                f"{self.name} for measured samples is not available yet: train {self.name}@paper from a library"
            )
        if self.spectrum == FITTED and self.is_paper:
            raise InputError(
                f"{self.name} learns structures of one spectrum, that of their library: '{FITTED}' is for measured "
                "samples"
            )
        if self.spectrum is not None and self.spectrum != FITTED:
            object.__setattr__(self, "spectrum", get_spectrum(self.spectrum).text)
        if not 0 < self.length_scale < np.inf:
            raise InputError(f"the length scale is {self.length_scale}: it must be above 0")
        if not 0 <= self.layer_density <= 1:
            raise InputError(f"the layer density is {self.layer_density}: it must be from 0 (pore) to 1 (solid)")
        if self.examples < 1000 or self.draws < 1:
            raise InputError("a training run takes 1000 examples and 1 noise draw at least")

    @property
    def material(self) -> Material:
        return get_material(self.name)

    @property
    def is_paper(self) -> bool:
        return self.name.endswith("@paper")

    @property
    def is_fitted(self) -> bool:
        """Whether every material has a spectrum of its own."""
        return not self.is_paper and self.spectrum in (None, FITTED)

    @property
    def flavour(self) -> str:
        return "paper" if self.is_paper else "measured"

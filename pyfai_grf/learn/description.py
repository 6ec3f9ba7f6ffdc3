"""What there is to know of a model beside its numbers: what it was trained for and from, and how well it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pyfai_grf.core.parameters import Material, get_material
from pyfai_grf.fit.options import FITTED
from pyfai_grf.theory.spectra import Spectrum, get_spectrum


@dataclass(frozen=True)
class ModelDescription:
    """What ``model.json`` says in words and figures.

    Attributes
    ----------
    material : name of the material class.
    flavour : "measured" (for samples) or "paper" (the published setting).
    spectrum : the spectral density, in its canonical text; "fitted": every material has one of its own, from the ranges
        that ``provenance`` names under "population".
    layer_density : electron density of the layer relative to the solid; None for two phases.
    length_scale : what multiplies the published range of ``a``.
    model_version : of the training; another number means that bundles of the same name were trained in another way.
    interval_level : part of the materials that an interval holds.
    provenance : where the examples come from, JSON-ready.
    errors : parameter -> measure -> figure, on the test set.
    misfit_limit : what 99.9 % of the calibration curves miss their fit by; None for "paper", and where no one spectrum
        has an expected curve to be missed.
    """

    material: str
    flavour: str
    spectrum: str
    layer_density: float | None
    length_scale: float
    model_version: int
    interval_level: float
    provenance: Mapping[str, Any]
    errors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    misfit_limit: float | None = None

    def get_material(self) -> Material:
        """Return the material class."""
        return get_material(self.material)

    def get_spectrum(self) -> Spectrum | None:
        """Return the spectral density, None where it is fitted; raises InputError if it is not known here."""
        return None if self.spectrum == FITTED else get_spectrum(self.spectrum)

    def to_json(self) -> dict[str, Any]:
        """Return what ``model.json`` holds of it."""
        return asdict(self)

    @classmethod
    def from_json(cls, text: Mapping[str, Any]) -> ModelDescription:
        """Return what ``to_json`` wrote, raising KeyError if a part is missing; what it does not know it leaves out."""
        return cls(**{part.name: text[part.name] for part in fields(cls)})

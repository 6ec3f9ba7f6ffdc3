"""The parameter table and the material classes: every name, unit and range, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from pyfai_grf.core.errors import InputError


@dataclass(frozen=True)
class Parameter:
    """One parameter of the structure model.

    ``low`` to ``high`` is the published range (Röding et al. 2022), ``design_low`` to ``design_high`` that range
    plus the margin over which structures are simulated, so that a model is never asked at the edge of its data;
    ``lowest`` to ``highest`` is what the parameter can mean at all.
    """

    name: str
    unit: str
    low: float
    high: float
    design_low: float
    design_high: float
    meaning: str
    lowest: float = 0.0
    highest: float = 1.0

    @property
    def column(self) -> str:
        """The name with its unit, as files and tables spell it."""
        return f"{self.name}_{self.unit}" if self.unit else self.name


PARAMETERS = {
    p.name: p
    for p in (
        Parameter("a", "nm", 0.8, 8.0, 0.7, 8.8, "length scale of the Gaussian random field", highest=float("inf")),
        Parameter("porosity", "", 0.1, 0.9, 0.07, 0.93, "volume fraction that is not solid (open and closed pores)"),
        Parameter("layer_fraction", "", 0.05, 0.5, 0.02, 0.55, "fraction of the pore space that the layer fills"),
    )
}

#: what a fit finds beside the parameters of the structure, as people say it
_FITTED = {"spectrum_n": "spectrum n", "spread": "spread of a"}


def name_parameter(name: str) -> str:
    """Return the name of a parameter, or of what a fit finds beside them, as people say it ("layer fraction")."""
    return _FITTED.get(name, name.replace("_", " "))


def get_unit(name: str) -> str:
    """Return the unit of a parameter, "" where it has none."""
    return PARAMETERS[name].unit if name in PARAMETERS else ""


@dataclass(frozen=True)
class Material:
    """A material class: how many phases, and on which side of porosity 0.5 (the user must choose: Babinet)."""

    name: str
    phases: int
    porosity_low: float
    porosity_high: float

    @property
    def is_mirrored(self) -> bool:
        """Whether its curves are those of another class at 1 - porosity (Babinet)."""
        return self.phases == 2 and self.porosity_low >= 0.5

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that a model of this class predicts."""
        return ("a", "porosity", "layer_fraction") if self.phases == 3 else ("a", "porosity")

    def get_range(self, name: str) -> tuple[float, float]:
        """Return the published range of parameter ``name`` within this class."""
        if name == "porosity":
            return self.porosity_low, self.porosity_high
        return PARAMETERS[name].low, PARAMETERS[name].high


MATERIALS = {
    m.name: m
    for m in (
        Material("two-phase-low-porosity", 2, 0.1, 0.5),
        Material("two-phase-high-porosity", 2, 0.5, 0.9),
        Material("three-phase-low-porosity", 3, 0.1, 0.5),
        Material("three-phase-high-porosity", 3, 0.5, 0.9),
    )
}


def get_material(name: str) -> Material:
    """Return the material class called ``name`` (a trailing ``@paper`` is ignored).

    Raises
    ------
    InputError
        If there is no class of that name.
    """
    material = MATERIALS.get(name.removesuffix("@paper"))
    if material is None:
        raise InputError(f"no material class is called {name!r}: choose one of {', '.join(MATERIALS)}")
    return material

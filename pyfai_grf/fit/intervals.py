"""The parameters of a minimum as they are read: value, standard error and 90 % interval of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.calibration import TWO_SIDED, load_calibration
from pyfai_grf.fit.family import PARAMETERS, Family, Shape

#: the logarithm of a length beyond which there is none
_LARGEST = 700.0


@dataclass(frozen=True)
class Parameters:
    """name -> number, by "a" (nm), "porosity", and the spectrum's parameter and "spread" where they were fitted."""

    values: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    lower: dict[str, float] = field(default_factory=dict)
    upper: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, value: float, ends: Sequence[float]) -> None:
        """Take up a parameter; the standard error is that of a normal distribution with this interval."""
        self.values[name], self.lower[name], self.upper[name] = float(value), float(min(ends)), float(max(ends))
        self.errors[name] = (self.upper[name] - self.lower[name]) / (2 * TWO_SIDED)


def measure_room(family: Family, shape: Shape, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return how far the bounds of those of the parameters ``names`` that have any lie below and above ``shape``."""
    room = {}
    for name, (low, high) in family.bounds.items():
        here = float(getattr(shape, name))
        room[name] = max(here - low, 0.0), max(high - here, 0.0)
    if "amplitude" in names and "power" not in names:  # of an upturn of 0
        room["amplitude"] = (0.0, np.inf)
    return room


def read_parameters(
    family: Family,
    shape: Shape,
    names: Sequence[str],
    covariance: FloatArray,
    is_mirrored: bool = False,
    calibration_error: float = 0.0,
) -> Parameters:
    """Return the parameters of ``shape``, given the (P, P) ``covariance`` of the fitted ones, ``names``.

    The interval of a contains the relative standard error ``calibration_error`` of q; ``is_mirrored`` asks for a
    porosity above 0.5.
    """
    room = measure_room(family, shape, names)

    def find_ends(name: str, error: float = 0.0) -> tuple[float, float]:
        below, above = load_calibration().find_reach(name, names, covariance, room)
        low, high = family.bounds.get(name, (-_LARGEST, _LARGEST))
        middle, more = float(getattr(shape, name)), TWO_SIDED * error
        return max(middle - float(np.hypot(below, more)), low), min(middle + float(np.hypot(above, more)), high)

    found = Parameters()
    found.add("a", shape.a, np.exp(find_ends("log_a", calibration_error)).tolist())
    porosity = ndtr(-np.sqrt(np.maximum((shape.u, *find_ends("u")), 0.0)))
    middle, *ends = (1 - porosity if is_mirrored else porosity).tolist()
    found.add("porosity", middle, ends)
    if "inverse_n" in family.names:
        middle, *ends = map(family.read_parameter, (shape.inverse_n, *find_ends("inverse_n")))
        found.add(PARAMETERS[family.form], middle, ends)
    if "variance" in family.names:
        found.add("spread", np.sqrt(shape.variance), np.sqrt(find_ends("variance")).tolist())
    return found

"""How far an interval reaches: the covariance, the bounds of the parameters, and factors learnt from known materials.

A covariance alone knows no bounds. A parameter that cannot lie below its bound is estimated at it or above; the
interval of Feldman and Cousins (PRD 57, 3873) holds its truth nine times in ten for all that. What is correlated with
it, as n and a are with the spread, cannot err to that side either.

What is left, the curvature of the model where photons are few, is learnt: :func:`load_calibration` holds, for each
parameter, the factors by which the intervals of many known materials had to be longer to hold 90 %.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.atomic import replace_file
from pyfai_grf.core.errors import InputError

#: of a normal distribution, 90 % lie within that many standard deviations, and below that many
TWO_SIDED, ONE_SIDED = 1.6449, 1.2816
#: a parameter within that many standard errors of its bound is at it
_AT_BOUND = 0.05
#: a parameter within that many standard errors of its bound knows no other
_NEAR_BOUND = 3.0
#: the state of a fit whose parameters lie off their bounds
FREE = "free"
_FORMAT, _FILE = "pyfai-grf fit calibration 1", "fit-calibration.json"


def find_reach(
    name: str, names: Sequence[str], covariance: FloatArray, room: Mapping[str, tuple[float, float]]
) -> tuple[float, float]:
    """Return how far the 90 % interval of a parameter reaches below and above its estimate.

    Parameters
    ----------
    name : the parameter.
    names, covariance : the P parameters of a fit, and their (P, P) covariance.
    room : how far the bounds of those that have any lie below and above the estimate, 0 or more.
    """
    deviation = dict(zip(names, np.sqrt(np.diag(covariance)), strict=True))
    low, high = room.get(name, (np.inf, np.inf))
    own, sides = names.index(name), np.full(2, TWO_SIDED * deviation[name])
    others = sorted(room.keys() - {name}, key=lambda other: min(room[other]) / deviation[other])
    # the nearest bound alone: two at once, each shortening the other, held 75 %; and a parameter near its own has that
    if others and min(low, high) > _NEAR_BOUND * deviation[name]:
        k = names.index(other := others[0])
        slope = covariance[own, k] / covariance[k, k]
        reach = np.array([shorten_reach(distance / deviation[other]) for distance in room[other]])
        moved = np.abs(slope) * deviation[other] * (reach if slope > 0 else reach[::-1])
        rest = covariance[own, own] - slope * covariance[own, k]
        sides = np.minimum(sides, moved + TWO_SIDED * np.sqrt(max(rest, 0.0)))
    return _end_at(sides[0], low), _end_at(sides[1], high)


def _end_at(reach: float, distance: float) -> float:
    """Return how far an interval reaches to the side where a bound lies at a distance."""
    deviation = max(reach / TWO_SIDED, 1e-300)
    return float(min(deviation * shorten_reach(distance / deviation), reach))


def shorten_reach(distance: float) -> float:
    """Return how many standard errors an interval reaches towards a bound so many standard errors away.

    Within 1.28 to the bound itself: an estimate lies farther from a truth at the bound once in ten times. From 3.29 on
    the usual 1.64, and between them no less than half the way: longer standard errors never shorten an interval.
    """
    return float(min(TWO_SIDED, max(min(distance, ONE_SIDED), distance / 2)))


def find_state(names: Sequence[str], covariance: FloatArray, room: Mapping[str, tuple[float, float]]) -> str:
    """Return the parameter of a fit that lies nearest to a bound, if it is at it, else "free"."""
    deviation = dict(zip(names, np.sqrt(np.diag(covariance)), strict=True))
    near = {name: min(sides) / deviation[name] for name, sides in room.items()}
    nearest = min(near, key=lambda name: near[name], default=FREE)
    return nearest if nearest != FREE and near[nearest] < _AT_BOUND else FREE


@dataclass(frozen=True)
class Calibration:
    """Factors of standard errors.

    ``edges`` (B - 1,) divide the standard error of u, the threshold squared: a measure of how much a curve tells.
    ``factors`` name -> (B,), for fits whose parameters lie off their bounds; ``states`` parameter at a bound -> name ->
    a further factor. ``provenance`` says what they were learnt from.
    """

    edges: FloatArray
    factors: Mapping[str, FloatArray]
    states: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def get_factor(self, name: str, error: float, state: str = FREE) -> float:
        """Return the factor of a parameter, given the standard ``error`` of u; 1 for one that was not calibrated."""
        if name not in self.factors:
            return 1.0
        factor = float(self.factors[name][int(np.searchsorted(self.edges, error))])
        return factor * self.states.get(state, {}).get(name, 1.0)

    def find_reach(
        self, name: str, names: Sequence[str], covariance: FloatArray, room: Mapping[str, tuple[float, float]]
    ) -> tuple[float, float]:
        """Return :func:`find_reach` with standard errors that hold."""
        error = float(np.sqrt(covariance[names.index("u"), names.index("u")]))
        factor = self.get_factor(name, error, find_state(names, covariance, room))
        return find_reach(name, names, factor**2 * covariance, room)

    def save(self, path: Path) -> None:
        """Write the factors as JSON; raises InputError if that cannot be done."""
        content = {
            "format": _FORMAT,
            "edges": list(map(float, self.edges)),
            "factors": {name: [round(float(value), 3) for value in values] for name, values in self.factors.items()},
            "states": {state: {name: round(v, 3) for name, v in known.items()} for state, known in self.states.items()},
            "provenance": self.provenance,
        }
        with replace_file(path) as draft:
            draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@functools.lru_cache(maxsize=1)
def load_calibration() -> Calibration:
    """Return the bundled factors.

    Raises
    ------
    InputError
        If they are missing or damaged.
    """
    path = Path(str(importlib.resources.files("pyfai_grf_models"))) / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError("another format")
        edges = np.array(content["edges"], np.float64)
        factors = {name: np.array(values, np.float64) for name, values in content["factors"].items()}
        states = {state: {n: float(v) for n, v in known.items()} for state, known in content["states"].items()}
        further = np.array([value for known in states.values() for value in known.values()])
        if any(values.shape != (edges.size + 1,) for values in factors.values()):
            raise ValueError("factors do not fit their edges")
        for values in (*factors.values(), further):
            if not np.all((values > 0) & (values < np.inf)):
                raise ValueError("a factor is no positive number")
        return Calibration(edges, factors, states, content["provenance"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(f"{path} is not the calibration of the fit ({problem}): install pyfai-grf again") from None

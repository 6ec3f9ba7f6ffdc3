"""The materials that a measured-sample model learns where no spectrum is pinned: each has one of its own.

The spectrum is (1 + (aq)^n)^-2 with an exponent n that every material draws for itself, a has a lognormal spread, and
the curve may rise towards low q: what :func:`pyfai_grf.fit.curve_fit.fit_curve` fits, in the ranges where it is usual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.fit.raster import make_raster

#: the exponents, uniform in 1 / n: a curve of n = 4 differs from one of 5 as much as one of 8 does from one of 13
N_TRAINED = (4.0, 16.0)
#: standard deviation of ln a, uniform; and the part of the materials that have none
SPREAD_TRAINED, _WITHOUT_SPREAD = (0.0, 0.3), 0.3
#: an interval has to hold in each of these ranges of n and of the spread (the first: none), not only on the average
_N_CLASSES, _SPREAD_CLASSES = (5.0, 7.0, 10.0), (1e-9, 0.15)
#: exponents p of an upturn A q^-p; and the part of the curves that have none
POWER_TRAINED, _WITHOUT_UPTURN = (3.0, 4.5), 0.4
#: where it crosses the curve, uniform in ln q: from this part of the first q on, where it hardly shows, to the lowest
#: tenth of the range, and to this q a at most: the shoulder (0.8) has to be seen
_CROSSING_LOW, _CROSSING_HIGH, _CROSSING_QA = 1 / 3, 0.1, 0.4


@dataclass(frozen=True)
class Population:
    """N materials: what shapes their curves beside ``a`` in nm and ``porosity``, (N,) each.

    ``inverse_n`` of the spectrum, ``spread`` of ln a, an upturn q^-``power`` that crosses the curve at
    ``crossing_nm1``, NaN where there is none.
    """

    a: FloatArray
    porosity: FloatArray
    inverse_n: FloatArray
    spread: FloatArray
    power: FloatArray
    crossing_nm1: FloatArray

    def classify(self) -> NDArray[np.int64]:
        """Return in which class of n, and in which of the spread, each material is, (N, 2)."""
        classes = np.digitize(1 / self.inverse_n, _N_CLASSES), np.digitize(self.spread, _SPREAD_CLASSES)
        return np.stack(classes, axis=1)

    def draw_curves(self, q_nm1: FloatArray, rows: slice) -> FloatArray:
        """Return the expected curves (R, M) of ``rows`` as a reduction gives them: averaged over the bins of q."""
        raster = make_raster(q_nm1)
        family = Family(None, has_spread=True)
        curves = []
        for row in range(*rows.indices(self.a.size)):
            # the curve is even in the threshold
            u = float(ndtri(self.porosity[row])) ** 2
            shape = Shape(float(np.log(self.a[row])), u, float(self.inverse_n[row]), float(self.spread[row]) ** 2)
            curve = raster.average(family.evaluate(raster.nodes, shape))
            if np.isfinite(cross := self.crossing_nm1[row]):
                height = family.evaluate(np.array([cross]), shape)[0]
                curve = curve + height * raster.average((raster.nodes / cross) ** -self.power[row])
            curves.append(curve)
        return np.array(curves)


def draw_population(a: FloatArray, porosity: FloatArray, q_nm1: FloatArray, rng: np.random.Generator) -> Population:
    """Return materials of ``a`` in nm and ``porosity`` (N,), for curves from the first to the last ``q_nm1``."""
    count = a.size
    inverse_n = rng.uniform(1 / N_TRAINED[1], 1 / N_TRAINED[0], count)
    spread = np.where(rng.random(count) < _WITHOUT_SPREAD, 0.0, rng.uniform(*SPREAD_TRAINED, count))
    low, high = _CROSSING_LOW * q_nm1[0], q_nm1[0] + _CROSSING_HIGH * (q_nm1[-1] - q_nm1[0])
    highest = np.clip(_CROSSING_QA / a, q_nm1[0], high)
    crossing = low * (highest / low) ** rng.random(count)
    crossing[rng.random(count) < _WITHOUT_UPTURN] = np.nan
    return Population(a, porosity, inverse_n, spread, rng.uniform(*POWER_TRAINED, count), crossing)


def describe_population() -> dict[str, Any]:
    """Return the ranges that materials are drawn from, as a model's provenance has them."""
    return {
        "spectrum_n": list(N_TRAINED),
        "spectrum_n_drawn": "uniform in 1 / n",
        "spread": list(SPREAD_TRAINED),
        "without_spread": _WITHOUT_SPREAD,
        "upturn_power": list(POWER_TRAINED),
        "without_upturn": _WITHOUT_UPTURN,
        "upturn_crosses": f"the curve from {_CROSSING_LOW:.2g} of the first q to the lowest {_CROSSING_HIGH:.0%} of "
        f"the range, at q a of {_CROSSING_QA} at most",
    }

"""Where a descent has ended by chance, a look elsewhere helps."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.descent import Slope
from pyfai_grf.fit.detour import choose_power
from pyfai_grf.fit.family import Family
from pyfai_grf.fit.raster import make_raster

Q = np.linspace(0.04, 3.0, 200)


def make_slope() -> Slope:
    raster = make_raster(Q)
    return Slope(Family(None, True), raster.matrix, raster.log_q, Q[0], True, True)


def measure(slope: Slope, row: FloatArray, upturn: float, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return a curve with noise of 1 %, and 1 / its standard deviation."""
    seen, rise = slope.draw(row[np.newaxis])
    assert rise is not None
    curve = seen[0, 0] + 0.05 * seen[0, 0, -1] + upturn * seen[0, 0, 0] * rise[0, 0]
    noise = np.random.default_rng(seed).normal(size=Q.size)
    return curve * (1 + 0.01 * noise), 100 / curve


def test_an_upturn_of_nothing_is_looked_for_elsewhere() -> None:
    """At an exponent of 4.5 one of 1.2 looks like none; all exponents at once show it."""
    slope = make_slope()
    truth = np.array([np.log(3.0), 0.3, 0.13, 0.0, 1.2])
    intensity, root = measure(slope, truth, 0.05, 3)
    given = truth.copy()
    given[4] = 4.5
    powers = np.arange(1.0, 4.5, 0.1)
    x, changed = choose_power(slope, given[np.newaxis], intensity[np.newaxis], root[np.newaxis], powers)
    assert changed[0]
    assert x[0, 4] < 2.5

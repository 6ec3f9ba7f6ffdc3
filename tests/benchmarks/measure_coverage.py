"""Whether the 90 % intervals of ``fit_curve`` hold, and the factors with which they do.

    python -m tests.benchmarks.measure_coverage --calibrate [--cases 4000]   # writes models/fit-calibration.json
    python -m tests.benchmarks.measure_coverage --performance [--frames 300] # writes models/fit-performance.json
    python -m tests.benchmarks.measure_coverage [--cases 4000] [--frames 300] [-o TABLES.md]

Calibration and test draw different materials of one population (``coverage_population``). The score of a case is the
smallest factor of the standard errors with which the interval holds the truth; the factor of a cell is the quantile of
its scores that holds 90 % of new cases (conformal prediction). The test reads the intervals as ``fit_curve`` returns
them, for the population, the same without errors, the published spectrum when that is asked for, frames through
pyFAI, the mean of simulated boxes, and curves without noise.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.provenance import collect_versions
from pyfai_grf.core.records import Curve, Fit
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.calibration import FREE, Calibration, find_reach, find_state
from pyfai_grf.fit.curve_fit import fit_points
from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.fit.intervals import measure_room
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.fit.performance import Performance
from tests.benchmarks.coverage_population import (
    Case,
    Material,
    expose_cases,
    measure_cases,
    simulate_cases,
    stack_column,
)

OUTPUTS = ("a", "porosity", "spectrum_n", "spread")
_FITTED = ("log_a", "u", "inverse_n", "variance")
#: what divides the standard errors of u: about as many cases in each cell
_EDGES = (0.004, 0.012, 0.04, 0.12)
_LEVEL, _FEWEST = 0.9, 20
#: photons of a row of the performance
_PHOTONS = ((1e5, 1e6), (1e6, 1e7), (1e7, 1e8), (1e8, 1e9))
_CALIBRATION_SEED, _TEST_SEED = 1, 2
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """A case and its fit."""

    material: Material
    fit: Fit

    @property
    def truth(self) -> dict[str, float]:
        """The parameters as a fit of the spectrum has them."""
        m = self.material
        return dict(zip(_FITTED, (np.log(m.a), ndtri(m.porosity) ** 2, 1 / m.spectrum_n, m.spread**2), strict=True))

    @property
    def estimate(self) -> dict[str, float]:
        """What was fitted."""
        a, porosity, n, spread = (self.fit.values[name] for name in OUTPUTS)
        return dict(zip(_FITTED, (np.log(a), ndtri(porosity) ** 2, 1 / n, spread**2), strict=True))

    @property
    def room(self) -> dict[str, tuple[float, float]]:
        """How far the bounds lie from the estimate."""
        return measure_room(Family(None, True), Shape(**self.estimate), self.fit.names)

    @property
    def state(self) -> str:
        """The parameter at a bound."""
        if "spectrum_n" not in self.fit.values:
            return FREE
        return find_state(self.fit.names, self.fit.covariance, self.room)

    def holds(self, name: str) -> float:
        """Return whether the interval of an output holds its truth, NaN where it was not fitted.

        The last digit of a bound is none.
        """
        if name not in self.fit.lower:
            return np.nan
        truth = getattr(self.material, name)
        low, high = self.fit.lower[name], self.fit.upper[name]
        return float(low * (1 - 1e-9) - 1e-6 <= truth <= high * (1 + 1e-9))

    def score(self, name: str) -> float:
        """Return the smallest factor of the standard errors with which the interval holds the truth."""
        room, distance = self.room, self.truth[name] - self.estimate[name]
        low, high = 1e-3, 1e3
        for _ in range(24):
            middle = np.sqrt(low * high)
            reach = find_reach(name, self.fit.names, middle**2 * self.fit.covariance, room)[int(distance > 0)]
            low, high = (low, middle) if reach >= abs(distance) - 1e-12 else (middle, high)
        return float(high)


def fit_cases(cases: Iterable[Case], has_sigma: bool = True, spectrum: str = "fitted") -> list[Row]:
    """Return the fits; the truth knows its q exactly."""
    rows, options = [], FitOptions(spectrum, calibration_error=0.0)
    for case in cases:
        curve = Curve(case.q_nm1, case.intensity, case.sigma if has_sigma else None, case.weight)
        rows.append(Row(case.material, fit_points(clean_curve(curve), options=options)))
    return rows


def calibrate(rows: Sequence[Row]) -> Calibration:
    """Return the factors of accepted fits: by what the curve tells, and where a parameter lies at a bound."""
    rows = [row for row in rows if row.fit.is_applicable]
    scores = {name: np.array([row.score(name) for row in rows]) for name in _FITTED}
    errors = np.array([np.sqrt(row.fit.covariance[(row.fit.names.index("u"),) * 2]) for row in rows])
    cell = np.searchsorted(_EDGES, errors)
    factors = {
        name: np.array([find_quantile(values[cell == k]) for k in range(len(_EDGES) + 1)])
        for name, values in scores.items()
    }
    state = np.array([row.state for row in rows])
    states: dict[str, dict[str, float]] = {}
    for bound in sorted(set(state.tolist()) - {FREE}):
        part = state == bound
        # of a parameter at its own bound the interval is right for each truth, not for the truths that end there
        for name in set(_FITTED) - {bound}:
            if np.count_nonzero(part) >= _FEWEST:
                further = find_quantile(scores[name][part] / factors[name][cell[part]])
                states.setdefault(bound, {})[name] = max(further, 1.0)
    provenance = {
        "versions": collect_versions(),
        "made_by": "tests/benchmarks/measure_coverage.py",
        "seed": _CALIBRATION_SEED,
        "cases": [int(np.count_nonzero(cell == k)) for k in range(len(_EDGES) + 1)],
        "cases_at_bounds": {bound: int(np.count_nonzero(state == bound)) for bound in states},
    }
    return Calibration(np.array(_EDGES), factors, states, provenance)


def find_quantile(scores: FloatArray) -> float:
    """Return the score that 90 % of new ones do not exceed, given these."""
    rank = min(int(np.ceil(_LEVEL * (scores.size + 1))), scores.size)
    return float(np.sort(scores)[rank - 1])


def tabulate(rows: Sequence[Row]) -> list[str]:
    """Return the table of what the intervals hold, in the cells of each parameter."""
    accepted = np.array([row.fit.is_applicable for row in rows])
    held = np.array([[row.holds(name) for name in OUTPUTS] for row in rows])
    materials = [row.material for row in rows]
    lines = [
        f"| cell | cases | refused | {' | '.join(OUTPUTS)} |".replace("spectrum_n", "n"),
        "|---|---|---|---|---|---|---|",
    ]
    for name, part in list_cells(materials, rows):
        if np.count_nonzero(part) < _FEWEST:
            continue
        shares = (f"{x:.3f}" if np.isfinite(x) else "-" for x in np.mean(held[part & accepted], axis=0))
        cells = [name, str(np.count_nonzero(part)), f"{1 - np.mean(accepted[part]):.1%}", *shares]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def list_cells(materials: list[Material], rows: Sequence[Row]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield names and members (N,) of the cells: all, thirds of each parameter, decades, grids, bounds."""
    yield "all", np.ones(len(materials), bool)
    counts = np.log10(stack_column(materials, "counts"))
    for low, high in ((4.8, 5.5), (5.5, 6.0), (6.0, 7.0), (7.0, 8.0), (8.0, 9.0)):
        yield f"10^{low:g} to 10^{high:g} photons", (counts >= low) & (counts < high)
    columns: dict[str, tuple[str, Callable[[Material], float]]] = {
        "a (usual grid)": ("", lambda m: m.a * m.scale),
        "porosity": ("", lambda m: m.porosity),
        "n": ("", lambda m: m.spectrum_n),
        "spread": ("no spread", lambda m: m.spread),
        "upturn": ("no upturn", lambda m: m.upturn),
        "background": ("", lambda m: m.background),
    }
    for name, (nothing, read) in columns.items():
        values = np.array([read(material) for material in materials])
        some = values > 0
        if nothing:
            yield nothing, ~some
        if not some.any():
            continue
        edges = np.quantile(values[some], (0.0, 0.5, 1.0) if nothing else (0.0, 1 / 3, 2 / 3, 1.0))
        for low, high in itertools.pairwise(edges):
            yield f"{name} {low:.2g} to {high:.2g}", some & (values >= low) & (values <= high)
    for grid in sorted({material.grid for material in materials}):
        yield grid, np.array([material.grid == grid for material in materials])
    state = np.array([row.state if np.isfinite(row.fit.values["a"]) else "" for row in rows])
    for bound in sorted(set(state.tolist()) - {""}):
        yield f"bound: {bound}", state == bound
    yield "within x %", np.array([row.fit.model_error > 0 and row.fit.is_applicable for row in rows])


def measure_performance(frames: int) -> Performance:
    """Return what the fit reaches on ``frames`` frames through pyFAI, the spectrum unknown and known."""
    rows = []
    for name, is_known, spectrum in (("unknown", False, "fitted"), ("known", True, "roding2022")):
        found = fit_cases(expose_cases(frames, _TEST_SEED + 6 + is_known, is_known), spectrum=spectrum)
        counts = np.array([row.material.counts for row in found])
        for low, high in _PHOTONS:
            rows.append(
                _summarise(name, (low, high), [found[k] for k in np.flatnonzero((counts >= low) & (counts < high))])
            )
    population = (
        "simulated frames through pyFAI: a 1 to 8 nm, porosity 0.05 to 0.5, every other one with an upturn, a flat "
        "background; unknown: n from 4 to 16, a spread of a up to 0.3"
    )
    provenance = {"versions": collect_versions(), "made_by": "tests/benchmarks/measure_coverage.py"}
    return Performance(rows, population, provenance)


def _summarise(name: str, photons: tuple[float, float], rows: list[Row]) -> dict[str, object]:
    good = [row for row in rows if row.fit.is_applicable]
    a = np.array([100 * abs(row.fit.values["a"] / row.material.a - 1) for row in good])
    porosity = np.array([abs(row.fit.values["porosity"] - row.material.porosity) for row in good])
    return {
        "spectrum": name,
        "photons": photons,
        "frames": len(rows),
        "refused": round(1 - len(good) / len(rows), 4),
        "a_percent": [float(f"{x:.3g}") for x in np.quantile(a, (0.5, 0.9))],
        "porosity": [float(f"{x:.3g}") for x in np.quantile(porosity, (0.5, 0.9))],
        "a_inside": round(float(np.mean([row.holds("a") for row in good])), 3),
        "porosity_inside": round(float(np.mean([row.holds("porosity") for row in good])), 3),
    }


def main() -> None:
    """Calibrate or test, and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--performance", action="store_true")
    parser.add_argument("--cases", type=int, default=4000)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--boxes", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.calibrate:
        found = calibrate(fit_cases(measure_cases(options.cases, _CALIBRATION_SEED)))
        found.save(_ROOT / "models" / "fit-calibration.json")
        return
    if options.performance:
        measure_performance(options.frames).save(_ROOT / "models" / "fit-performance.json")
        return
    few = max(options.cases // 4, 1)
    parts: dict[str, Callable[[], list[Row]]] = {
        "The population": lambda: fit_cases(measure_cases(options.cases, _TEST_SEED)),
        "Without errors": lambda: fit_cases(measure_cases(few, _TEST_SEED + 1), has_sigma=False),
        "Published spectrum, pinned": lambda: fit_cases(
            measure_cases(few, _TEST_SEED + 4, is_published=True), spectrum="roding2022"
        ),
        "Frames through pyFAI": lambda: fit_cases(expose_cases(options.frames, _TEST_SEED + 2)),
        "Simulated boxes": lambda: fit_cases(simulate_cases(options.boxes, _TEST_SEED + 5)),
        "Without noise or errors": lambda: fit_cases(
            measure_cases(few // 4, _TEST_SEED + 3, has_noise=False), has_sigma=False
        ),
    }
    lines: list[str] = []
    for name, measure in parts.items():
        lines += [f"**{name}**", "", *tabulate(measure()), ""]
        sys.stderr.write(f"{name}: done\n")
    text = "\n".join(lines)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

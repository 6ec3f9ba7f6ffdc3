"""How near ``fit_curve`` comes to the counting-noise bound, and whether its intervals hold.

    python -m tests.benchmarks.measure_fit [--curves 200] [-o TABLE.md]

Curves of infinite samples (a 1.5 to 7 nm, porosity 0.15 to 0.45) on 500 bins, photons on whole rings, a flat background
of 2 % of the last bin; the last rows smeared by a resolution. The standard errors are those of the covariance, which is
the bound: "z" is the standard deviation of the deviations from the truth in standard errors, "inside" the part of the
90 % intervals that hold it. Cost: CPU and wall-clock milliseconds, cleaning included, the median over curves fitted one
by one, and the mean of all at once.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Curve, Fit
from pyfai_grf.features.points import clean_curve
from pyfai_grf.fit.curve_fit import fit_batch
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.learn.examples import count_photons
from pyfai_grf.theory.closed_form import average_curves

Q = np.linspace(0.04, 3.0, 500)
#: what is asked for, the truth, its exponent, and the resolution in 1/nm
CASES = (
    ("roding2022", "roding2022", 8, 0.0),
    ("fitted", "roding2022", 8, 0.0),
    ("fitted", "power:n=5", 5, 0.0),
    ("fitted", "power:n=14", 14, 0.0),
    ("fitted", "roding2022", 8, 0.01),
)
#: curves that are fitted one by one
SINGLE = 40


def measure(asked: str, spectrum: str, n: int, resolution: float, photons: float, count: int) -> str:
    """Return one row of the table."""
    rng = np.random.default_rng([count, n, int(np.log10(photons) * 2)])
    truth = {
        "a": rng.uniform(1.5, 7, count),
        "porosity": rng.uniform(0.15, 0.45, count),
        "spectrum_n": np.full(count, n),
    }
    nodes, weights = np.polynomial.hermite_e.hermegauss(6 if resolution else 1)
    weights, truth_columns = weights / weights.sum(), (truth["a"], truth["porosity"])
    curves = sum(
        weight * average_curves(np.hypot(Q + resolution * across, resolution * along), *truth_columns, spectrum)
        for (across, along), weight in zip(product(nodes, nodes), np.outer(weights, weights).flat, strict=True)
    )
    curves += 0.02 * curves[:, -1:]
    measured, sigma = count_photons(curves, np.tile(Q, (count, 1)), np.full(count, photons), rng)
    options = FitOptions(asked, resolution_nm1=resolution, calibration_error=0.0)

    def fit(chosen: slice) -> list[Fit]:
        rows = zip(measured[chosen], sigma[chosen], strict=True)
        return fit_batch([clean_curve(Curve(Q, *row)) for row in rows], options=options)

    fit(slice(0, 1))  # tables and matrices are kept
    single = np.median([time_call(fit, slice(k, k + 1))[1] for k in range(min(SINGLE, count))], axis=0)
    fits, cost = time_call(fit, slice(0, count))
    refused = np.mean([not found.is_applicable for found in fits])
    name = f"{spectrum}, smeared" if resolution else spectrum
    cells = [asked, name, f"{photons:.0e}".replace("e+0", "e"), f"{refused:.3f}"]
    for name, values in truth.items():
        if name not in fits[0].values:
            cells += ["-", "-", "-"]
            continue
        value, error, low, high = (
            np.array([getattr(found, part)[name] for found in fits]) for part in ("values", "errors", "lower", "upper")
        )
        rms = np.sqrt(np.mean(((value - values) / (values if name == "a" else 1.0)) ** 2))
        inside = np.mean((low <= values) & (values <= high))
        cells += [f"{rms:.2g}", f"{np.std((value - values) / error):.2f}", f"{inside:.3f}"]
    cells += [f"{1e3 * part:.1f}" for part in (*single, *(cost / count))]
    return f"| {' | '.join(cells)} |"


def time_call(function: Callable[[slice], list[Fit]], chosen: slice) -> tuple[list[Fit], FloatArray]:
    """Return what ``function`` returns, and the CPU and wall-clock seconds that it took."""
    start = np.array([time.process_time(), time.perf_counter()])
    result = function(chosen)
    return result, np.array([time.process_time(), time.perf_counter()]) - start


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=200)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    names = [f"{name}: {part}" for name in ("a (relative)", "porosity", "n") for part in ("rms error", "z", "inside")]
    costs = ["single: CPU ms", "wall", "batch: CPU ms", "wall"]
    head = f"| asked | true | photons | refused | {' | '.join(names)} | {' | '.join(costs)} |"
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for case in CASES:
        for photons in (1e6, 1e7, 1e8):
            lines.append(measure(*case, photons, options.curves))
            sys.stderr.write(lines[-1] + "\n")
    text = "\n".join(lines) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

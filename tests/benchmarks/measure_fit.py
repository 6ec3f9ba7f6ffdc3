"""How near ``fit_curve`` comes to the counting-noise bound, and whether its intervals hold.

    python -m tests.benchmarks.measure_fit [--curves 200] [-o TABLE.md]

Curves of infinite samples (a 1.5 to 7 nm, porosity 0.15 to 0.45) on 500 bins, photons on whole rings, a flat background
of 2 % of the last bin. The standard errors are those of the covariance, which is the bound: "z" is the standard
deviation of the deviations from the truth in standard errors, "inside" the part of the 90 % intervals that hold it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from pyfai_grf.fit.curve_fit import fit_curve
from pyfai_grf.learn.examples import count_photons
from pyfai_grf.theory.closed_form import average_curves

Q = np.linspace(0.04, 3.0, 500)
#: what is asked for, the truth, and its exponent
CASES = (
    ("roding2022", "roding2022", 8),
    ("fitted", "roding2022", 8),
    ("fitted", "power:n=5", 5),
    ("fitted", "power:n=14", 14),
)


def measure(asked: str, spectrum: str, n: int, photons: float, count: int) -> str:
    """Return one row of the table."""
    rng = np.random.default_rng([count, n, int(np.log10(photons) * 2)])
    truth = {
        "a": rng.uniform(1.5, 7, count),
        "porosity": rng.uniform(0.15, 0.45, count),
        "spectrum_n": np.full(count, n),
    }
    curves = average_curves(Q, truth["a"], truth["porosity"], spectrum)
    curves += 0.02 * curves[:, -1:]
    measured, sigma = count_photons(curves, np.tile(Q, (count, 1)), np.full(count, photons), rng)
    start = time.process_time()
    fits = [fit_curve(Q, m, s, spectrum=asked) for m, s in zip(measured, sigma, strict=True)]
    cost = (time.process_time() - start) / count
    refused = np.mean([not fit.is_applicable for fit in fits])
    cells = [asked, spectrum, f"{photons:.0e}".replace("e+0", "e"), f"{refused:.3f}"]
    for name, values in truth.items():
        if name not in fits[0].values:
            cells += ["-", "-", "-"]
            continue
        value, error, low, high = (
            np.array([getattr(fit, part)[name] for fit in fits]) for part in ("values", "errors", "lower", "upper")
        )
        rms = np.sqrt(np.mean(((value - values) / (values if name == "a" else 1.0)) ** 2))
        inside = np.mean((low <= values) & (values <= high))
        cells += [f"{rms:.2g}", f"{np.std((value - values) / error):.2f}", f"{inside:.3f}"]
    return f"| {' | '.join(cells)} | {1e3 * cost:.0f} |"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=200)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    names = [f"{name}: {part}" for name in ("a (relative)", "porosity", "n") for part in ("rms error", "z", "inside")]
    head = f"| asked | true | photons | refused | {' | '.join(names)} | CPU ms |"
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for asked, spectrum, n in CASES:
        for photons in (1e6, 1e7, 1e8):
            lines.append(measure(asked, spectrum, n, photons, options.curves))
            sys.stderr.write(lines[-1] + "\n")
    text = "\n".join(lines) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

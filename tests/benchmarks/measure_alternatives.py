"""Which families of spectra come near on curves of known and unknown materials, and what that does to the parameters.

    python -m tests.benchmarks.measure_alternatives [--curves 20] [--files CURVE.h5:LOW,HIGH ...] [-o TABLE.md]

Curves of infinite samples as in ``measure_fit``: 500 bins from 0.04 to 3 per nm, a from 2 to 6 nm (half of that for a
Matern spectrum), porosity from 0.15 to 0.45, a flat background of 2 % of the last bin. "inside" is the part of the
curves whose porosity lies in the 90 % interval of the fit, "or in the range" that whose porosity lies in what interval,
range and the intervals of the near alternatives span together, "family near" that where the true family is near.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from pyfai_grf.core.records import NEAR, Alternative, Curve, Fit, Points
from pyfai_grf.features.points import clean_curve, select_window
from pyfai_grf.fit.alternatives import compare_families
from pyfai_grf.fit.curve_fit import fit_points
from pyfai_grf.io.curves import read_curves
from pyfai_grf.learn.examples import count_photons
from pyfai_grf.theory.closed_form import average_curves

Q = np.linspace(0.04, 3.0, 500)
#: the true spectra, and the family that holds them
CASES = (("roding2022", "power"), ("power:n=6", "power"), ("matern:nu=2.5", "matern"), ("shell:width=0.2", "shell"))
#: standard errors of a 90 % interval
_INTERVAL = 1.645


def name_family(alternative: Alternative) -> str:
    """Return "power", "matern" or "shell"."""
    return alternative.spectrum.partition(":")[0].replace("roding2022", "power")


def make_points(spectrum: str, photons: float, count: int) -> tuple[list[Points], np.ndarray]:
    """Return measured curves and their porosities."""
    rng = np.random.default_rng([count, int(np.log10(photons))])
    a, porosity = rng.uniform(2, 6, count), rng.uniform(0.15, 0.45, count)
    curves = average_curves(Q, a / 2 if spectrum.startswith("matern") else a, porosity, spectrum)
    curves += 0.02 * curves[:, -1:]
    measured, sigma = count_photons(curves, np.tile(Q, (count, 1)), np.full(count, photons), rng)
    return [clean_curve(Curve(Q, m, s)) for m, s in zip(measured, sigma, strict=True)], porosity


def span(fit: Fit) -> tuple[float, float]:
    """Return what the interval of the fit and those of the near alternatives span of porosity."""
    near = [(o.values["porosity"], _INTERVAL * o.errors["porosity"]) for o in fit.alternatives if o.is_near]
    low = min(fit.lower["porosity"], *(value - half for value, half in near), 1.0)
    return low, max(fit.upper["porosity"], *(value + half for value, half in near), 0.0)


def measure(spectrum: str, family: str, photons: float, count: int) -> str:
    """Return one row of the first table."""
    points, truth = make_points(spectrum, photons, count)
    plain = [fit_points(p) for p in points]
    start = time.process_time()
    fits = [compare_families(p, fit) for p, fit in zip(points, plain, strict=True)]
    cost = (time.process_time() - start) / count
    inside = [fit.lower["porosity"] <= t <= fit.upper["porosity"] for fit, t in zip(fits, truth, strict=True)]
    spanned = [low <= t <= high for (low, high), t in zip(map(span, fits), truth, strict=True)]
    better = [fit.alternatives[0].criterion < -NEAR for fit in fits]
    found = [
        {name_family(o) for o in fit.alternatives if o.is_near} | (set() if b else {"power"})
        for fit, b in zip(fits, better, strict=True)
    ]
    near = [family in names for names in found]
    others = [bool(names - {family}) for names in found]
    width = np.median([fit.ranges["porosity"][1] - fit.ranges["porosity"][0] for fit in fits])
    shares = [np.mean(part) for part in ([f.is_applicable for f in fits], better, near, others, inside, spanned)]
    cells = [spectrum, f"{photons:.0e}".replace("e+0", "e"), *(f"{share:.2f}" for share in shares)]
    return f"| {' | '.join(cells)} | {width:.2g} | {cost:.2f} s |"


def describe(name: str, points: Points) -> list[str]:
    """Return the rows of a measured curve: the fit, and each alternative."""
    fit = compare_families(points, fit_points(points))
    verdict = "fits" if fit.is_applicable else "does not fit"
    numbers = f"{fit.values['a']:.3g} | {fit.values['porosity']:.2g}"
    rows = [f"| {name} | the fit, n {fit.values['spectrum_n']:.3g} | {verdict} | {fit.chi2:.3g} | 0 | {numbers} |"]
    for other in fit.alternatives:
        numbers = f"{other.a_alike:.3g} | {other.values['porosity']:.2g}"
        spread = f", spread {other.values['spread']:.2f}" if "spread" in other.values else ""
        near = "near" if other.is_near else ""
        rows.append(f"| | {other.spectrum}{spread} | {near} | {other.chi2:.3g} | {other.criterion:+.3g} | {numbers} |")
    low, high = fit.ranges["porosity"]
    sys.stderr.write(f"{name}: porosity {low:.2g} to {high:.2g}\n{fit}\n")
    return rows


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=20)
    parser.add_argument("--files", nargs="*", default=[], help="measured curves, each with a range of q in 1/nm")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    names = ("applicable", "another is better", "family near", "others near", "inside", "or in the range")
    head = f"| true | photons | {' | '.join(names)} | width of the range | CPU |"
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for spectrum, family in CASES:
        for photons in (1e6, 1e7):
            lines.append(measure(spectrum, family, photons, options.curves))
            sys.stderr.write(lines[-1] + "\n")
    head = "| curve | spectrum | | chi-square | criterion | a | porosity |"
    lines += ["", head, "|" + "---|" * (head.count("|") - 1)]
    for text in options.files:
        path, _, ends = text.rpartition(":")
        low, high = map(float, ends.split(","))
        lines += describe(Path(path).stem, clean_curve(select_window(clean_curve(read_curves(path)[0]), low, high)))
    text = "\n".join(lines) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

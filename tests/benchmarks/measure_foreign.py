"""How many foreign curves a fit accepts, and how many of its own it refuses.

    python -m tests.benchmarks.measure_foreign [--foreign 25] [--own 400] [-o TABLE.md]

Needs sasmodels. Foreign curves have 10^7 photons on whole rings and a flat background of 2 % of the last bin. Own
curves have n from 3.5 to 16, a spread of a up to 0.3, a from 1.5 to 7 nm, porosity from 0.05 to 0.5, half of them an
upturn, backgrounds of 0.1 to 50 % of the last bin, one in five below 0, 10^5.5 to 10^9 photons; a third of them has the
noise of split pixels, a fifth no errors.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.records import Fit
from pyfai_grf.fit.curve_fit import fit_curve
from tests.benchmarks.drawn_curves import FOREIGN, Q, add_peak, draw_own, draw_smeared, draw_upturn, measure

PHOTONS = 1e7
#: a bin's noise that lies in either neighbour: neighbours are correlated by 0.29 then, as in 500 bins of a frame
_SHARED = 0.115


def _draw_peak(rng: np.random.Generator) -> FloatArray:
    return add_peak(draw_own(rng)[1], PHOTONS, 10, rng)


KINDS: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    **FOREIGN,
    "own, with a Bragg peak of 10 sigma": _draw_peak,
    "own, smeared by a slit of 0.1 to 1 per nm": draw_smeared,
}


def fit_foreign(count: int) -> Iterator[tuple[str, list[Fit]]]:
    """Yield each kind of foreign curve with the fits of ``count`` of them."""
    for name, draw in KINDS.items():
        rng = np.random.default_rng([count, zlib.crc32(name.encode())])
        yield name, [fit_curve(Q, *measure(draw(rng), PHOTONS, rng)) for _ in range(count)]


def fit_own(count: int) -> dict[str, list[Fit]]:
    """Return the fits of ``count`` own curves, by how their errors are known."""
    rng = np.random.default_rng([count, 1])
    found: dict[str, list[Fit]] = {}
    for _ in range(count):
        curve = draw_own(rng)[1]
        if rng.random() < 0.5:
            curve = curve + draw_upturn(curve, rng)
        photons, background = 10 ** rng.uniform(5.5, 9), 10 ** rng.uniform(-3, -0.3)
        background *= -1 if rng.random() < 0.2 else 1
        is_shared, is_bare = rng.random() < 1 / 3, rng.random() < 0.2
        measured, sigma = measure(curve, photons, rng, background, _SHARED if is_shared else 0.0)
        fit = fit_curve(Q, measured, None if is_bare else sigma)
        kind = f"own, {'split pixels' if is_shared else 'independent bins'}{', without errors' if is_bare else ''}"
        found.setdefault(kind, []).append(fit)
        if not fit.is_applicable:
            sys.stderr.write(f"refused, {kind}, {photons:.1e} photons: {fit}\n")
    return found


def write_row(name: str, fits: list[Fit]) -> str:
    """Return a row of the table: curves, those that fit, those that do within x %, and those that are refused."""
    counts = [
        sum(fit.is_applicable and fit.model_error == 0 for fit in fits),
        sum(fit.is_applicable and fit.model_error > 0 for fit in fits),
        sum(not fit.is_applicable for fit in fits),
    ]
    return f"| {name} | {len(fits)} | {' | '.join(map(str, counts))} |"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--foreign", type=int, default=25, help="curves a kind")
    parser.add_argument("--own", type=int, default=400)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    lines = ["| curves | number | fit | fit within x % | refused |", "|---|---|---|---|---|"]
    foreign: list[Fit] = []
    for name, fits in fit_foreign(options.foreign):
        lines.append(write_row(name, fits))
        sys.stderr.write(lines[-1] + "\n")
        foreign += fits
    own = fit_own(options.own)
    lines += [write_row("**all foreign**", foreign), *(write_row(name, own[name]) for name in sorted(own))]
    lines.append(write_row("**all own**", [fit for fits in own.values() for fit in fits]))
    text = "\n".join(lines) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

"""What an answer is worth where the curve is not quite what is assumed: bias, coverage, and how often it is refused.

    python -m tests.benchmarks.measure_stress [--curves 60] [-o TABLE.md]

Curves of infinite samples (a 1.5 to 7 nm, porosity 0.15 to 0.45, n = 8 and no spread unless a row says so) on 500 bins
from 0.04 to 3 per nm, photons on whole rings, a flat background of 2 % of the last bin; asked are the bundled
regressors, the fit with the published spectrum, and the fit with everything free. The truth knows its q, so the
calibration's error is 0.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.fit.curve_fit import fit_curve
from pyfai_grf.learn.bundle import load_model
from pyfai_grf.learn.examples import count_photons
from pyfai_grf.theory.three_phase import expected_three_phase
from tests.benchmarks.drawn_curves import Intensity, Own, Q, average_bins, smear_pinhole, smear_slit

PHOTONS = (1e6, 1e7, 1e8)
ASKED = {
    "The regressors alone": None,
    "The fit, with the published spectrum held": "roding2022",
    "The fit, with everything free": "fitted",
}
#: fewer accepted curves than that have no bias of their own
_FEWEST = 10


@dataclass(frozen=True)
class Case:
    """A way to depart from what is assumed.

    ``change`` what a material scatters; ``left`` what subtraction leaves on the curve (Q,), in parts of the background;
    ``options`` of the fit. ``has_a`` where the material's a means what the fit's does.
    """

    change: Callable[[Own], Intensity]
    left: float | None = None
    options: Mapping[str, Any] | None = None
    has_a: bool = True


def _keep(own: Own) -> Intensity:
    return own


def _raise_upturn(own: Own) -> Intensity:
    crossing = float(own(np.array([0.1]))[0])
    return lambda q: own(q) + crossing * (q / 0.1) ** -4


def _smear(deviation: float) -> Callable[[Own], Intensity]:
    return lambda own: smear_pinhole(own, deviation)


def _coat(own: Own) -> Intensity:
    return lambda q: expected_three_phase(q, own.a, own.porosity, 0.1)


CASES: dict[str, Case] = {
    "nothing": Case(_keep),
    **{f"n = {n}": Case(functools.partial(replace, spectrum=f"power:n={n}")) for n in (4, 6, 12, 20)},
    "spread of a 10 %": Case(functools.partial(replace, spread=0.1)),
    "spread of a 20 %": Case(functools.partial(replace, spread=0.2)),
    "upturn q^-4, crossing at 0.1 per nm": Case(_raise_upturn),
    "background subtracted 0.9 times": Case(_keep, 0.1),
    "background subtracted 1.1 times": Case(_keep, -0.1),
    "pinhole, 0.012 per nm": Case(_smear(0.012)),
    "pinhole, 0.012 per nm, resolution given": Case(_smear(0.012), options={"resolution": 0.012}),
    "pinhole, 0.04 per nm": Case(_smear(0.04)),
    "pinhole, 0.04 per nm, resolution given": Case(_smear(0.04), options={"resolution": 0.04}),
    "slit, half-length 0.1 per nm": Case(lambda own: smear_slit(own, 0.1)),
    "layer of fraction 0.1": Case(_coat),
    # a is another length there; a Matern spectrum's is shorter, for a shoulder at the same place
    "Matern spectrum, nu = 2.5": Case(lambda own: replace(own, a=0.4 * own.a, spectrum="matern:nu=2.5"), has_a=False),
    "shell spectrum, width 0.2": Case(functools.partial(replace, spectrum="shell:width=0.2"), has_a=False),
}


@dataclass(frozen=True)
class Answers:
    """What was said of N curves: ``values``, ``lower`` and ``upper`` are name -> (N,), ``accepted`` is (N,)."""

    values: dict[str, FloatArray]
    lower: dict[str, FloatArray]
    upper: dict[str, FloatArray]
    accepted: BoolArray


def draw_curves(case: Case, photons: float, count: int) -> tuple[dict[str, FloatArray], FloatArray, FloatArray]:
    """Return the truth, and ``count`` curves with their sigma, (N, Q) each; the same materials in every case."""
    rng = np.random.default_rng([count, int(np.log10(photons))])
    truth = {"a": rng.uniform(1.5, 7, count), "porosity": rng.uniform(0.15, 0.45, count)}
    materials = [Own(float(a), float(p)) for a, p in zip(*truth.values(), strict=True)]
    curves = np.stack([average_bins(case.change(own)) for own in materials])
    background: FloatArray | float = 0.0
    if case.left is not None:
        # an empty cell: as bright as the sample at the first point, falling as q^-3, and at 1 per nm
        background = curves[:, :1] * (Q / Q[0]) ** -3 + curves[:, np.argmin(np.abs(Q - 1)), np.newaxis]
    curves = curves + 0.02 * curves[:, -1:]
    pixels, counts = np.tile(Q, (count, 1)), np.full(count, photons)
    measured, sigma = count_photons(curves, pixels, counts, rng, background)
    return truth, measured + (case.left or 0.0) * background, sigma


def ask(spectrum: str | None, measured: FloatArray, sigma: FloatArray, options: Mapping[str, Any]) -> Answers:
    """Return the answers of the regressors (None), or of the fit of a spectrum."""
    names = ("a", "porosity")
    if spectrum is None:
        said = load_model("two-phase-low-porosity").predict(Q, measured, sigma, fit=False)
        return Answers(dict(said.values), dict(said.lower), dict(said.upper), said.is_applicable)
    fits = [
        fit_curve(Q, m, s, spectrum=spectrum, calibration_error=0, **options)
        for m, s in zip(measured, sigma, strict=True)
    ]
    values, lower, upper = (
        {name: np.array([getattr(fit, part)[name] for fit in fits]) for name in names}
        for part in ("values", "lower", "upper")
    )
    return Answers(values, lower, upper, np.array([fit.is_applicable for fit in fits]))


def describe(truth: Mapping[str, FloatArray], answers: Answers, has_a: bool) -> list[str]:
    """Return the cells of one case and number of photons: refused, bias and coverage of a, and of porosity."""
    accepted = answers.accepted
    cells = [f"{1 - accepted.mean():.2f}"]
    is_enough = accepted.sum() >= _FEWEST
    for name, true in truth.items():
        if name == "a" and not has_a:
            cells.append("-")
            continue
        off = answers.values[name] - true
        off = 100 * off / true if name == "a" else off
        inside = (answers.lower[name] <= true) & (true <= answers.upper[name])
        known = off[accepted if is_enough else np.isfinite(off)]
        bias = f"{np.median(known):+.2g}" if known.size else "-"
        cells.append(f"{bias} ({inside[accepted].mean():.2f})" if is_enough else f"[{bias}]")
    return cells


def measure(count: int) -> Iterator[str]:
    """Yield the lines of the tables."""
    parts = ("refused", "a, %", "porosity")
    head = " | ".join(f"{photons:.0e}: {part}".replace("e+0", "e") for photons in PHOTONS for part in parts)
    drawn = {(name, p): draw_curves(case, p, count) for name, case in CASES.items() for p in PHOTONS}
    for title, spectrum in ASKED.items():
        yield f"\n{title}:\n"
        yield f"| what is not as assumed | {head} |"
        yield "|" + "---|" * (1 + len(parts) * len(PHOTONS))
        for name, case in CASES.items():
            if spectrum is None and case.options:
                continue  # regressors know no resolution
            cells = []
            for photons in PHOTONS:
                truth, measured, sigma = drawn[name, photons]
                cells += describe(truth, ask(spectrum, measured, sigma, case.options or {}), case.has_a)
            yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=60)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    lines = []
    for line in measure(options.curves):
        sys.stderr.write(line + "\n")
        lines.append(line)
    text = "\n".join(lines) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

"""Draw the pictures of docs/fit.md: ``python docs/draw_fit.py [CURVE...]``.

A simulated curve whose spectrum is not the published one, with an upturn and an ice ring: the spectrum fitted, and the
published one held. With files of measured curves, a picture of each of these in the working directory instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import pyfai_grf as grf
from pyfai_grf.core.records import Curve
from pyfai_grf.io.curves import read_curves
from pyfai_grf.report.figures import draw_analysis, make_bars

FOLDER = Path(__file__).parent
MATERIAL = "two-phase-low-porosity"
A_NM, POROSITY, SPECTRUM, PHOTONS = 4.0, 0.3, "power:n=6", 1e7
ICE = (1.55, 1.75)


def simulate() -> Curve:
    """Return the curve of whole rings, counted: 500 bins, an upturn of twice the plateau and a peak within ICE."""
    q = np.linspace(0.04, 3.0, 500)
    material = grf.expected_intensity(q, A_NM, POROSITY, spectrum=SPECTRUM)
    peak = 20 * material[np.argmin(np.abs(q - 1.65))] * np.exp(-0.5 * ((q - 1.65) / 0.02) ** 2)
    expected = material + 0.05 * material[-1] + 2 * material[0] * (q / q[0]) ** -3.6 + peak
    per_unit = PHOTONS * q / np.sum(expected * q)
    counts = np.random.default_rng(1).poisson(expected * per_unit)
    return Curve(q, counts / per_unit, np.sqrt(np.maximum(counts, 1)) / per_unit)


def draw(curve: Curve, name: str, title: str, *, is_known: bool = False, spectrum: str = "fitted") -> None:
    """Fit ``curve`` and draw it."""
    exclude = (ICE,) if is_known else ()
    fit = grf.fit_curve(curve.q_nm1, curve.intensity, curve.sigma, MATERIAL, spectrum, exclude=exclude)
    truth = {"a": A_NM, "porosity": POROSITY} if is_known else None
    draw_analysis(name, curve=curve, bars=make_bars(MATERIAL, fit), truth=truth, title=title, fit=fit)
    sys.stdout.write(f"{name}: {fit}\n")


if __name__ == "__main__":
    for source in sys.argv[1:]:
        for number, measured in enumerate(read_curves(source)):
            draw(measured, f"{Path(source).stem}-{number}.png", Path(source).name)
    if not sys.argv[1:]:
        simulated = simulate()
        draw(simulated, str(FOLDER / "fit-fitted.png"), "simulated with n = 6: the spectrum is fitted", is_known=True)
        draw(
            simulated,
            str(FOLDER / "fit-held.png"),
            "the same curve: the published spectrum (n = 8) is held",
            is_known=True,
            spectrum="roding2022",
        )

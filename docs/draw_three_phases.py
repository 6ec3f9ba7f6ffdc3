"""Draw simulation-three_phases.png: expected three-phase curves against boxes that the table was not made of.

    pyfai-grf tabulate fresh --seed 2 --voxels-per-a 20 --count 16 --wide 24 --fine 4 --pair 4 \\
        --porosities 0.12,0.3,0.63,0.86,0.93 --layer-fractions 0.1,0.17,0.33,0.5
    python docs/draw_three_phases.py fresh

The boxes have other fields and voxel sizes, and porosities and layer fractions between the nodes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from pyfai_grf.tabulation.check import Comparison, compare_boxes
from pyfai_grf.tabulation.pool import pool_boxes
from pyfai_grf.tabulation.store import read_boxes
from pyfai_grf.theory.three_phase import get_table

#: (porosity, layer fraction) index of the samples shown, and their layer density
_SHOWN = ((1, 1, 1.0), (2, 1, 0.65), (2, 3, 0.65), (3, 2, 0.65))
#: factor in x that points are averaged over
_STEP = 1.12


def main() -> None:
    """Draw the picture beside this file."""
    folder = read_boxes(Path(sys.argv[1]))
    pooled, table = pool_boxes(folder), get_table(folder.setting.spectrum)
    columns = folder.thicknesses.shape[1]
    figure, rows = plt.subplots(2, len(_SHOWN), figsize=(13, 6), sharex=True, height_ratios=(2, 1))
    for (j, k, density), (top, bottom) in zip(_SHOWN, rows.T, strict=True):
        sample = list(compare_boxes(pooled, folder, table, density))[j * columns + k]
        _draw(sample, density, top, bottom)
    rows[0, 0].set_ylabel("I / (V a$^3$)")
    rows[1, 0].set_ylabel("boxes / table - 1 (%)")
    figure.tight_layout()
    figure.savefig(Path(__file__).with_name("simulation-three_phases.png"), dpi=110)


def _draw(sample: Comparison, density: float, top: plt.Axes, bottom: plt.Axes) -> None:
    edges = np.geomspace(sample.x[0] * 0.999, sample.x[-1] * 1.001, int(np.log(130) / np.log(_STEP)))
    group = np.digitize(sample.x, edges)
    parts = [np.flatnonzero(group == g) for g in np.unique(group)]
    x = np.array([sample.x[part].mean() for part in parts])
    ratio = np.array([sample.simulated[part].sum() / sample.expected[part].sum() - 1 for part in parts])
    error = np.array([np.mean(sample.expected_error[part] / sample.expected[part]) for part in parts])
    bars = np.array(
        [np.mean(sample.simulated_error[part] / sample.expected[part]) / np.sqrt(len(part)) for part in parts]
    )
    top.loglog(sample.x, sample.simulated, ".", ms=3, color="0.6", label="boxes, shell by shell")
    top.loglog(sample.x, sample.expected, lw=1, color="C0", label="table")
    top.set_title(f"porosity {sample.porosity:.2f}, layer {sample.layer_fraction:.3f}, density {density}", fontsize=9)
    top.legend(fontsize=8)
    bottom.fill_between(x, -100 * error, 100 * error, color="C0", alpha=0.3, lw=0)
    bottom.errorbar(x, 100 * ratio, 100 * bars, fmt="k.", ms=4, lw=0.8)
    bottom.axhline(0, color="0.5", lw=0.8)
    bottom.set_ylim(-5, 5)
    bottom.set_xlabel("q a")


if __name__ == "__main__":
    main()

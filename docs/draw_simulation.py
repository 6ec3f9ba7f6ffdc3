"""Draw the pictures of docs/simulation.md from the code as it is: ``python docs/draw_simulation.py [PICTURE...]``.

structures      slices of two- and three-phase structures, as in Fig. 1 and 2 of the paper
two_phases      simulated two-phase curves on the closed form, with residuals
spectra         slices and expected curves of the spectral densities that are shipped
table_error     the own error of the table of expected three-phase curves
Each takes up to two minutes on two cores. draw_three_phases.py compares the table with fresh simulations.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import pyfai_grf as grf
from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.published import PAPER_SHAPE, PAPER_VOXEL_SIZE_NM
from pyfai_grf.simulation.intensity import ShellSums, compute_shells, count_points
from pyfai_grf.simulation.structure import StructureModel, make_labels
from pyfai_grf.theory.three_phase import expected_three_phase_error

FOLDER = Path(__file__).parent
PHASES = ListedColormap(["#ffffff", "#56b4e9", "#333333"])  # pore, layer, solid
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]
#: mean |F|^2 of the published box, on whose scale curves are simulated, over I/V in nm^3
PAPER_SCALE = (PAPER_SHAPE / PAPER_VOXEL_SIZE_NM) ** 3
#: edge of the published box in nm
PAPER_EDGE_NM = PAPER_SHAPE * PAPER_VOXEL_SIZE_NM


def save(figure: Figure, name: str) -> None:
    figure.savefig(FOLDER / f"simulation-{name}.png", dpi=110)


def show_slice(panel, volume: np.ndarray, title: str, voxel_size: float) -> None:
    panel.imshow(volume[0], cmap=PHASES, vmin=0, vmax=2, interpolation="nearest")
    panel.set_title(title, fontsize=9)
    panel.set_xticks([])
    panel.set_yticks([])
    length = 20 / voxel_size
    low = volume.shape[1] - 8
    panel.plot([8, 8 + length], [low, low], color="#e69f00", lw=3, solid_capstyle="butt")


def draw_structures() -> None:
    """One seed throughout, so that the same field is seen thresholded, scaled and covered."""
    figure = Figure(figsize=(10, 5.9), layout="constrained")
    rows = [
        [(2.0, 0.5, 0.0), (4.0, 0.3, 0.0), (4.0, 0.7, 0.0), (8.0, 0.5, 0.0)],
        [(2.0, 0.5, 0.3), (4.0, 0.7, 0.2), (4.0, 0.7, 0.5), (8.0, 0.9, 0.5)],
    ]
    for line, points in zip(figure.subplots(2, 4), rows, strict=True):
        for panel, (a, porosity, layer) in zip(line, points, strict=True):
            volume = grf.make_structure(a, porosity, layer, shape=256, seed=2)
            text = f"a = {a:g} nm, porosity {porosity:g}" + (f"\nlayer fraction {layer:g}" if layer else "\ntwo phases")
            show_slice(panel, volume, text, PAPER_VOXEL_SIZE_NM)
    figure.suptitle("pore white, layer blue, solid dark; slices of 128 nm, bar 20 nm", fontsize=10)
    save(figure, "structures")


def simulate_two_phases(a: float, porosity: float, q: np.ndarray, boxes: int) -> np.ndarray:
    """Return I/V in nm^3 of ``boxes`` published boxes without the smoothing, (boxes, Q)."""
    backend = get_backend()
    model = StructureModel(a, porosity, smoothing_nm=0.0)
    labels = (make_labels(backend, model, [77, seed]) for seed in range(boxes))
    shells = (compute_shells(backend, one, PAPER_VOXEL_SIZE_NM, q[-1]) for one in labels)
    return np.array([one.compute_intensity(q, 0.0) for one in shells]) / PAPER_SCALE


def average_theory(a: float, porosity: float, q: np.ndarray) -> np.ndarray:
    """Return Eq. 4's mean of the closed form over the grid points of the published box: its window is 0.01 per nm."""
    size = int(np.ceil(q[-1] * PAPER_EDGE_NM / (2 * np.pi)) + 5) ** 2 + 1
    theory = grf.expected_intensity(2 * np.pi / PAPER_EDGE_NM * np.sqrt(np.arange(size)), a, porosity)
    sums = np.zeros((3, size))
    sums[2] = theory * count_points(PAPER_SHAPE, size)
    return ShellSums(sums, PAPER_SHAPE, PAPER_VOXEL_SIZE_NM).compute_intensity(q, 0.0)


def fold_tail(q: np.ndarray, voxel_size: float, reach: int = 8) -> np.ndarray:
    """Return what sampling on voxels adds to a Porod tail: mean over directions of sum (q/|q + G|)^4."""
    cosine, weight = np.polynomial.legendre.leggauss(12)
    angle = np.pi / 2 * (np.arange(12) + 0.5) / 12
    sine = np.sqrt(1 - cosine**2)[:, None]
    direction = np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine[:, None] + 0 * angle], axis=-1)
    unit = 2 * np.pi / voxel_size
    grid = unit * np.stack(np.meshgrid(*3 * [np.arange(-reach, reach + 1)]), axis=-1).reshape(-1, 1, 1, 3)
    grid = grid[np.any(grid != 0, axis=(1, 2, 3))]
    sums = [np.sum((x / np.linalg.norm(x * direction + grid, axis=-1)) ** 4, axis=0).mean(axis=1) for x in q]
    return np.array(sums) @ weight / 2


def draw_two_phases(boxes: int = 8) -> None:
    q = np.geomspace(0.04, 3.0, 60)
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    bias = fold_tail(q, PAPER_VOXEL_SIZE_NM)
    for colour, (a, porosity) in zip(COLOURS, [(1.0, 0.3), (2.0, 0.5), (4.0, 0.3), (8.0, 0.7)], strict=True):
        curves = simulate_two_phases(a, porosity, q, boxes)
        label = f"a = {a:g} nm, porosity {porosity:g}"
        left.loglog(q, grf.expected_intensity(q, a, porosity), color=colour, lw=1, label=label)
        theory = average_theory(a, porosity, q)
        mean, error = curves.mean(axis=0), curves.std(axis=0, ddof=1) / np.sqrt(boxes)
        left.loglog(q, mean, ".", color=colour, ms=4)
        right.fill_between(q, (mean - error) / theory - 1, (mean + error) / theory - 1, color=colour, alpha=0.3, lw=0)
        right.semilogx(q, mean / theory - 1, color=colour, lw=1)
        beyond = np.abs(mean - theory * (1 + bias)) / error
        deviation = f"{np.median(beyond):.1f} standard errors (median), {beyond.max():.1f} at most"
        sys.stdout.write(f"a {a:g}, porosity {porosity:g}: {deviation}\n")
    right.semilogx(q, bias, "k--", lw=1, label=f"Porod tail folded back by {PAPER_VOXEL_SIZE_NM} nm voxels")
    right.axhline(0, color="k", lw=0.5)
    right.set_ylim(-0.25, 0.25)
    right.set_ylabel("simulated / closed form averaged by Eq. 4 - 1")
    right.legend(fontsize=8, loc="lower left")
    left.set_ylabel("I/V (nm$^3$)")
    left.legend(fontsize=8, title=f"lines: closed form; points: mean of {boxes} boxes", title_fontsize=8)
    for panel in (left, right):
        panel.set_xlabel("q (1/nm)")
    save(figure, "two_phases")


def draw_spectra() -> None:
    names = ["roding2022", "power:n=6", "power:n=12", "matern:nu=1.5", "shell:width=0.2"]
    q = np.geomspace(0.02, 3.0, 200)
    figure = Figure(figsize=(10.5, 5.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.3])
    for panel, name in zip(top.subplots(1, len(names)), names, strict=True):
        show_slice(
            panel,
            grf.make_structure(4.0, 0.5, shape=256, seed=2, smoothing=0.0, spectrum=name),
            name,
            PAPER_VOXEL_SIZE_NM,
        )
    panel = bottom.subplots()
    for name in names:
        panel.loglog(q, grf.expected_intensity(q, 4.0, 0.5, spectrum=name), lw=1.2, label=name)
    panel.set_xlabel("q (1/nm)")
    panel.set_ylabel("expected I/V (nm$^3$)")
    panel.legend(fontsize=8)
    figure.suptitle("a = 4 nm, porosity 0.5, two phases; slices of 128 nm, bar 20 nm", fontsize=10)
    save(figure, "spectra")


def draw_table_error() -> None:
    """The largest relative standard error over 90 % of the q range, and at low q, for each kind of sample."""
    x = np.geomspace(0.05, 25, 120)
    porosities, layers = np.linspace(0.05, 0.95, 19), np.linspace(0.05, 0.6, 12)
    densities = (0.3, 0.65, 1.0)
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    rows = figure.subplots(2, len(densities), sharex=True, sharey=True)
    for column, density in zip(rows.T, densities, strict=True):
        error = 100 * np.array(
            [[expected_three_phase_error(x, 1.0, p, nu, density) for nu in layers] for p in porosities]
        )
        maps = np.quantile(error, 0.9, axis=2), error[:, :, x < 0.5].max(axis=2)
        for panel, values, text in zip(column, maps, ("90 % of qa 0.05-25", "largest below qa = 0.5"), strict=True):
            image = panel.pcolormesh(layers, porosities, values, vmin=0, vmax=2, cmap="viridis", shading="nearest")
            panel.contour(layers, porosities, values, levels=[1], colors="w")
            panel.set_title(f"layer density {density:g}: {text}", fontsize=9)
    for panel in rows[-1]:
        panel.set_xlabel("layer fraction")
    for panel in rows[:, 0]:
        panel.set_ylabel("porosity")
    figure.colorbar(image, ax=rows, label="relative standard error (%); white: 1 %", extend="max")
    save(figure, "table_error")


PICTURES = {
    "structures": draw_structures,
    "two_phases": draw_two_phases,
    "spectra": draw_spectra,
    "table_error": draw_table_error,
}

if __name__ == "__main__":
    for picture in sys.argv[1:] or PICTURES:
        PICTURES[picture]()

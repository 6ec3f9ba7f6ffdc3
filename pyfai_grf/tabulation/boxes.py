"""Boxes for the three-phase table: one Gaussian field, with films of many thicknesses on solids of many porosities.

Everything is at a = 1. A *fine* box (``shape`` voxels an edge) carries qa up to ``X_FINE``. A *coarse* box is the same
field on every second voxel and carries qa up to ``X_COARSE``; it is eight times cheaper, so there can be many of them
for the statistics, while a few fine ones show the effect of the coarse voxels (two-level Monte Carlo) and add the upper
part. A *wide* box has twice the edge at half the coarse resolution, for qa below ``X_WIDE``, where a box holds few
waves. A *pair* is a coarse box on every second voxel, which shows the effect of the wide box's voxels.

What is kept of each box are sums over shells of half a grid step 2 pi / L: the products of the Fourier coefficients of
D (solid and film, for each porosity and thickness) with themselves and with those of S_j (the solids of all
porosities). The expectation of S_i S_j is known exactly, which makes them the control variates of
``tabulation.controls``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.field import compute_amplitudes, list_wave_numbers, make_field
from pyfai_grf.simulation.kernels import PLANES
from pyfai_grf.tabulation.depth import LOOPS, fill_coverage, measure_depth
from pyfai_grf.tabulation.grids import (
    RAMP_WIDTH,
    BoxSetting,
    Grid,
    count_modes,
    get_grid,
    number_shells,
)

_WIDE_SEED = 5_000_000
_PILOT_SEED, _PILOT_BOXES, _PILOT_SHAPE = 7_000_000, 3, 192


def make_unit_field(backend: Backend, spectrum: str, seed: Any, shape: int, voxels_per_a: float) -> Any:
    """Return one realisation of the field, (shape,) * 3 float32, whose *expected* variance is 1; lengths in voxels."""
    amplitudes = compute_amplitudes(voxels_per_a, shape, 1.0, spectrum)
    field = make_field(backend, seed, amplitudes, shape)
    counts = count_modes(shape, shape // 2, np.arange(amplitudes.size), amplitudes.size)
    variance = 2 * float(np.sum(counts * amplitudes.astype(np.float64) ** 2)) / float(shape) ** 6
    field *= np.float32(1 / np.sqrt(variance))
    return field


def choose_thicknesses(backend: Backend, setting: BoxSetting) -> np.ndarray:
    """Return the film thicknesses (porosities, layer fractions), in units of a, that nearly give the layer fractions.

    They come from a few small boxes; which layer fractions they give exactly is measured in the boxes themselves.
    """
    voxels = setting.voxels_per_a / 2
    sums = np.zeros((len(setting.thresholds), len(setting.layer_fractions)))
    for index in range(_PILOT_BOXES):
        seed = [_PILOT_SEED + setting.seed, index]
        field = make_unit_field(backend, setting.spectrum, seed, _PILOT_SHAPE, voxels)
        for row, threshold in enumerate(setting.thresholds):
            depth = measure_depth(backend, field, threshold, int(10 * voxels)).ravel()
            sums[row] += np.quantile(depth[depth > 0], setting.layer_fractions)
    return np.round(sums / _PILOT_BOXES / voxels, 4)


def measure_box(
    backend: Backend, setting: BoxSetting, thicknesses: np.ndarray, index: int, kinds: tuple[str, ...]
) -> dict[str, dict[str, np.ndarray]]:
    """Return the sums of box ``index`` by kind: "wide" alone, or other kinds of one field, from fine to coarse."""
    grid = get_grid(setting, kinds[0])
    seed = [setting.seed, index + (_WIDE_SEED if kinds[0] == "wide" else 0)]
    field = make_unit_field(backend, setting.spectrum, seed, grid.shape, grid.voxels_per_a)
    results = {}
    for kind in kinds:
        grid = get_grid(setting, kind)
        step = field.shape[0] // grid.shape
        field = np.ascontiguousarray(field[::step, ::step, ::step])
        results[kind] = _measure_field(backend, setting, grid, field, thicknesses)
    return results


def _measure_field(
    backend: Backend, setting: BoxSetting, grid: Grid, field: Any, thicknesses: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the shell sums of one field: arrays by name, with axes (porosity, thickness, control, shell)."""
    shape, voxels, n_max, n_low = grid.shape, grid.voxels_per_a, grid.n_max, grid.n_control
    shells, low_shells = number_shells(n_max), number_shells(n_low)
    width = n_low * 2 + 1
    solids = np.empty((len(setting.thresholds), width, width, n_low + 1), np.complex64)
    films = np.empty((*thicknesses.shape, *solids.shape[1:]), np.complex64)
    volumes = np.empty((len(setting.thresholds), thicknesses.shape[1] + 1))
    sums = np.empty((len(setting.thresholds), thicknesses.shape[1], 2, shells[-1] + 1))
    ss = np.empty((len(setting.thresholds), shells[-1] + 1))
    for j, threshold in enumerate(setting.thresholds):
        depth = measure_depth(backend, field, threshold, int(thicknesses[j, -1] * voxels + 4 * RAMP_WIDTH + 1))
        solid = transform_film(backend, depth, 0.0, n_max)
        solids[j], volumes[j, 0] = _crop(solid, n_max, n_low), solid[0, 0, 0].real / shape**3
        ss[j] = sum_products(backend, solid, solid[np.newaxis], shells)[0]
        for k, thickness in enumerate(thicknesses[j] * voxels):
            film = transform_film(backend, depth, thickness, n_max)
            films[j, k], volumes[j, k + 1] = _crop(film, n_max, n_low), film[0, 0, 0].real / shape**3
            sums[j, k] = sum_products(backend, film, np.stack((film, solid)), shells)
    controls = np.stack([sum_products(backend, s, solids, low_shells) for s in solids])
    mixed = np.stack([sum_products(backend, f, solids, low_shells) for f in films.reshape(-1, *solids.shape[1:])])
    result = {"volumes": volumes, "ss": ss, "dd": sums[:, :, 0], "sd": sums[:, :, 1], "controls": controls}
    scale = 1 / (grid.length**3 * voxels**6)  # to I/V per mode, a = 1
    result = {name: values if name == "volumes" else values * scale for name, values in result.items()}
    result["mixed"] = (mixed * scale).reshape(*thicknesses.shape, *controls.shape[1:]).astype(np.float32)
    return result


def _crop(modes: Any, n_max: int, n_low: int) -> Any:
    kept = np.r_[0 : n_low + 1, 2 * n_max + 1 - n_low : 2 * n_max + 1]
    return modes[np.ix_(kept, kept, np.arange(n_low + 1))]


def transform_film(backend: Backend, depth: Any, thickness: float, n_max: int) -> Any:
    """Return the Fourier coefficients of {depth <= thickness} with |i|, |j| <= n_max, 0 <= k <= n_max, complex64.

    They are those of the coverage: the ramp's factor exp(-k^2 width^2 / 2) is still in them.
    """
    fft, shape = backend.fft, depth.shape[0]
    kept = list_wave_numbers(shape, n_max) % shape
    planes = np.empty((shape, kept.size, n_max + 1), dtype=np.complex64)
    modes = np.empty((kept.size, kept.size, n_max + 1), dtype=np.complex64)

    def transform_planes(part: slice) -> None:
        coverage = fill_coverage(backend, depth[part], thickness, RAMP_WIDTH)
        rows = fft.rfft(coverage, axis=2)[:, :, : n_max + 1]
        planes[part] = fft.fft(rows, axis=1)[:, kept]

    def transform_lines(part: slice) -> None:
        modes[:, part] = fft.fft(planes[:, part], axis=0)[kept]

    backend.map_slices(transform_planes, shape, PLANES)
    backend.map_slices(transform_lines, kept.size, PLANES)
    return modes


def sum_products(backend: Backend, one: Any, others: Any, shells: np.ndarray) -> np.ndarray:
    """Return the shell sums of Re(one conj(other)), over both halves of the modes: (others, shells).

    ``one`` is (n, n, m) and ``others`` (J, n, n, m), in FFT order; ``shells`` numbers n^2 = 0 .. (m - 1)^2.
    """
    square = np.fft.ifftshift(np.arange(1 - one.shape[2], one.shape[2])) ** 2
    if twin := backend.load_loops(LOOPS):
        return twin.sum_products(backend, one, others, square, shells, int(shells[-1]) + 1)
    n2 = square[:, None, None] + square[:, None] + np.arange(one.shape[2]) ** 2
    inside = n2 < shells.size
    twice = np.where(np.arange(one.shape[2]) == 0, 1.0, 2.0)
    weights = [((one * other.conj()).real * twice)[inside] for other in others]
    return np.stack([np.bincount(shells[n2[inside]], weights=w, minlength=int(shells[-1]) + 1) for w in weights])

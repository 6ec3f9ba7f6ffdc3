"""Scattering of a labelled structure: partial shell sums by FFT, and their orientational average."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from pyfai_grf.core.backend import Backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_SHAPE, PAPER_VOXEL_SIZE_NM
from pyfai_grf.simulation.field import list_wave_numbers
from pyfai_grf.simulation.kernels import PLANES, sum_shells
from pyfai_grf.simulation.structure import LAYER, SOLID

#: Eq. 4's window exp(-2 x^2) is below double precision beyond this many grid steps
_WINDOW = 4.3


@dataclass(frozen=True)
class ShellSums:
    """Sums of |F|^2 over the grid points of equal n^2 = i^2 + j^2 + k^2, for n^2 = 0 .. n_max^2.

    ``partials`` is (3, n_max^2 + 1): layer-layer, layer-solid and solid-solid, of the unnormalised FFT; rho is 0 in
    the pores and 1 in the solid, so that I = d^2 LL + 2 d LS + SS at layer density d.
    """

    partials: np.ndarray
    shape: int
    voxel_size_nm: float

    def compute_intensity(self, q_nm1: np.ndarray, layer_density: float) -> np.ndarray:
        """Return I(q) at ``layer_density`` on the paper's scale, shape (Q,); Röding et al. 2022, Eq. 3-4.

        The scale is that of the unnormalised FFT of the published box; any other box is rescaled to it.
        """
        layers, mixed, solids = self.partials
        sums = layer_density**2 * layers + 2 * layer_density * mixed + solids
        weights = _get_weights(tuple(q_nm1), self.shape, self.voxel_size_nm, sums.size)
        scale = (PAPER_SHAPE / self.shape * self.voxel_size_nm / PAPER_VOXEL_SIZE_NM) ** 3
        return scale * (weights @ sums)


def compute_shells(backend: Backend, labels: Any, voxel_size_nm: float, q_max_nm1: float) -> ShellSums:
    """Return the shell sums of ``labels`` (N, N, N), far enough out for Eq. 4 at ``q_max_nm1``.

    Raises
    ------
    InputError
        If ``q_max_nm1`` is beyond the Nyquist limit of the box.
    """
    shape = labels.shape[0]
    check_q_max(q_max_nm1, voxel_size_nm)
    n_max = min(int(np.ceil(q_max_nm1 * shape * voxel_size_nm / (2 * np.pi) + _WINDOW)), shape // 2)
    add_up = _sum_pruned if backend.device == "cpu" else _sum_whole
    partials = add_up(backend, labels, n_max)
    return ShellSums(np.asarray(backend.to_host(partials), dtype=np.float64), shape, voxel_size_nm)


def _sum_pruned(backend: Backend, labels: Any, n_max: int) -> Any:
    """Return the shell sums (3, n_max^2 + 1), transforming slice by slice only the lines that are needed."""
    xp, fft, shape = backend.xp, backend.fft, labels.shape[0]
    numbers = list_wave_numbers(shape, n_max)
    kept, square = xp.asarray(numbers % shape), xp.asarray(numbers**2)
    half = xp.arange(n_max + 1) ** 2
    lines = xp.empty((2, shape, kept.size, half.size), dtype=xp.complex64)

    def transform_planes(part: slice) -> None:
        for target, phase in zip(lines, (LAYER, SOLID), strict=True):
            rows = fft.rfft((labels[part] == phase).astype(xp.float32), axis=2)[:, :, : half.size]
            target[part] = fft.fft(rows, axis=1)[:, kept]

    def sum_lines(part: slice) -> Any:
        layer, solid = (fft.fft(phase[:, part], axis=0)[kept] for phase in lines)
        return sum_shells(backend, layer, solid, (square, square[part], half), n_max**2 + 1)

    backend.map_slices(transform_planes, shape, PLANES)
    return sum(backend.map_slices(sum_lines, kept.size, PLANES))


def _sum_whole(backend: Backend, labels: Any, n_max: int) -> Any:
    """Return the shell sums (3, n_max^2 + 1) from whole transforms, which a GPU does faster than picking lines."""
    xp, shape = backend.xp, labels.shape[0]
    layer, solid = (backend.fft.rfftn((labels == phase).astype(xp.float32)) for phase in (LAYER, SOLID))
    square = xp.asarray(list_wave_numbers(shape, shape) ** 2)
    return sum_shells(backend, layer, solid, (square, square, square[: shape // 2 + 1]), n_max**2 + 1)


def check_q_max(q_max_nm1: float, voxel_size_nm: float) -> None:
    """Check that voxels of ``voxel_size_nm`` carry q up to ``q_max_nm1``.

    Raises
    ------
    InputError
        If it is beyond their Nyquist limit.
    """
    limit = np.pi / voxel_size_nm
    if not 0 < q_max_nm1 <= limit:
        raise InputError(
            f"q reaches {q_max_nm1:.4g} 1/nm: voxels of {voxel_size_nm} nm carry up to {limit:.4g}; "
            "take smaller voxels, or end q earlier"
        )


@lru_cache(maxsize=8)
def _get_weights(q_nm1: tuple[float, ...], shape: int, voxel_size_nm: float, size: int) -> csr_array:
    """Return Eq. 4 as a matrix (Q, size) to multiply shell sums with."""
    multiplicity = count_points(shape, size)
    n2 = np.flatnonzero(multiplicity)[1:]  # w(0) = 0
    n = np.sqrt(n2)
    position = np.asarray(q_nm1) * shape * voxel_size_nm / (2 * np.pi)
    first = np.searchsorted(n, np.minimum(position, n[-1]) - _WINDOW)
    last = np.searchsorted(n, np.maximum(position, n[0]) + _WINDOW)
    columns, rows, values = [], [], []
    for row, (start, stop, x) in enumerate(zip(first, last, position, strict=True)):
        exponent = -2 * (n[start:stop] - x) ** 2
        weight = np.exp(exponent - exponent.max()) / n2[start:stop]
        values.append(weight / (weight @ multiplicity[n2[start:stop]]))
        columns.append(n2[start:stop])
        rows.append(np.full(stop - start, row))
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return csr_array(entries, shape=(len(q_nm1), size))


@lru_cache(maxsize=4)
def count_points(shape: int, size: int) -> np.ndarray:
    """Return the number of grid points of each n^2, in the ball that ``sum_shells`` sums over."""
    n_max = int(np.sqrt(size - 1))
    plane = np.bincount(np.add.outer(*2 * [list_wave_numbers(shape, n_max) ** 2]).ravel(), minlength=size)[:size]
    counts = np.zeros(size, dtype=np.int64)
    for k in range(n_max + 1):
        counts[k * k :] += (1 if k == 0 else 2) * plane[: size - k * k]
    return counts

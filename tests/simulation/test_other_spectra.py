"""Structures of other spectral densities scatter as their theory says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.structure import StructureModel, make_labels
from pyfai_grf.theory.spectra import get_spectrum

VOXEL = 0.5
#: standard errors allowed
K = 5.0


def covary_on_grid(spectrum, a, porosity, shape, wave_numbers):
    """C(r) on the periodic grid from the modes of this very box, (N, N, N), and the correlation's volume over its."""
    gamma = spectrum.density(2 * np.pi * a / (shape * VOXEL) * wave_numbers(shape))
    correlation = np.fft.ifftn(gamma).real
    angle = np.arcsin(np.clip(correlation / correlation[0, 0, 0], -1, 1))
    nodes, weights = np.polynomial.legendre.leggauss(40)
    total = sum(
        w * np.exp(-(ndtri(porosity) ** 2) / (1 + np.sin(angle * (node + 1) / 2)))
        for node, w in zip(nodes, weights, strict=True)
    )
    return total * angle / (4 * np.pi), gamma[0, 0, 0] / gamma.sum()


@pytest.mark.parametrize("text", ["power:n=6", "power:n=12", "matern:nu=1.5", "matern:nu=2.5", "shell:width=0.2"])
def test_simulated_boxes_scatter_as_theory_says(engine, text, wave_numbers):
    """On a voxel grid the expected |F|^2 is N^3 times the transform of C sampled on it: no voxel bias to allow for."""
    a, porosity, shape, n_seeds = 1.0, 0.35, 64, 8
    q = np.linspace(0.5, 4.5, 17)
    model = StructureModel(a, porosity, 0.0, shape, VOXEL, 0.0, text)
    curves = np.array(
        [
            compute_shells(engine, make_labels(engine, model, seed), VOXEL, q[-1]).compute_intensity(q, 0.65)
            for seed in range(n_seeds)
        ]
    )
    covariance, volume = covary_on_grid(get_spectrum(text), a, porosity, shape, wave_numbers)
    power = np.fft.fftn(covariance).real * shape**3 * (512 / shape) ** 3
    n = wave_numbers(shape)
    step = 2 * np.pi / (shape * VOXEL)
    expected = []
    for value in q:  # Eq. 4 as printed
        weight = np.exp(-2 * (n - value / step) ** 2) / np.maximum(n, 1) ** 2
        weight[0, 0, 0] = 0
        expected.append(np.sum(weight * power) / np.sum(weight))
    error = curves.std(axis=0, ddof=1) / np.sqrt(n_seeds)
    # thresholding each box at its own quantile takes the box's mean field away, the part ``volume`` of its variance:
    # that adds as much to <k^2>, and about as much to a curve
    deviation = np.abs(curves.mean(axis=0) / expected - 1)
    assert np.all(deviation < K * error / expected + 2 * volume)
    assert np.all((error / expected)[q > 1] < 0.04)  # the comparison means something
    assert 2 * volume < 0.02

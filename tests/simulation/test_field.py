"""The Gaussian field has the spectral density and the statistics that the model says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from pyfai_grf.simulation.field import compute_amplitudes, make_field
from pyfai_grf.theory.spectra import spectral_density

#: standard errors allowed; with the few hundred comparisons here a false alarm has a chance below 1e-3
K = 5.0


def whiten(backend, a, shape, voxel_size, seed, wave_numbers):
    """Return |F psi|^2 / Gamma where the field is not cut off, and the mask of those modes, (N, N, N)."""
    amplitudes = compute_amplitudes(a, shape, voxel_size)
    field = backend.to_host(make_field(backend, seed, amplitudes, shape))
    assert field.shape == (shape,) * 3
    assert field.dtype == np.float32
    n = wave_numbers(shape)
    kept = n**2 <= amplitudes.size - 0.5
    gamma = spectral_density(2 * np.pi / (shape * voxel_size) * n, a)
    return np.abs(np.fft.fftn(field.astype(np.float64))) ** 2 / gamma, kept


def test_spectral_density_is_the_published_one():
    # Eq. 7 at 0, at 1/a and in the tail; its second moment is <q^2> = 3/(5 a^2)
    assert spectral_density(0.0, 3.0) == 1.0
    assert spectral_density(0.5, 2.0) == 0.25
    assert spectral_density(10.0, 2.0) == pytest.approx(20.0**-16, rel=1e-9)
    second = quad(lambda q: q**4 * spectral_density(q, 2.0), 0, np.inf)[0]
    assert second / quad(lambda q: q**2 * spectral_density(q, 2.0), 0, np.inf)[0] == pytest.approx(3 / 5 / 4)


@pytest.mark.parametrize("a", [0.8, 2.0, 8.0])
def test_what_is_left_out_of_the_spectrum_is_negligible(a, wave_numbers):
    amplitudes = compute_amplitudes(a, 64, 0.5)
    n = wave_numbers(64)
    gamma = spectral_density(2 * np.pi / 32 * n, a)
    left_out = gamma[n**2 > amplitudes.size - 0.5].sum() / gamma.sum()
    assert left_out < 1e-8
    # and the table is sqrt(Gamma) at the wave number of n^2, to float32
    n2 = np.arange(amplitudes.size)
    expected = np.sqrt(spectral_density(2 * np.pi / 32 * np.sqrt(n2), a))
    np.testing.assert_allclose(amplitudes, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [48, 45])
@pytest.mark.parametrize("a", [0.8, 2.5])  # 0.8: the ball is wider than the grid; 2.5: a corner of it
def test_power_in_every_shell_follows_the_spectral_density(backend, a, shape, wave_numbers):
    power, kept = whiten(backend, a, shape, 0.5, 11, wave_numbers)
    shell = wave_numbers(shape).round().astype(int)
    # |F|^2 of a real field's modes are in pairs; a sum over m grid points has a relative variance of 2/m
    count = np.bincount(shell[kept])
    ratio = np.bincount(shell[kept], weights=power[kept]) / count / 2
    busy = count > 50  # the gamma law is near enough to normal there
    assert busy.sum() >= 5
    assert np.max(np.abs(ratio - 1)[busy] / np.sqrt(2 / count[busy])) < K
    # what lies outside is float32 rounding of the transforms
    assert np.all(power[~kept] * spectral_density(2 * np.pi / shape * 2 * wave_numbers(shape)[~kept], a) < 1e-6)


@pytest.mark.parametrize("shape", [32, 33])
def test_self_conjugate_planes_have_the_variance_of_all_others(backend, shape, wave_numbers):
    total, n_seeds = 0.0, 12
    for seed in range(n_seeds):
        power, kept = whiten(backend, 0.5, shape, 0.5, seed, wave_numbers)
        total = total + power
    assert kept[:, :, shape // 2].sum() > 0.5 * shape**2  # the ball reaches the last plane
    planes = [0, 1, shape // 2] + ([shape // 2 - 1] if shape % 2 == 0 else [])
    for axis in range(3):
        for index in planes:
            part, mask = np.take(total, index, axis), np.take(kept, index, axis)
            # in a plane that is its own conjugate modes are in pairs (relative variance 2/m), elsewhere alone (1/m)
            error = np.sqrt(2 / (mask.sum() * n_seeds))
            assert part[mask].mean() / n_seeds / 2 == pytest.approx(1, abs=K * error), (axis, index)
    if shape % 2 == 0:
        ends = np.array([0, shape // 2])
        corners = np.ix_(ends, ends, ends)
        real = np.asarray(total)[corners][
            kept[corners]
        ]  # modes that are their own conjugates: a squared normal, variance 2
        assert real.size >= 4
        assert real.mean() / n_seeds / 2 == pytest.approx(1, abs=K * np.sqrt(2 / (n_seeds * real.size)))


def test_values_are_gaussian(backend, wave_numbers):
    shape, voxel_size, a = 64, 0.5, 1.0
    amplitudes = compute_amplitudes(a, shape, voxel_size)
    gamma = spectral_density(2 * np.pi / (shape * voxel_size) * wave_numbers(shape), a)
    variance = 2 * gamma.sum() / shape**6
    correlation = np.fft.ifftn(gamma).real
    correlation /= correlation[0, 0, 0]
    n_seeds = 4
    x = np.stack([make_field_on_host(backend, seed, amplitudes, shape) for seed in range(n_seeds)]) / np.sqrt(variance)
    # Hermite polynomials of a unit Gaussian field: mean 0, and Cov(He_k(x), He_k(y)) = k! g^k, so that the
    # variance of their mean over the box is k! sum g^k / N^3
    hermite = {1: x, 2: x**2 - 1, 3: x**3 - 3 * x, 4: x**4 - 6 * x**2 + 3}
    for order, values in hermite.items():
        error = np.sqrt(np.prod(np.arange(1, order + 1)) * np.sum(correlation**order) / shape**3 / n_seeds)
        assert values.mean() == pytest.approx(0, abs=K * error), order


def make_field_on_host(backend, seed, amplitudes, shape):
    return backend.to_host(make_field(backend, seed, amplitudes, shape)).astype(np.float64)


def test_axes_are_equivalent(backend):
    """Mean squared differences along the axes agree: none of the one-dimensional transforms is special."""
    amplitudes = compute_amplitudes(1.0, 40, 0.5)
    slopes = []
    for seed in range(10):
        field = make_field_on_host(backend, seed, amplitudes, 40)
        slopes.append([np.mean((field - np.roll(field, 1, axis)) ** 2) for axis in range(3)])
    differences = np.diff(slopes, axis=1)
    error = differences.std(axis=0, ddof=1) / np.sqrt(10)
    assert np.all(np.abs(differences.mean(axis=0)) < K * error)


def test_seeds(backend, wave_numbers):
    amplitudes = compute_amplitudes(0.5, 32, 0.5)
    one, same, other = (make_field_on_host(backend, seed, amplitudes, 32) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    # independent fields correlate by chance: variance sum Gamma^2 / (sum Gamma)^2
    gamma = spectral_density(2 * np.pi / 16 * wave_numbers(32), 0.5)
    error = np.sqrt(np.sum(gamma**2)) / np.sum(gamma)
    assert error < 0.05
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < K * error


def test_any_shape_gives_the_same_law(backend):
    """Odd, prime and smallest grids, a field as fine as the grid: nothing assumes a power of two."""
    for shape in (8, 9, 31, 37):
        amplitudes = compute_amplitudes(0.3, shape, 0.5)  # a below the voxel: white noise nearly everywhere
        fields = np.stack([make_field_on_host(backend, seed, amplitudes, shape) for seed in range(40)])
        n = np.fft.fftfreq(shape, 1 / shape)
        n2 = n[:, None, None] ** 2 + n[:, None] ** 2 + n**2
        gamma = spectral_density(2 * np.pi / (shape * 0.5) * np.sqrt(n2), 0.3)
        variance = 2 * gamma.sum() / shape**6
        error = np.sqrt(2 * np.sum(gamma**2) / np.sum(gamma) ** 2 / 40)
        assert np.mean(fields**2) / variance == pytest.approx(1, abs=K * error)


def test_a_finer_grid_over_the_same_box_continues_the_same_field(backend):
    """The seed gives every wave number its amplitude, however many of them the grid holds."""
    coarse, fine = (
        make_field_on_host(backend, 3, compute_amplitudes(1.5, shape, size), shape)
        for shape, size in ((32, 0.5), (64, 0.25))
    )
    # the coarse grid lacks the field's modes beyond its Nyquist limit, a q = 9.4: nothing
    scale = 8 * fine[::2, ::2, ::2]
    assert np.max(np.abs(coarse - scale)) < 1e-4 * coarse.std()

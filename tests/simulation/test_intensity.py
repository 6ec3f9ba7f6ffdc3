"""Scattering of the structures: Parseval, Eq. 3-4 written out, contrast, Babinet, and the exact two-phase theory."""

from __future__ import annotations

import numpy as np
import pytest

import pyfai_grf as grf
from pyfai_grf.core.errors import InputError
from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.structure import LAYER, PORE, SOLID, StructureModel, make_labels
from pyfai_grf.theory.closed_form import compute_surface_per_volume, expected_intensity

#: standard errors allowed
K = 5.0
#: a single-precision FFT: every |F|^2 has an absolute error of about 1e-7 squared of the sum of rho^2, times N^3,
#: and a relative one of a few 1e-7; sums over many terms stay below this
ROUNDING = 3e-6

VOXEL = 0.5


@pytest.fixture(params=[32, 27])
def labels(request, engine):
    """A three-phase structure on the engine's device, even or odd box."""
    model = StructureModel(2.0, 0.6, 0.35, request.param, VOXEL)
    return make_labels(engine, model, 2)


def transform(engine, labels, density):
    """|FFT rho|^2 in double precision, the whole grid."""
    rho = np.array([0.0, density, 1.0])[engine.to_host(labels)]
    return rho, np.abs(np.fft.fftn(rho)) ** 2


def average_dumbly(power, n, shape, voxel_size, q):
    """Eq. 3 and 4 as printed: weights over the whole grid, one q at a time; on the scale of ``power``."""
    step = 2 * np.pi / (shape * voxel_size)
    q_grid = step * n
    safe = np.where(q_grid > 0, q_grid, 1.0)
    result = []
    for value in np.atleast_1d(q):
        weight = np.exp(-2 * ((q_grid - value) / step) ** 2) / safe**2
        weight[0, 0, 0] = 0
        result.append(np.sum(weight * power) / np.sum(weight))
    return np.array(result)


# --- the transform and the shells -------------------------------------------------------------------------------------


@pytest.mark.parametrize("density", [0.0, 0.65, 1.0, 0.3])
def test_shell_sums(engine, labels, density, wave_numbers):
    shape = labels.shape[0]
    rho, power = transform(engine, labels, density)
    n2 = np.round(wave_numbers(shape) ** 2).astype(int)
    shells = compute_shells(engine, labels, VOXEL, np.pi / VOXEL)
    layer, mixed, solid = shells.partials
    sums = density**2 * layer + 2 * density * mixed + solid
    # the outermost shell of an even box cuts the grid's last plane: only the points inside count
    for n in range((shape // 2) ** 2):
        expected = power[n2 == n].sum()
        assert sums[n] == pytest.approx(expected, rel=ROUNDING, abs=ROUNDING * power.sum() / shape**3), n
    assert sums[0] == pytest.approx(rho.sum() ** 2, rel=ROUNDING)


@pytest.mark.parametrize("density", [0.0, 0.65, 1.0])
def test_parseval(engine, labels, density, wave_numbers):
    """sum |F|^2 = N^3 sum rho^2: our ball and what a plain FFT holds beyond it."""
    shape = labels.shape[0]
    rho, power = transform(engine, labels, density)
    shells = compute_shells(engine, labels, VOXEL, np.pi / VOXEL)
    n_max = (shape - 1) // 2  # short of the last plane of an even box
    layer, mixed, solid = shells.partials[:, : n_max**2 + 1]
    ball = np.sum(density**2 * layer + 2 * density * mixed + solid)
    beyond = power[wave_numbers(shape) > n_max + 1e-9].sum()
    assert ball + beyond == pytest.approx(shape**3 * np.sum(rho**2), rel=ROUNDING)


@pytest.mark.parametrize("density", [0.0, 0.65, 1.0, 0.3])
def test_average_is_equation_4(engine, labels, density, wave_numbers):
    shape = labels.shape[0]
    _, power = transform(engine, labels, density)
    step = 2 * np.pi / (shape * VOXEL)
    q = np.linspace(0.3, shape / 2 - 6, 40) * step  # from below the first shell; the window ends inside the ball
    expected = average_dumbly(power, wave_numbers(shape), shape, VOXEL, q)
    shells = compute_shells(engine, labels, VOXEL, q[-1])
    intensity = shells.compute_intensity(q, density)
    np.testing.assert_allclose(intensity, expected * (512 / shape) ** 3, rtol=ROUNDING * 10)


def test_the_range_asked_for_makes_no_difference(engine, labels):
    """Coefficients that are not needed are left out, and only those."""
    step = 2 * np.pi / (labels.shape[0] * VOXEL)
    q = np.array([1.0, 2.5, 4.0]) * step
    short = compute_shells(engine, labels, VOXEL, q[-1]).compute_intensity(q, 0.65)
    full = compute_shells(engine, labels, VOXEL, np.pi / VOXEL).compute_intensity(q, 0.65)
    np.testing.assert_allclose(short, full, rtol=1e-6)


def test_far_below_the_first_shell_the_curve_stays_there(engine, labels, wave_numbers):
    _, power = transform(engine, labels, 0.65)
    n = wave_numbers(labels.shape[0])
    q = np.array([1e-6, 1e-3, 0.02])
    intensity = compute_shells(engine, labels, VOXEL, 1.0).compute_intensity(q, 0.65)
    assert np.all(np.isfinite(intensity))
    expected = average_dumbly(power, n, labels.shape[0], VOXEL, q)
    np.testing.assert_allclose(intensity, expected * (512 / labels.shape[0]) ** 3, rtol=ROUNDING * 10)


def test_a_range_beyond_the_voxels_is_refused(engine, labels):
    with pytest.raises(InputError, match=r"q reaches 6\.4 1/nm: voxels of 0\.5 nm carry up to 6\.283"):
        compute_shells(engine, labels, VOXEL, 6.4)


# --- contrast ---------------------------------------------------------------------------------------------------------


def test_intensity_is_quadratic_in_the_layer_density(engine, labels):
    q = np.linspace(0.5, 4, 30)
    shells = compute_shells(engine, labels, VOXEL, q[-1])
    densities = np.array([0.0, 0.65, 1.0, 0.3, 0.8, 1.7])
    curves = np.array([shells.compute_intensity(q, density) for density in densities])
    lagrange = np.polynomial.polynomial.polyvander(densities[3:], 2) @ np.linalg.inv(
        np.polynomial.polynomial.polyvander(densities[:3], 2)
    )
    np.testing.assert_allclose(curves[3:], lagrange @ curves[:3], rtol=1e-9)
    assert np.all(curves > 0)


def test_layer_density_decides_which_two_phases_are_seen(engine, labels):
    """Density 0 shows the solid alone, density 1 solid and layer as one."""
    xp = engine.xp
    q = np.linspace(0.5, 4, 30)
    shells = compute_shells(engine, labels, VOXEL, q[-1])
    for density, phases in ((0.0, [SOLID]), (1.0, [LAYER, SOLID])):
        merged = xp.where(xp.isin(labels, xp.asarray(phases)), xp.uint8(SOLID), xp.uint8(PORE))
        expected = compute_shells(engine, merged, VOXEL, q[-1]).compute_intensity(q, 0.5)
        np.testing.assert_allclose(shells.compute_intensity(q, density), expected, rtol=ROUNDING * 10)


def test_babinet(engine, labels):
    """The complement scatters the same, except at q = 0."""
    xp = engine.xp
    q = np.linspace(0.5, 4, 30)
    shells = compute_shells(engine, labels, VOXEL, q[-1])
    turned = compute_shells(engine, xp.asarray(np.array([2, 1, 0], np.uint8))[labels], VOXEL, q[-1])
    for density in (0.0, 0.65, 1.0):  # rho -> 1 - rho, so the layer's density too
        one, other = shells.compute_intensity(q, density), turned.compute_intensity(q, 1 - density)
        np.testing.assert_allclose(one, other, rtol=ROUNDING * 10)
    assert shells.partials[2, 0] != pytest.approx(turned.partials[2, 0], rel=0.01)


# --- two phases against theory ----------------------------------------------------------------------------------------


def simulate_two_phases(backend, a, porosity, shape, q, n_seeds, smoothing=0.0):
    """Return curves of structures without smoothing, (seed, Q), on the paper's scale."""
    curves = []
    for seed in range(n_seeds):
        model = StructureModel(a, porosity, 0.0, shape, VOXEL, smoothing)
        labels = make_labels(backend, model, seed)
        curves.append(compute_shells(backend, labels, VOXEL, q[-1]).compute_intensity(q, 0.65))
    return np.array(curves)


def average_theory(a, porosity, shape, q, wave_numbers):
    """Eq. 4 of the closed form on the grid of the box, on the paper's scale: an FFT's |F|^2 is N^3/dx^3 I/V."""
    n = wave_numbers(shape)
    unique, place = np.unique(np.round(n**2), return_inverse=True)
    theory = expected_intensity(2 * np.pi / (shape * VOXEL) * np.sqrt(unique), a, porosity)
    power = (512**3 / 0.5**3) * theory[place.reshape(n.shape)]
    return average_dumbly(power, n, shape, VOXEL, q)


@pytest.mark.parametrize("porosity", [0.3, 0.5, 0.85])
def test_mean_curve_is_the_exact_one(backend, porosity, grid_covariance, wave_numbers):
    """On a voxel grid the expected |F|^2 is N^3 times the transform of C sampled on it: no voxel bias to allow for."""
    a, shape, n_seeds = 1.0, 64, 20
    q = np.linspace(0.4, 4.5, 24)
    curves = simulate_two_phases(backend, a, porosity, shape, q, n_seeds)
    power = np.fft.fftn(grid_covariance(a, porosity, shape, VOXEL)).real * shape**3
    expected = average_dumbly(power, wave_numbers(shape), shape, VOXEL, q) * (512 / shape) ** 3
    error = curves.std(axis=0, ddof=1) / np.sqrt(n_seeds)
    # 0.4 %: thresholding each box at its own quantile, instead of the ensemble's, adds surface as 1/volume (measured
    # 3 % at 16 a, so 0.4 % in this box of 32 a)
    assert np.all(np.abs(curves.mean(axis=0) - expected) < K * error + 0.004 * expected)
    assert np.all(error[q > 1] / expected[q > 1] < 0.02)  # the comparison means something
    # the infinite sample's closed form, where the Porod tail's aliases are below 1 %
    low = q < 2
    closed = average_theory(a, porosity, shape, q[low], wave_numbers)
    assert np.all(np.abs(curves.mean(axis=0)[low] - closed) < K * error[low] + 0.014 * closed)


def sum_aliases(q, voxel_size):
    """Mean over directions of sum over G != 0 of (q/|q + G|)^4, G the reciprocal lattice of the voxels."""
    nodes = np.polynomial.legendre.leggauss(8)[0]
    cosine, angle = np.meshgrid(nodes, np.pi / 4 * (np.arange(16) + 0.5) / 4)
    weight = np.broadcast_to(np.polynomial.legendre.leggauss(8)[1], cosine.shape).ravel()
    sine = np.sqrt(1 - cosine**2)
    direction = np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=-1).reshape(-1, 1, 3)
    reach, unit = 12, 2 * np.pi / voxel_size
    grid = np.stack(np.meshgrid(*3 * [np.arange(-reach, reach + 1)]), axis=-1).reshape(-1, 3)
    grid = unit * grid[np.any(grid != 0, axis=1)]
    near = np.sum((q / np.linalg.norm(q * direction + grid, axis=2)) ** 4, axis=1)
    # beyond the cube of half width h the sum is an integral: (q/unit)^4 int r^-4 d^3r = (q/unit)^4 10.45/h
    return np.average(near, weights=weight) + (q / unit) ** 4 * 10.45 / (reach + 0.5)


def test_voxels_lift_the_tail(grid_covariance, wave_numbers):
    """The bias of a 0.5 nm grid is the Porod tail folded back: 5 % at 2.9 per nm, 17 % at 3.9, whatever a."""
    q = np.array([2.9, 3.9])
    aliases = [sum_aliases(value, VOXEL) for value in q]
    assert aliases == pytest.approx([0.05, 0.17], abs=0.01)
    for a in (1.0, 1.5):
        power = np.fft.fftn(grid_covariance(a, 0.3, 64, VOXEL)).real * 64**3
        on_grid = average_dumbly(power, wave_numbers(64), 64, VOXEL, q) * (512 / 64) ** 3
        bias = on_grid / average_theory(a, 0.3, 64, q, wave_numbers) - 1
        # the tail's next term is of relative order 1/(q a)^2 times a tenth, and falls with the alias's larger q
        assert bias == pytest.approx(aliases, abs=0.005)


def test_shell_means_scatter_by_the_gamma_law(backend, wave_numbers):
    """Where many modes make a shell mean it scatters as a gamma variable of N_eff = 1/(2 sum w^2): modes are pairs."""
    shape, n_seeds = 32, 200
    step = 2 * np.pi / (shape * VOXEL)
    q = step * np.arange(2, 7)  # windows of Eq. 4 are half a step wide: values two sigma apart are nearly independent
    curves = simulate_two_phases(backend, 0.8, 0.4, shape, q, n_seeds)
    n = wave_numbers(shape)[wave_numbers(shape) > 0]
    weights = np.exp(-2 * (n - q[:, None] / step) ** 2) / n**2
    weights /= weights.sum(axis=1, keepdims=True)
    expected = 2 * np.sum(weights**2, axis=1)
    ratio = curves.var(axis=0, ddof=1) / curves.mean(axis=0) ** 2 / expected
    # a variance from m values has a relative error of sqrt(2/m); 0.1 for what is not Gaussian in a binary structure
    assert ratio.mean() == pytest.approx(1, abs=0.1 + K * np.sqrt(2 / (n_seeds - 1) / q.size))


def test_porod_law(backend, grid_covariance, wave_numbers):
    """Slope -4 and prefactor 2 pi S_V, after the voxels' aliases are divided out."""
    a, porosity, shape, n_seeds = 2.5, 0.4, 96, 6
    q = np.linspace(8.0, 11.0, 7) / a  # Porod's law holds to half a per cent from q a = 8
    curves = simulate_two_phases(backend, a, porosity, shape, q, n_seeds)
    power = np.fft.fftn(grid_covariance(a, porosity, shape, VOXEL)).real * shape**3
    on_grid = average_dumbly(power, wave_numbers(shape), shape, VOXEL, q)
    # what voxels and the window of Eq. 4 (both known without a simulation) make of the infinite sample's curve
    distortion = on_grid / (shape**3 / VOXEL**3 * expected_intensity(q, a, porosity))
    per_volume = curves / (512**3 / 0.5**3) / distortion
    slopes = np.polyfit(np.log(q), np.log(per_volume).T, 1)[0]
    assert slopes.mean() == pytest.approx(-4, abs=0.03 + K * slopes.std(ddof=1) / np.sqrt(n_seeds))
    prefactor = np.mean(per_volume * q**4, axis=1) / (2 * np.pi * compute_surface_per_volume(a, porosity))
    # the box has 19 a only: thresholding at its own quantile adds 2 % of surface (3 % at 16 a, as 1/volume)
    error = prefactor.std(ddof=1) / np.sqrt(n_seeds)
    assert prefactor.mean() == pytest.approx(1.01, abs=0.015 + K * error)
    assert error < 0.03


def test_smoothing_changes_small_structures_as_measured(backend):
    """The paper's 1 nm is not harmless at a = 0.8 nm: I_smoothed / I_raw is 1.79, 0.93, 0.86 at 0.3, 1, 3 per nm."""
    q = np.array([0.3, 1.0, 3.0])
    raw = simulate_two_phases(backend, 0.8, 0.5, 64, q, 16)
    smooth = simulate_two_phases(backend, 0.8, 0.5, 64, q, 16, smoothing=1.0)
    ratio = smooth.mean(axis=0) / raw.mean(axis=0)
    # errors of both means, taken as independent
    error = np.hypot(*(c.std(axis=0, ddof=1) / c.mean(axis=0) / np.sqrt(16) for c in (raw, smooth)))
    assert np.all(np.abs(ratio / [1.79, 0.93, 0.86] - 1) < K * error + 0.03)


# --- grf.simulate -----------------------------------------------------------------------------------------------------


def test_boxes_of_any_size_and_voxel_share_the_papers_scale(backend, wave_numbers):
    """Larger boxes and finer voxels give the same curve, within the scatter of the structures."""
    q = np.linspace(1.4, 2.6, 9)
    means, errors = {}, {}
    for name, shape, voxel_size, n_seeds in (("small", 64, 0.5, 12), ("large", 96, 0.5, 5), ("fine", 96, 1 / 3, 12)):
        setting = {"shape": shape, "voxel_size": voxel_size, "q": q, "device": backend.device}
        curves = np.array([grf.simulate(1.2, 0.6, 0.3, seed=seed, **setting)[1] for seed in range(n_seeds)])
        means[name] = curves.mean(axis=0)
        errors[name] = curves.std(axis=0, ddof=1) / means[name] / np.sqrt(n_seeds)
    # Eq. 4's window is half a grid step wide: the small box smears the falling curve more, by as much as the closed
    # form of two phases is; that the third phase changes the slope is left in the tolerance
    smearing = average_theory(1.2, 0.6, 64, q, wave_numbers) / average_theory(1.2, 0.6, 96, q, wave_numbers)
    ratio = means["small"] / means["large"] / smearing
    assert np.all(np.abs(ratio - 1) < K * np.hypot(errors["small"], errors["large"]) + 0.02)
    # finer voxels in a box of the same length, so the same window: no aliases (3 % at 2.6 per nm), a film of 1.5
    # voxels better resolved
    ratio = means["small"] / means["fine"]
    assert np.all(np.abs(ratio - 1) < K * np.hypot(errors["small"], errors["fine"]) + 0.05)
    assert np.all(np.hypot(errors["small"], errors["large"]) < 0.04)


def test_scale_is_exact(backend):
    """The same voxels called twice as large: q halves, and the intensity on the paper's scale grows by 2^3."""
    q = np.linspace(0.8, 3.0, 12)
    _, one = grf.simulate(1.5, 0.6, 0.0, shape=32, voxel_size=0.5, q=q, seed=4, device=backend.device)
    model = StructureModel(3.0, 0.6, 0.0, 32, 1.0, smoothing_nm=2.0)
    labels = make_labels(backend, model, 4)
    other = compute_shells(backend, labels, 1.0, q[-1] / 2).compute_intensity(q / 2, 0.65)
    np.testing.assert_allclose(other, 8 * one, rtol=1e-6)

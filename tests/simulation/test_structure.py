"""Structures: exact volume fractions, a layer that is a film on the solid, the surface that theory says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter, label
from scipy.special import ndtri

import pyfai_grf as grf
from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import DeviceError, InputError
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.simulation import structure
from pyfai_grf.simulation.field import compute_amplitudes, make_field
from pyfai_grf.simulation.kernels import count_boundaries
from pyfai_grf.simulation.structure import LAYER, PORE, SOLID, StructureModel, make_labels, make_structure, split_phases

#: standard errors allowed
K = 5.0

A, POROSITY, LAYERS = (PARAMETERS[name] for name in ("a", "porosity", "layer_fraction"))
CORNERS = [
    (a, porosity, layer_fraction)
    for a in (A.design_low, A.design_high)
    for porosity in (POROSITY.design_low, POROSITY.design_high)
    for layer_fraction in (0.0, LAYERS.design_low, LAYERS.design_high)
]
INSIDE = [(8.0, 0.9, 0.5), (0.8, 0.5, 0.3), (8.0, 0.5, 0.5), (4.0, 0.7, 0.2), (1.3, 0.31, 0.02), (3.0, 0.111, 0.05)]


def make_box(engine, a, porosity, layer_fraction, shape, smoothing=1.0, seed=3):
    """Return (labels, thresholded but unsmoothed solid) on the host; voxels of 0.5 nm."""
    model = StructureModel(a, porosity, layer_fraction, shape, 0.5, smoothing)
    field = make_field(engine, seed, compute_amplitudes(a, shape, 0.5), shape)
    labels = engine.to_host(split_phases(engine, field, model))
    values = engine.to_host(field)
    raw = np.zeros(values.size, dtype=bool)
    raw[np.argsort(values, axis=None, kind="stable")[model.phase_counts[1] :]] = True
    return labels, raw.reshape(values.shape)


def measure_distance(solid, pad=None):
    """Return the distance of every voxel to the nearest solid one, in voxels, (N, N, N); periodic as far as ``pad``."""
    pad = pad or solid.shape[0] // 2
    inner = slice(pad, -pad)
    return distance_transform_edt(~np.pad(solid, pad, mode="wrap"))[inner, inner, inner]


def count_phases(labels):
    return np.bincount(labels.ravel(), minlength=3).tolist()


# --- volume fractions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [1.0, 0.0])
@pytest.mark.parametrize(("a", "porosity", "layer_fraction"), CORNERS + INSIDE)
def test_volume_fractions_are_exact_to_one_voxel(engine, a, porosity, layer_fraction, smoothing):
    shape = 33
    labels, _ = make_box(engine, a, porosity, layer_fraction, shape, smoothing)
    assert labels.dtype == np.uint8
    wanted = np.array([porosity * (1 - layer_fraction), porosity * layer_fraction, 1 - porosity]) * shape**3
    # the two boundaries between the phases are rounded to whole voxels, half a voxel each
    assert np.all(np.abs(count_phases(labels) - wanted) <= [0.5 + 1e-9, 1.0 + 1e-9, 0.5 + 1e-9])


@pytest.mark.parametrize("voxel_size", [0.1, 2.0])
@pytest.mark.parametrize("smoothing", [0.01, 12.0])
def test_volume_fractions_are_exact_at_any_scale(engine, voxel_size, smoothing):
    """A kernel far narrower than a voxel, and one that wraps around the box several times."""
    model = StructureModel(2.0, 0.6, 0.3, 24, voxel_size, smoothing)
    labels = engine.to_host(make_labels(engine, model, 1))
    open_pore, pore = model.phase_counts
    assert count_phases(labels) == [open_pore, pore - open_pore, 24**3 - pore]


@pytest.mark.parametrize(("porosity", "layer_fraction"), [(1e-6, 0.0), (1 - 1e-6, 0.5), (0.5, 1e-6), (0.5, 1 - 1e-6)])
def test_phases_below_one_voxel(engine, porosity, layer_fraction):
    model = StructureModel(2.0, porosity, layer_fraction, 24)
    labels = engine.to_host(make_labels(engine, model, 1))
    open_pore, pore = model.phase_counts
    assert count_phases(labels) == [open_pore, pore - open_pore, 24**3 - pore]


@pytest.mark.parametrize("seed", [1, 2])
def test_adding_a_layer_leaves_the_solid_as_it_was(engine, seed):
    two, _ = make_box(engine, 2.0, 0.6, 0.0, 40, seed=seed)
    three, _ = make_box(engine, 2.0, 0.6, 0.3, 40, seed=seed)
    assert set(np.unique(two)) == {PORE, SOLID}
    # the layer is taken from the pores (Eq. 9 and 10 share the threshold); the two kernels are cut at different
    # radii, which reorders voxels whose smoothed values agree to 1e-4
    assert np.mean((two == SOLID) != (three == SOLID)) < 1e-3


# --- the layer is a film on the solid ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "porosity", "layer_fraction"),
    [
        (8.0, 0.5, 0.5),
        (4.0, 0.7, 0.2),
        (4.0, 0.1, 0.02),
        (3.0, 0.5, 0.5),
        (4.0, 0.9, 0.5),
        (0.8, 0.5, 0.3),
        (0.8, 0.9, 0.5),
    ],
)
def test_phases_are_ordered_by_the_smoothed_solid(engine, a, porosity, layer_fraction):
    """Eq. 9 and 10 with the smoothing in double precision, whose order reaches down to 1e-300."""
    labels, raw = make_box(engine, a, porosity, layer_fraction, 48)
    smooth = gaussian_filter(raw.astype(np.float64), 2.0, mode="wrap", truncate=18)
    # two kernels, cut at 1e-4 of the threshold's value and rounded to 1e-6, so "in order" to a few 1e-4 relative
    tolerance = 1 + 5e-4
    assert smooth[labels == LAYER].min() * tolerance >= smooth[labels == PORE].max()
    assert smooth[labels == SOLID].min() * tolerance >= smooth[labels == LAYER].max()


@pytest.mark.parametrize(
    ("a", "porosity", "layer_fraction"),
    [(8.0, 0.5, 0.5), (4.0, 0.7, 0.2), (4.0, 0.1, 0.02), (4.0, 0.3, 0.3), (3.0, 0.5, 0.5), (4.0, 0.9, 0.05)],
)
def test_the_layer_is_a_film(engine, a, porosity, layer_fraction):
    """Where the structure is coarser than the kernel, its order is the distance to within a voxel."""
    labels, _ = make_box(engine, a, porosity, layer_fraction, 56)
    distance = measure_distance(labels == SOLID)
    # at equal smoothed value a concave wall of curvature radius R is further away than a convex one, by about
    # sigma^2/R: about a voxel for sigma = 2 voxels and R from 4; half a voxel more is the grid's
    assert distance[labels == LAYER].max() <= distance[labels == PORE].min() + 1.5
    check_attached(labels == LAYER, labels == SOLID)


@pytest.mark.parametrize(
    ("a", "porosity", "layer_fraction", "shape", "smoothing"),
    [(8.0, 0.9, 0.5, 64, 0.5), (8.0, 0.9, 0.5, 104, 1.0)],
)
def test_the_layer_is_a_film_where_the_smoothed_field_underflows(
    engine, a, porosity, layer_fraction, shape, smoothing, monkeypatch
):
    calls = []
    by_distance = structure._rank_by_distance
    monkeypatch.setattr(structure, "_rank_by_distance", lambda *args: calls.append(1) or by_distance(*args))
    labels, raw = make_box(engine, a, porosity, layer_fraction, shape, smoothing, seed=6)
    assert calls, "this corner is meant to exercise the distance"
    distance = measure_distance(raw, pad=32)
    # 11.2 sigma from a wall the smoothed field is 1e-28, and what is beyond is ordered by the distance, exactly
    deepest = distance[labels == LAYER].max()
    assert 11.5 * smoothing / 0.5 < deepest < 32
    assert deepest <= distance[labels == PORE].min()
    if shape < 100:  # the full box takes seconds
        distance = measure_distance(labels == SOLID)  # smoothing moved the surface itself, by under a voxel
        assert distance[labels == LAYER].max() <= distance[labels == PORE].min() + 1.5
        check_attached(labels == LAYER, labels == SOLID)


@pytest.mark.parametrize(("a", "porosity", "layer_fraction"), [(2.0, 0.3, 0.3), (8.0, 0.9, 0.5), (0.8, 0.5, 0.02)])
def test_without_smoothing_the_layer_is_ordered_by_distance_and_field(engine, a, porosity, layer_fraction):
    labels, raw = make_box(engine, a, porosity, layer_fraction, 48, smoothing=0.0)
    np.testing.assert_array_equal(labels == SOLID, raw)
    distance = measure_distance(raw)
    deepest = distance[labels == LAYER].max()
    assert deepest <= distance[labels == PORE].min()
    # thousands of voxels lie at the same distance: among them the higher field is nearer to the solid
    model = StructureModel(a, porosity, layer_fraction, 48, 0.5, 0.0)
    field = engine.to_host(make_field(engine, 3, compute_amplitudes(a, 48, 0.5), 48))
    tied = distance == deepest
    ordered = np.sort(field[tied])[::-1]
    taken = int((model.phase_counts[1] - model.phase_counts[0]) - (distance[labels == LAYER] < deepest).sum())
    assert np.array_equal(np.sort(field[tied & (labels == LAYER)])[::-1], ordered[:taken])


def check_attached(layer, solid):
    """Every connected piece of layer and solid together holds solid: no speckle in the open pores."""
    pad = solid.shape[0] // 2
    pieces, count = label(np.pad(layer | solid, pad, mode="wrap"), structure=np.ones((3, 3, 3)))
    holding = set(np.unique(pieces[np.pad(solid, pad, mode="wrap")]))
    inner = pieces[1:-1, 1:-1, 1:-1].copy()
    pieces[1:-1, 1:-1, 1:-1] = 0
    cut = set(np.unique(pieces))  # goes on beyond the padded box
    assert set(np.unique(inner)) - cut <= holding
    assert holding
    assert count


# --- geometry against theory ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "porosity"), [(2.0, 0.5), (2.0, 0.2), (4.0, 0.8)])
def test_faces_between_the_phases_follow_theory(backend, grid_covariance, a, porosity):
    """Two neighbours differ with probability 2 (C(0) - C(dx)), exactly, along each axis."""
    shape, n_seeds = 64, 12
    model = StructureModel(a, porosity, 0.0, shape, 0.5, smoothing_nm=0.0)
    counts = []
    for seed in range(n_seeds):
        labels = make_labels(backend, model, seed)
        counts.append(backend.to_host(count_boundaries(backend, labels))[:, 1])
    faces = np.array(counts) / shape**3
    covariance = grid_covariance(a, porosity, shape, 0.5)
    expected = 2 * (covariance[0, 0, 0] - covariance[0, 0, 1])
    error = faces.std(axis=0, ddof=1) / np.sqrt(n_seeds)
    assert np.all(np.abs(faces.mean(axis=0) - expected) < K * error)
    # and with ever finer voxels that becomes S_V by Cauchy's formula: area is twice the faces seen along one axis.
    # C(dx) = C(0) - S_V dx/4 + c_3 dx^3: the next term is below (dx/a)^2, a sixteenth and a sixty-fourth
    surface = 2 / (np.pi * np.sqrt(5)) * np.exp(-(ndtri(porosity) ** 2) / 2) / a
    assert 2 * faces.mean() / 0.5 == pytest.approx(surface, rel=(0.5 / a) ** 2 + K * error.max() / expected)


def test_the_film_has_the_thickness_of_its_volume(backend):
    """A thin film: the layer's volume over the area of the interface."""
    model = StructureModel(8.0, 0.5, 0.15, 96, 0.5, 1.0)
    labels = make_labels(backend, model, 2)
    counts = backend.to_host(count_boundaries(backend, labels)).sum(axis=0)
    area = (2 / 3) * (counts[0] + counts[2]) / 2 * 0.25  # Cauchy: 2/3 of all faces; the mean of the film's two sides
    volume = (model.phase_counts[1] - model.phase_counts[0]) * 0.125
    # flat_film_nm knows the mean surface of the unsmoothed model; a box of (48 nm)^3 at a = 8 nm has a surface
    # that scatters by some 10 % about it, and smoothing takes a few per cent away
    assert volume / area == pytest.approx(model.flat_film_nm, rel=0.3)


# --- the public edge --------------------------------------------------------------------------------------------------


def test_seeds():
    one, same, other = (make_structure(0.8, 0.6, 0.3, shape=48, seed=seed, device="cpu") for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    # two independent structures of many a differ at sum over phases of p (1 - p) = 1 - 0.42^2 - 0.18^2 - 0.4^2 = 0.63
    assert 0.4 < np.mean(one != other) < 0.8


def test_public_name_and_labels():
    volume = grf.make_structure(a=4.0, porosity=0.7, layer_fraction=0.2, shape=32, voxel_size=0.5, seed=1, device="cpu")
    assert isinstance(volume, np.ndarray)
    assert volume.dtype == np.uint8
    assert volume.shape == (32, 32, 32)
    assert set(np.unique(volume)) == {PORE, LAYER, SOLID} == {0, 1, 2}


def test_all_engines_agree_on_the_published_smoothing_in_nanometres(engine):
    """Scaling a, the voxel and the smoothing together changes nothing at all."""
    small = make_labels(engine, StructureModel(2.0, 0.6, 0.3, 32, 0.5, 1.0), 9)
    large = make_labels(engine, StructureModel(8.0, 0.6, 0.3, 32, 2.0, 4.0), 9)
    np.testing.assert_array_equal(engine.to_host(small), engine.to_host(large))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a", 0.0),
        ("a", -1.0),
        ("a", np.nan),
        ("a", np.inf),
        ("porosity", 0.0),
        ("porosity", 1.0),
        ("porosity", np.nan),
        ("layer_fraction", -0.1),
        ("layer_fraction", 1.0),
        ("layer_fraction", np.nan),
        ("shape", 7),
        ("shape", 5000),
        ("voxel_size", 0.0),
        ("voxel_size", np.nan),
        ("smoothing", -1.0),
        ("smoothing", np.inf),
    ],
)
def test_bad_parameters_are_named(name, value):
    arguments = {"a": 4.0, "porosity": 0.7, "layer_fraction": 0.2, "shape": 16} | {name: value}
    with pytest.raises(InputError, match=f"^{name} is {value}: it must be"):
        make_structure(**arguments)


def test_a_device_that_is_not_there():
    with pytest.raises(DeviceError, match="unknown device"):
        make_structure(4.0, 0.7, device="abacus")
    try:
        get_backend("cuda")
    except DeviceError:
        with pytest.raises(DeviceError, match="'cuda' was asked for"):
            make_structure(4.0, 0.7, shape=16, device="cuda")


@pytest.mark.parametrize("changes", [{"shape": 16.7}, {"seed": -1}, {"seed": "one"}])
def test_shape_and_seed_are_not_guessed(changes: dict) -> None:
    with pytest.raises(InputError, match=next(iter(changes))):
        make_structure(**{"a": 2.0, "porosity": 0.5, "shape": 16, "device": "cpu", **changes})

"""Each kernel against a deliberately dumb reference, on every engine, and the engines against each other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from pyfai_grf.core.backend import get_backend
from pyfai_grf.simulation import kernels
from pyfai_grf.simulation.distance import measure_distance
from pyfai_grf.simulation.intensity import compute_shells
from pyfai_grf.simulation.structure import StructureModel, make_labels

#: one even, one odd box, one narrower than the kernels' reach
SHAPES = [16, 21, 9]


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def make_blobs(rng, shape, share=0.02):
    """A few solid voxels in an empty box, some of them at the wall."""
    solid = rng.random((shape,) * 3) < share
    solid[0, 0, shape - 1] = True
    return solid


def test_compiled_kernels_are_there():
    pytest.importorskip("numba")
    assert get_backend("cpu").load_loops(kernels._LOOPS) is not None


@pytest.mark.parametrize("bounds", [(-0.5, 0.25), (-np.inf, 0.0), (1.0, np.inf), (0.1, 0.1), (2.0, -2.0)])
def test_collect_between(engine, rng, bounds):
    values = np.round(rng.standard_normal(5001), 1).astype(np.float32)
    low, high = np.float32(bounds[0]), np.float32(bounds[1])
    below, found = kernels.collect_between(engine, engine.xp.asarray(values), float(low), float(high))
    assert below == sum(1 for v in values if v < low)
    assert engine.to_host(found).tolist() == [i for i, v in enumerate(values) if low <= v <= high]


@pytest.mark.parametrize("thresholds", [[0.3], [-0.5, 0.7], [0.2, 0.2], [0.0, np.inf], [-np.inf]])
def test_count_thresholds(engine, rng, thresholds):
    values = np.round(rng.standard_normal(5001), 1).astype(np.float32)
    limits = np.asarray(thresholds, dtype=np.float32)
    labels = kernels.count_thresholds(engine, engine.xp.asarray(values), engine.xp.asarray(limits))
    assert engine.to_host(labels).tolist() == [sum(bool(v >= t) for t in limits) for v in values]


def smooth_dumbly(binary, taps):
    """Three periodic sums over shifted boxes, in double precision."""
    field = binary.astype(np.float64)
    for axis in range(3):
        field = sum(
            float(taps[abs(r)]) * np.roll(field, r, axis) for r in range(-taps.size + 1, taps.size)
        )  # fmt: skip
    return field


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("sigma", "reach"), [(2.0, 5), (2.0, 23), (0.6, 1), (0.02, 2)])
def test_smoothing_keeps_its_relative_precision(engine, rng, shape, sigma, reach):
    solid = make_blobs(rng, shape, 0.001)
    taps = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    taps = (taps / (2 * taps.sum() - taps[0])).astype(np.float32)
    xp = engine.xp
    smooth = engine.to_host(kernels.smooth_periodic(engine, xp.asarray(solid.view(np.uint8)), xp.asarray(taps)))
    expected = smooth_dumbly(solid, taps)
    assert smooth.dtype == np.float32
    # positive taps: a relative rounding of 6e-8 for each of up to 3 (reach + 2) operations, as far down as float32
    # is normal (an FFT would leave an absolute 1e-7 instead)
    visible = expected > 1e-30
    np.testing.assert_allclose(smooth[visible], expected[visible], rtol=6e-8 * 3 * (reach + 3))
    assert np.all(smooth[expected == 0] == 0)
    assert smooth.sum(dtype=np.float64) == pytest.approx(solid.sum(), rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reach", [1, 4, 12, 25])
def test_distance_is_euclidean_and_periodic(engine, rng, shape, reach):
    solid = make_blobs(rng, shape, 0.004)
    tiled = distance_transform_edt(~np.tile(solid, (3, 3, 3)))  # independent: the middle of 27 copies
    middle = slice(shape, 2 * shape)
    expected = np.minimum(np.round(tiled[middle, middle, middle] ** 2), reach**2)
    distance = measure_distance(engine, engine.xp.asarray(solid.view(np.uint8)), reach)
    np.testing.assert_array_equal(engine.to_host(distance), expected)


@pytest.mark.parametrize("shape", [12, 13])
def test_sum_shells(engine, rng, shape):
    n_max = shape // 2 - 1
    layer, solid = (np.fft.fftn(rng.standard_normal((shape,) * 3)) for _ in range(2))
    numbers = np.fft.fftfreq(shape, 1 / shape).round().astype(int)
    kept = np.flatnonzero(np.abs(numbers) <= n_max)
    expected = np.zeros((3, n_max**2 + 1))
    for i in kept:
        for j in kept:
            for k in kept:  # the whole sphere, no symmetry used
                n2 = numbers[i] ** 2 + numbers[j] ** 2 + numbers[k] ** 2
                if n2 <= n_max**2:
                    v, s = layer[i, j, k], solid[i, j, k]
                    expected[:, n2] += abs(v) ** 2, (v * s.conjugate()).real, abs(s) ** 2
    xp = engine.xp
    layer_half, solid_half = (
        xp.asarray(f[np.ix_(kept, kept, np.arange(n_max + 1))].astype(np.complex64)) for f in (layer, solid)
    )
    square = xp.asarray(numbers[kept] ** 2)
    squares = square, square, xp.arange(n_max + 1) ** 2
    sums = engine.to_host(kernels.sum_shells(engine, layer_half, solid_half, squares, n_max**2 + 1))
    # complex64 amplitudes: 1e-7 each, sums in double precision; layer-solid terms cancel, so on the scale of the others
    scale = np.sqrt(expected[0] * expected[2])
    np.testing.assert_allclose(sums[[0, 2]], expected[[0, 2]], rtol=1e-6)
    assert np.all(np.abs(sums[1] - expected[1]) <= 1e-6 * scale)


@pytest.mark.parametrize("shape", [8, 7])
def test_count_boundaries(engine, rng, shape):
    labels = rng.integers(0, 3, (shape,) * 3).astype(np.uint8)
    expected = np.zeros((3, 3), int)
    pairs = {(0, 1): 0, (0, 2): 1, (1, 2): 2}
    for index in np.ndindex(labels.shape):
        for axis in range(3):
            neighbour = list(index)
            neighbour[axis] = (neighbour[axis] + 1) % shape
            pair = tuple(sorted((int(labels[index]), int(labels[tuple(neighbour)]))))
            if pair in pairs:
                expected[axis, pairs[pair]] += 1
    counts = kernels.count_boundaries(engine, engine.xp.asarray(labels))
    np.testing.assert_array_equal(engine.to_host(counts), expected)


@pytest.mark.parametrize(
    ("a", "porosity", "layer_fraction", "smoothing"),
    [(2.0, 0.6, 0.3, 1.0), (0.8, 0.5, 0.3, 1.0), (4.0, 0.9, 0.5, 0.7), (2.0, 0.3, 0.2, 0.0), (2.0, 0.5, 0.0, 1.0)],
)
def test_every_engine_makes_the_same_structure(engine, a, porosity, layer_fraction, smoothing):
    """The seed alone decides: NumPy, compiled loops and the GPU's kernels give one structure, voxel by voxel."""
    model = StructureModel(a, porosity, layer_fraction, 40, 0.5, smoothing)
    one = engine.to_host(make_labels(engine, model, 4))
    other = make_labels(dataclasses.replace(get_backend("cpu"), use_compiled=False), model, 4)
    # the smoothed fields differ by float32 rounding (1e-6, relative), which moves only voxels at the thresholds:
    # of 64,000 voxels whose logarithms spread over more than one unit fewer than one is expected to move
    assert np.count_nonzero(one != other) <= 4
    assert np.bincount(one.ravel(), minlength=3).tolist() == np.bincount(other.ravel(), minlength=3).tolist()


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_nothing(threads):
    model = StructureModel(2.0, 0.6, 0.3, 40)
    some, usual = get_backend("cpu", threads=threads), get_backend("cpu")
    one, other = (make_labels(backend, model, 4) for backend in (some, usual))
    np.testing.assert_array_equal(one, other)
    first, second = (compute_shells(backend, one, 0.5, 4.0).partials for backend in (some, usual))
    np.testing.assert_array_equal(first, second)

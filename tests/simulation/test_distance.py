"""The periodic distance transform against a brute search, on every engine."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.distance import find_nearest, measure_distance


def _search(solid: np.ndarray) -> np.ndarray:
    """Squared periodic distance of every voxel to the nearest solid one, by trying all of them."""
    size = np.array(solid.shape)
    voxels = np.stack(np.meshgrid(*(np.arange(n) for n in solid.shape), indexing="ij"), axis=-1)
    squared = np.full(solid.shape, np.inf)
    for source in np.argwhere(solid):
        step = np.abs(voxels - source)
        squared = np.minimum(squared, (np.minimum(step, size - step) ** 2).sum(axis=-1))
    return squared


@pytest.mark.parametrize("share", [0.002, 0.03, 0.4])
@pytest.mark.parametrize("reach", [3, 40])
def test_equals_a_brute_search(engine: Backend, share: float, reach: int) -> None:
    solid = np.random.default_rng(5).random((16, 16, 16)) < share
    solid[0, 0, 0] = True
    expected = np.minimum(_search(solid), reach**2)
    on_device = engine.xp.asarray(solid.view(np.uint8))
    np.testing.assert_array_equal(engine.to_host(measure_distance(engine, on_device, reach)), expected)


def test_names_a_nearest_solid_voxel(engine: Backend) -> None:
    solid = np.random.default_rng(6).random((12, 12, 12)) < 0.01
    reach = 5
    squared, nearest = (engine.to_host(v) for v in find_nearest(engine, engine.xp.asarray(solid), reach))
    np.testing.assert_array_equal(squared, np.minimum(_search(solid), reach**2))
    near = squared < reach**2
    assert near.any()
    assert not near.all()
    source = np.stack(np.unravel_index(nearest[near], solid.shape))
    assert solid[tuple(source)].all()
    step = np.abs(source - np.stack(np.nonzero(near)))
    step = np.minimum(step, np.array(solid.shape)[:, np.newaxis] - step)
    np.testing.assert_array_equal((step**2).sum(axis=0), squared[near])


def test_without_a_solid_everything_is_far(engine: Backend) -> None:
    empty = engine.xp.zeros((8, 8, 8), dtype=engine.xp.uint8)
    assert float(measure_distance(engine, empty, 4).min()) == 16

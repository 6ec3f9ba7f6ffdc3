"""What boxes share, and the grids and shells of each kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation.grids import KINDS, BoxSetting, count_modes, get_grid, number_shells

SMALL = BoxSetting(shape=96, voxels_per_a=12.0)


@pytest.mark.parametrize(
    ("change", "match"),
    [({"shape": 90}, "multiple of 4"), ({"voxels_per_a": 4.0}, "above 8"), ({"voxels_per_a": 20.0}, "length")],
)
def test_impossible_boxes(change: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        replace(SMALL, **change)


@pytest.mark.parametrize("kind", KINDS)
def test_every_mode_within_reach_is_counted_once(kind: str) -> None:
    """Counted dumbly: every point of the grid with |i|, |j|, |k| <= n_max, by its shell of half a grid step."""
    grid = get_grid(SMALL, kind)
    shells = number_shells(grid.n_max)
    found = count_modes(grid.shape, grid.n_max, shells, shells.size)
    numbers = np.fft.fftfreq(grid.shape, 1 / grid.shape)
    n = np.sqrt(np.sum(np.square(np.meshgrid(numbers, numbers, numbers)), axis=0))
    expected = np.bincount(np.rint(2 * n[n <= grid.n_max]).astype(int))
    np.testing.assert_array_equal(found, expected)


def test_a_kind_has_the_voxels_that_it_promises() -> None:
    fine, coarse, wide, pair = (get_grid(SMALL, kind) for kind in KINDS)
    assert fine.voxels_per_a == 2 * coarse.voxels_per_a == 4 * wide.voxels_per_a == 4 * pair.voxels_per_a
    assert wide.length == 2 * fine.length == 2 * coarse.length == 2 * pair.length

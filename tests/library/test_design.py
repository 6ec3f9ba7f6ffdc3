"""The sampling design: inside the ranges, evenly filled for every count, and the same for whoever asks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import qmc

from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.library.design import SPLITS, _draw_points, get_point, get_seed, get_split

#: standard errors allowed
K = 5.0


def get_unit_points(library_seed, count):
    """Return the first points of a library, mapped to the unit cube, (count, 3)."""
    points = [get_point(library_seed, index) for index in range(count)]
    return np.array(
        [
            [(point[p.name] - p.design_low) / (p.design_high - p.design_low) for p in PARAMETERS.values()]
            for point in points
        ]
    )


@pytest.mark.parametrize("library_seed", [0, 1, 77])
def test_points_lie_inside_the_design_ranges_and_reach_their_ends(library_seed):
    unit = get_unit_points(library_seed, 2048)
    assert list(get_point(library_seed, 0)) == list(PARAMETERS)
    assert np.all((unit >= 0) & (unit < 1))
    # scrambled Sobol points: one in each of 2048 equal strips along every axis
    assert np.all(np.sort(unit, axis=0) < (np.arange(2048)[:, None] + 1) / 2048)
    assert np.all(np.sort(unit, axis=0) >= np.arange(2048)[:, None] / 2048)


def test_the_published_range_is_well_inside():
    for parameter in PARAMETERS.values():
        assert parameter.design_low < parameter.low < parameter.high < parameter.design_high


@pytest.mark.parametrize("count", [50, 256, 700, 2000])
def test_any_count_fills_the_space_evenly(count):
    unit = get_unit_points(5, count)
    random = [qmc.discrepancy(np.random.default_rng(seed).random((count, 3))) for seed in range(10)]
    assert qmc.discrepancy(unit) < 0.4 * min(random)  # measured a fifth to a thirtieth of the mean of them
    # every one of 27 boxes has its share: of a random design's binomial scatter less than half
    boxes = np.bincount((unit * 3).astype(int) @ [9, 3, 1], minlength=27)
    assert boxes.std() < 0.7 * np.sqrt(count / 27)


def test_growing_a_library_changes_no_point():
    """The first points are the same whether the caller wants ten of them or thousands."""
    _draw_points.cache_clear()
    early = [get_point(3, index) for index in range(10)]
    late = get_point(3, 5000)
    _draw_points.cache_clear()
    assert get_point(3, 5000) == late
    assert [get_point(3, index) for index in range(10)] == early
    # over the borders at which the sequence is drawn anew, twice as long
    for index in (1023, 1024, 2047, 2048):
        assert get_point(3, index) == dict(
            zip(
                PARAMETERS,
                [
                    p.design_low + u * (p.design_high - p.design_low)
                    for p, u in zip(PARAMETERS.values(), _draw_points(3, 13)[index], strict=True)
                ],
                strict=True,
            )
        )


def test_libraries_of_different_seeds_share_no_point():
    one, other = get_unit_points(1, 512), get_unit_points(2, 512)
    nearest = np.abs(one[:, None] - other).max(axis=2).min()
    assert nearest > 1e-6


def test_structure_seeds_are_unique_and_fixed():
    seeds = {get_seed(library_seed, index) for library_seed in range(4) for index in range(2000)}
    assert len(seeds) == 8000
    assert all(0 <= seed < 2**64 for seed in seeds)
    # written into every stored library: a change would orphan them
    assert get_seed(1, 0) == int(np.random.SeedSequence([1, 0]).generate_state(1, np.uint64)[0])


def test_split_shares():
    count = 20_000
    found = Counter(get_split(1, index) for index in range(count))
    assert set(found) == set(SPLITS) == {"train", "calibration", "test"}
    assert pytest.approx({"train": 0.7, "calibration": 0.15, "test": 0.15}) == SPLITS
    for name, share in SPLITS.items():
        assert found[name] / count == pytest.approx(share, abs=K * np.sqrt(share * (1 - share) / count))


def test_split_depends_on_seed_and_index_alone():
    one = [get_split(1, index) for index in range(300)]
    assert one == [get_split(1, index) for index in range(300)]
    assert one != [get_split(2, index) for index in range(300)]
    # and not on the parameters: the test set fills the design like the rest
    unit = get_unit_points(1, 2000)
    is_test = np.array([get_split(1, index) == "test" for index in range(2000)])
    error = np.sqrt(1 / 12 / is_test.sum())  # of the mean of uniform numbers
    assert unit[is_test].mean(axis=0) == pytest.approx([0.5] * 3, abs=K * error)

"""Labels by rank: exact counts and the order of a full sort, whatever the ties."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.simulation import ranking
from pyfai_grf.simulation.ranking import label_by_rank


def label_by_sorting(values, counts, tie_break):
    """The dumb way: sort the box by (value, tie break, index) and cut at the counts."""
    order = np.lexsort((np.arange(values.size), tie_break.ravel(), values.ravel()))
    labels = np.zeros(values.size, dtype=np.uint8)
    for count in counts:
        labels[order[count:]] += 1
    return labels.reshape(values.shape)


def check(engine, values, counts, tie_break):
    xp = engine.xp
    labels, thresholds = label_by_rank(engine, xp.asarray(values), counts, xp.asarray(tie_break))
    labels = engine.to_host(labels)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, label_by_sorting(values, counts, tie_break))
    ordered = np.append(np.sort(values, axis=None), np.inf)
    assert thresholds == [float(ordered[count]) for count in counts]


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("counts", [[0], [1], [1000], [32767], [32768], [0, 32768], [0, 0], [1, 2], [9000, 9001]])
def test_continuous_values(engine, rng, counts):
    values = rng.standard_normal((32, 32, 32), dtype=np.float32)
    check(engine, values, counts, values)


@pytest.mark.parametrize("levels", [1, 2, 7])
@pytest.mark.parametrize("counts", [[0], [5000], [32768], [1, 32767], [5000, 5001], [7777, 7777], [16384, 20000]])
def test_ties_are_broken_by_the_second_array(engine, rng, levels, counts):
    values = rng.integers(0, levels, (32, 32, 32)).astype(np.float32)
    check(engine, values, counts, rng.standard_normal((32, 32, 32), dtype=np.float32))


def test_ties_of_both_arrays_are_broken_by_the_index(engine, rng):
    values = rng.integers(0, 3, (16, 16, 16)).astype(np.float32)
    check(engine, values, [1500, 3000], rng.integers(0, 2, (16, 16, 16)).astype(np.float32))
    check(engine, np.zeros((16, 16, 16), np.float32), [1000, 1001], np.zeros((16, 16, 16), np.float32))


def test_equal_counts_leave_out_the_middle_label(engine, rng):
    values = rng.standard_normal((16, 16, 16), dtype=np.float32)
    labels, _ = label_by_rank(engine, engine.xp.asarray(values), [1000, 1000], engine.xp.asarray(values))
    assert np.bincount(engine.to_host(labels).ravel(), minlength=3).tolist() == [1000, 0, 3096]


@pytest.mark.parametrize("exponent", [-30, 0, 30])
def test_the_scale_of_the_values_does_not_matter(engine, rng, exponent):
    values = (rng.standard_normal((24, 24, 24)) * 10.0**exponent).astype(np.float32)
    check(engine, values, [100, 13000], values)


@pytest.mark.parametrize("period", [1, 3, 5])
def test_a_sample_that_misleads_costs_time_but_no_exactness(engine, rng, period, monkeypatch):
    """Only a sample of the box is sorted; here it meets nothing but one of the box's two populations."""
    monkeypatch.setattr(ranking, "_SAMPLE", 10_000)  # every third voxel
    values = rng.standard_normal((32, 32, 32)).astype(np.float32)
    values.reshape(-1)[::period] += np.float32(1000)
    check(engine, values, [12, 3000], values)
    check(engine, values, [20_000, 32_000], values)
    check(engine, np.sort(values, axis=None).reshape(values.shape), [5000, 30_000], values)

"""Markers are found in every type that a file may keep a frame in, and counts are not taken for them."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.frames.markers import find_markers, is_counted

COUNTS = np.random.default_rng(1).poisson(3.0, (60, 80))
GAP, DEAD = (slice(20, 24), slice(0, 80)), (np.array([3, 40, 50]), np.array([7, 9, 61]))
EXPECTED = np.zeros(COUNTS.shape, bool)
EXPECTED[GAP] = EXPECTED[DEAD] = True


def write_markers(kind: str) -> np.ndarray:
    """Return COUNTS in the detector's type ``kind``, -1 in a gap and -2 in dead pixels as that type keeps them."""
    frame = COUNTS.astype(np.int64)
    frame[GAP], frame[DEAD] = -1, -2
    return frame.astype(kind)


@pytest.mark.parametrize(
    ("kind", "copy"),
    [
        *((kind, kind) for kind in ("int16", "int32", "int64", "uint16", "uint32", "uint64", ">u4", ">i4")),
        *(("uint32", copy) for copy in ("int32", "int64", "uint64", "float32", "float64")),
        *(("uint16", copy) for copy in ("int32", "uint32", "int64", "float32", "float64")),
        *((kind, copy) for kind in ("int16", "int32") for copy in ("float32", "float64", "uint16", "uint32")),
    ],
)
def test_markers_in_every_copy(kind: str, copy: str) -> None:
    frame = write_markers(kind).astype(copy)
    np.testing.assert_array_equal(find_markers(frame), EXPECTED)


def test_markers_of_16_bits_beside_those_of_32() -> None:
    frame = write_markers("uint16").astype(np.uint32)
    frame[0, :3] = 2**32 - 1
    found = find_markers(frame)
    assert found[0, :3].all()
    assert found.sum() == EXPECTED.sum() + 3
    np.testing.assert_array_equal(find_markers(frame.astype(np.float32)), found)


def test_the_largest_integer_of_a_clipped_copy() -> None:
    frame = np.minimum(write_markers("uint32").astype(np.int64), 2**31 - 1).astype(np.int32)
    np.testing.assert_array_equal(find_markers(frame), EXPECTED)


@pytest.mark.parametrize("kind", ["int32", "uint32", "int64", "float32", "float64"])
@pytest.mark.parametrize("around", [65534, 65535, 2**20])
def test_counts_beyond_16_bits_stay(kind: str, around: int) -> None:
    frame = COUNTS + around  # some pixels hold just these values, others more
    assert (frame == around + 2).any()
    assert not find_markers(frame.astype(kind)).any()


@pytest.mark.parametrize("kind", ["int32", "uint32", "float32", "uint16", "uint8"])
def test_plain_counts_stay(kind: str) -> None:
    assert not find_markers((COUNTS + 100).astype(kind)).any()


def test_negative_floats_are_markers_only_in_a_copy_of_counts() -> None:
    rng = np.random.default_rng(2)
    measured = rng.normal(0.5, 2.0, COUNTS.shape)
    assert not find_markers(measured).any()
    measured[GAP] = -1.0
    assert not find_markers(measured).any()  # a frame of fractions holds no counts
    sparse = rng.poisson(0.05, COUNTS.shape) - rng.poisson(0.02, COUNTS.shape)
    assert set(sparse[sparse < 0]) <= {-1, -2}
    assert (sparse < 0).sum() > 30
    assert not find_markers(sparse.astype(float)).any()  # scattered: a difference of counts
    single = COUNTS.astype(float)
    single[2, 2] = -7.0
    assert not find_markers(single).any()
    single[3, 3] = -np.inf
    assert np.argwhere(find_markers(single)).tolist() == [[3, 3]]


@pytest.mark.parametrize("factor", [0.1, 0.37])
def test_markers_among_fractions(factor: float) -> None:
    """A mean of frames keeps -1 and -2, counts times a factor scale them, some programs write -9999."""
    mean = COUNTS * factor + 0.03
    marked = np.zeros(COUNTS.shape, bool)
    marked[GAP] = marked[2, 3] = True
    for value in (-1.0, -9999.0, -1.0 * factor):
        frame = mean.copy()
        frame[marked] = value
        frame[2, 3] = 2 * value if value > -2 else value
        np.testing.assert_array_equal(find_markers(frame), marked)
    single = mean.copy()
    single[2, 2:4] = -7.0, -3.5
    assert not find_markers(single).any()


def test_nothing_but_markers_and_no_pixel() -> None:
    assert find_markers(np.full((4, 5), 2**32 - 1, np.uint32)).all()
    assert find_markers(np.full((4, 5), np.nan)).all()
    assert find_markers(np.zeros((0, 5))).shape == (0, 5)
    assert not find_markers(np.ones((4, 5), bool)).any()


def test_counts_are_whole_numbers() -> None:
    assert is_counted(np.array([[1.0, np.nan], [3.0, np.inf]]))
    assert is_counted(np.array([[1, -1]]))
    assert not is_counted(np.array([1.0, 2.5]))
    assert not is_counted(np.array([1j]))

"""Arrays become frames or are refused in one line; sums of frames are exact, whatever type they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.frame import MOST_PIXELS, Frame, find_bad_pixels, make_frame, sum_frames

COUNTS = np.random.default_rng(2).poisson(4.0, (6, 8))


def wrap(data: Any, bad: Any = None, index: int = 0, **metadata: Any) -> Frame:
    """A frame as a reader makes it, without a look at its values."""
    data = np.asarray(data)
    return Frame(data, np.zeros(data.shape, bool) if bad is None else bad, "scan.h5", index, metadata)


# --- one frame ------------------------------------------------------------------------------------------------------


def test_a_bare_array_is_a_frame() -> None:
    frame = make_frame(COUNTS)
    assert np.shares_memory(frame.data, COUNTS)
    assert not frame.bad.any()
    assert (frame.source, frame.index, dict(frame.metadata)) == ("array", 0, {})
    named = make_frame(COUNTS, "live", 5)
    assert (named.source, named.index) == ("live", 5)


def test_nested_lists_are_a_frame() -> None:
    np.testing.assert_array_equal(make_frame(COUNTS.tolist()).data, COUNTS)


def test_masked_pixels_are_bad_beside_those_that_are_marked() -> None:
    data = COUNTS.astype(np.float32)
    data[0, 0] = np.nan
    mask = np.zeros(data.shape, bool)
    mask[1, 2] = mask[5, 7] = True
    frame = make_frame(np.ma.masked_array(data, mask))
    assert np.argwhere(frame.bad).tolist() == [[0, 0], [1, 2], [5, 7]]
    assert type(frame.data) is np.ndarray
    assert not make_frame(np.ma.masked_array(COUNTS)).bad.any()  # no mask at all
    assert make_frame(np.ma.masked_all((2, 3), np.int32)).bad.all()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.float64(3.0), r"shape \(\)"),
        (np.zeros((0, 5)), r"shape \(0, 5\)"),
        ([], r"shape \(0,\)"),
        (np.zeros((2, 3), complex), "complex128"),
        (np.array([["a", "b"]]), "<U1"),
        (np.array([[None, 1]]), "object"),
        (np.zeros((2, 2), "datetime64[s]"), "datetime64"),
        (np.broadcast_to(np.uint8(0), (16385, 16384)), r"\(16385, 16384\)"),
    ],
)
def test_what_is_no_image_is_refused_by_name(data: Any, said: str) -> None:
    with pytest.raises(InputError, match=rf"^live: .*{said}") as caught:
        make_frame(data, "live")
    assert "\n" not in str(caught.value)


def test_the_largest_detector_is_a_frame() -> None:
    assert MOST_PIXELS == 16384 * 16384
    with pytest.raises(InputError, match="complex"):  # what is wrong is its type
        make_frame(np.broadcast_to(np.complex64(0), (16384, 16384)))


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int16, ">u2", np.float16, np.float64])
def test_every_type_of_real_numbers_is_taken(kind: Any) -> None:
    assert not make_frame((COUNTS % 2).astype(kind)).bad.any()


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_saturated_pixels_and_those_below_the_floor_are_bad(kind: Any) -> None:
    data = np.arange(12).reshape(3, 4).astype(kind)
    np.testing.assert_array_equal(find_bad_pixels(data, ceiling=9), data >= 9)
    np.testing.assert_array_equal(find_bad_pixels(data, floor=2), data < 2)
    np.testing.assert_array_equal(find_bad_pixels(data, ceiling=9, floor=2), (data < 2) | (data >= 9))
    assert not find_bad_pixels(data).any()


def test_a_negative_floor_leaves_no_unsigned_pixel_out() -> None:
    assert not find_bad_pixels(np.zeros((2, 2), np.uint16), floor=-1).any()
    assert not find_bad_pixels(np.zeros((2, 2), np.uint16), floor=0).any()


def test_pixels_that_are_not_finite_are_bad_with_and_without_limits() -> None:
    data = np.array([[1.0, np.nan], [np.inf, -np.inf]])
    for limits in ({}, {"ceiling": 100.0}, {"floor": -100.0}):
        np.testing.assert_array_equal(find_bad_pixels(data, **limits), [[False, True], [True, True]])


# --- sums -----------------------------------------------------------------------------------------------------------


def test_one_frame_is_its_own_sum() -> None:
    frame = wrap(COUNTS, exposure_time_s=2.0)
    total, count = sum_frames([frame])
    assert total is frame
    assert count == 1


@pytest.mark.parametrize("kind", ["u1", "u2", ">u2", "u4", "u8", "i1", "i2", "i4", "i8"])
def test_sums_of_counts_are_exact(kind: str) -> None:
    """Five frames at the top of their type, which would overflow it; of 64 bits as far as 2^63 allows."""
    top = min(int(np.iinfo(kind).max), 2**60)
    data = np.array([[0, 1, top - 2, top]]).astype(kind)
    total, count = sum_frames(wrap(data, index=k) for k in range(5))
    assert count == 5
    assert total.data.tolist() == [[0, 5, 5 * (top - 2), 5 * top]]
    assert (total.source, total.index) == ("scan.h5", 0)
    assert data.tolist() == [[0, 1, top - 2, top]]


def test_sums_of_single_precision_are_made_in_double() -> None:
    """2^24 + 1 is no float32: added one by one in float32, the ones would be lost."""
    first, one = np.full((2, 2), 2.0**24, np.float32), np.ones((2, 2), np.float32)
    total, _ = sum_frames([wrap(first), *(wrap(one) for _ in range(9))])
    np.testing.assert_array_equal(total.data, 2.0**24 + 9)


@pytest.mark.parametrize("kinds", [("i4", "f4", "u2"), ("f4", "i4", "u2"), ("u2", "i4", "f4"), ("?", "f8", "?")])
def test_types_may_be_mixed(kinds: tuple[str, ...]) -> None:
    frames = [wrap((COUNTS % 2).astype(kind) * (0.5 if kind.startswith("f") else 1)) for kind in kinds]
    total, _ = sum_frames(frames)
    np.testing.assert_array_equal(total.data, (COUNTS % 2) * 2.5)


def test_a_pixel_that_is_bad_once_is_bad_in_the_sum() -> None:
    bad = np.zeros((3, *COUNTS.shape), bool)
    bad[0, 0, 0] = bad[1, 2, 3] = bad[2, 2, 3] = bad[2, 5, 5] = True
    frames = [wrap(COUNTS, bad[k].copy(), k) for k in range(3)]
    total, _ = sum_frames(frames)
    np.testing.assert_array_equal(total.bad, bad.any(axis=0))
    for k, frame in enumerate(frames):  # each is still what it was
        np.testing.assert_array_equal(frame.bad, bad[k])
        np.testing.assert_array_equal(frame.data, COUNTS)


def test_infinite_pixels_that_are_bad_anyway_do_no_harm() -> None:
    data = COUNTS.astype(float)
    frames = []
    for value in (np.inf, -np.inf, np.nan):
        data = data.copy()
        data[1, 1] = value
        frames.append(make_frame(data))
    total, _ = sum_frames(frames)
    assert np.argwhere(total.bad).tolist() == [[1, 1]]
    np.testing.assert_array_equal(total.data[~total.bad], 3 * data[~total.bad])


def test_exposures_add_up_where_all_are_known() -> None:
    times = (1.0, 0.5, 0.25)
    total, _ = sum_frames(wrap(COUNTS, exposure_time_s=time, title="carbon") for time in times)
    assert total.metadata == {"exposure_time_s": 1.75, "title": "carbon"}
    assert "exposure_time_s" not in sum_frames([wrap(COUNTS), wrap(COUNTS)])[0].metadata


@pytest.mark.parametrize("times", [(1.0, None), (None, 1.0), (1.0, np.nan)])
def test_an_exposure_that_is_not_known_throughout_is_not_stated(times: tuple[float | None, ...]) -> None:
    """That of the first frame alone would be that of a part of the counts."""
    frames = [wrap(COUNTS) if time is None else wrap(COUNTS, exposure_time_s=time) for time in times]
    assert "exposure_time_s" not in sum_frames(frames)[0].metadata


def test_sums_that_cannot_be_made() -> None:
    with pytest.raises(InputError, match="no frame"):
        sum_frames([])
    other = Frame(np.zeros((4, 4)), np.zeros((4, 4), bool), "other.edf")
    with pytest.raises(InputError, match=r"\(6, 8\) \(scan\.h5\) and \(4, 4\) \(other\.edf\)"):
        sum_frames([wrap(COUNTS), wrap(COUNTS), other])

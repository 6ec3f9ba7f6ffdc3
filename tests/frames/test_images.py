"""Sources are found by name or pattern; masks and means are made of what they hold."""

from __future__ import annotations

from pathlib import Path

import fabio.cbfimage
import fabio.edfimage
import fabio.tifimage
import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.images import find_sources, read_frames, read_mask, read_mean

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


def test_globs_sort_naturally_and_keep_the_order_of_patterns(tmp_path: Path) -> None:
    for name in ("f_10.edf", "f_2.edf", "a.h5"):
        (tmp_path / name).touch()
    found = find_sources([f"{tmp_path}/f_*.edf", f"{tmp_path}/a.h5::/entry/data", f"{tmp_path}/f_2.edf"])
    assert found == [f"{tmp_path}/f_2.edf", f"{tmp_path}/f_10.edf", f"{tmp_path}/a.h5::/entry/data"]


@pytest.mark.parametrize(
    ("pattern", "words"), [("x*.edf", "no file matches"), ("x.edf", "no such file"), (".", "folder")]
)
def test_a_pattern_that_matches_no_file_is_an_error(tmp_path: Path, pattern: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_sources([str(tmp_path / pattern)])


def test_missing_file_folder_and_inner_path_of_a_plain_image(tmp_path: Path) -> None:
    fabio.edfimage.EdfImage(data=IMAGE).write(str(tmp_path / "a.edf"))
    with pytest.raises(InputError, match="no such file"):
        next(read_frames(str(tmp_path / "b.edf")))
    with pytest.raises(InputError, match="is a folder"):
        next(read_frames(str(tmp_path)))
    with pytest.raises(InputError, match="not an HDF5 file"):
        next(read_frames(f"{tmp_path}/a.edf::/entry"))


def test_masks_and_means(tmp_path: Path) -> None:
    path = str(tmp_path / "mask.edf")
    fabio.edfimage.EdfImage(data=(IMAGE > 7).astype(np.int8)).write(path)
    np.testing.assert_array_equal(read_mask(path), IMAGE > 7)
    marked = IMAGE.copy()
    marked[0, 0] = -1
    np.save(tmp_path / "dark.npy", marked)
    np.save(tmp_path / "dark2.npy", IMAGE + 1)
    mean, count = read_mean([str(tmp_path / "dark.npy"), str(tmp_path / "dark2.npy")])
    assert count == 2
    assert np.isnan(mean[0, 0])
    np.testing.assert_allclose(mean[1:], IMAGE[1:] + 0.5)
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["data"] = np.zeros((2, 30, 40), np.int8)
    with pytest.raises(InputError, match="a mask is one image"):
        read_mask(f"{tmp_path}/two.h5")

"""A source of any format is a stack: it counts its frames and gives any of them."""

from __future__ import annotations

from pathlib import Path

import fabio.edfimage
import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.stack import open_stack

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


@pytest.mark.parametrize("kind", ["edf", "h5"])
def test_frames_in_any_order_under_the_name_that_the_user_gave(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "edf":
        image = fabio.edfimage.EdfImage(data=IMAGE)
        for index in (1, 2):
            image.append_frame(data=IMAGE + index)
        image.write(str(path))
    else:
        with h5py.File(path, "w") as file:
            file["data"] = np.stack([IMAGE, IMAGE + 1, IMAGE + 2])
    stack = open_stack(str(path), "", "name")
    assert stack.count == 3
    for index in (2, 0, 1, 1):
        frame = stack.read(index)
        assert frame.index == index
        assert frame.source == ("name" if kind == "edf" else "name::/data")
        np.testing.assert_array_equal(frame.data, IMAGE + index)
    stack.close()


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_text("hello")
    with pytest.raises(InputError, match="cannot read name: "):
        open_stack(str(tmp_path / "a.edf"), "", "name")
    with pytest.raises(InputError, match="name is not an HDF5 file: leave out ::/entry"):
        open_stack(str(tmp_path / "a.edf"), "/entry", "name")
    with pytest.raises(InputError, match="no such file"):
        open_stack(str(tmp_path / "none.edf"), "", "name")

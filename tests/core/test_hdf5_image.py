"""An HDF5 file in memory is the file that HDF5 would write; nothing touches the disk."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.hdf5_image import build_image


@pytest.mark.parametrize("libver", [None, ("v110", "v110")])
def test_the_image_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, libver: tuple[str, str] | None) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = np.arange(100_000.0)

    def fill(h5: h5py.File) -> None:
        h5["numbers"] = numbers
        assert build_image(lambda other: other.create_group("within")).startswith(b"\x89HDF")  # two at a time

    image = build_image(fill, libver=libver)
    assert not list(tmp_path.iterdir())
    Path("out.h5").write_bytes(image)
    with h5py.File("out.h5") as h5:
        np.testing.assert_array_equal(h5["numbers"], numbers)
    assert (image[8] == 3) == (libver is not None)  # the version of the superblock that allows several readers

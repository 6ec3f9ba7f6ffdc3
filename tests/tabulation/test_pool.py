"""Pooled boxes: shells of three kinds, one row for all boxes and one for each group left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation.controls import GROUPS
from pyfai_grf.tabulation.pool import Pooled, pool_boxes
from pyfai_grf.tabulation.store import BoxFolder, read_boxes
from pyfai_grf.theory.three_phase import get_table


@pytest.fixture(scope="module")
def pooled(small_folder: BoxFolder) -> Pooled:
    return pool_boxes(small_folder)


def test_shapes(pooled: Pooled) -> None:
    rows, nodes = 1 + GROUPS, (3, 3)
    assert pooled.logratio.shape == pooled.coherence.shape == (rows, *nodes, pooled.x.size)
    assert pooled.layer.shape == (rows, *nodes)
    assert pooled.starts[0] == 0
    assert pooled.starts[-1] == pooled.x.size
    for start, stop in zip(pooled.starts[:-1], pooled.starts[1:], strict=True):
        assert (np.diff(pooled.x[start:stop]) > 0).all()
    assert pooled.boxes == {"fine": 4, "coarse": 20, "wide": 12, "pair": 4}


def test_the_first_row_is_the_middle_of_the_others(pooled: Pooled) -> None:
    """Leaving out one group of ten moves a mean by about a tenth of its error, to either side."""
    spread = pooled.layer[1:].std(axis=0)
    assert (np.abs(pooled.layer[1:].mean(axis=0) - pooled.layer[0]) < spread).all()


def test_it_is_the_bundled_table_within_its_own_errors(pooled: Pooled, small_folder: BoxFolder) -> None:
    """Layer fractions of the same thicknesses, and coherences at x < 2, from boxes of 8 a: within a few per cent."""
    table, thicknesses = get_table(), small_folder.thicknesses
    for j, porosity in enumerate(small_folder.setting.porosities):
        for k, layer in enumerate(pooled.layer[0, j]):
            if layer < 0.6:
                assert table.get_thickness(porosity, layer) == pytest.approx(thicknesses[j, k], rel=0.05)
    part = pooled.x < 2
    assert (np.abs(pooled.coherence[0][..., part]) < 1.1).all()


def test_a_fine_box_needs_its_coarse_one(small_folder: BoxFolder, tmp_path: Path) -> None:
    shutil.copytree(small_folder.path, tmp_path / "boxes")
    folder = read_boxes(tmp_path / "boxes")
    folder.find(2, "coarse").unlink()
    with pytest.raises(InputError, match="coarse box 2 is missing, but its fine box or its pair is there"):
        pool_boxes(folder)

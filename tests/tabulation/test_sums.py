"""Stacked boxes: their sums are means over modes, and scatter about what is known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation.grids import KINDS, BoxSetting, get_grid
from pyfai_grf.tabulation.store import BoxFolder, open_boxes
from pyfai_grf.tabulation.sums import compute_reference, make_shells, read_sums
from pyfai_grf.theory.scale_free import compute_scale_free_intensity


@pytest.mark.parametrize("kind", KINDS)
def test_shells_hold_the_modes_of_their_range(small: BoxSetting, kind: str) -> None:
    shells, grid = make_shells(small, kind), get_grid(small, kind)
    step = 2 * np.pi / grid.length
    np.testing.assert_allclose(shells.x, step * np.arange(2, 2 * grid.n_max) / 2, atol=0.3 * step)
    assert (np.diff(shells.x) > 0).all()
    # from 0.75 steps (all of |n| = 1 lies above) to half a shell below the last
    n = np.fft.fftfreq(grid.shape, 1 / grid.shape)
    distance = np.sqrt(np.sum(np.square(np.meshgrid(n, n, n)), axis=0))
    assert shells.modes.sum() == np.sum((distance > 0.75) & (distance < grid.n_max - 0.25))
    np.testing.assert_allclose(shells.average(np.ones(shells.members.size)), 1, rtol=1e-12)


def test_solids_scatter_about_their_exact_cross_spectra(small_folder: BoxFolder) -> None:
    """The first shells hold too few modes to be normal, the far ones feel coarse voxels: x from 1 to 3."""
    sums = read_sums(small_folder, "coarse")
    band = (sums.shells.x[: sums.controls.shape[-1]] > 1) & (sums.shells.x[: sums.controls.shape[-1]] < 3)
    ratio = np.mean(sums.controls[..., band] / sums.exact_controls[..., band], axis=-1)
    error = ratio.std(axis=0, ddof=1) / np.sqrt(len(ratio))
    assert (np.abs(ratio.mean(axis=0) - 1) < 5 * error + 0.01).all()  # and 1 % for the voxels
    # on the diagonal, they are the two-phase curves
    low = sums.exact_controls.shape[-1]
    np.testing.assert_allclose(np.einsum("jjs->js", sums.exact_controls), sums.exact_ss[:, :low], rtol=1e-12)


def test_layers_fill_what_they_aim_at(small_folder: BoxFolder) -> None:
    """The pilot is one box of 64 voxels, 10 a an edge, whose own surface scatters: within a quarter."""
    layers = read_sums(small_folder, "coarse").layers.mean(axis=0)
    np.testing.assert_allclose(layers, np.tile(small_folder.setting.layer_fractions, (3, 1)), rtol=0.25)


def test_selected_boxes_are_those(small_folder: BoxFolder) -> None:
    sums = read_sums(small_folder, "pair")
    kept = sums.select(np.array([False, True, False, True]))
    np.testing.assert_array_equal(kept.index, [1, 3])
    np.testing.assert_array_equal(kept.dd, sums.dd[[1, 3]])


def test_the_reference_is_a_two_phase_curve(small_folder: BoxFolder) -> None:
    sums = read_sums(small_folder, "coarse")
    reference = compute_reference(sums, np.zeros((3, 1)))[:, 0]
    exact = compute_scale_free_intensity(sums.shells.x, sums.setting.porosities)
    # a shell is 0.4 wide: about x = 2 the mean of a curve that falls as x^-5 is up to 5 % above its value in the middle
    far = sums.shells.x > 2
    np.testing.assert_allclose(reference[:, far], exact[:, far], rtol=0.05)
    assert (reference[:, far] >= exact[:, far] * (1 - 1e-9)).all()


@pytest.mark.usefixtures("quick_pilot")
def test_one_box_is_no_mean(tmp_path, small: BoxSetting) -> None:
    with pytest.raises(InputError, match="holds 0 wide boxes: at least two are needed"):
        read_sums(open_boxes(tmp_path / "boxes", small), "wide")

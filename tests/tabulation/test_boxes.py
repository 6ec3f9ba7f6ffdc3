"""The boxes behind the three-phase table: their shell sums scatter as they should, without voxels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.core.backend import get_backend
from pyfai_grf.tabulation.boxes import make_unit_field, measure_box, sum_products
from pyfai_grf.tabulation.grids import BoxSetting
from pyfai_grf.tabulation.sums import make_shells
from pyfai_grf.theory.scale_free import compute_scale_free_intensity


def test_shell_sums_agree_with_their_plain_twin() -> None:
    pytest.importorskip("numba")
    rng = np.random.default_rng(3)
    modes = (rng.standard_normal((3, 9, 9, 5)) + 1j * rng.standard_normal((3, 9, 9, 5))).astype(np.complex64)
    shells = np.rint(2 * np.sqrt(np.arange(17))).astype(np.int16)
    backend = get_backend("cpu")
    one, other = (sum_products(replace(backend, use_compiled=c), modes[0], modes, shells) for c in (True, False))
    np.testing.assert_allclose(one, other, rtol=1e-5)
    square = np.fft.fftfreq(9, 1 / 9) ** 2
    inside = square[:, None, None] + square[:, None] + np.arange(5) ** 2 <= 16
    twice = np.where(np.arange(5) == 0, 1, 2)
    total = (np.abs(modes[0].astype(complex)) ** 2 * twice)[inside].sum()
    assert one[0].sum() == pytest.approx(total, rel=1e-6)


@pytest.fixture(scope="module")
def boxes(small: BoxSetting) -> tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]]:
    backend = get_backend("cpu")
    thicknesses = np.multiply.outer(np.ones(3), [0.1, 0.3, 0.6])
    made = [measure_box(backend, small, thicknesses, i, ("fine", "coarse")) for i in range(8)]
    return [box["fine"] for box in made], [box["coarse"] for box in made]


def _measure_ratio(
    setting: BoxSetting, sums: list[dict[str, np.ndarray]], kind: str, low: float, high: float
) -> np.ndarray:
    """Return the mean of f_SS over the closed form between two x, (boxes, porosities)."""
    shells = make_shells(setting, kind)
    ss = np.stack([box["ss"][:, 2:-1] for box in sums]) * shells.ramp / shells.modes
    band = (shells.x > low) & (shells.x < high)
    ratio = (ss / compute_scale_free_intensity(shells.x, setting.porosities))[..., band]
    return np.average(ratio, axis=-1, weights=shells.modes[band])


@pytest.mark.parametrize("kind", ["fine", "coarse"])
def test_solids_scatter_as_the_closed_form(small: BoxSetting, boxes: tuple, kind: str) -> None:
    """Above qa = 4 a box differs by its surface area, at all q alike: the mean is within 4 standard errors."""
    per_box = _measure_ratio(small, boxes[kind == "coarse"], kind, 4, 9)
    error = per_box.std(axis=0, ddof=1) / np.sqrt(len(per_box))
    assert (error < 0.25).all()
    assert (np.abs(per_box.mean(axis=0) - 1) < 4 * error).all()


def test_fine_boxes_have_no_voxel_bias_up_to_the_end(small: BoxSetting, boxes: tuple) -> None:
    """qa = 18 to 25 (q dx up to 2.1) against 6 to 12 of the same boxes, where the area cancels.

    10,000 modes in the lower band of 8 boxes, which clumps of area correlate: 1 % (measured). Aliases: 0.5 % (the
    ramp is chosen for q dx = 1.6). An indicator without ramp is 30 % off.
    """
    high, low = (_measure_ratio(small, boxes[0], "fine", *band).mean(axis=0) for band in ((18, 25), (6, 12)))
    np.testing.assert_allclose(high / low, 1, atol=0.04)


def test_both_voxel_sizes_see_the_same_films(small: BoxSetting, boxes: tuple) -> None:
    """The same fields at 12 and 6 voxels per a: film volumes within 1e-3, curves within 3 % up to qa = 5."""
    fine, coarse = (make_shells(small, kind) for kind in ("fine", "coarse"))
    count = np.searchsorted(coarse.x, 5.0)
    for one, other in zip(*boxes, strict=True):
        assert np.abs(one["volumes"] - other["volumes"]).max() < 1e-3
        f, c = (
            (box["dd"][..., 2:-1] * shells.ramp / shells.modes)[..., :count]
            for box, shells in ((one, fine), (other, coarse))
        )
        assert np.abs(c / f - 1).max() < 0.03


def test_films_grow_with_their_thickness(boxes: tuple) -> None:
    for box in boxes[0]:
        assert (np.diff(box["volumes"], axis=1) > 0).all()


def test_the_field_has_unit_expected_variance() -> None:
    """Its variance scatters by sqrt(2 int g^2 dV / V) = 0.16 in a box of 16 a: 6 boxes are within 4 standard errors."""
    backend = get_backend("cpu")
    fields = [make_unit_field(backend, "roding2022", [1, i], 64, 4.0) for i in range(6)]
    assert abs(np.mean([np.mean(field**2) for field in fields]) - 1) < 4 * 0.16 / np.sqrt(6)


def test_a_seed_is_the_same_field_on_every_grid() -> None:
    """The difference between voxel sizes is taken box by box: it must be one field."""
    backend = get_backend("cpu")
    fine, coarse = (make_unit_field(backend, "roding2022", [1, 2], n, n / 10) for n in (80, 40))
    np.testing.assert_allclose(fine[::2, ::2, ::2], coarse, atol=1e-5)

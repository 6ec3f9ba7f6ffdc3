"""The boxes behind the three-phase table: exact controls, unbiased shell sums, and a folder that survives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation.boxes import make_unit_field, measure_box, sum_products
from pyfai_grf.tabulation.setting import BoxSetting
from pyfai_grf.tabulation.store import Plan, add_boxes, open_boxes, read_boxes
from pyfai_grf.tabulation.sums import make_shells
from pyfai_grf.theory.covariance import compute_correlation
from pyfai_grf.theory.cross_spectra import compute_cross_covariance, compute_cross_spectra
from pyfai_grf.theory.scale_free import compute_scale_free_intensity

#: 8 a an edge: large enough to run, too small to learn from
SMALL = BoxSetting(shape=96, voxels_per_a=12.0, thresholds=(-0.6, 0.2, 0.9), layer_fractions=(0.1, 0.3, 0.6))


def test_cross_covariance_is_the_bivariate_normal() -> None:
    thresholds = np.array([-1.0, 0.2, 1.3])
    r = np.array([0.1, 0.7, 2.0, 5.0])
    found = compute_cross_covariance(r, thresholds, "roding2022")
    for n, g in enumerate(compute_correlation(r)):
        normal = multivariate_normal([0, 0], [[1, g], [g, 1]])
        for i, one in enumerate(thresholds):
            for j, other in enumerate(thresholds):
                expected = normal.cdf([one, other]) - ndtr(one) * ndtr(other)
                assert found[i, j, n] == pytest.approx(expected, abs=1e-7)  # SciPy's own precision


def test_cross_spectra_hold_the_two_phase_curves() -> None:
    x, thresholds = np.array([0.1, 1.0, 5.0, 20.0]), np.array([-0.8, 0.3])
    spectra = compute_cross_spectra(x, thresholds, "roding2022")
    expected = compute_scale_free_intensity(x, ndtr(thresholds))
    np.testing.assert_allclose(np.einsum("jjx->jx", spectra), expected, rtol=1e-9)


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
def boxes() -> tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]]:
    backend = get_backend("cpu")
    thicknesses = np.multiply.outer(np.ones(3), [0.1, 0.3, 0.6])
    made = [measure_box(backend, SMALL, thicknesses, i, ("fine", "coarse")) for i in range(8)]
    return [box["fine"] for box in made], [box["coarse"] for box in made]


def _measure_ratio(sums: list[dict[str, np.ndarray]], kind: str, low: float, high: float) -> np.ndarray:
    """Mean of f_SS over the closed form between two x, (boxes, porosities)."""
    shells = make_shells(SMALL, kind)
    ss = np.stack([box["ss"][:, 2:-1] for box in sums]) * shells.ramp / shells.modes
    band = (shells.x > low) & (shells.x < high)
    ratio = (ss / compute_scale_free_intensity(shells.x, SMALL.porosities))[..., band]
    return np.average(ratio, axis=-1, weights=shells.modes[band])


@pytest.mark.parametrize("kind", ["fine", "coarse"])
def test_solids_scatter_as_the_closed_form(boxes: tuple, kind: str) -> None:
    """Above qa = 4 a box differs by its surface area, at all q alike: the mean is within 4 standard errors."""
    per_box = _measure_ratio(boxes[kind == "coarse"], kind, 4, 9)
    error = per_box.std(axis=0, ddof=1) / np.sqrt(len(per_box))
    assert (error < 0.25).all()
    assert (np.abs(per_box.mean(axis=0) - 1) < 4 * error).all()


def test_fine_boxes_have_no_voxel_bias_up_to_the_end(boxes: tuple) -> None:
    """qa = 18 to 25 (q dx up to 2.1) against 6 to 12 of the same boxes, where the area cancels.

    10,000 modes in the lower band of 8 boxes, which clumps of area correlate: 1 % (measured). Aliases: 0.5 % (the
    ramp is chosen for q dx = 1.6). An indicator without ramp is 30 % off.
    """
    high, low = (_measure_ratio(boxes[0], "fine", *band).mean(axis=0) for band in ((18, 25), (6, 12)))
    np.testing.assert_allclose(high / low, 1, atol=0.04)


def test_both_voxel_sizes_see_the_same_films(boxes: tuple) -> None:
    """The same fields at 12 and 6 voxels per a: film volumes within 1e-3, curves within 3 % up to qa = 5."""
    fine, coarse = (make_shells(SMALL, kind) for kind in ("fine", "coarse"))
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


def _compare(one: Path, other: Path) -> None:
    with np.load(one) as left, np.load(other) as right:
        assert set(left) == set(right)
        for name in left:
            # a field made on another grid differs by rounding
            np.testing.assert_allclose(left[name], right[name], rtol=2e-3, atol=2e-5 * np.abs(left[name]).max())


@pytest.fixture
def quick_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pilot that chooses the thicknesses, in a small box."""
    from pyfai_grf.tabulation import boxes

    monkeypatch.setattr(boxes, "_PILOT_SHAPE", 64)
    monkeypatch.setattr(boxes, "_PILOT_BOXES", 1)


@pytest.mark.usefixtures("quick_pilot")
def test_a_folder_goes_on_where_it_was(tmp_path: Path) -> None:
    """In one go, or in parts with a box lost in between: the same boxes."""
    whole, parts = open_boxes(tmp_path / "whole", SMALL), open_boxes(tmp_path / "parts", SMALL)
    calls: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        calls.append((done, total))

    add_boxes(whole, Plan(coarse=2, fine=1, wide=1, pair=1), report)
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    for part in (2, 1):
        add_boxes(parts, Plan(2, 1, 0, 0, part, 2), report)
    parts.find(0, "fine").unlink()  # as a kill between two files leaves it
    again = read_boxes(tmp_path / "parts")
    add_boxes(again, Plan(2, 1, 1, 1), report)
    for kind, boxes in (("coarse", [0, 1]), ("fine", [0]), ("wide", [0]), ("pair", [0])):
        assert whole.list_boxes(kind) == again.list_boxes(kind) == boxes
        for index in boxes:
            _compare(whole.find(index, kind), parts.find(index, kind))


@pytest.mark.usefixtures("quick_pilot")
def test_a_folder_belongs_to_its_setting(tmp_path: Path) -> None:
    open_boxes(tmp_path / "boxes", SMALL)
    with pytest.raises(InputError, match="choose another folder"):
        open_boxes(tmp_path / "boxes", replace(SMALL, seed=2))


def test_no_folder_of_boxes(tmp_path: Path) -> None:
    (tmp_path / "setting.json").write_text("[]")
    with pytest.raises(InputError, match="no folder of three-phase boxes"):
        read_boxes(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [({"shape": 90}, "multiple of 4"), ({"voxels_per_a": 4.0}, "above 8"), ({"voxels_per_a": 20.0}, "length")],
)
def test_impossible_boxes(change: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        replace(SMALL, **change)

"""Training examples: their physics, and that no structure is on both sides of a split."""

from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.features.specification import make_spec
from pyfai_grf.learn.examples import _blur_noise, count_photons, draw_pixels, make_examples
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.library.generate import generate_library
from pyfai_grf.library.shard import Setting
from pyfai_grf.theory.closed_form import average_curves, expected_intensity

Q_NM1 = np.linspace(0.4, 3.0, 60)


def test_photons_have_poisson_errors():
    curve = expected_intensity(Q_NM1, 2.0, 0.3)[np.newaxis].repeat(4000, axis=0)
    noisy, sigma = count_photons(curve, Q_NM1, np.full(4000, 1e5), np.random.default_rng(1))
    pull = (noisy - curve) / sigma
    # 4000 draws a point: mean within 5/sqrt(4000), variance within 5 sqrt(2/4000) (more for few counts a point)
    assert np.abs(pull.mean(axis=0)).max() < 5 / np.sqrt(4000)
    assert np.abs(pull.var(axis=0) - 1).max() < 0.2


def test_bin_average_tends_to_the_curve():
    fine = np.linspace(0.2, 3.0, 6000)
    a, porosity = np.array([8.0]), np.array([0.3])
    # the average over a bin of width d differs by O(d^2): 1e-2 for the published step, 1e-4 of that for this one
    np.testing.assert_allclose(average_curves(fine, a, porosity)[0], expected_intensity(fine, 8.0, 0.3), rtol=1e-4)


@pytest.mark.parametrize("name", ["two-phase-low-porosity@paper", "two-phase-high-porosity@paper"])
def test_two_phases_fold_by_babinet(shard, name):
    settings = TrainSettings(name, q_nm1=Q_NM1, draws=2)
    examples = make_examples(settings, make_spec(Q_NM1, "scatter"), [shard])
    side = examples.targets["porosity"] <= 0.5
    assert side.all() if "low" in name else not side.any()
    assert len(examples.features) == 2 * 150


def test_splits_never_share_a_structure(shard):
    settings = TrainSettings("three-phase-low-porosity@paper", q_nm1=Q_NM1, draws=5)
    examples = make_examples(settings, make_spec(Q_NM1, "scatter"), [shard])
    by_split = [set(examples.structure[examples.split == name]) for name in ("train", "calibration", "test")]
    assert sum(map(len, by_split)) == len(set.union(*by_split))
    np.testing.assert_array_equal(np.bincount(examples.structure)[np.unique(examples.structure)], 5)


def test_length_scale_is_only_a_scale(shard):
    """Lengths twice as large, q half as large: the same features, and a twice as large."""
    spec, scaled_spec = make_spec(Q_NM1, "scatter"), make_spec(Q_NM1 / 2, "scatter")
    one = make_examples(TrainSettings("two-phase-low-porosity@paper", q_nm1=Q_NM1), spec, [shard])
    other = make_examples(
        TrainSettings("two-phase-low-porosity@paper", q_nm1=Q_NM1 / 2, length_scale=2.0), scaled_spec, [shard]
    )
    np.testing.assert_allclose(other.targets["a"], 2 * one.targets["a"])
    # Eq. 12 carries q^3, a constant factor 8: the logarithms shift together, up to rounding in the noise
    shift = other.features[:, :-1] - one.features[:, :-1]
    np.testing.assert_allclose(shift, np.log(8), atol=1e-6)


def test_layer_density_is_interpolated_exactly(shard):
    stored = make_examples(
        TrainSettings("three-phase-low-porosity@paper", q_nm1=Q_NM1, layer_density=0.65),
        make_spec(Q_NM1, "scatter"),
        [shard],
    )
    near = make_examples(
        TrainSettings("three-phase-low-porosity@paper", q_nm1=Q_NM1, layer_density=0.65 + 1e-9),
        make_spec(Q_NM1, "scatter"),
        [shard],
    )
    np.testing.assert_allclose(stored.features, near.features, atol=1e-6)


def test_refusals(shard, tmp_path):
    settings = TrainSettings("two-phase-low-porosity@paper", q_nm1=Q_NM1)
    spec = make_spec(Q_NM1, "scatter")
    with pytest.raises(InputError, match=r"LIBRARY\.h5"):
        make_examples(settings, spec, [])
    far = replace(settings, q_nm1=np.linspace(0.1, 9, 50))
    with pytest.raises(InputError, match="inside the library"):
        make_examples(far, make_spec(far.q_nm1, "scatter"), [shard])
    other = generate_library(tmp_path / "library-4.h5", 2, Setting(4, shape=48), "cpu")
    with pytest.raises(InputError, match="do not mix"):
        make_examples(settings, spec, [shard, other])


@pytest.fixture
def only_detectors(monkeypatch):
    monkeypatch.setattr("pyfai_grf.learn.examples._RINGS", 0.0)
    monkeypatch.setattr("pyfai_grf.learn.examples._SCANS", 0.0)
    monkeypatch.setattr("pyfai_grf.learn.examples._MERGED", 0.0)


@pytest.mark.usefixtures("only_detectors")
def test_rings_are_cut_by_the_edges():
    pixels = draw_pixels(Q_NM1, 500, np.random.default_rng(1)) / Q_NM1
    # a ring is never more than whole, shrinks (as a part of a circle) with q, and reaches the last q somewhere
    assert pixels.max() <= 1 + 1e-12
    assert np.all(np.diff(pixels, axis=1) <= 1e-12)
    assert np.all(pixels[:, -1] < 0.3)


def test_half_of_the_curves_are_no_single_frame():
    """Whole rings and step scans, a quarter each: within 4 standard errors of 2000 draws."""
    pixels = draw_pixels(Q_NM1, 2000, np.random.default_rng(1))
    single = 0.85 * 0.25  # of one exposure
    for law in (Q_NM1, np.ones_like(Q_NM1)):
        assert abs(np.mean(np.all(pixels == law, axis=1)) - single) < 4 * np.sqrt(single * (1 - single) / 2000)


def test_the_noise_is_no_better_known_than_that_of_measured_curves():
    """An exact noise feature would tell the photons in the tail better than the tail itself does."""
    exact = np.column_stack([np.zeros(20_000), np.full(20_000, 6.0), np.full(20_000, 3.0)])
    blurred = _blur_noise(exact, 2, np.random.default_rng(1))
    assert np.all(blurred[:, 0] == 0)
    # the standard deviation of 20,000 draws is known to 0.5 %: 5 standard errors
    assert np.std(blurred[:, 1]) == pytest.approx(0.1, rel=0.025)
    assert np.std(blurred[:, 2] - blurred[:, 1]) == pytest.approx(0.1, rel=0.025)
    assert _blur_noise(np.zeros((100, 3)), 2, np.random.default_rng(1)).min() == 0  # no photon is the least


@pytest.mark.usefixtures("only_detectors")
def test_ring_fractions_equal_a_count_of_angles(monkeypatch):
    """One square detector with the beam in the middle, against brute force over angles."""
    for name, value in (("_ASPECT", (1, 1)), ("_BEAM_POSITION", (0.5, 0.5)), ("_CORNER", (1.1, 1.1))):
        monkeypatch.setattr(f"pyfai_grf.learn.examples.{name}", value)
    pixels = draw_pixels(Q_NM1, 1, np.random.default_rng(1))[0] / Q_NM1
    half = 1.1 * Q_NM1[-1] / np.sqrt(2)
    angle = 2 * np.pi * (np.arange(100_000) + 0.5) / 100_000
    reach = np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle)))[:, np.newaxis] * Q_NM1
    np.testing.assert_allclose(pixels, np.mean(reach < half, axis=0), atol=1e-4)

"""The bundle: what is saved predicts the same, what is damaged is refused, and predictions are what they say."""

import json

import numpy as np
import pytest

from pyfai_grf.core.errors import BundleError, InputError, QRangeError
from pyfai_grf.core.records import Curve
from pyfai_grf.learn.bundle import load_model, save_model
from pyfai_grf.learn.examples import count_photons, draw_pixels
from pyfai_grf.theory.closed_form import average_curves, expected_intensity


def make_curves(q, a, porosity, counts, count, seed):
    """Return ``count`` measured curves of one material, and their sigma."""
    expected = average_curves(q, np.full(count, a), np.full(count, porosity))
    return count_photons(expected, q, np.full(count, counts), np.random.default_rng(seed))


def test_saved_model_predicts_the_same(model, bundle_folder):
    q = model.q_nm1
    intensity, sigma = make_curves(q, 3.0, 0.3, 1e7, 5, seed=1)
    one, other = model.predict(q, intensity, sigma), load_model(bundle_folder).predict(q, intensity, sigma)
    for name in ("a", "porosity"):
        np.testing.assert_array_equal(one.values[name], other.values[name])
        np.testing.assert_array_equal(one.upper[name], other.upper[name])


def test_interval_holds_what_it_promises(model):
    """90 % of new materials lie inside, or more: these are of one of the many spectra that intervals are made for."""
    rng = np.random.default_rng(11)
    count = 300
    a, porosity = rng.uniform(0.8, 8, count), rng.uniform(0.1, 0.5, count)
    expected = average_curves(model.q_nm1, a, porosity)
    pixels = draw_pixels(model.q_nm1, count, rng)
    noisy, sigma = count_photons(expected, pixels, 10 ** rng.uniform(6, 8.5, count), rng)
    p = model.predict(model.q_nm1, noisy, sigma, fit=False)
    for name, truth in (("a", a), ("porosity", porosity)):
        inside = np.mean((p.lower[name] <= truth) & (truth <= p.upper[name]))
        # calibration on 600 examples adds 0.9 * 0.1 / 600 to the variance; no background here is inside the training
        assert inside > 0.9 - 3 * np.sqrt(0.09 / count + 0.09 / 600) - 0.02, name


def test_scale_and_unit_do_not_matter(model):
    q = model.q_nm1
    intensity, sigma = make_curves(q, 2.0, 0.2, 1e8, 1, seed=2)
    here = model.predict(q, intensity, sigma)
    there = model.predict(q / 10, 1e-5 * intensity, 1e-5 * sigma, unit="A^-1")
    # float32 inside the trees: a rounding step may move a split, hardly ever
    np.testing.assert_allclose(here.values["a"], there.values["a"], rtol=1e-4)


def test_other_material_is_not_applicable(model):
    q = model.q_nm1
    peak = expected_intensity(q, 3.0, 0.3) * (1 + 50 * np.exp(-(((q - 1.2) / 0.05) ** 2)))
    p = model.predict(q, peak, 0.01 * peak)
    assert not p.is_applicable[0]
    assert p.reasons[0]


def test_model_material_is_applicable(model):
    intensity, sigma = make_curves(model.q_nm1, 3.0, 0.3, 1e7, 20, seed=3)
    p = model.predict(model.q_nm1, intensity, sigma)
    # 99.9 % of the training data pass each check: one in twenty that does not would be a fault
    assert np.count_nonzero(p.is_applicable) >= 19
    assert all(bool(reason) != ok for reason, ok in zip(p.reasons, p.is_applicable, strict=True))


def test_missing_sigma_is_estimated(model):
    intensity, sigma = make_curves(model.q_nm1, 3.0, 0.3, 1e7, 1, seed=4)
    with_sigma, without = (model.predict(model.q_nm1, intensity, s).values["a"] for s in (sigma, None))
    np.testing.assert_allclose(with_sigma, without, rtol=0.02)


def test_q_range_names_both_ranges_and_what_to_train(model):
    q = np.linspace(0.3, 2.0, 100)
    with pytest.raises(QRangeError, match=r"0\.3 .* 0\.05 .*train a model .* from 0\.3 to 2 per nm$") as caught:
        model.predict_curve(Curve(q, expected_intensity(q, 3.0, 0.3)), fit=False)
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("q", "intensity", "sigma"),
    [
        (np.ones((2, 2)), np.ones(4), None),
        (np.linspace(0.05, 2.5, 10), np.ones(9), None),
        (np.linspace(0.05, 2.5, 120), np.ones(120), np.ones(119)),
    ],
)
def test_shapes_must_agree(model, q, intensity, sigma):
    with pytest.raises(InputError, match="shape"):
        model.predict(q, intensity, sigma)


@pytest.mark.parametrize("file", ["a.ubj", "porosity-spread.ubj", "arrays.npz"])
def test_damaged_file_is_refused(bundle_folder, file):
    data = bytearray((bundle_folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle_folder / file).write_bytes(bytes(data))
    with pytest.raises(BundleError, match=file):
        load_model(bundle_folder)


def test_incomplete_bundles_are_refused(bundle_folder):
    (bundle_folder / "a.ubj").unlink()
    with pytest.raises(BundleError, match="damaged"):
        load_model(bundle_folder)
    (bundle_folder / "model.json").write_text("{")
    with pytest.raises(BundleError, match="damaged"):
        load_model(bundle_folder)
    (bundle_folder / "model.json").write_text(json.dumps({"format": "something"}))
    with pytest.raises(BundleError, match="train it again"):
        load_model(bundle_folder)


def test_unknown_name_lists_what_there_is():
    with pytest.raises(BundleError, match="there is no model 'two-phase'"):
        load_model("two-phase")


def test_foreign_folder_is_not_overwritten(model, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a model bundle"):
        save_model(model, tmp_path)


def test_a_curve_without_noise_is_read_like_the_quietest(model):
    """No sigma and no noise: the estimated counts lie far beyond the training data, the prediction must not."""
    q = model.q_nm1
    for a, porosity in ((3.0, 0.3), (2.0, 0.2)):
        p = model.predict(q, average_curves(q, np.array([a]), np.array([porosity])))
        # a model of 4000 examples: ten times its test errors of about 0.1 % and 0.01
        assert p.values["a"][0] == pytest.approx(a, rel=0.02)
        assert p.values["porosity"][0] == pytest.approx(porosity, abs=0.1)

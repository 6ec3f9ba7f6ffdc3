"""A model is of one spectral density: trained, judged and described with it, and refused where it is not known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.analysis.rows import analyze_curve
from pyfai_grf.cli.hints import word_problem
from pyfai_grf.core.errors import BundleError, InputError, QRangeError
from pyfai_grf.core.records import Curve
from pyfai_grf.features.specification import make_spec
from pyfai_grf.learn.bundle import load_model, save_model
from pyfai_grf.learn.bundle_files import seal_description
from pyfai_grf.learn.evaluate import describe_model, evaluate_model
from pyfai_grf.learn.examples import count_photons, make_examples
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.learn.train import train_model
from pyfai_grf.library.generate import generate_library
from pyfai_grf.library.shard import Setting
from pyfai_grf.theory.closed_form import average_curves, compute_mean_chords, compute_surface_per_volume

Q_NM1 = np.linspace(0.05, 2.5, 120)
LIBRARY_Q_NM1 = np.linspace(0.4, 3.0, 60)
MATERN = "matern:nu=2.5"


@pytest.fixture(scope="module")
def matern_model():
    return train_model(TrainSettings("two-phase-low-porosity", q_nm1=Q_NM1, examples=4000, spectrum=MATERN))


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Libraries of 120 boxes of 32^3 of two spectra: far too small for physics, right for bookkeeping."""
    folder = tmp_path_factory.mktemp("spectra")
    return {
        text: generate_library(folder / f"library-{seed}.h5", 120, Setting(seed, shape=32, spectrum=text), "cpu")
        for seed, text in ((5, "roding2022"), (6, "power:n=6"))
    }


def make_curves(spectrum, count, seed):
    """Measured curves (count, Q) of random materials of ``spectrum``, their sigma, a and porosity."""
    rng = np.random.default_rng(seed)
    a, porosity = rng.uniform(1.5, 6, count), rng.uniform(0.15, 0.45, count)
    expected = average_curves(Q_NM1, a, porosity, spectrum)
    intensity, sigma = count_photons(expected, Q_NM1 * np.ones_like(expected), np.full(count, 1e8), rng)
    return intensity, sigma, a, porosity


def test_measured_model_learns_its_spectrum(matern_model):
    assert matern_model.description.spectrum == MATERN
    intensity, sigma, a, porosity = make_curves(MATERN, 100, seed=1)
    p = matern_model.predict(Q_NM1, intensity, sigma)
    # 99.9 % of the training data pass each of three checks
    assert np.mean(p.is_applicable) > 0.95
    for name, truth in (("a", a), ("porosity", porosity)):
        inside = np.mean((p.lower[name] <= truth) & (truth <= p.upper[name]))
        # nominally 0.9; binomial over 100, five standard errors
        assert inside > 0.9 - 5 * np.sqrt(0.09 / 100), name


def test_other_spectra_do_not_fit(matern_model):
    intensity, sigma, *_ = make_curves("shell:width=0.2", 50, seed=2)
    p = matern_model.predict(Q_NM1, intensity, sigma)
    assert not p.is_applicable.any()


def test_chords_and_surface_are_those_of_the_models_spectrum(matern_model):
    intensity, sigma, *_ = make_curves(MATERN, 1, seed=3)
    result = analyze_curve(matern_model, Curve(Q_NM1, intensity[0], sigma[0])).result
    values = result.prediction.values["a"], result.prediction.values["porosity"], MATERN
    pore, solid = compute_mean_chords(*values)
    assert result.extras["pore_chord_nm"] == pytest.approx(float(pore), rel=1e-12)
    assert result.extras["solid_chord_nm"] == pytest.approx(float(solid), rel=1e-12)
    assert result.extras["surface_per_volume_nm1"] == pytest.approx(float(compute_surface_per_volume(*values)))
    low, high = compute_mean_chords([0.8, 8.0], [0.1, 0.5], MATERN)[0]
    assert f"mean pore chords {low:.2g} to {high:.3g} nm" in describe_model(matern_model)


def test_offered_training_command_keeps_the_spectrum(matern_model):
    curve = Curve(Q_NM1[60:], np.ones(60))
    with pytest.raises(QRangeError) as caught:
        matern_model.predict_curve(curve)
    assert f"train --material two-phase-low-porosity --spectrum {MATERN} --q-min" in word_problem(caught.value)


def test_evaluation_uses_the_models_spectrum(matern_model):
    found = evaluate_model(matern_model, [], seed=2).errors["porosity"]["mse"]
    # of the same order as at training, on fresh curves; with another spectrum's curves it is some 100 times that
    assert found < 3 * matern_model.description.errors["porosity"]["mse"]


def test_bundle_names_its_spectrum_and_is_refused_where_it_is_unknown(matern_model, tmp_path):
    save_model(matern_model, tmp_path / "bundle")
    assert load_model(tmp_path / "bundle").spectrum.text == MATERN
    path = tmp_path / "bundle" / "model.json"
    text = json.loads(path.read_text())
    assert text["spectrum"] == text["provenance"]["spectrum"] == MATERN
    for name, reason in (("of-somebody:p=1", "no spectrum is called 'of-somebody'"), ("dab", "fractal")):
        unsealed = {key: value for key, value in text.items() if key != "description_sha256"}
        path.write_text(json.dumps(seal_description({**unsealed, "spectrum": name}, text["sha256"])))
        with pytest.raises(BundleError, match=f"trained for a spectrum that cannot be used here.*{reason}"):
            load_model(tmp_path / "bundle")


def test_examples_are_of_the_spectrum_that_is_pinned_else_of_any():
    spec = make_spec(Q_NM1, "counts")
    plain, fitted, published, named, other = (
        make_examples(TrainSettings("two-phase-low-porosity", q_nm1=Q_NM1, examples=1000, spectrum=text), spec, [])
        for text in (None, "fitted", "roding2022", "power:n=8", "power:n=6")
    )
    assert published.provenance["spectrum"] == named.provenance["spectrum"] == "roding2022"
    np.testing.assert_array_equal(published.features, named.features)
    assert other.provenance["spectrum"] == "power:n=6"
    assert np.abs(other.features - published.features).max() > 0.1
    assert plain.provenance["spectrum"] == fitted.provenance["spectrum"] == "fitted"
    assert plain.provenance["population"]["spectrum_n"] == [4, 16]
    np.testing.assert_array_equal(plain.features, fitted.features)
    assert np.abs(plain.features - published.features).max() > 0.1
    for name, values in plain.targets.items():
        np.testing.assert_array_equal(values, published.targets[name])


def test_a_model_of_no_one_spectrum_judges_and_derives_nothing_from_one(model):
    """Its spectra are those of the data: an exponent of 5 is no other material, and chords take more than a and p."""
    assert model.spectrum is None
    intensity, sigma, *_ = make_curves("power:n=5", 20, seed=4)
    p = model.predict(Q_NM1, intensity, sigma)
    # 99.9 % of the training data pass each of two checks
    assert np.count_nonzero(p.is_applicable) >= 19
    curve, names = Curve(Q_NM1, intensity[0], sigma[0]), ("pore_chord_nm", "solid_chord_nm", "surface_per_volume_nm1")
    extras = analyze_curve(model, curve, None).result.extras
    assert all(np.isnan(extras[name]) for name in names)
    fitted = analyze_curve(model, curve).result  # whose spectrum is known
    spectrum = f"power:n={fitted.prediction.fit.values['spectrum_n']}"
    known = fitted.prediction.values["a"] * np.exp(-(fitted.prediction.fit.values["spread"] ** 2) / 2)
    surface = compute_surface_per_volume(known, fitted.prediction.values["porosity"], spectrum)
    assert fitted.extras["surface_per_volume_nm1"] == pytest.approx(float(surface), rel=1e-9)
    with pytest.raises(QRangeError) as caught:
        model.predict_curve(Curve(Q_NM1[60:], np.ones(60)))
    assert "--spectrum" not in word_problem(caught.value)  # what is offered is trained without one


def test_paper_model_takes_the_spectrum_of_its_libraries(shards):
    spec = make_spec(LIBRARY_Q_NM1, "scatter")
    for text, shard in shards.items():
        for asked in (None, text):
            settings = TrainSettings("two-phase-low-porosity@paper", q_nm1=LIBRARY_Q_NM1, draws=1, spectrum=asked)
            assert make_examples(settings, spec, [shard]).provenance["spectrum"] == text


def test_libraries_of_other_spectra_are_refused(shards):
    spec = make_spec(LIBRARY_Q_NM1, "scatter")
    settings = TrainSettings("two-phase-low-porosity@paper", q_nm1=LIBRARY_Q_NM1, draws=1)
    with pytest.raises(InputError, match="different spectra, do not mix: power:n=6, roding2022"):
        make_examples(settings, spec, list(shards.values()))
    with pytest.raises(InputError, match="power:n=12 was asked for, but the libraries were made with power:n=6"):
        make_examples(replace(settings, spectrum="power:n=12"), spec, [shards["power:n=6"]])


def test_generator_versions_may_be_mixed_boxes_may_not(shards):
    """Another version: the same seed gives another structure, of the same law."""
    spec = make_spec(LIBRARY_Q_NM1, "scatter")
    settings = TrainSettings("two-phase-low-porosity@paper", q_nm1=LIBRARY_Q_NM1, draws=1)
    shard = shards["roding2022"]
    version = shard.setting.generator_version
    newer = replace(shard, setting=replace(shard.setting, library_seed=9, generator_version=version + 1))
    found = make_examples(settings, spec, [shard, newer]).provenance
    assert found["generator_version"] == [version, version + 1]
    assert [entry["generator_version"] for entry in found["libraries"]] == [version, version + 1]
    assert make_examples(settings, spec, [shard]).provenance["generator_version"] == version
    for change in ({"smoothing_nm": 0.5}, {"voxel_size_nm": 0.6}):
        other = replace(shard, setting=replace(shard.setting, **change))
        with pytest.raises(InputError, match="different boxes, do not mix"):
            make_examples(settings, spec, [shard, other])

"""The feature specification: normalisation, binning, merging, noise."""

from itertools import pairwise

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_Q_NM1
from pyfai_grf.features.invariant import compute_invariant
from pyfai_grf.features.specification import FeatureSpec, compute_features, make_spec
from pyfai_grf.theory.closed_form import expected_intensity

CURVE = expected_intensity(PAPER_Q_NM1, 3.0, 0.3)


@pytest.fixture
def spec() -> FeatureSpec:
    return make_spec(PAPER_Q_NM1, "counts")


def test_scale_does_not_matter(spec):
    sigma = 0.01 * CURVE
    one = compute_features(spec, CURVE, sigma).values
    other = compute_features(spec, 1e6 * CURVE, 1e6 * sigma).values
    # rounding of the logarithms only
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_bins_are_means_weighted_by_q(spec):
    values = np.exp(compute_features(spec, CURVE, 0.01 * CURVE).values[0, :-1])
    edges = [*spec.starts, PAPER_Q_NM1.size]
    for b, (start, stop) in enumerate(pairwise(edges)):
        q = PAPER_Q_NM1[start:stop]
        mean = (CURVE[start:stop] * q).sum() / q.sum() / compute_invariant(PAPER_Q_NM1, CURVE)
        assert values[b] == pytest.approx(mean, rel=1e-12)


def test_counts_are_the_number_of_photons(spec):
    counts = 1e5 * CURVE * PAPER_Q_NM1 / (CURVE * PAPER_Q_NM1).sum()
    features = compute_features(spec, CURVE, CURVE / np.sqrt(counts))
    assert features.values[0, -2] == pytest.approx(5.0, abs=1e-9)


def test_negative_tail_is_merged_and_told(spec):
    noisy = CURVE.copy()
    noisy[-150:] = np.where(np.arange(150) % 2, 1.0, -1.0) * CURVE[-150:]
    features = compute_features(spec, noisy, np.full_like(CURVE, CURVE[-1]))
    assert np.isfinite(features.values).all()
    assert features.merged[0] > 0


def test_scatter_reads_the_noise_level():
    spec = make_spec(PAPER_Q_NM1, "scatter")
    rng = np.random.default_rng(5)
    level = 0.05
    noisy = CURVE * (1 + level * rng.standard_normal((200, CURVE.size)))
    told = 10 ** compute_features(spec, noisy).values[:, -1]
    # median absolute third difference of 166 correlated points: about 12 % a curve, 1 % over 200 curves
    assert told.mean() == pytest.approx(level, rel=0.05)


def test_round_trip(spec):
    again = FeatureSpec.from_json(spec.to_json())
    np.testing.assert_array_equal(again.q_nm1, spec.q_nm1)
    assert (again.starts, again.noise) == (spec.starts, spec.noise)


@pytest.mark.parametrize(
    ("intensity", "sigma", "words"),
    [
        (CURVE[:-1], None, "resample"),
        (np.where(PAPER_Q_NM1 > 2, np.nan, CURVE), CURVE, "not finite"),
        (-CURVE, CURVE, "invariant"),
        (CURVE, None, "sigma"),
        (CURVE, 0 * CURVE, "sigma"),
    ],
)
def test_unusable_curves_are_refused(spec, intensity, sigma, words):
    with pytest.raises(InputError, match=words):
        compute_features(spec, intensity, sigma)


def test_grid_must_be_equidistant():
    with pytest.raises(InputError, match="equidistant"):
        make_spec(np.geomspace(0.1, 3, 100), "counts")

"""What a refusal says was seen is there, and is not said of a curve without it."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.published import PAPER_Q_NM1
from pyfai_grf.features.specification import bin_curves, make_spec
from pyfai_grf.learn.symptoms import describe_symptoms
from pyfai_grf.theory.closed_form import expected_intensity

SPEC = make_spec(PAPER_Q_NM1, "counts")


def describe(intensity: np.ndarray, error: float = 0.01) -> str:
    binned = bin_curves(SPEC, intensity[np.newaxis])[0]
    return describe_symptoms(SPEC.q_bins_nm1, np.log(binned), np.full(binned.size, error))


@pytest.mark.parametrize("a", [0.8, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("porosity", [0.1, 0.3, 0.5])
def test_nothing_is_seen_in_the_models_own_curves(a: float, porosity: float) -> None:
    intensity = expected_intensity(PAPER_Q_NM1, a, porosity)
    for background in (0.0, 0.5):
        noisy = intensity + background * intensity[-1]
        assert describe(noisy) == ""
        assert describe(noisy * np.random.default_rng(1).normal(1, 0.03, noisy.size), 0.03) == ""


@pytest.mark.parametrize("power", [-3.0, -4.0])
def test_an_upturn_is_named_with_its_power(power: float) -> None:
    intensity = expected_intensity(PAPER_Q_NM1, 2.0, 0.3)
    found = describe(intensity + 20 * intensity[0] * (PAPER_Q_NM1 / PAPER_Q_NM1[0]) ** power)
    assert "(an upturn)" in found
    stated = float(found.split("like q^")[1].split(" ")[0])
    # over the first four bins, on top of the shelf: it comes out flatter
    assert power - 0.1 < stated < power + 0.7


def test_a_peak_is_named_with_its_place() -> None:
    intensity = expected_intensity(PAPER_Q_NM1, 3.0, 0.3)
    peak = intensity * (1 + 5 * np.exp(-(((PAPER_Q_NM1 - 1.5) / 0.06) ** 2)))
    assert describe(peak).startswith("there is a peak near q = 1.5 per nm")


def test_noise_is_no_peak() -> None:
    intensity = expected_intensity(PAPER_Q_NM1, 3.0, 0.3)
    # binned errors of 30 %: the last bins rise above their neighbours by chance
    noisy = intensity * np.random.default_rng(3).lognormal(0, 0.3, intensity.size)
    assert describe(noisy, 0.3) == ""

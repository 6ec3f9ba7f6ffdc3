"""What pyFAI has integrated becomes a curve whose errors are those of its photons, where it counted any."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pyFAI.containers import Integrate1dResult

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.markers import is_counted
from pyfai_grf.reduce.integrated import convert_result

BINS = 140
METHOD = ("no", "csc", "cython")


@pytest.fixture(scope="module")
def expected(setup: Any) -> np.ndarray:
    """(H, W) the counts to be expected of a material."""
    return setup.expect_material(1e6)


@pytest.fixture(scope="module")
def frame(expected: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).poisson(expected).astype(np.float32)


def integrate(setup: Any, frame: np.ndarray, bins: int = BINS, **more: Any) -> Any:
    return setup.integrator.integrate1d_ng(frame, bins, **{"unit": "q_nm^-1", "method": METHOD, **more})


# --- counts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [None, "poisson"])
def test_rich_bins_have_the_square_root_of_their_counts(model: str | None, setup: Any) -> None:
    """With more than a thousand counts in every bin each stands for itself."""
    frame = np.rint(setup.expect_frame(1e9)).astype(np.float32)
    result = integrate(setup, frame, 100, error_model=model)
    curve = convert_result(result)
    filled = result.count > 0
    assert result.sum_signal[filled].min() > 1000
    np.testing.assert_allclose(curve.sigma, (np.sqrt(result.sum_signal) / result.sum_normalization)[filled], rtol=1e-12)
    np.testing.assert_array_equal(curve.q_nm1, result.radial[filled])
    np.testing.assert_array_equal(curve.intensity, result.intensity[filled])
    np.testing.assert_array_equal(curve.weight, result.sum_normalization[filled])
    assert curve.counts == pytest.approx(frame.sum(dtype=float), rel=1e-6)
    assert curve.metadata["noise_model"] == "counts"


def test_empty_looking_bins_are_not_certain(setup: Any) -> None:
    """A bin that happened to count nothing has the error of the rate around it, not none."""
    frame = np.random.default_rng(2).poisson(setup.expect_frame(3e3, lambda q: 1 / (1 + (4 * q) ** 4)))
    curve = convert_result(integrate(setup, frame.astype(np.float32)))
    assert (curve.intensity == 0).any()
    assert (curve.sigma > 0).all()


def test_sigma_is_smaller_than_pyfais_where_pixels_count_next_to_nothing(setup: Any, expected: np.ndarray) -> None:
    """pyFAI's Poisson model takes one count for a pixel that counted none."""
    sparse = np.random.default_rng(4).poisson(expected / 100).astype(np.float32)
    result = integrate(setup, sparse, error_model="poisson")
    curve = convert_result(result)
    tail = curve.q_nm1 > 1.5
    assert np.median(curve.sigma[tail] / result.sigma[result.count > 0][tail]) < 0.5


def test_factor_scales_intensity_and_sigma_and_not_the_photons(setup: Any, frame: np.ndarray) -> None:
    one, two = (convert_result(integrate(setup, frame, normalization_factor=factor)) for factor in (1.0, 2.0))
    np.testing.assert_allclose(two.intensity, one.intensity / 2, rtol=1e-6)  # single precision in pyFAI
    np.testing.assert_allclose(two.sigma, one.sigma / 2, rtol=1e-6)
    assert two.counts == one.counts
    assert two.metadata["pyFAI"]["normalization_factor"] == 2.0


@pytest.mark.parametrize("is_masked", [False, True])
def test_bins_without_a_pixel_are_left_out(is_masked: bool, setup: Any, frame: np.ndarray) -> None:
    mask = (setup.q > 1.0) & (setup.q < 1.2)
    if is_masked:
        result = integrate(setup, frame, mask=mask, method="csr")
    else:
        result = integrate(setup, np.where(mask, -7, frame).astype(np.float32), dummy=-7.0, delta_dummy=0.5)
    curve = convert_result(result)
    assert not np.any((curve.q_nm1 > 1.03) & (curve.q_nm1 < 1.17))
    assert curve.q_nm1.size == np.count_nonzero(result.count) < BINS
    assert np.all(curve.sigma > 0)
    assert np.isfinite(curve.intensity).all()
    assert curve.counts == pytest.approx(frame[~mask].sum(dtype=float), rel=1e-6)


# --- what are no counts ------------------------------------------------------------------------------------------


def test_error_that_says_more_than_the_counts_is_kept(setup: Any, frame: np.ndarray) -> None:
    azimuthal = integrate(setup, frame, error_model="azimuthal")
    dark = integrate(setup, frame, error_model="poisson", dark=0.1 * np.ones(frame.shape))
    variance = integrate(setup, frame, variance=frame + 100)
    clipped = setup.integrator.sigma_clip_ng(
        frame, BINS, unit="q_nm^-1", error_model="poisson", method=("no", "csr", "cython")
    )
    for result in (azimuthal, dark, variance, clipped):
        curve = convert_result(result)
        np.testing.assert_array_equal(curve.sigma, result.sigma[result.count > 0])
        assert curve.counts is None
        assert curve.metadata["noise_model"] == "pyFAI's error model"


def test_fractions_without_an_error_have_none(setup: Any, frame: np.ndarray) -> None:
    curve = convert_result(integrate(setup, frame / 3), is_counts=is_counted(frame / 3))
    assert (curve.sigma, curve.counts, curve.metadata["noise_model"]) == (None, None, "none")


@pytest.mark.parametrize("change", [lambda frame: frame - 50, lambda frame: 0 * frame])
def test_sums_that_cannot_be_counts(change: Any, setup: Any, frame: np.ndarray) -> None:
    """Something was subtracted, or nothing was counted at all."""
    curve = convert_result(integrate(setup, change(frame)))
    assert (curve.sigma, curve.counts) == (None, None)


# --- the abscissa, and what is no curve --------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "factor"), [("q_nm^-1", 1.0), ("q_A^-1", 10.0)])
def test_q_is_in_1_nm(unit: str, factor: float, setup: Any, frame: np.ndarray) -> None:
    result = integrate(setup, frame, unit=unit)
    curve = convert_result(result)
    np.testing.assert_array_equal(curve.q_nm1, factor * result.radial[result.count > 0])
    assert curve.q_nm1.max() == pytest.approx(setup.q.max(), rel=0.01)  # half a bin
    assert curve.metadata["pyFAI"]["q_unit"] == unit


@pytest.mark.parametrize("unit", ["2th_deg", "2th_rad", "r_mm"])
def test_other_abscissas_are_refused(unit: str, setup: Any, frame: np.ndarray) -> None:
    with pytest.raises(InputError, match=unit):
        convert_result(integrate(setup, frame, unit=unit))


def test_cake_is_no_curve(setup: Any, frame: np.ndarray) -> None:
    with pytest.raises(InputError, match="2 dimensions"):
        convert_result(setup.integrator.integrate2d_ng(frame, 50, 36, unit="q_nm^-1", method=METHOD))


def test_one_pixel_is_no_curve(setup: Any, expected: np.ndarray) -> None:
    mask = np.ones(expected.shape, bool)
    with pytest.raises(InputError, match="only 0 of 2 bins"):
        convert_result(integrate(setup, expected, 2, mask=mask))
    mask[100, 150] = False
    with pytest.raises(InputError, match="only 1 of 2 bins"):
        convert_result(integrate(setup, expected, 2, mask=mask))


def test_bare_result_is_taken_as_it_is() -> None:
    """As another program may make one: q, intensity and error, and nothing of how they came about."""
    q = np.array([-0.1, 0.0, 0.1, 0.2, np.nan, 0.4])
    intensity = np.array([9.0, 8.0, 7.0, np.nan, 5.0, -4.0])
    result = Integrate1dResult(q, intensity, np.arange(6.0))
    result._set_unit("q_nm^-1")
    curve = convert_result(result)
    assert (curve.q_nm1.tolist(), curve.intensity.tolist(), curve.sigma.tolist()) == (
        [0.1, 0.4],
        [7.0, -4.0],
        [2.0, 5.0],
    )
    assert (curve.weight, curve.counts) == (None, None)
    with pytest.raises(InputError, match="None"):
        convert_result(Integrate1dResult(q, intensity))  # q in which unit?


def test_metadata_are_joined_and_fit_into_a_file(setup: Any, frame: np.ndarray) -> None:
    metadata = convert_result(integrate(setup, frame, polarization_factor=0.9), {"source": "f.edf"}).metadata
    assert metadata["source"] == "f.edf"
    stored = json.loads(json.dumps(metadata["pyFAI"], default=str))
    assert stored["poni"]["wavelength"] == pytest.approx(1e-10)
    assert "0.9" in stored["polarization_factor"]
    assert "csc" in stored["method"].lower()

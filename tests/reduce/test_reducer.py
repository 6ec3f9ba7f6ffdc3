"""Frames made from a known curve integrate back to it, and sigma says by how much they miss it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fabio.edfimage
import h5py
import numpy as np
import pytest
from pyFAI.containers import PolarizationDescription
from pyFAI.detectors import detector_factory
from pyFAI.integrator.azimuthal import AzimuthalIntegrator
from pyFAI.io.integration_config import WorkerConfig
from pyFAI.io.ponifile import PoniFile

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.frame import make_frame
from pyfai_grf.reduce.reducer import Bins, Frame, Reducer, ReductionSettings, reduce_frame

POISON = 2_000_000_000


def test_a_smooth_curve_comes_back(setup: Any, poni: str) -> None:
    radial = np.linspace(0.0, 4.0, 4000)
    frame = setup.integrator.calcfrom1d(
        radial, 1.0 / (1.0 + radial**2), shape=setup.shape, dim1_unit="q_nm^-1", correctSolidAngle=True
    )
    curve = reduce_frame(frame, poni, bins=Bins(0.1, 0.02))
    inner = (curve.q_nm1 > 0.2) & (curve.q_nm1 < 2.9)
    # a bin averages over its width, where its pixels do not lie evenly: |dI/dq| step / 2 bounds the difference
    slope = np.abs(np.gradient(1.0 / (1.0 + curve.q_nm1**2), curve.q_nm1))
    difference = np.abs(curve.intensity - 1.0 / (1.0 + curve.q_nm1**2))
    assert (difference <= slope * 0.01 + 1e-5)[inner].all()


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.float32])
def test_masked_arrays_are_masked(setup: Any, kind: type) -> None:
    """Frame, background, dark, flat and mask: what is masked in one of them is left out, whatever its value is."""
    frame = np.random.default_rng(3).poisson(setup.expect_frame(1e7)).astype(kind)
    hidden = np.zeros(frame.shape, bool)
    hidden[20:40, 10:90] = True
    expected = reduce_frame(frame, setup.integrator, mask=hidden)
    other = reduce_frame(frame, setup.integrator)
    assert not np.array_equal(expected.weight, other.weight)
    poisoned = np.ma.masked_array(np.where(hidden, POISON, frame).astype(kind), hidden)
    even = np.ma.masked_array(np.where(hidden, POISON, 1.0), hidden)
    nothing = np.ma.masked_array(np.where(hidden, POISON, 0.0), hidden)
    for curve in (
        reduce_frame(poisoned, setup.integrator),
        reduce_frame(frame, setup.integrator, mask=np.ma.masked_array(np.zeros(frame.shape, np.int8), hidden)),
        reduce_frame(frame, setup.integrator, flat=even),
        reduce_frame(frame, setup.integrator, dark=nothing),
    ):
        np.testing.assert_allclose(curve.intensity, expected.intensity, rtol=1e-6)
        np.testing.assert_allclose(curve.weight, expected.weight, rtol=1e-6)
    background = np.ma.masked_array(np.where(hidden, POISON, 3).astype(kind), hidden)
    one, two = (reduce_frame(frame, setup.integrator, background=b, mask=hidden) for b in (background, background.data))
    np.testing.assert_array_equal(one.intensity, two.intensity)


@pytest.mark.parametrize("counts", [1e6, 1e7, 1e8])
def test_sigma_is_the_standard_error(setup: Any, counts: float) -> None:
    rng = np.random.default_rng(int(counts))
    expected = setup.expect_frame(counts)
    reducer = Reducer(ReductionSettings(setup.integrator, bins=Bins(0.04, 0.015)))
    true = reducer.reduce(make_frame(expected))
    repeats = 1000  # makes four standard errors in the narrowest band a tenth
    squares = np.zeros(len(true.q_nm1))
    for _ in range(repeats):
        curve = reducer.reduce(make_frame(rng.poisson(expected).astype(np.int32)))
        squares += (curve.intensity - true.intensity) ** 2 / curve.sigma**2
    check_chi_square(true.q_nm1, squares / repeats, repeats)


def check_chi_square(q: np.ndarray, chi_square: np.ndarray, repeats: int) -> None:
    """The mean over a band is 1 to four standard errors, sqrt(2 / samples) each, and 1 % for the pooling of rates."""
    for low, high in ((0.04, 0.1), (0.1, 1.0), (1.0, 3.0)):
        band = (q >= low) & (q < high)
        assert band.sum() >= 3
        error = np.sqrt(2.0 / (band.sum() * repeats))
        assert chi_square[band].mean() == pytest.approx(1.0, abs=4 * error + 0.01)


def test_sigma_after_background_subtraction(setup: Any) -> None:
    rng = np.random.default_rng(8)
    sample, empty = setup.expect_frame(1e6), setup.expect_frame(2e5, lambda q: 1 / (1 + (9 * q) ** 4) + 1e-3)
    bins, scale, repeats = Bins(0.04, 0.015), 0.5, 60

    def reduce(frame: np.ndarray, background: np.ndarray) -> Any:
        return reduce_frame(frame, setup.integrator, background=background, background_scale=scale, bins=bins)

    total = sample + scale * empty
    true = reduce(total, empty)
    alone = reduce_frame(sample, setup.integrator, bins=bins)
    np.testing.assert_allclose(true.intensity, alone.intensity, rtol=1e-4)
    squares = np.zeros(len(true.q_nm1))
    for _ in range(repeats):
        curve = reduce(rng.poisson(total), rng.poisson(empty))
        squares += (curve.intensity - true.intensity) ** 2 / curve.sigma**2
    check_chi_square(true.q_nm1, squares / repeats, repeats)
    assert true.metadata["background_scale"] == scale


def test_empty_bins_have_a_sigma_and_it_is_no_smaller_than_their_neighbours(setup: Any) -> None:
    frame = np.random.default_rng(2).poisson(setup.expect_frame(3e3, lambda q: 1 / (1 + (4 * q) ** 4)))
    curve = reduce_frame(frame, setup.integrator)
    assert curve.sigma is not None
    assert curve.weight is not None
    assert (curve.intensity == 0).any()
    assert (curve.sigma > 0).all()
    tail = curve.q_nm1 > 1.5
    scaled = curve.sigma[tail] ** 2 * curve.weight[tail]  # the pooled rate, which changes slowly
    assert scaled.max() / scaled.min() < 10


def test_several_frames_are_one_longer_exposure(setup: Any) -> None:
    rng = np.random.default_rng(4)
    good, exposure = np.zeros(setup.shape, bool), {"exposure_time_s": 2.0}
    images = [rng.poisson(setup.expect_frame(1e5)).astype(np.uint16) for _ in range(4)]
    frames = [Frame(image, good, "f", index, exposure) for index, image in enumerate(images)]
    reducer = Reducer(ReductionSettings(setup.integrator))
    together = reducer.reduce(iter(frames))
    single = [reducer.reduce(frame) for frame in frames]
    assert together.counts == sum(curve.counts for curve in single)
    np.testing.assert_allclose(together.intensity, np.mean([c.intensity for c in single], axis=0), rtol=1e-5)
    assert together.sigma is not None
    rich = single[0].q_nm1 < 0.5
    # half the standard error, to the scatter of the pooled rates
    np.testing.assert_allclose(np.median(together.sigma[rich] / single[0].sigma[rich]), 0.5, rtol=0.05)
    np.testing.assert_allclose(together.weight, 4 * single[0].weight, rtol=1e-6)
    assert together.metadata["n_frames"] == 4
    assert together.metadata["exposure_time_s"] == 8.0


def test_a_pixel_bad_in_one_frame_is_bad_in_the_sum(setup: Any) -> None:
    frame = np.full(setup.shape, 7, np.int32)
    poisoned = frame.copy()
    poisoned[20, 30] = -1
    curve = Reducer(ReductionSettings(setup.integrator)).reduce([make_frame(frame), make_frame(poisoned)])
    assert curve.counts == 2 * 7 * (setup.q.size - 1)


@pytest.mark.parametrize("kind", ["user", "file", "configuration", "detector", "integrator", "frame", "dummy", "flat"])
def test_every_kind_of_bad_pixel_is_left_out(setup: Any, tmp_path: Path, kind: str) -> None:
    bad = np.zeros(setup.shape, bool)
    bad[40:60, 30:90] = True
    frame = np.full(setup.shape, 5, np.int32)
    clean = reduce_frame(np.where(bad, -1, frame), setup.integrator)
    frame[bad] = POISON
    integrator = setup.copy_integrator()
    mask: Any = None
    flat: Any = None
    given: Any = frame
    if kind == "user":
        mask = bad
    elif kind == "file":
        mask = str(tmp_path / "mask.edf")
        fabio.edfimage.EdfImage(data=bad.astype(np.int8)).write(mask)
    elif kind == "integrator":
        integrator.detector.mask = bad.astype(np.int8)
    elif kind == "frame":
        given = Frame(frame, bad)
    elif kind == "flat":
        flat = np.where(bad, 0.0, 1.0)
    elif kind == "detector":
        integrator = str(tmp_path / "detector.poni")
        write_masked_detector(setup, bad, integrator)
    else:
        np.save(tmp_path / "mask.npy", bad)
        options = {"mask_file": "mask.npy"} if kind == "configuration" else {"val_dummy": POISON, "delta_dummy": 1.0}
        WorkerConfig(poni=PoniFile(setup.integrator), **options).save(str(tmp_path / "c.json"))
        integrator = str(tmp_path / "c.json")
    curve = reduce_frame(given, integrator, mask=mask, flat=flat)
    assert curve.counts == clean.counts == 5 * (~bad).sum()
    np.testing.assert_allclose(np.interp(2.0, curve.q_nm1, curve.intensity), 5.0, rtol=0.05)


def write_masked_detector(setup: Any, bad: np.ndarray, path: str) -> None:
    """Write a .poni whose detector is a NeXus file that holds a mask."""
    detector = setup.copy_integrator().detector
    detector.mask = bad.astype(np.int8)
    detector.save(path + ".h5")
    own = setup.copy_integrator()
    own.detector = detector_factory(path + ".h5")
    own.save(path)


def test_module_gaps_of_a_named_detector(tmp_path: Path) -> None:
    detector = detector_factory("Pilatus300k")
    integrator = AzimuthalIntegrator(dist=1.0, poni1=0.05, poni2=0.04, detector=detector, wavelength=1e-10)
    integrator.save(str(tmp_path / "p.poni"))
    gaps = detector.mask != 0
    frame = np.where(gaps, POISON, 3).astype(np.int32)
    curve = reduce_frame(frame, tmp_path / "p.poni")
    assert gaps.any()
    assert curve.counts == 3 * (~gaps).sum()
    assert curve.metadata["masked_fraction"] == pytest.approx(gaps.mean(), abs=1e-6)


def test_negative_floats_are_measurements(setup: Any, tmp_path: Path) -> None:
    # this detector's marker in pyFAI is -2 +- 1.5, which a subtracted frame crosses on its way to zero
    detector = detector_factory("Pilatus100k")
    integrator = AzimuthalIntegrator(dist=0.5, poni1=0.01, poni2=0.04, detector=detector, wavelength=1e-10)
    rng = np.random.default_rng(5)
    repeats = [rng.normal(0.5, 2.0, detector.shape).astype(np.float32) for _ in range(60)]
    reducer = Reducer(ReductionSettings(integrator))
    curves = [reducer.reduce(make_frame(frame)) for frame in repeats]
    assert curves[0].counts is None
    assert "scatter" in curves[0].metadata["noise_model"]
    assert any("negative values" in text for text in curves[0].metadata["warnings"])
    expected = reducer.reduce(make_frame(np.full(detector.shape, 0.5, np.float32))).intensity
    chi_square = np.mean([(c.intensity - expected) ** 2 / c.sigma**2 for c in curves], axis=0)
    # four standard errors of the mean over bins and repeats, 1 % for the variance of the pooled variance
    assert chi_square.mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / (60 * len(expected))) + 0.02)


def test_one_negative_pixel_in_a_sparse_float_frame_leaves_no_sigma_of_zero(setup: Any) -> None:
    frame = np.random.default_rng(11).poisson(setup.expect_frame(2e4, lambda q: 1 / (1 + (4 * q) ** 4)))
    frame = frame.astype(np.float32)
    frame[(setup.q > 2.0)] = 0.0  # many bins in a row without a photon
    frame[100, 60] = -3.0
    curve = reduce_frame(frame, setup.integrator)
    assert "scatter" in curve.metadata["noise_model"]
    assert curve.sigma is not None
    assert (curve.sigma > 0).all()


def test_float_frames_say_what_they_assume(setup: Any) -> None:
    counted = np.random.default_rng(6).poisson(setup.expect_frame(1e6))
    whole = reduce_frame(counted.astype(np.float32), setup.integrator)
    exact = reduce_frame(counted, setup.integrator)
    assert "assumed" in whole.metadata["noise_model"]
    assert exact.metadata["noise_model"] == "counts"
    np.testing.assert_allclose(whole.sigma, exact.sigma, rtol=1e-6)
    scaled = reduce_frame(counted * 0.37, setup.integrator)
    assert any("not whole numbers" in text for text in scaled.metadata["warnings"])
    assert "scatter" in scaled.metadata["noise_model"]
    assert scaled.counts is None
    # sigma has the unit of the values: 0.37 that of the counts, to the 14 % of a variance pooled over 100 pixels
    flat = scaled.q_nm1 > 0.5
    assert np.median(scaled.sigma[flat] / whole.sigma[flat]) == pytest.approx(0.37, rel=0.14)
    assert not any("not whole numbers" in text for text in whole.metadata["warnings"])


def test_dark_and_flat(setup: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    flat = rng.uniform(0.5, 1.5, setup.shape)
    dark = rng.uniform(5.0, 15.0, setup.shape)
    dark[0, 0] = np.nan
    expected = setup.expect_frame(1e7)
    frame = expected * flat + np.nan_to_num(dark)
    curve = reduce_frame(frame, setup.integrator, dark=dark, flat=flat, mask=(np.isnan(dark)))
    plain = reduce_frame(expected, setup.integrator, mask=np.isnan(dark))
    # a flat shifts the weights within a bin; a narrow range of q keeps that below a percent
    far = curve.q_nm1 > 0.3
    np.testing.assert_allclose(curve.intensity[far], plain.intensity[far], rtol=0.02)
    assert curve.sigma is not None
    counted = reduce_frame(np.rint(frame), setup.integrator, dark=dark, flat=flat, mask=(np.isnan(dark)))
    # the counts of frame and dark in the bin, both Poisson
    index = 60
    inside = (np.abs(setup.q - curve.q_nm1[index]) < curve.metadata["q_step_nm1"] / 2) & np.isfinite(dark)
    variance = (frame[inside].sum() + dark[inside].sum()) / (flat * setup.solid_angle)[inside].sum() ** 2
    assert counted.sigma[index] ** 2 == pytest.approx(variance, rel=0.02)
    for name, image in (("d", dark), ("f", flat)):
        fabio.edfimage.EdfImage(data=image.astype(np.float32)).write(str(tmp_path / f"{name}.edf"))
    again = reduce_frame(frame, setup.integrator, dark=str(tmp_path / "d.edf"), flat=[str(tmp_path / "f.edf")])
    np.testing.assert_allclose(again.intensity, curve.intensity, rtol=1e-5)


def test_polarization_and_normalisation_of_the_configuration(setup: Any, tmp_path: Path) -> None:
    integrator = AzimuthalIntegrator(
        dist=0.03, poni1=0.0, poni2=0.0, detector=setup.copy_integrator().detector, wavelength=1e-10
    )
    config = WorkerConfig(
        poni=PoniFile(integrator),
        polarization_description=PolarizationDescription(0.9, 0.3),
        normalization_factor=2.0,
        azimuth_range=[10.0, 60.0],
    )
    config.save(str(tmp_path / "c.json"))
    factor = np.asarray(integrator.polarization(setup.shape, 0.9, 0.3)) * integrator.solidAngleArray(setup.shape)
    curve = reduce_frame(1e4 * factor, tmp_path / "c.json")
    np.testing.assert_allclose(curve.intensity, 5e3, rtol=1e-5)
    chi = np.degrees(integrator.chiArray(setup.shape))
    assert curve.metadata["masked_fraction"] == pytest.approx(1 - ((chi > 10) & (chi < 60)).mean(), abs=0.005)
    assert curve.metadata["polarization_factor"] == 0.9


def test_radial_range_and_solid_angle_of_the_configuration(setup: Any, tmp_path: Path) -> None:
    config = WorkerConfig(
        poni=PoniFile(setup.integrator), unit="q_nm^-1", radial_range=[0.5, 1.5], correct_solid_angle=False
    )
    config.save(str(tmp_path / "c.json"))
    curve = reduce_frame(np.full(setup.shape, 9, np.int32), tmp_path / "c.json")
    assert 0.5 <= curve.q_nm1[0] < curve.q_nm1[-1] <= 1.5
    np.testing.assert_allclose(curve.intensity, 9.0, rtol=1e-6)
    assert any("solid angle" in text for text in curve.metadata["warnings"])


def test_an_unmasked_beam_is_reported(setup: Any) -> None:
    frame = np.random.default_rng(9).poisson(setup.expect_frame(1e7)).astype(np.int32)

    def list_warnings(image: np.ndarray, mask: Any = None) -> list[str]:
        return [t for t in reduce_frame(image, setup.integrator, mask).metadata["warnings"] if "beamstop" in t]

    assert "direct beam" in list_warnings(frame)[0]
    shadow = np.where(setup.q < 0.1, 0, frame)
    assert "shadow" in list_warnings(shadow)[0]
    assert list_warnings(frame, setup.q < 0.1) == []
    assert list_warnings(np.where(setup.q < 0.1, -1, frame)) == []
    # bins that begin above the beam centre, as a model's do, mask nothing
    curve = reduce_frame(frame, setup.integrator, bins=Bins(0.04, 2.96 / 499))
    assert any("beamstop" in text for text in curve.metadata["warnings"])


def test_the_beam_off_the_detector_needs_no_mask(setup: Any) -> None:
    integrator = AzimuthalIntegrator(
        dist=0.5, poni1=-0.02, poni2=0.01, detector=setup.copy_integrator().detector, wavelength=1e-10
    )
    assert reduce_frame(np.full(setup.shape, 9, np.int32), integrator).metadata["warnings"] == []


def test_an_inverted_mask_and_a_wrong_wavelength_are_reported(setup: Any) -> None:
    frame = Frame(np.full(setup.shape, 9, np.int32), np.zeros(setup.shape, bool), metadata={"wavelength_nm": 0.154})
    curve = Reducer(ReductionSettings(setup.integrator, mask=setup.q > 0.5)).reduce(frame)
    texts = " ".join(curve.metadata["warnings"])
    assert "the mask covers 9" in texts
    assert "0.154 nm" in texts


def test_the_source_may_be_a_file_or_a_stack(setup: Any, poni: str, tmp_path: Path) -> None:
    image = np.random.default_rng(10).poisson(setup.expect_frame(1e6)).astype(np.int32)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["one"] = image
        file["two"] = np.stack([image, image])
    curve = reduce_frame(f"{tmp_path}/s.h5::/one", poni, background=f"{tmp_path}/s.h5::/two")
    assert curve.metadata["source"] == f"{tmp_path}/s.h5::/one"
    assert curve.metadata["background_frames"] == 2
    np.testing.assert_allclose(curve.intensity, 0.0, atol=1e-9)
    with pytest.raises(InputError, match="several frames"):
        reduce_frame(f"{tmp_path}/s.h5::/two", poni)


def test_shapes_that_do_not_fit_are_named(setup: Any, poni: str) -> None:
    frame, other = np.ones(setup.shape, np.int32), np.ones((150, 160), np.int32)
    with pytest.raises(InputError, match=r"\(150, 160\).*\(200, 200\)"):
        reduce_frame(other, poni)
    for name in ("mask", "dark", "flat", "background"):
        given: dict[str, Any] = {name: other}
        with pytest.raises(InputError, match=rf"{name} has shape \(150, 160\).*\(200, 200\)"):
            reduce_frame(frame, poni, **given)
    with pytest.raises(InputError, match=r"\(200, 200\).*\(150, 160\)"):
        Reducer(ReductionSettings(poni)).reduce([make_frame(frame), make_frame(other)])


def test_a_geometry_without_a_shape_takes_the_frame_s(setup: Any) -> None:
    integrator = setup.copy_integrator()
    integrator.detector = detector_factory("Detector", {"pixel1": 172e-6, "pixel2": 172e-6})
    frame = setup.expect_frame(1e6)
    reducer = Reducer(ReductionSettings(integrator))
    assert reducer.q_nm1 is None
    curve = reducer.reduce(make_frame(frame))
    np.testing.assert_allclose(curve.intensity, reduce_frame(frame, setup.integrator).intensity, rtol=1e-9)
    with pytest.raises(InputError, match=r"mask has shape \(5, 6\)"):
        reduce_frame(frame, integrator, mask=np.zeros((5, 6)))


def test_frames_without_a_signal(setup: Any) -> None:
    reducer = Reducer(ReductionSettings(setup.integrator))
    with pytest.raises(InputError, match="only zeros"):
        reducer.reduce(make_frame(np.zeros(setup.shape, np.int32)))
    with pytest.raises(InputError, match="masked or marked bad"):
        reducer.reduce(make_frame(np.full(setup.shape, -1, np.int32)))
    with pytest.raises(InputError, match="no frame"):
        reducer.reduce([])
    with pytest.raises(InputError, match="leaves no pixel"):
        reduce_frame(np.ones(setup.shape, np.int32), setup.integrator, mask=np.ones(setup.shape))
    dark = np.random.default_rng(1).uniform(5, 15, setup.shape)
    with pytest.raises(InputError, match="only zeros"):
        reduce_frame(np.zeros(setup.shape, np.int32), setup.integrator, dark=dark)
    with pytest.raises(InputError, match="no usable pixel"):
        reduce_frame(np.ones(setup.shape, np.int32), setup.integrator, background=np.full(setup.shape, -1))


@pytest.mark.parametrize(("image", "words"), [(np.ones(5), "two dimensions"), (np.full((3, 3), "a"), "holds numbers")])
def test_what_is_no_frame(setup: Any, image: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        reduce_frame(image, setup.integrator)


@pytest.mark.parametrize(("distance", "wavelength"), [(500.0, 1e-10), (0.5, 1.0)])
def test_units_other_than_metres_are_suspected(setup: Any, tmp_path: Path, distance: float, wavelength: float) -> None:
    detector = setup.copy_integrator().detector
    integrator = AzimuthalIntegrator(dist=distance, poni1=0.016, poni2=0.017, detector=detector, wavelength=wavelength)
    integrator.save(str(tmp_path / "wrong.poni"))
    said = r"covers only .* per nm.* check Distance \(m\) and Wavelength \(m\) in .*wrong\.poni"
    with pytest.raises(InputError, match=said):
        reduce_frame(np.ones(setup.shape, np.int32), tmp_path / "wrong.poni", bins=Bins(0.04, 2.96 / 499))

"""Faults of an instrument are noticed, named with their place, and left out of the alternative curve."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pyFAI.io.integration_config import WorkerConfig
from pyFAI.io.ponifile import PoniFile

from pyfai_grf.core.records import Curve
from pyfai_grf.frames.frame import make_frame
from pyfai_grf.reduce.reducer import Bins, Reducer, ReductionSettings
from pyfai_grf.virtual_instrument.faults import lay_bar, move_centre, orient, shade_sector

BINS = Bins(0.04, 0.015)


def make_reducer(integrator: Any, **more: Any) -> Reducer:
    mask = np.zeros((200, 200), bool)
    mask[95, 101] = True  # one pixel at the beam: somebody has drawn a mask
    return Reducer(ReductionSettings(integrator, mask=mask, bins=BINS, **more))


def reduce(frame: np.ndarray, integrator: Any, **more: Any) -> Curve:
    return make_reducer(integrator, **more).reduce(make_frame(frame))


def draw(expected: np.ndarray, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(expected)


def bend(q: np.ndarray) -> np.ndarray:
    return 1 / (1 + (4 * q) ** 4) + 2e-3


def check_alternative(curve: Curve, setup: Any, counts: float) -> None:
    """The alternative is what a clean frame gives, within its errors; the curve itself is not."""
    truth = reduce(setup.expect_frame(counts, bend), setup.integrator)
    assert curve.alternative is not None
    assert curve.alternative.metadata["source"] == "array"
    assert curve.alternative.alternative is None

    def compare(read: Curve) -> float:
        wanted = np.interp(read.q_nm1, truth.q_nm1, truth.intensity)
        assert read.sigma is not None
        return float(np.mean(((read.intensity - wanted) / read.sigma)[read.q_nm1 > 0.06] ** 2))

    # some 190 points: 1 +- 0.1, and a few percent of what hides below the threshold
    assert compare(curve.alternative) < 1.5
    assert compare(curve) > 3


@pytest.mark.parametrize(
    ("fault", "kind", "chi", "q", "words"),
    [
        (lambda ai, e: lay_bar(ai, e, 65.0, 5.0), "dark", (60, 70), (0.02, 0.4), "the arm of a beamstop"),
        (lambda ai, e: shade_sector(ai, e, (-150, -90), passes=0.7), "dark", (-150, -90), (0.02, 2.0), "a shadow"),
        (lambda ai, e: shade_sector(ai, e, (170, -120), (0, 0.5), 0.5), "dark", (170, -120), (0.02, 0.5), "a shadow"),
        (lambda ai, e: shade_sector(ai, e, (20, 60), (1.5, 9), 1.8), "bright", (20, 60), (1.5, 2.9), "stray light"),
    ],
)
@pytest.mark.parametrize("counts", [1e6, 1e7])
def test_a_place(
    setup: Any,
    fault: Callable[..., np.ndarray],
    kind: str,
    chi: tuple[int, int],
    q: tuple[float, float],
    words: str,
    counts: float,
) -> None:
    expected = setup.expect_frame(counts, bend)
    curve = reduce(draw(fault(setup.integrator, expected)), setup.integrator)
    facts = curve.metadata["sectors"]
    assert facts["kind"] == kind
    # to a sector, and to a band of q
    assert [
        (found - edge + 180) % 360 - 180 for found, edge in zip(facts["chi_deg"], chi, strict=True)
    ] == pytest.approx([0, 0], abs=10)
    assert facts["q_nm1"][0] == pytest.approx(q[0], rel=0.6)
    assert facts["q_nm1"][1] >= q[1] * 0.7
    (text,) = curve.metadata["warnings"]
    assert words in text
    assert "that no mask covers" in text
    check_alternative(curve, setup, counts)
    json.dumps(dict(curve.metadata))


def test_hot_pixels_where_next_to_nothing_is_expected(setup: Any) -> None:
    frame = draw(setup.expect_frame(1e5, bend))
    where = np.random.default_rng(2).choice(np.flatnonzero(setup.q > 0.5), 12, replace=False)
    frame.flat[where] += 3000
    curve = reduce(frame, setup.integrator)
    assert curve.metadata["sectors"]["kind"] == "bright"
    assert curve.metadata["sectors"]["others"] >= 8  # some lie side by side
    assert "hot pixels" in curve.metadata["warnings"][0]
    check_alternative(curve, setup, 1e5)


@pytest.mark.parametrize(("pixels", "chi"), [(1.0, 30.0), (3.0, -100.0)])
def test_a_wrong_centre(setup: Any, pixels: float, chi: float) -> None:
    reducer = make_reducer(move_centre(setup.integrator, pixels, chi))
    for counts in (1e5, 1e6, 1e7):
        curve = reducer.reduce(make_frame(draw(setup.expect_frame(counts, bend))))
        facts = curve.metadata["sectors"]
        assert facts["kind"] == "centre"
        assert facts["shift_pixels"] == pytest.approx(pixels, rel=0.15)
        assert facts["chi_deg"] == pytest.approx([chi], abs=10)
        assert curve.alternative is not None
        assert "calibrate again" in curve.metadata["warnings"][0]


def test_a_centre_off_by_a_fraction_of_a_pixel_is_as_it_should_be(setup: Any) -> None:
    reducer = make_reducer(move_centre(setup.integrator, 0.2, 30.0))
    for counts in (1e5, 1e6, 1e7, 1e8):
        assert reducer.reduce(make_frame(draw(setup.expect_frame(counts, bend)))).metadata["sectors"] is None


@pytest.mark.parametrize("counts", [1e5, 1e6, 1e7])
@pytest.mark.parametrize("amplitude", [0.1, 0.5])
def test_an_oriented_sample(setup: Any, counts: float, amplitude: float) -> None:
    frame = draw(orient(setup.integrator, setup.expect_frame(counts, bend), amplitude, 20.0))
    curve = reduce(frame, setup.integrator)
    facts = curve.metadata["sectors"]
    assert facts["kind"] == "anisotropy"
    assert facts["amplitude"] == pytest.approx(amplitude, rel=0.25)
    assert facts["chi_deg"] == pytest.approx([20.0], abs=10)
    assert curve.alternative is not None


def test_frames_that_are_averaged_show_what_one_alone_does_not(setup: Any) -> None:
    faint = shade_sector(setup.integrator, setup.expect_frame(5e3, bend), (40, 70), passes=0.9)
    reducer = Reducer(ReductionSettings(setup.integrator, bins=BINS))
    frames = [make_frame(draw(faint, seed)) for seed in range(200)]
    assert all(reducer.reduce(frame).metadata["sectors"] is None for frame in frames[:5])
    assert reducer.reduce(frames).metadata["sectors"]["chi_deg"] == [40, 70]


def test_what_deviates_in_the_background_is_left_out_of_both(setup: Any) -> None:
    sample, empty = setup.expect_frame(1e7, bend), setup.expect_frame(1e7, lambda q: 0 * q + 1)
    shaded = shade_sector(setup.integrator, empty, (-60, 0), passes=0.4)
    curve = reduce(draw(sample + 0.5 * empty), setup.integrator, background=draw(shaded, 2), background_scale=0.5)
    assert curve.metadata["sectors"] is None
    assert any(text.startswith("background: chi -60 to 0") for text in curve.metadata["warnings"])
    assert curve.alternative is not None
    truth = reduce(sample, setup.integrator)
    wanted = np.interp(curve.alternative.q_nm1, truth.q_nm1, truth.intensity)
    assert curve.alternative.sigma is not None
    pulls = (curve.alternative.intensity - wanted) / curve.alternative.sigma
    assert np.mean(pulls**2) == pytest.approx(1.0, abs=0.5)


def test_what_lies_outside_the_range_of_the_configuration_is_none_of_it(setup: Any, tmp_path: Any) -> None:
    shaded = draw(shade_sector(setup.integrator, setup.expect_frame(1e7, bend), (40, 70), (0.0, 0.3), 0.5))
    config = {"unit": "q_nm^-1", "radial_range": [0.5, 2.5]}
    WorkerConfig(poni=PoniFile(setup.integrator), **config).save(str(tmp_path / "c.json"))
    assert reduce(shaded, tmp_path / "c.json").metadata["sectors"] is None
    config["radial_range"] = [0.1, 2.5]
    WorkerConfig(poni=PoniFile(setup.integrator), **config).save(str(tmp_path / "c.json"))
    assert reduce(shaded, tmp_path / "c.json").metadata["sectors"]["chi_deg"] == [40, 70]


def test_an_arc_of_the_circle_is_compared_in_itself(setup: Any, tmp_path: Any) -> None:
    """A shadow in it is found, one beside it is not in the way; pyFAI takes the arc across +-180 degrees, too."""
    frame = draw(shade_sector(setup.integrator, setup.expect_frame(1e7, bend), (40, 70), passes=0.5))
    for arc, kind in (([0.0, 120.0], "dark"), ([80.0, 180.0], None), ([150.0, 390.0], None), ([150.0, 30.0], None)):
        WorkerConfig(poni=PoniFile(setup.integrator), azimuth_range=arc).save(str(tmp_path / "c.json"))
        curve = reduce(frame, tmp_path / "c.json")
        facts = curve.metadata["sectors"]
        assert (facts and facts["kind"]) == kind, arc
        assert (curve.alternative is None) == (kind is None)
        whole = setup.integrator.array_from_unit(setup.shape, "center", "chi_deg", scale=True)
        inside = ((whole - arc[0]) % 360 <= (arc[1] - arc[0]) % 360).mean()
        assert 1 - curve.metadata["masked_fraction"] == pytest.approx(inside, abs=0.02)


def test_frames_of_fractions_are_compared_by_their_scatter(setup: Any) -> None:
    rng = np.random.default_rng(7)
    clean = setup.expect_frame(1e7, bend)
    noise = rng.normal(0.0, 1.0, clean.shape) * np.sqrt(clean + 20.0)
    assert reduce(clean + noise, setup.integrator).metadata["sectors"] is None
    shaded = shade_sector(setup.integrator, clean, (-30, 30), passes=0.6)
    curve = reduce(shaded + noise, setup.integrator)
    assert curve.metadata["sectors"]["kind"] == "dark"
    assert curve.alternative is not None
    assert curve.alternative.counts is None

"""Frames of a known material: their curve is the closed form with its background, their photons those asked for."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.frame import make_frame
from pyfai_grf.reduce.reducer import Bins, Reducer, ReductionSettings
from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.virtual_instrument.sample import simulate_frames


def test_frames_integrate_back_to_the_closed_form_and_its_background() -> None:
    """In the mean of three frames, with everything that the detector does to them and a mask takes away."""
    a, porosity, counts, frames = 4.0, 0.3, 1e7, 3
    instrument, images = simulate_frames(a, porosity, counts, frames, seed=7)
    reducer = Reducer(ReductionSettings(instrument.integrator, mask=instrument.mask, bins=Bins(0.04, 0.02)))
    curve = reducer.reduce(make_frame(image) for image in images)
    # the number of photons in three frames: Poisson, five standard errors
    assert curve.counts == pytest.approx(frames * counts, abs=5 * np.sqrt(frames * counts))

    def model(q: np.ndarray) -> np.ndarray:
        return expected_intensity(q, a, porosity) + 0.05 * expected_intensity(np.array([3.0]), a, porosity)

    # the bins are wide against the curve: its mean over each, not its value at the centre
    inside = (curve.q_nm1 > 0.1) & (curve.q_nm1 < 3.0)
    q = curve.q_nm1[inside, np.newaxis] + 0.02 * (np.arange(20) + 0.5 - 10) / 20
    expected = np.mean(model(q.ravel()).reshape(q.shape) * q, axis=1) / q.mean(axis=1)
    scale = np.sum(curve.intensity[inside]) / np.sum(expected)
    pulls = (curve.intensity[inside] - scale * expected) / curve.sigma[inside]
    # where a bin has few photons: chi^2 / bin is known to sqrt(2 / bins)
    tail = curve.q_nm1[inside] > 1.0
    assert np.mean(pulls[tail] ** 2) == pytest.approx(1.0, abs=5 * np.sqrt(2 / tail.sum()) + 0.05)
    # and where it has many, rings of pixels are no smooth bins: half a percent
    assert np.abs(curve.intensity[inside] / (scale * expected) - 1)[~tail].max() < 0.02


def test_frames_depend_on_seed_and_number_only() -> None:
    def take(frames: int, seed: int) -> list[np.ndarray]:
        return list(simulate_frames(4.0, 0.3, 1e4, frames, seed)[1])

    two, one, other = take(2, 5), take(1, 5), take(1, 6)
    np.testing.assert_array_equal(two[0], one[0])
    assert not np.array_equal(two[0], two[1])
    assert not np.array_equal(one[0], other[0])
    assert take(0, 5) == []


def test_a_finer_material_scatters_farther_out() -> None:
    def measure_middle(a: float) -> float:
        instrument, images = simulate_frames(a, 0.3, 1e5, 1, seed=1)
        q = instrument.integrator.array_from_unit(instrument.passes.shape, "center", "q_nm^-1", scale=True)
        counts = np.where(instrument.usable, next(images), 0)
        return float((q * counts).sum() / counts.sum())

    assert measure_middle(2.0) > 1.2 * measure_middle(6.0)


@pytest.mark.parametrize(
    ("a", "porosity", "counts", "found"),
    [
        (0.0, 0.3, 1e5, "0"),
        (-4.0, 0.3, 1e5, "-4"),
        (np.nan, 0.3, 1e5, "nan"),
        (4.0, 0.0, 1e5, "0"),
        (4.0, 1.0, 1e5, "1"),
        (4.0, np.nan, 1e5, "nan"),
        (4.0, 0.3, 0.0, "counts is 0"),
        (4.0, 0.3, -1.0, "counts is -1"),
        (4.0, 0.3, np.inf, "counts is inf"),
    ],
)
def test_values_out_of_range_are_refused_before_the_first_frame(
    a: float, porosity: float, counts: float, found: str
) -> None:
    with pytest.raises(InputError, match=found) as caught:
        simulate_frames(a, porosity, counts, 1, seed=1)
    assert "\n" not in str(caught.value)

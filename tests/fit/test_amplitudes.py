"""The linear part of a fit is solved exactly, within its bounds."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.fit.amplitudes import score_shapes, separate, solve_amplitudes
from pyfai_grf.fit.raster import make_raster
from pyfai_grf.fit.target import Target

Q = np.linspace(0.05, 3.0, 80)
SHAPE = 1 / (1 + (3 * Q) ** 4)
RISE = (Q / Q[0]) ** -4.0


def make(intensity: FloatArray) -> Target:
    return Target(intensity, (0.01 * np.abs(intensity) + 1e-6) ** 2, make_raster(Q))


def test_exact_amplitudes_come_back() -> None:
    found = solve_amplitudes(make(7 * SHAPE - 0.001 + 0.3 * RISE), SHAPE, True, RISE)
    assert (found.scale, found.background, found.upturn) == pytest.approx((7, -0.001, 0.3), rel=1e-6)
    assert found.chi2 == pytest.approx(0, abs=1e-9)


def test_an_upturn_is_never_negative() -> None:
    """What a negative one would explain is left for the rest; its column is gone."""
    found = solve_amplitudes(make(7 * SHAPE + 0.001 - 0.3 * RISE), SHAPE, True, RISE)
    assert found.upturn == 0
    assert len(found.columns) == 2
    assert found.chi2 > 1


def test_a_scale_is_never_negative() -> None:
    found = solve_amplitudes(make(2 - SHAPE), SHAPE, True)
    assert found.scale == 0
    assert found.background == pytest.approx(np.average(2 - SHAPE, weights=1 / make(2 - SHAPE).variance))


@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("amount", [0.3, 0.0, -0.2])
def test_many_shapes_at_once_score_as_one_by_one(has_background: bool, amount: float) -> None:
    rng = np.random.default_rng(1)
    target = make(5 * SHAPE + 0.01 + amount * RISE * SHAPE[0])
    shapes = np.stack([1 / (1 + (a * Q) ** 4) for a in rng.uniform(1, 6, 8)])
    root = 1 / np.sqrt(target.variance)
    scores = score_shapes(shapes, RISE, has_background, root, target.intensity)
    single = [solve_amplitudes(target, shape, has_background, RISE).chi2 for shape in shapes]
    finite = np.isfinite(scores)
    assert finite.any()
    np.testing.assert_allclose(scores[finite], np.array(single)[finite], rtol=1e-5)
    roots = np.broadcast_to(root, shapes.shape)
    found = separate(shapes * roots, roots * RISE, has_background, roots, roots * target.intensity)
    np.testing.assert_allclose(np.sum(found.rest**2, axis=1), single, rtol=1e-5)
    amplitudes = [solve_amplitudes(target, shape, has_background, RISE) for shape in shapes]
    np.testing.assert_allclose(found.scale, [one.scale for one in amplitudes], rtol=1e-5)
    np.testing.assert_allclose(found.upturn, [one.upturn for one in amplitudes], rtol=1e-5, atol=1e-12)


def test_what_amplitudes_explain_of_a_column_is_rejected() -> None:
    target = make(5 * SHAPE + 0.01 + 0.3 * RISE)
    root = 1 / np.sqrt(target.variance)[np.newaxis]
    found = separate(SHAPE * root, RISE * root, True, root, target.intensity * root)
    columns = np.stack([2 * SHAPE - RISE + 3, SHAPE**2]) * root
    left = found.reject(columns[np.newaxis])[0]
    assert np.abs(left[0]).max() < 1e-8 * np.abs(columns[0]).max()
    np.testing.assert_allclose(left[1] @ columns[0], 0, atol=1e-8 * np.abs(columns[0] @ columns[1]))

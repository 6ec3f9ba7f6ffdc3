"""One matrix makes points of a curve, as the sum over their nodes does."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.fit.raster import is_even, make_raster, project

Q = np.linspace(0.04, 3.0, 300)


def draw(q: np.ndarray) -> np.ndarray:
    """A knee and Porod's law: what a curve is like."""
    return np.asarray(1 / (1 + (3 * q) ** 2) ** 2 + 1e-3 * q**-4)


@pytest.mark.parametrize(("q", "has_log_bins"), [(Q, False), (np.geomspace(0.02, 5, 60), True)])
@pytest.mark.parametrize("resolution", [None, 0.008])
def test_the_matrix_is_the_sum_over_nodes(q: np.ndarray, has_log_bins: bool, resolution: float | None) -> None:
    """To the error of the interpolation between steps of 2 %."""
    raster = make_raster(q, resolution, has_log_bins)
    np.testing.assert_allclose(
        project(raster.matrix, draw(np.exp(raster.log_q))), raster.average(draw(raster.nodes)), rtol=1e-7
    )
    np.testing.assert_allclose(raster.weights.sum(axis=0), 1.0)


def test_many_curves_are_seen_alike() -> None:
    raster = make_raster(Q)
    lines = np.random.default_rng(1).uniform(size=(2, 3, raster.log_q.size))
    seen = project(raster.matrix, lines)
    assert seen.shape == (2, 3, Q.size)
    np.testing.assert_allclose(seen[1, 2], raster.matrix @ lines[1, 2], rtol=1e-12)


def test_a_grid_is_kept() -> None:
    assert make_raster(Q) is make_raster(Q.copy())
    assert make_raster(Q) is not make_raster(Q, 0.01)


def test_coarse_points_are_means_of_points() -> None:
    raster = make_raster(Q)
    assert 30 < raster.coarse.shape[0] < 70
    np.testing.assert_allclose(raster.coarse @ np.ones(Q.size), 1.0)
    assert np.all(np.diff(raster.coarse @ Q) > 0)
    np.testing.assert_allclose((raster.coarse @ raster.matrix).toarray(), raster.coarse_matrix.toarray(), atol=1e-12)
    few = make_raster(Q[:60])
    np.testing.assert_array_equal(few.coarse.toarray(), np.eye(60))


def test_a_resolution_does_not_reach_the_beam() -> None:
    """Nodes at negative q are as those at positive, but none is so near 0 that an upturn has no bound there."""
    raster = make_raster(Q, 0.05)
    assert raster.nodes.min() > 0.3 * Q[0]
    assert np.all(project(raster.matrix, np.exp(-4 * raster.log_q)) < 100 * Q[0] ** -4)


def test_gaps_leave_steps_even() -> None:
    assert is_even(Q[(Q < 1) | (Q > 1.2)])
    assert not is_even(np.geomspace(0.1, 3, 50))


def test_a_resolution_is_that_of_a_round_beam() -> None:
    """A mean over q^2 on the detector's plane is q^2 + 2 r^2; over q^4, q^4 + 8 q^2 r^2 + 8 r^4 (Rice)."""
    q = np.array([0.2, 0.26, 0.4, 0.9, 2.0])  # not even: no bins
    raster = make_raster(q, 0.02)
    np.testing.assert_allclose(raster.average(raster.nodes**2), q**2 + 2 * 0.02**2, rtol=1e-12)
    np.testing.assert_allclose(raster.average(raster.nodes**4), q**4 + 8 * (q * 0.02) ** 2 + 8 * 0.02**4, rtol=1e-12)

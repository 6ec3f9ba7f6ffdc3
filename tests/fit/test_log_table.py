"""The table over ln x is that of the theory, and its derivatives are those of its values."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.fit.log_table import STEP, load_table
from pyfai_grf.theory.power_family import load_family
from pyfai_grf.theory.spectra import get_spectrum

START = np.array([round(np.log(0.01) / STEP)])
COUNT = 500
X = np.exp(STEP * (START[0] + np.arange(COUNT)))  # to 220: Porod's law begins at 50


@pytest.mark.parametrize("n", [3.5, 8.0, 17.0])
@pytest.mark.parametrize("threshold", [0.0, 0.4, 3.1])
def test_the_power_family_is_resampled(n: float, threshold: float) -> None:
    line = load_table(None).draw(np.array([threshold**2]), np.array([1 / n]), START, COUNT)[0, 0]
    exact = load_family().evaluate(X, threshold, n)
    near = X < 50
    np.testing.assert_allclose(np.exp(line[near]) / X[near] ** 2, exact[near], rtol=1e-12)
    # beyond, Porod's law and its next term stand at the nodes, and a spline between: as exact as the table
    np.testing.assert_allclose(np.exp(line) / X**2, exact, rtol=1.5e-4)


@pytest.mark.parametrize("spectrum", [None, "roding2022", "shell:width=0.2"])
@pytest.mark.parametrize("u", [0.0, 5e-7, 0.3, 4.0])
def test_derivatives_are_differences(spectrum: str | None, u: float) -> None:
    table = load_table(None if spectrum is None else get_spectrum(spectrum))

    def draw(u: float, inverse_n: float) -> np.ndarray:
        return table.draw(np.array([u]), np.array([inverse_n]), START, COUNT)[0]

    here = draw(u, 0.125)
    step = 1e-5
    # near 0 a difference to one side, for there are no negative u; a cubic spline over |T| has a term u^1.5 there
    low = max(u - step, 0.0)
    by_u = (draw(u + step, 0.125)[0] - draw(low, 0.125)[0]) / (u + step - low)
    np.testing.assert_allclose(here[1], by_u, atol=2e-3 * np.abs(by_u).max())
    by_inverse = (draw(u, 0.12501)[0] - draw(u, 0.12499)[0]) / 2e-5
    is_free = spectrum is None  # a spectrum that is named has no exponent to go with
    np.testing.assert_allclose(here[2] * is_free, by_inverse, atol=1e-3 * max(np.abs(by_inverse).max(), 1))


def test_many_shapes_at_once() -> None:
    table = load_table(None)
    u, inverse_n, start = np.array([0.1, 2.0]), np.array([0.2, 0.07]), np.array([START[0], START[0] + 7])
    both = table.draw(u, inverse_n, start, COUNT)
    for item in range(2):
        alone = table.draw(u[item : item + 1], inverse_n[item : item + 1], start[item : item + 1], COUNT)[0]
        np.testing.assert_allclose(both[item], alone, rtol=1e-9)


def test_beyond_its_ends_a_table_is_held_there() -> None:
    table = load_table(None)
    far = table.draw(np.array([0.1]), np.array([0.1]), np.array([10**6]), COUNT)
    assert np.isfinite(far).all()

"""Expected curves of three-phase samples: what holds exactly, what the table must keep, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import trapezoid

from pyfai_grf.cli.hints import word_problem
from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.closed_form import compute_surface_per_volume, expected_intensity
from pyfai_grf.theory.three_phase import (
    compute_film_thickness,
    expected_three_phase,
    expected_three_phase_error,
    get_table,
)

Q = np.geomspace(0.05, 25, 300)


@pytest.mark.parametrize("porosity", [0.05, 0.37, 0.95])
def test_without_a_layer_it_is_the_closed_form(porosity: float) -> None:
    found = expected_three_phase(Q, 1.0, porosity, 0.0, 0.65)
    np.testing.assert_allclose(found, expected_intensity(Q, 1.0, porosity), rtol=1e-12)


@pytest.mark.parametrize("porosity", [0.1, 0.5, 0.9])
def test_a_vanishing_layer_vanishes(porosity: float) -> None:
    """A film of t = 2e-4 a at most: its faces are out of phase by q t < 0.005."""
    found = expected_three_phase(Q, 1.0, porosity, 1e-4, 0.65)
    np.testing.assert_allclose(found, expected_intensity(Q, 1.0, porosity), rtol=5e-3)


def test_density_0_is_the_solid_alone() -> None:
    found = expected_three_phase(Q, 1.0, 0.6, 0.3, 0.0)
    np.testing.assert_allclose(found, expected_intensity(Q, 1.0, 0.6), rtol=1e-12)


@pytest.mark.parametrize("porosity", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("layer", [0.05, 0.2, 0.4, 0.55])
def test_porod_gives_the_surface_that_the_volume_grows_by(porosity: float, layer: float) -> None:
    """d(volume)/dt is the film's outer surface: two results of the table that share no step. 1 % is the requirement.

    The next term of Porod's law is b / x^2 with |b| about 1: x = 40 leaves 1e-3.
    """
    x, step = 40.0, 0.02
    surface = expected_three_phase(x, 1.0, porosity, layer, 1.0) * x**4 / (2 * np.pi)
    thickness = compute_film_thickness(1.0, porosity, np.array([layer - step, layer + step]))
    assert surface == pytest.approx(porosity * 2 * step / np.diff(thickness)[0], rel=0.012)


@pytest.mark.parametrize("density", [0.3, 0.65, 1.0])
@pytest.mark.parametrize(("porosity", "layer"), [(0.2, 0.5), (0.5, 0.1), (0.63, 0.17), (0.9, 0.35)])
def test_the_invariant_is_the_variance_of_the_density(density: float, porosity: float, layer: float) -> None:
    """int I q^2 dq / (2 pi^2), the tail by the mean of Porod's law: the films' faces interfere beyond it too."""
    q = np.concatenate((np.linspace(0, 20, 8001), np.linspace(20, 400, 40001)[1:]))
    curve = expected_three_phase(q, 1.0, porosity, layer, density)
    tail = np.mean(curve[-8000:] * q[-8000:] ** 4) / q[-1]
    total = (trapezoid(curve * q * q, q) + tail) / (2 * np.pi**2)
    film, solid = porosity * layer, 1 - porosity
    variance = density**2 * film + solid - (density * film + solid) ** 2
    assert total == pytest.approx(variance, rel=0.01)


def test_only_a_carries_a_length() -> None:
    small, large = (expected_three_phase(Q / a, a, 0.7, 0.3, 0.5) / a**3 for a in (0.8, 8.0))
    np.testing.assert_allclose(small, large, rtol=1e-9)
    assert compute_film_thickness(4.0, 0.7, 0.3) == pytest.approx(4 * compute_film_thickness(1.0, 0.7, 0.3))


def test_thin_films_are_flat() -> None:
    """Thickness times surface is the volume, for a film much thinner than the radius of curvature."""
    surface = compute_surface_per_volume(1.0, 0.5)
    assert compute_film_thickness(1.0, 0.5, 1e-3) * surface == pytest.approx(0.5e-3, rel=1e-3)


def test_shapes() -> None:
    q = Q.reshape(3, 100)
    assert expected_three_phase(q, 1.0, 0.5, 0.2).shape == (3, 100)
    many = expected_three_phase(q, np.array([1.0, 2.0]), 0.5, np.array([0.2, 0.0]))
    assert many.shape == (2, 3, 100)
    np.testing.assert_array_equal(many[0], expected_three_phase(q, 1.0, 0.5, 0.2))
    np.testing.assert_array_equal(expected_intensity(q, np.array([1.0, 2.0]), 0.5, np.array([0.2, 0.0])), many)
    assert expected_three_phase_error(q, 1.0, 0.5, 0.2).shape == (3, 100)


@pytest.mark.parametrize("name", ["porosity", "layer"])
def test_derivatives_exist(name: str) -> None:
    """Central differences over two steps agree to second order, across nodes too: no kinks for a fit to meet."""
    for centre in (0.19, 0.3333, 0.5):
        slopes = []
        for step in (1e-3, 5e-4):
            low, high = (
                np.log(
                    expected_three_phase(Q, 1.0, centre + shift, 0.25, 1.0)
                    if name == "porosity"
                    else expected_three_phase(Q, 1.0, 0.6, centre + shift, 1.0)
                )
                for shift in (-step, step)
            )
            slopes.append((high - low) / (2 * step))
        np.testing.assert_allclose(slopes[0], slopes[1], atol=2e-3 * np.abs(slopes[1]).max())


def test_its_own_error_is_below_one_percent() -> None:
    """Over the whole table, at the densities where faces do not cancel; less in the middle."""
    table = get_table()
    for density in (0.0, 1.0):
        median, highest = table.summarise_error(density)
        assert median < 0.005
        assert highest < 0.02
    assert np.median(expected_three_phase_error(Q, 1.0, 0.6, 0.2)) < 0.01


@pytest.mark.parametrize(
    ("porosity", "layer", "match"),
    [(0.5, 0.7, "layer_fraction is 0.7"), (0.97, 0.2, "porosity is 0.97"), (0.03, 0.2, "porosity is 0.03")],
)
def test_outside_the_table(porosity: float, layer: float, match: str) -> None:
    with pytest.raises(InputError, match=match):
        expected_three_phase(Q, 1.0, porosity, layer)
    with pytest.raises(InputError, match=match):
        compute_film_thickness(1.0, porosity, layer)


def test_another_spectrum_needs_a_table() -> None:
    with pytest.raises(InputError, match="spectrum power:n=6: make one, and load it") as found:
        expected_three_phase(Q, 1.0, 0.5, 0.2, spectrum="power:n=6")
    assert "'pyfai-grf tabulate BOXES --count 60 --spectrum power:n=6 -o TABLE.npz'" in word_problem(found.value)

"""Expected curves of three-phase samples: what holds exactly, what the table must keep, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.special import ndtr

from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation import boxes
from pyfai_grf.tabulation.check import compare_boxes
from pyfai_grf.tabulation.controls import GROUPS
from pyfai_grf.tabulation.fit import make_table
from pyfai_grf.tabulation.grids import BoxSetting
from pyfai_grf.tabulation.pool import Pooled, pool_boxes
from pyfai_grf.tabulation.store import BoxFolder, Plan, add_boxes, open_boxes
from pyfai_grf.theory import three_phase
from pyfai_grf.theory.closed_form import compute_surface_per_volume, expected_intensity
from pyfai_grf.theory.three_phase import (
    add_table,
    compute_film_thickness,
    expected_three_phase,
    expected_three_phase_error,
    get_table,
)
from pyfai_grf.theory.three_phase_table import load_table

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


def test_another_spectrum_names_the_command() -> None:
    with pytest.raises(InputError, match="pyfai-grf tabulate"):
        expected_three_phase(Q, 1.0, 0.5, 0.2, spectrum="power:n=6")


def test_a_table_survives_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(three_phase, "_ADDED", {})
    table = get_table()
    table.save(tmp_path / "table.npz")
    again = add_table(tmp_path / "table.npz")
    np.testing.assert_allclose(again.expect(Q, 0.4, 0.3, 0.65), table.expect(Q, 0.4, 0.3, 0.65), rtol=1e-6)
    (tmp_path / "no.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="no table"):
        load_table(tmp_path / "no.npz")
    with pytest.raises(InputError, match="cannot write"):
        table.save(tmp_path / "missing" / "table.npz")


def test_the_fit_finds_what_went_in() -> None:
    """Pooled boxes made from smooth functions, and noise of 0.2 %: back within 0.2 % of what a face scatters."""
    setting = BoxSetting()
    rng = np.random.default_rng(8)
    x = np.concatenate((np.arange(2, 60) * 0.05, np.arange(2, 260) * 0.1))
    layer = np.multiply.outer(np.ones(len(setting.thresholds)), setting.layer_fractions)
    porosities = setting.porosities[:, np.newaxis]
    thicknesses = layer * porosities / compute_surface_per_volume(1.0, porosities) * (1 - 0.1 * layer)

    def expect(nu: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nu, t = nu[..., np.newaxis], t[..., np.newaxis]
        return nu * (0.1 + x**2 / (4 + x**2)), (1 - 0.2 * nu) * np.cos(x * t) + 0.3 * nu * np.sin(x * t) / (1 + x)

    ratio, coherence = expect(layer, thicknesses)
    rows = [(v + 2e-3 * rng.standard_normal((1 + GROUPS, *v.shape)) / (1 + x)) for v in (ratio, coherence)]
    pooled = Pooled(x, (0, 58, x.size), *rows, np.stack([layer] * (1 + GROUPS)), {})
    table = make_table(pooled, BoxFolder(Path(), setting, thicknesses))
    nu, porosity = 0.23, float(ndtr(0.4))
    t = table.get_thickness(porosity, nu)
    flat = nu * porosity / float(compute_surface_per_volume(1.0, porosity))
    assert t == pytest.approx(flat * (1 - 0.1 * nu), rel=1e-4)
    ratio, coherence = expect(np.array(nu), np.array(t))
    solid, film = expected_intensity(x, 1.0, porosity), expected_intensity(x, 1.0, porosity * (1 - nu))
    dd = film * np.exp(ratio)
    expected = 0.49 * dd + 0.42 * np.sqrt(solid * dd) * coherence + 0.09 * solid
    found = table.expect(x, porosity, nu, 0.7)
    assert (np.abs(found - expected) / (0.49 * dd + 0.09 * solid)).max() < 2e-3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fresh_boxes_agree_with_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another seed, porosities and layer fractions between the nodes: within the errors of both."""
    monkeypatch.setattr(boxes, "_PILOT_SHAPE", 96)
    setting = BoxSetting(seed=77, shape=256, thresholds=(-0.7, 0.5), layer_fractions=(0.1, 0.3, 0.5))
    folder = open_boxes(tmp_path / "boxes", setting)
    add_boxes(folder, Plan(coarse=20, fine=3, wide=20, pair=3), lambda done, total: None)
    for sample in compare_boxes(pool_boxes(folder), folder, get_table(), 0.7):
        layer, error = sample.simulated_layer
        assert abs(layer - sample.layer_fraction) < 4 * error + 1e-3 * layer
        scatter = np.hypot(sample.simulated_error, sample.expected_error)
        # shells of one box are correlated at high q: the mean square deviation itself scatters, by about a half
        assert np.mean(((sample.simulated - sample.expected) / scatter) ** 2) < 3

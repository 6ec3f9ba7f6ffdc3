"""The table of expected three-phase curves: its coordinates, its mixtures, its errors and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.theory import three_phase
from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.theory.spectra import get_spectrum
from pyfai_grf.theory.three_phase import add_table, get_table
from pyfai_grf.theory.three_phase_table import (
    X_SCALE,
    compute_jackknife_variance,
    find_wave_scale,
    load_table,
    map_x,
    mix_phases,
)

Q = np.geomspace(0.05, 25, 300)


def test_x_maps_on_0_to_1() -> None:
    np.testing.assert_allclose(map_x(np.array([0.0, X_SCALE, 1e9])), [0, 0.5, 1], atol=1e-15)


def test_the_wave_scale_is_smaller_where_films_are_thicker() -> None:
    scales = [find_wave_scale(p, get_spectrum("roding2022")) for p in (0.1, 0.5, 0.9)]
    assert scales[0] > scales[1] > scales[2]
    assert scales[1] == pytest.approx(X_SCALE)


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0, 1.4])
def test_a_mixture_is_the_square_of_the_amplitudes(density: float) -> None:
    """For one mode: rho = d D + (1 - d) S, whatever the phases of D and S."""
    rng = np.random.default_rng(4)
    film, solid = rng.standard_normal((2, 50)) + 1j * rng.standard_normal((2, 50))
    expected = np.abs(density * film + (1 - density) * solid) ** 2
    found = mix_phases(density, np.abs(film) ** 2, (film * solid.conj()).real, np.abs(solid) ** 2)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_jackknife_of_a_mean_is_its_textbook_variance() -> None:
    values = np.random.default_rng(5).standard_normal((20, 3))
    replicates = np.array([np.delete(values, i, axis=0).mean(axis=0) for i in range(20)])
    np.testing.assert_allclose(compute_jackknife_variance(replicates), values.var(axis=0, ddof=1) / 20, rtol=1e-10)


def test_a_layer_as_dense_as_the_solid_is_scattering_of_both() -> None:
    """At density 1 only f_DD counts: Babinet's partner of the open pores, so it nears the closed form at low nu."""
    found = get_table().expect(Q, 0.5, 0.02, 1.0)
    np.testing.assert_allclose(found, expected_intensity(Q, 1.0, 0.49), rtol=0.05)


def test_no_curve_is_negative_even_where_faces_cancel() -> None:
    for density in (0.3, 0.5, 0.65):
        assert (get_table().expect(Q, 0.9, 0.5, density) > 0).all()


def test_a_table_survives_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(three_phase, "_ADDED", {})
    table = get_table()
    table.save(tmp_path / "table.npz")
    again = add_table(tmp_path / "table.npz")
    np.testing.assert_allclose(again.expect(Q, 0.4, 0.3, 0.65), table.expect(Q, 0.4, 0.3, 0.65), rtol=1e-6)
    (tmp_path / "no.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="is not a table"):
        load_table(tmp_path / "no.npz")
    with pytest.raises(InputError, match="cannot write"):
        table.save(tmp_path / "missing" / "table.npz")

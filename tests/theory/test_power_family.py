"""The table of the power family is the quadrature's, at every exponent, threshold and q."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri

from pyfai_grf.core.errors import InputError
from pyfai_grf.theory import power_family
from pyfai_grf.theory.power_family import X_END, PowerFamily, load_family
from pyfai_grf.theory.scale_free import compute_scale_free_intensity


@pytest.fixture(scope="module")
def family() -> PowerFamily:
    return load_family()


@pytest.mark.parametrize(
    ("n", "porosity", "tolerance"),
    [(3.3, 0.34, 1.5e-4), (4.7, 0.1, 3e-5), (6, 0.5, 3e-5), (8, 0.2, 3e-5), (11.3, 0.62, 6e-5), (19, 0.45, 6e-4)],
)
def test_the_table_is_the_quadrature(family: PowerFamily, n: float, porosity: float, tolerance: float) -> None:
    """Between the nodes; the tolerance is what the module states."""
    x = np.geomspace(0.01, 49, 120)
    exact = compute_scale_free_intensity(x, porosity, f"power:n={n}")
    np.testing.assert_allclose(family.evaluate(x, float(ndtri(porosity)), n), exact, rtol=tolerance)


def test_porods_law_follows_smoothly(family: PowerFamily) -> None:
    x = np.geomspace(0.9 * X_END, 100 * X_END, 40)
    for n in (3.5, 8.0):
        found = family.evaluate(x, 0.5, n)
        exact = compute_scale_free_intensity(x, 0.3085375387, f"power:n={n}")
        # the exponent of the term beside Porod's law is known, not the ones after it
        np.testing.assert_allclose(found, exact, rtol=1e-3)


def test_any_shape_of_x_and_either_sign_of_the_threshold(family: PowerFamily) -> None:
    x = np.geomspace(0.1, 80, 12)
    flat = family.evaluate(x, 0.7, 8.0)
    np.testing.assert_array_equal(family.evaluate(x.reshape(3, 4), -0.7, 8.0), flat.reshape(3, 4))


def test_what_lies_outside_is_held_at_the_end(family: PowerFamily) -> None:
    x = np.array([0.5, 3.0])
    np.testing.assert_array_equal(family.evaluate(x, 5.0, 30.0), family.evaluate(x, 3.2, 24.0))


def test_a_table_is_what_was_written(family: PowerFamily, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = PowerFamily(family.coefficients[:5, :5, :5])
    small.save(tmp_path / "power-family.npz")
    monkeypatch.setattr(power_family.importlib.resources, "files", lambda name: tmp_path)
    load = load_family.__wrapped__
    np.testing.assert_array_equal(load().coefficients, small.coefficients)
    (tmp_path / "power-family.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not the table of the power family"):
        load()

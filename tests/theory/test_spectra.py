"""Spectral densities by name: one spectrum has one name, others can be registered, and impossible ones are refused."""

from __future__ import annotations

import importlib.metadata
import pickle
import sys
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from pyfai_grf.core.errors import InputError
from pyfai_grf.theory import spectra
from pyfai_grf.theory.closed_form import compute_scale_free_intensity, expected_intensity
from pyfai_grf.theory.spectra import (
    DEFAULT_SPECTRUM,
    MaternSpectrum,
    PowerSpectrum,
    ShellSpectrum,
    Spectrum,
    get_spectrum,
    list_spectra,
    register_spectrum,
)


@pytest.fixture
def registry(monkeypatch):
    """Whatever a test registers is forgotten afterwards, and no package is installed that brings spectra."""
    monkeypatch.setattr(spectra, "_REGISTERED", {})
    monkeypatch.setattr(spectra, "entry_points", lambda group: [])
    spectra._load_entry_points.cache_clear()
    spectra._make_spectrum.cache_clear()
    spectra._intern.cache_clear()
    yield
    spectra._load_entry_points.cache_clear()
    spectra._make_spectrum.cache_clear()
    spectra._intern.cache_clear()


def make_class(density, name="mine", **more: Any) -> type[Spectrum]:
    """A Spectrum class with one parameter ``p`` and ``density(k, p)``."""

    @dataclass(frozen=True)
    class Mine(Spectrum):
        """Gamma = whatever the test says."""

        p: float = 2.0

        def density(self, k):
            return density(k, self.p)

    Mine.name = name
    for key, value in more.items():
        setattr(Mine, key, value)
    return Mine


# --- names -----------------------------------------------------------------------------------------------------------


def test_text_round_trip(text):
    spectrum = get_spectrum(text)
    assert spectrum.text == str(spectrum) == text
    assert get_spectrum(spectrum.text) is get_spectrum(spectrum) is spectrum
    assert pickle.loads(pickle.dumps(spectrum)) == spectrum


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("power:n=8", "roding2022"),
        ("power:n=8.0", "roding2022"),
        (" POWER: n = 6 ", "power:n=6"),
        ("shell", "shell:width=0.2"),
        ("shell:width=.2", "shell:width=0.2"),
        ("matern:nu=3.0", "matern:nu=3"),
        (PowerSpectrum(8), "roding2022"),
        (PowerSpectrum(12), "power:n=12"),
        (MaternSpectrum(2), "matern:nu=2"),
        (ShellSpectrum(), "shell:width=0.2"),
    ],
)
def test_one_spectrum_has_one_name(text, canonical):
    assert get_spectrum(text).text == canonical
    assert get_spectrum(text) is get_spectrum(canonical)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dab", "Debye-Bueche.*<q\\^2> is infinite.*fractal.*surface per volume infinite"),
        ("Debye-Bueche", "<q\\^2> is infinite"),
        ("teubner-strey", "<q\\^2> is infinite.*take shell"),
        ("teubner_strey:xi=3,d=10", "<q\\^2> is infinite"),
        ("matern:nu=1", "nu is 1: it must be above 1.*<q\\^2> is infinite"),
        ("matern:nu=0.5", "nu is 0.5.*fractal"),
        ("matern:nu=30", "20 or less"),
        ("matern", "nu is missing; write matern:nu=NUMBER"),
        ("power:n=2.9", "n is 2.9: it must lie between 3 and 24"),
        ("power:n=25", "n is 25: it must lie between 3 and 24"),
        ("power:m=6", "it has no parameter m; write power:n=NUMBER"),
        ("roding2022:n=8", "it has no parameter n; write roding2022"),
        ("shell:width=0.01", "between 0.05 and 0.5"),
        ("shell:width=nan", "not of the form parameter=number"),
        ("shell:width", "not of the form parameter=number"),
        ("shell:width=0.1,width=0.2", "given twice"),
        ("nothing", "choose one of roding2022, power, matern, shell"),
        ("", "no spectrum is called ''"),
        (8, "must be a text"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(InputError, match=message) as caught:
        get_spectrum(text)
    assert "\n" not in str(caught.value)


def test_every_known_spectrum_is_listed_with_its_formula(registry):
    register_spectrum(make_class(lambda k, p: np.exp(-p * k * k)))
    listed = list_spectra()
    assert list(listed) == [DEFAULT_SPECTRUM, "power", "matern", "shell", "mine"]
    assert all(line.startswith("Gamma = ") for line in listed.values())


# --- registered by others ---------------------------------------------------------------------------------------------


def test_registered_spectrum_works_like_a_shipped_one(registry):
    """Gamma = exp(-p k^2) has g = exp(-r^2/4p) and <k^2> = 3/(2p): all of it found by quadrature."""
    register_spectrum(make_class(lambda k, p: np.exp(-p * k * k)))
    spectrum = get_spectrum("mine:p=0.5")
    assert spectrum.text == "mine:p=0.5"
    assert get_spectrum(spectrum) is spectrum
    assert spectrum.second_moment == pytest.approx(3.0, rel=1e-9)
    assert spectrum.tail_power == np.inf
    r = np.linspace(0, 6, 61)
    np.testing.assert_allclose(spectrum.correlation(r), np.exp(-r * r / 2), atol=1e-9)


@pytest.mark.parametrize("twin", ["roding2022", "matern:nu=2.5", "matern:nu=1.25", "shell:width=0.1"])
def test_registered_spectrum_gives_the_curve_of_its_analytic_twin(registry, twin):
    register_spectrum(make_class(lambda k, p: get_spectrum(twin).density(k)))
    x, porosity = np.concatenate([[0.0], np.geomspace(1e-2, 1e3, 200)]), np.array([0.1, 0.3, 0.5])
    found, exact = (f(x, porosity) for f in (sampled, lambda x, p: compute_scale_free_intensity(x, p, twin)))
    # one further power of x beyond the table's end at 50 is all of Porod's law that is continued: 4e-4 for nu = 1.25
    np.testing.assert_allclose(found[:, x < 50], exact[:, x < 50], rtol=1e-5)
    np.testing.assert_allclose(found, exact, rtol=1e-3 if twin == "matern:nu=1.25" else 1e-5)


def sampled(x, porosity):
    return expected_intensity(x, 1.0, porosity, spectrum="mine")


@pytest.mark.parametrize(
    ("density", "message"),
    [
        (lambda k, p: (1 + k * k) ** -2.0, r"falls as k\^-4: it must fall faster than k\^-5.*<q\^2> is infinite"),
        (lambda k, p: (1 + k * k) ** -2.5, r"falls as k\^-5"),
        (lambda k, p: (1 - k * k) * np.exp(-k * k), "it must be finite, 0 or more"),
        (lambda k, p: np.where(k > 0, 1 / np.maximum(k, 1e-300), np.inf) * np.exp(-k), r"density\(0\) is inf"),
        (lambda k, p: 100 * np.exp(-k * k), "largest density is 100: scale it to 1"),
        (lambda k, p: np.exp(-k * k / 1e6), "define a so that it lies between 0.02 and 200"),
        (lambda k, p: np.exp(-(((k - 1) / 0.01) ** 2)), "peak that is too narrow"),
        (lambda k, p: 1.0, "gave shape"),
        (lambda k, p: k.no_such_thing, "no_such_thing"),
    ],
)
def test_registered_spectrum_is_checked(registry, density, message):
    register_spectrum(make_class(density))
    with pytest.raises(InputError, match=message) as caught:
        get_spectrum("mine")
    assert str(caught.value).startswith("spectrum mine")


def test_formulas_must_belong_to_the_density(registry):
    register_spectrum(make_class(lambda k, p: np.exp(-k * k), "one", correlation=lambda self, r: np.exp(-np.square(r))))
    register_spectrum(make_class(lambda k, p: np.exp(-k * k), "two", second_moment=2.0))
    with pytest.raises(InputError, match="one: its correlation does not belong to its density"):
        get_spectrum("one")
    with pytest.raises(InputError, match="two: its second_moment does not belong to its density"):
        get_spectrum("two")


def test_names_are_not_taken_twice(registry):
    first = make_class(lambda k, p: np.exp(-k * k))
    assert register_spectrum(register_spectrum(first)) is first
    for name, message in [("mine", "taken"), ("power", "taken"), ("dab", "taken"), ("A b", "lower"), ("", "lower")]:
        with pytest.raises(InputError, match=message):
            register_spectrum(make_class(lambda k, p: np.exp(-k * k), name))
    with pytest.raises(InputError, match="derived from Spectrum"):
        register_spectrum(lambda p: None)
    # an object that nobody could find again by its text
    with pytest.raises(InputError, match="is not the one registered under that name: register it first"):
        get_spectrum(make_class(lambda k, p: np.exp(-2 * k * k))())
    with pytest.raises(InputError, match="no spectrum is called 'unheard'"):
        get_spectrum(make_class(lambda k, p: np.exp(-2 * k * k), "unheard")())


def test_installed_packages_bring_spectra(registry, monkeypatch, caplog):
    package: Any = types.ModuleType("grf_plugin")
    package.Mine = make_class(lambda k, p: np.exp(-p * k * k), "installed")
    monkeypatch.setitem(sys.modules, "grf_plugin", package)
    asked = []

    def entry_points(group):
        asked.append(group)
        return [
            importlib.metadata.EntryPoint("installed", "grf_plugin:Mine", group),
            importlib.metadata.EntryPoint("broken", "grf_plugin:Missing", group),
        ]

    monkeypatch.setattr(spectra, "entry_points", entry_points)
    get_spectrum("power:n=6")
    assert not asked  # looked for only where a name is not known
    with caplog.at_level("WARNING"):
        assert get_spectrum("installed:p=1").second_moment == pytest.approx(1.5, rel=1e-9)
    assert asked == ["pyfai_grf.spectra"]
    assert "broken" in caplog.text
    assert "installed" in list_spectra()
    assert len(asked) == 1


@pytest.mark.parametrize("n", [3, 3.5, 5, 6.5, 13])
def test_a_power_that_is_not_even_has_no_formula_and_is_right_all_the_same(n):
    """Against adaptive quadrature, and the moment against its closed form."""
    spectrum = get_spectrum(f"power:n={n}")
    norm = quad(lambda k: k**2 * spectrum.density(k), 0, np.inf)[0]
    for r in (0.3, 1.0, 4.0):
        found = quad(lambda k, r=r: k * spectrum.density(k) / r, 0, np.inf, weight="sin", wvar=r)[0] / norm
        assert spectrum.correlation(r) == pytest.approx(found, abs=1e-7)
    if n > 3:  # <k^2> of n = 3 is finite, and beyond what the general sum is precise for
        assert spectrum.moment(2) == pytest.approx(
            quad(lambda k: k**4 * spectrum.density(k), 0, np.inf)[0] / norm, rel=1e-6
        )


def test_the_curve_is_continuous_in_the_power():
    """By formula at n = 8, by transform beside it: f moves by less than n."""
    x = np.geomspace(0.05, 200, 60)
    even, beside = (compute_scale_free_intensity(x, 0.3, f"power:n={n}") for n in (8, 8.0001))
    np.testing.assert_allclose(beside, even, rtol=1e-4)

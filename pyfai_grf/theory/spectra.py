"""Spectral densities by name: which kind of material the Gaussian random field makes.

A spectrum is written ``name:parameter=value,parameter=value``: ``roding2022`` (the published one, and the default),
``power:n=6``, ``power:n=12``, ``matern:nu=2.5``, ``shell:width=0.2``. Files and bundles store that text in its
canonical form. Another package adds its own with :func:`register_spectrum`, or with an entry point of the group
``pyfai_grf.spectra`` that names a :class:`~pyfai_grf.theory.sampled_spectrum.Spectrum` class.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeVar

import numpy as np

from pyfai_grf.core.errors import GrfError, InputError
from pyfai_grf.core.published import PAPER_SPECTRUM
from pyfai_grf.theory.sampled_spectrum import FRACTAL, Spectrum, check_density, integrate_moment, transform_spectrum
from pyfai_grf.theory.spectral_shapes import MaternSpectrum, PowerSpectrum, ShellSpectrum

__all__ = [
    "DEFAULT_SPECTRUM",
    "MaternSpectrum",
    "PowerSpectrum",
    "ShellSpectrum",
    "Spectrum",
    "get_spectrum",
    "list_spectra",
    "register_spectrum",
    "spectral_density",
]

#: the published spectral density
DEFAULT_SPECTRUM = PAPER_SPECTRUM
#: entry points by which installed packages bring their own spectra
ENTRY_POINT_GROUP = "pyfai_grf.spectra"

_LOGGER = logging.getLogger(__name__)
_FactoryT = TypeVar("_FactoryT", bound=Callable[..., Spectrum])


def _make_roding() -> Spectrum:
    """Gamma = (1 + (aq)^8)^-2, the published one: Röding et al. 2022, Eq. 7, doi:10.3389/fmats.2022.956839."""
    return PowerSpectrum(8)


_SHIPPED: dict[str, Callable[..., Spectrum]] = {
    DEFAULT_SPECTRUM: _make_roding,
    "power": PowerSpectrum,
    "matern": MaternSpectrum,
    "shell": ShellSpectrum,
}
_REGISTERED: dict[str, Callable[..., Spectrum]] = {}
_DEBYE_BUECHE = (
    f"Debye-Bueche is not the spectrum of a field: it falls as q^-4, so {FRACTAL}. The nearest possible one is matern "
    "with nu above 1"
)
_REFUSED = {
    "dab": _DEBYE_BUECHE,
    "debye-bueche": _DEBYE_BUECHE,
    "debye-anderson-brumberger": _DEBYE_BUECHE,
    "teubner-strey": (
        f"Teubner-Strey is not the spectrum of a field: it falls as q^-4, so {FRACTAL}. For a peaked spectrum, take "
        "shell"
    ),
}


def get_spectrum(spectrum: str | Spectrum) -> Spectrum:
    """Return the spectral density that ``spectrum`` names: ``name`` or ``name:parameter=value,...``.

    The same text gives the same object, and so do two spellings of one spectrum.

    Raises
    ------
    InputError
        If the name is unknown or refused, a parameter is missing, unknown or out of range, or a registered
        spectrum is not positive or has no finite <q^2>.
    """
    if isinstance(spectrum, Spectrum):
        found = get_spectrum(spectrum.text)
        if found != spectrum:
            raise InputError(f"spectrum {spectrum.text} is not the one registered under that name: register it first")
        return found
    if not isinstance(spectrum, str):
        raise InputError(f"spectrum must be a text such as {DEFAULT_SPECTRUM!r} or a Spectrum, found {spectrum!r}")
    name, parameters = _parse(spectrum)
    return _intern(_make_spectrum(name, _find_factory(name), tuple(sorted(parameters.items()))))


def list_spectra() -> dict[str, str]:
    """Return all known spectra, including those of installed packages: name to first line of the docstring."""
    _load_entry_points()
    return {
        name: (inspect.getdoc(factory) or "").partition("\n")[0] for name, factory in (_SHIPPED | _REGISTERED).items()
    }


def register_spectrum(factory: _FactoryT) -> _FactoryT:
    """Make a spectral density known by its ``name``; usable as a decorator of a Spectrum class.

    Whenever one of its spectra is asked for, it is checked numerically: the density is finite and nowhere negative,
    its largest value is about 1, and its tail is steeper than k^-5. Bundles trained with it name it: whoever loads
    them needs it registered too, best through an entry point of the group ``pyfai_grf.spectra``.

    Parameters
    ----------
    factory : type
        A frozen dataclass derived from Spectrum, with a class attribute ``name`` (lower case), the parameters
        (numbers) as fields and a docstring with the formula, the meaning of ``a`` and the source.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    InputError
        If it is not such a class, or the name is taken.
    """
    if not (isinstance(factory, type) and issubclass(factory, Spectrum)):
        raise InputError(f"register_spectrum takes a class derived from Spectrum, found {factory!r}")
    name = factory.name
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise InputError(f"spectrum {factory.__name__}: its name is {name!r}: use lower case letters, digits, - and _")
    if name in _SHIPPED or name in _REFUSED or _REGISTERED.get(name, factory) is not factory:
        raise InputError(f"spectrum {name}: the name is taken; choose another one")
    _REGISTERED[name] = factory
    return factory


def spectral_density(q_nm1: Any, a: float, spectrum: str | Spectrum = DEFAULT_SPECTRUM) -> Any:
    """Return Gamma(q), dimensionless and not normalised, largest value about 1.

    ``q_nm1`` in 1/nm, any shape; ``a`` in nm. By default Röding et al. 2022, Eq. 7, doi:10.3389/fmats.2022.956839.
    """
    return get_spectrum(spectrum).density(a * q_nm1)


def _parse(text: str) -> tuple[str, dict[str, float]]:
    name, _, rest = text.partition(":")
    name = name.strip().lower()
    parameters: dict[str, float] = {}
    for item in filter(str.strip, rest.split(",")):
        key, equals, value = (part.strip() for part in item.partition("="))
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not key or not equals or not abs(number) < float("inf"):
            raise InputError(f"spectrum {text!r}: {item.strip()!r} is not of the form parameter=number")
        if key in parameters:
            raise InputError(f"spectrum {text!r}: {key} is given twice")
        parameters[key] = number
    return name, parameters


def _find_factory(name: str) -> Callable[..., Spectrum]:
    refused = _REFUSED.get(name.replace("_", "-").replace(" ", "-"))
    if refused:
        raise InputError(f"spectrum {name}: {refused}")
    if name not in _SHIPPED and name not in _REGISTERED:
        _load_entry_points()
    factory = _SHIPPED.get(name) or _REGISTERED.get(name)
    if factory is None:
        known = ", ".join((*_SHIPPED, *sorted(_REGISTERED)))
        raise InputError(
            f"no spectrum is called {name!r}: choose one of {known}, or install the package that provides it"
        )
    return factory


@functools.lru_cache(maxsize=256)
def _make_spectrum(name: str, factory: Callable[..., Spectrum], items: tuple[tuple[str, float], ...]) -> Spectrum:
    allowed = inspect.signature(factory).parameters
    given = dict(items)
    form = f"{name}:{','.join(f'{key}=NUMBER' for key in allowed)}" if allowed else name
    unknown = [key for key in given if key not in allowed]
    missing = [key for key, value in allowed.items() if value.default is value.empty and key not in given]
    if unknown or missing:
        what = f"it has no parameter {unknown[0]}" if unknown else f"{missing[0]} is missing"
        raise InputError(f"spectrum {name}: {what}; write {form}")
    try:
        spectrum = factory(**given)
        if name in _REGISTERED:
            _check_registered(spectrum)
    except GrfError as error:
        message = str(error)
        raise InputError(message if message.startswith("spectrum") else f"spectrum {name}: {message}") from None
    except Exception as error:  # whatever the code of another package raises
        raise InputError(f"spectrum {name}: {error}") from error
    return spectrum


def _check_registered(spectrum: Spectrum) -> None:
    """Raise InputError if ``spectrum`` cannot be that of a field, or its formulas do not belong to its density."""
    check_density(spectrum.density)
    correlation, _ = transform_spectrum(spectrum)
    r = np.array([0.0, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0])
    for name, found, expected in (
        ("correlation", spectrum.correlation(r), correlation(r)),
        ("second_moment", spectrum.second_moment, integrate_moment(spectrum.density, 2)),
    ):
        if not np.allclose(found, expected, rtol=1e-5, atol=1e-5):
            raise InputError(f"its {name} does not belong to its density")


@functools.lru_cache(maxsize=256)
def _intern(spectrum: Spectrum) -> Spectrum:
    """Return the first of all equal spectra."""
    return spectrum


@functools.lru_cache(maxsize=1)
def _load_entry_points() -> None:
    """Register the spectra of installed packages; one that cannot be loaded is named in the log and left out."""
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            register_spectrum(entry.load())
        except Exception as error:  # a broken package must not take the others with it
            _LOGGER.warning("the spectrum %s of %s was not loaded: %s", entry.name, entry.value, error)

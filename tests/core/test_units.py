"""Every spelling of a q unit that programs write means what it says, and nothing is guessed."""

from __future__ import annotations

import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.units import parse_q_unit

PER_NM = [
    "nm",  # the command line
    "nm^-1",  # ewoksxrpd
    "nm^{-1}",  # pyFAI, HDF5 writer
    "1/nm",  # pyFAI, NXcanSAS
    "q_nm^-1",  # pyFAI, NXmonopd and text
    "nm-1",
    "nm⁻¹",
    " 1 / nm ",
    "1/nanometer",
]
PER_ANGSTROM = [
    "A",  # the command line
    "A^-1",
    "A^{-1}",
    "1/A",  # SasView, Mantid
    "q_A^-1",  # pyFAI
    "1/angstrom",  # pyFAI NXazint1d, Nika, Irena
    "1/Angstrom",
    "1/ANGSTROM",
    "Å^-1",
    "1/\u212b",  # the sign, which is another character than the letter
    "Ang^-1",
]


@pytest.mark.parametrize("unit", PER_NM)
def test_inverse_nanometres_stay(unit: str) -> None:
    assert parse_q_unit(unit) == 1.0


@pytest.mark.parametrize("unit", PER_ANGSTROM)
def test_inverse_angstroms_are_ten(unit: str) -> None:
    assert parse_q_unit(unit) == 10.0


def test_other_inverse_lengths() -> None:
    assert parse_q_unit("1/m") == parse_q_unit("m^-1") == 1e-9
    assert parse_q_unit("1/um") == 1e-3


@pytest.mark.parametrize("unit", ["2th_deg", "2th_rad", "deg", "degrees", "rad", "2theta", "tth"])
def test_angle_is_named_as_such(unit: str) -> None:
    with pytest.raises(InputError, match=r"scattering angle.*q_nm\^-1"):
        parse_q_unit(unit)


@pytest.mark.parametrize("unit", ["", "pixel", "r_mm", "arbitrary", "eV", "1/cm", "d_A"])
def test_unknown_unit_is_not_guessed(unit: str) -> None:
    with pytest.raises(InputError, match=r"unknown q unit.*give one of nm\^-1, A\^-1$"):
        parse_q_unit(unit)


@pytest.mark.parametrize("unit", ["1/um", "um^-1", "1/\u00b5m", "\u03bcm^-1", "1/\u039cm"])
def test_inverse_micrometres_are_not_inverse_metres(unit: str) -> None:
    """The sign for micro, and the Greek letter in both cases: left out, a millionth of q would remain."""
    assert parse_q_unit(unit) == 1e-3

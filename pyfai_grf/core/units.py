"""Momentum transfer in 1/nm, whatever the file calls it."""

from __future__ import annotations

import re

from pyfai_grf.core.errors import InputError

#: spelling, reduced to letters and digits -> factor to 1/nm. The spellings are those that pyFAI (HDF5 writer,
#: NXcanSAS, NXmonopd, NXazint1d), ewoksxrpd, SasView and the command line use.
_FACTORS = {
    "nm": 1.0,
    "1nm": 1.0,
    "nm1": 1.0,
    "qnm1": 1.0,
    "1nanometer": 1.0,
    "a": 10.0,
    "1a": 10.0,
    "a1": 10.0,
    "qa1": 10.0,
    "ang1": 10.0,
    "1ang": 10.0,
    "angstrom1": 10.0,
    "1angstrom": 10.0,
    "1angstroms": 10.0,
    "m1": 1e-9,
    "1m": 1e-9,
    "1um": 1e-3,
    "um1": 1e-3,
}
#: letters that would be lost, in both spellings of each: ångström, micro
_PLAIN = str.maketrans({"å": "a", "\u212b": "a", "\u00b5": "u", "\u03bc": "u"})


def parse_q_unit(unit: str) -> float:
    """Return the factor that turns momentum transfer in ``unit`` into 1/nm.

    Raises
    ------
    InputError
        If ``unit`` is an angle or is not known: a q unit is never guessed.
    """
    text = unit.strip().lower().translate(_PLAIN)
    key = re.sub(r"[^a-z0-9]", "", text)
    if key in _FACTORS:
        return _FACTORS[key]
    if "2th" in key or "deg" in key or key in {"rad", "tth", "2theta"}:
        raise InputError(
            f"the abscissa is a scattering angle ({unit!r}), not q: integrate with unit q_nm^-1, "
            "or convert with q = 4 pi sin(theta) / wavelength"
        )
    raise InputError(f"unknown q unit {unit!r}: give one of nm^-1, A^-1", "unit")

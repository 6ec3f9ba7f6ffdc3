"""The spectral density of the Gaussian random field."""

from __future__ import annotations

from typing import Any

#: the name by which files and bundles record the spectral density
SPECTRUM = "roding2022"


def spectral_density(q_nm1: Any, a: float) -> Any:
    """Return Gamma(q) = (1 + (a q)^8)^-2, dimensionless and not normalised.

    Röding et al. 2022, Eq. 7, doi:10.3389/fmats.2022.956839. ``q_nm1`` in 1/nm, any shape; ``a`` in nm.
    """
    return (1.0 + (a * q_nm1) ** 8) ** -2

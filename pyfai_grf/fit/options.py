"""How a curve is fitted: what is held, what is left out, what is part of the curve."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.spectra import get_spectrum

#: the spectrum whose exponent is fitted, together with a spread of a
FITTED = "fitted"
#: distance and wavelength are known to that part: so is q, and a with it
CALIBRATION_ERROR = 0.001


@dataclass(frozen=True)
class FitOptions:
    """What is fitted to a curve.

    Attributes
    ----------
    spectrum : "fitted": the exponent n of (1 + (aq)^n)^-2, from 3.2 to 20, and a lognormal spread of a are parameters;
        else a registered one such as "roding2022", without a spread unless ``spread`` is True. None: the one that a
        model was trained for, "fitted" without a model.
    upturn, background : whether a power law of q and a constant are part of the curve.
    resolution_nm1 : standard deviation of q, in either direction of the detector; None: none.
    spread : whether a has a spread; None: where the spectrum is fitted.
    exclude_nm1 : ranges of q that are left out, such as ice rings.
    calibration_error : relative standard error of q, by distance and wavelength: a cannot be known better.
    compared : of how many curves of a run other spectra are ranked (``fit.alternatives``), the first ones; None: all.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    spectrum: str | None = None
    upturn: bool = True
    background: bool = True
    resolution_nm1: float | None = None
    spread: bool | None = None
    exclude_nm1: tuple[tuple[float, float], ...] = ()
    calibration_error: float = CALIBRATION_ERROR
    compared: int | None = 0

    def __post_init__(self) -> None:
        if not self.is_fitted:
            object.__setattr__(self, "spectrum", get_spectrum(str(self.spectrum)).text)
        for low, high in self.exclude_nm1:
            if not low < high:
                raise InputError(f"the range {low:g} to {high:g} per nm is left out: it must begin below its end")
        if not 0 <= self.calibration_error < 1:
            raise InputError(
                f"the error of the calibration is {self.calibration_error:g}: give a part of q, like 0.001"
            )
        if self.resolution_nm1 is not None and not 0 <= self.resolution_nm1 < np.inf:
            raise InputError(f"the resolution is {self.resolution_nm1:g} per nm: give a standard deviation of q")

    @classmethod
    def convert(
        cls,
        to_nm1: float,
        *,
        resolution: float | None = None,
        exclude: Sequence[tuple[float, float]] = (),
        **more: Any,
    ) -> FitOptions:
        """Return the options whose ``resolution`` and ``exclude`` are in another unit, ``to_nm1`` per nm.

        ``more`` are the other attributes.
        """
        if not all(np.shape(pair) == (2,) for pair in exclude):
            raise InputError(f"exclude is {exclude}: give pairs of q, such as [(1.52, 1.68)]")
        width = None if resolution is None else resolution * to_nm1
        return cls(
            resolution_nm1=width, exclude_nm1=tuple((low * to_nm1, high * to_nm1) for low, high in exclude), **more
        )

    def describe(self) -> dict[str, Any]:
        """Return what a results file says of them: all that decides a fit."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "compared"}

    @property
    def is_fitted(self) -> bool:
        """Whether the spectrum is a parameter."""
        return self.spectrum in (None, FITTED)

    def complete(self, spectrum: str) -> FitOptions:
        """Return these options with ``spectrum`` where they name none."""
        return self if self.spectrum is not None else dataclasses.replace(self, spectrum=spectrum)

    def compares(self, place: int) -> bool:
        """Return whether other spectra are ranked for the curve at ``place`` of a run."""
        return self.compared is None or place < self.compared

    def find_excluded(self, q_nm1: FloatArray) -> BoolArray:
        """Return (Q,) which points of ``q_nm1`` (Q,) are left out."""
        out = np.zeros(q_nm1.shape, dtype=bool)
        for low, high in self.exclude_nm1:
            out |= (q_nm1 >= low) & (q_nm1 <= high)
        return out


#: a fit with its spectrum free: what is asked for where nothing else is said
DEFAULT_FIT = FitOptions()

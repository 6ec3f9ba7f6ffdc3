"""A known material in the beam: frames whose truth is known, for the demo and for tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM
from pyfai_grf.virtual_instrument.exposure import (
    Instrument,
    expose,
    make_exposure_geometry,
    make_instrument,
    measure_corner,
    project_curve,
)


def simulate_frames(
    a: float, porosity: float, counts: float, frames: int, seed: int, spectrum: str = DEFAULT_SPECTRUM
) -> tuple[Instrument, Iterator[NDArray[np.int32]]]:
    """Return a detector and ``frames`` frames (H, W) of about ``counts`` photons each that it takes of a material.

    The material is an infinite two-phase sample (``a`` in nm) of a field of that ``spectrum``, its expected intensity
    known in closed form, on a flat background of 5 % of its intensity at 3 per nm. Raises InputError if a value is out
    of range.
    """

    instrument = make_instrument(make_exposure_geometry(), seed)
    q = np.linspace(0.0, measure_corner(instrument.integrator), 4000)
    last = expected_intensity(3.0, a, porosity, spectrum=spectrum)
    intensity = expected_intensity(q, a, porosity, spectrum=spectrum) + 0.05 * last
    expected = project_curve(instrument, q, intensity, counts)
    return instrument, expose(instrument, expected, frames, seed)

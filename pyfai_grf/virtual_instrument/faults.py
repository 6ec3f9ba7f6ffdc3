"""What goes wrong in front of a detector: shadows, stray light, oriented samples, a centre that is not the beam's."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import FloatArray


def shade_sector(
    integrator: Any,
    expected: FloatArray,
    chi_deg: tuple[float, float],
    q_nm1: tuple[float, float] = (0.0, np.inf),
    passes: float = 0.5,
) -> FloatArray:
    """Return the (H, W) ``expected`` photons with a part of a ring at ``passes`` times what it was.

    The part lies between two azimuths in degrees (pyFAI's chi, counted upwards from the first to the second) and two q
    in 1/nm; ``passes`` above 1 is light that comes on top.
    """
    chi, q = _measure(integrator, expected, "chi_deg"), _measure(integrator, expected, "q_nm^-1")
    inside = (chi - chi_deg[0]) % 360.0 < (chi_deg[1] - chi_deg[0]) % 360.0
    inside &= (q >= q_nm1[0]) & (q < q_nm1[1])
    return np.where(inside, passes * expected, expected)


def lay_bar(
    integrator: Any, expected: FloatArray, chi_deg: float, width_pixels: float, passes: float = 1e-3
) -> FloatArray:
    """Return the (H, W) ``expected`` photons behind a bar from the beam to the edge, as the arm of a beamstop."""
    chi = np.radians(_measure(integrator, expected, "chi_deg") - chi_deg)
    radius = _measure(integrator, expected, "r_m") / integrator.detector.pixel2
    inside = (np.abs(radius * np.sin(chi)) < width_pixels / 2.0) & (np.cos(chi) > 0)
    return np.where(inside, passes * expected, expected)


def orient(integrator: Any, expected: FloatArray, amplitude: float, chi_deg: float = 0.0) -> FloatArray:
    """Return the (H, W) ``expected`` photons of an oriented sample: times 1 + amplitude cos(2 (chi - chi_deg))."""
    chi = np.radians(_measure(integrator, expected, "chi_deg") - chi_deg)
    return np.asarray(expected * (1.0 + amplitude * np.cos(2.0 * chi)))


def move_centre(integrator: Any, pixels: float, chi_deg: float) -> Any:
    """Return a geometry whose centre is ``pixels`` off, so that the beam lies towards ``chi_deg`` from it."""
    moved = copy.copy(integrator)
    along, across = np.sin(np.radians(chi_deg)), np.cos(np.radians(chi_deg))
    moved.poni1 = integrator.poni1 - pixels * along * integrator.detector.pixel1
    moved.poni2 = integrator.poni2 - pixels * across * integrator.detector.pixel2
    moved.reset()
    return moved


def _measure(integrator: Any, expected: FloatArray, unit: str) -> FloatArray:
    return np.asarray(integrator.array_from_unit(expected.shape, "center", unit, scale=True), np.float64)

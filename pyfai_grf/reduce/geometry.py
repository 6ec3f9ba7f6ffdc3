"""The geometry and the corrections of an experiment, from what pyFAI's own programs save."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray
from pyfai_grf.core.errors import InputError

FloatImage = NDArray[np.float32]

_REQUIRED = ("Distance", "Poni1", "Poni2", "Rot1", "Rot2", "Rot3")


@dataclass(frozen=True)
class Geometry:
    """A calibrated experiment.

    Attributes
    ----------
    integrator : pyFAI.integrator.azimuthal.AzimuthalIntegrator, its own dark and flat removed.
    mask : (H, W) True where masked (the detector's mask and the one of the configuration), or None.
    dark, flat : (H, W) mean dark and flat frames, NaN where bad, or None.
    dark_frames : how many frames ``dark`` is the mean of.
    polarization : (factor, offset in radians) as pyFAI takes them, or None for no correction.
    has_solid_angle : whether intensities are divided by the solid angle of the pixels.
    normalization_factor : what intensities are divided by.
    dummy : (value, tolerance) that marks bad pixels, or None.
    azimuth_range : degrees, or None for the full circle.
    q_range_nm1 : the part of the curve to keep, or None for all.
    source : the file, or a few words.
    has_user_mask : whether someone drew a mask, beside what the detector knows of itself.
    notes : what the configuration asks for and is not done.
    """

    integrator: Any
    mask: BoolArray | None = None
    dark: FloatImage | None = None
    flat: FloatImage | None = None
    dark_frames: int = 1
    polarization: tuple[float, float] | None = None
    has_solid_angle: bool = True
    normalization_factor: float = 1.0
    dummy: tuple[float, float] | None = None
    azimuth_range: tuple[float, float] | None = None
    q_range_nm1: tuple[float, float] | None = None
    source: str = "integrator"
    has_user_mask: bool = False
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int] | None:
        """Rows and columns of the detector, None where the geometry does not say."""
        shape = self.integrator.detector.shape or self.integrator.detector.max_shape
        return (int(shape[0]), int(shape[1])) if shape else None


def wrap_integrator(integrator: Any) -> Geometry:
    """Return the geometry of a pyFAI integrator, which stays as it is; its mask, dark and flat are honoured.

    Raises
    ------
    InputError
        If it is no integrator, or knows no wavelength.
    """
    from pyFAI.geometry import Geometry as PyfaiGeometry

    if not isinstance(integrator, PyfaiGeometry):
        raise InputError(
            f"a geometry is a path, a Geometry or a pyFAI integrator, not {type(integrator).__name__}: give one of them"
        )
    detector = integrator.detector
    dark, flat, mask = detector.darkcurrent, detector.flatfield, detector.mask
    own = copy.copy(detector)
    standard = own.calc_mask()
    has_user_mask = mask is not None and (standard is None or not np.array_equal(mask != 0, standard != 0))
    return build_geometry(
        read_parameters(integrator),
        own,
        "integrator",
        mask=None if mask is None else np.asarray(mask) != 0,
        dark=None if dark is None else np.asarray(dark, np.float32),
        flat=None if flat is None else np.asarray(flat, np.float32),
        has_user_mask=has_user_mask,
    )


def join_masks(mask: BoolArray, other: BoolArray | None) -> BoolArray:
    """Return the union of a mask and the detector's (or None), both (H, W) and True where masked.

    Raises
    ------
    InputError
        If their shapes differ.
    """
    if other is None:
        return mask
    if mask.shape != other.shape:
        raise InputError(f"the mask has shape {mask.shape}, the detector {other.shape}: give a mask that fits")
    return mask | other


def read_parameters(source: Any) -> dict[str, float | None]:
    """Return the numbers of a geometry that a PoniFile or an integrator holds."""
    names = ("dist", "poni1", "poni2", "rot1", "rot2", "rot3", "wavelength")
    return {name: getattr(source, name) for name in names}


def build_geometry(parameters: Mapping[str, Any], detector: Any, source: str, **extra: Any) -> Geometry:
    """Return a Geometry around an integrator of our own, after a check of the numbers that it needs."""
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    missing = [name for name, value in parameters.items() if value is None and name != "wavelength"]
    if missing or detector is None:
        lacking = ", ".join([*missing, *(["detector"] if detector is None else [])])
        raise InputError(f"{source} holds no complete geometry ({lacking} missing): calibrate with pyFAI-calib2")
    values = {name: float(value) for name, value in parameters.items() if value is not None}
    if not values.get("wavelength", 0.0) > 0:
        raise InputError(f"{source} has no wavelength, so there is no q: add a line 'Wavelength: 1e-10' (metres)")
    if not values["dist"] > 0 or not all(math.isfinite(value) for value in values.values()):
        raise InputError(f"{source} has an impossible geometry (distance {values['dist']} m): calibrate again")
    if detector.pixel1 is None or detector.pixel2 is None:
        raise InputError(f"{source} has no pixel size: name the detector, or give pixel1 and pixel2")
    detector.darkcurrent = None
    detector.flatfield = None
    if "mask" not in extra:
        extra["mask"] = None if detector.mask is None else detector.mask != 0
    integrator = AzimuthalIntegrator(detector=detector, **values)
    return Geometry(integrator, source=source, **extra)


def load_poni(name: str, text: str) -> Geometry:
    """Return the geometry in ``text``, what the ``.poni`` file ``name`` holds; raises InputError if it is not whole."""
    from pyFAI.io.ponifile import PoniFile

    # pyFAI puts defaults where a line is missing: a cut file would pass for a detector at 1 m
    keys = {line.split(":")[0].strip().lower() for line in text.splitlines() if ":" in line}
    missing = [key for key in _REQUIRED if key.lower() not in keys]
    if missing:
        raise InputError(f"{name} is no complete .poni file ({', '.join(missing)} missing): save it with pyFAI-calib2")
    try:
        poni = PoniFile(name)
        detector = poni.detector
    except Exception as problem:  # ValueError, RuntimeError (unknown detector), KeyError, JSONDecodeError ...
        raise InputError(f"{name} is damaged: {shorten_problem(problem)}: calibrate with pyFAI-calib2") from problem
    return build_geometry(read_parameters(poni), detector, name)


def shorten_problem(problem: Exception) -> str:
    """Return the first line of what an exception says."""
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]

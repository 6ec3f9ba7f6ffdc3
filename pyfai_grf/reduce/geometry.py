"""The geometry and the corrections of an experiment, from what pyFAI's own programs save."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.errors import InputError
from pyfai_grf.reduce.images import read_mask, read_mean
from pyfai_grf.reduce.pixels import BoolArray

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


def load_geometry(path: str | os.PathLike[str]) -> Geometry:
    """Return the geometry in a ``.poni`` file or in the JSON that pyFAI-integrate saves.

    From the JSON also the mask, dark, flat, polarization, solid angle switch, normalisation factor, dummy value,
    azimuthal and radial range are used. Its number of points, unit, method and error model are not: they are ours.

    Raises
    ------
    InputError
        If the file is missing, damaged, or has no complete geometry or no wavelength.
    """
    name = os.fspath(path)
    try:
        with open(name, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as problem:
        raise InputError(f"cannot read the geometry {name}: {problem.strerror or problem}") from problem
    if text.lstrip().startswith(("{", "[")):
        return _load_json(name, text)
    return _load_poni(name, text)


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
    fresh = type(detector)(orientation=detector.orientation) if mask is not None else None
    standard = None if fresh is None or fresh.shape != detector.shape else fresh.mask
    has_user_mask = mask is not None and (standard is None or not np.array_equal(mask != 0, standard != 0))
    return _build_geometry(
        _read_parameters(integrator),
        own,
        "integrator",
        mask=None if mask is None else np.asarray(mask) != 0,
        dark=None if dark is None else np.asarray(dark, np.float32),
        flat=None if flat is None else np.asarray(flat, np.float32),
        has_user_mask=has_user_mask,
    )


def _read_parameters(source: Any) -> dict[str, float | None]:
    names = ("dist", "poni1", "poni2", "rot1", "rot2", "rot3", "wavelength")
    return {name: getattr(source, name) for name in names}


def _build_geometry(parameters: Mapping[str, Any], detector: Any, source: str, **extra: Any) -> Geometry:
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


def _load_poni(name: str, text: str) -> Geometry:
    from pyFAI.io.ponifile import PoniFile

    # pyFAI puts defaults where a line is missing: a cut file would pass for a detector at 1 m
    keys = {line.split(":")[0].strip().lower() for line in text.splitlines() if ":" in line}
    missing = [key for key in _REQUIRED if key.lower() not in keys]
    if missing:
        raise InputError(f"{name} is no complete .poni file ({', '.join(missing)} missing): calibrate with pyFAI-calib2")
    try:
        poni = PoniFile(name)
        detector = poni.detector
    except Exception as problem:  # ValueError, RuntimeError (unknown detector), KeyError, JSONDecodeError ...
        raise InputError(f"{name} is damaged: {_shorten(problem)}: calibrate with pyFAI-calib2") from problem
    return _build_geometry(_read_parameters(poni), detector, name)


def _shorten(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]


def _load_json(name: str, text: str) -> Geometry:
    from pyFAI.io.integration_config import WorkerConfig
    from pyFAI.io.ponifile import PoniFile

    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("it is not the JSON of pyFAI-integrate")
        if "poni_version" in content:  # a geometry alone, without anything about the integration
            poni, config = PoniFile(content), WorkerConfig()
        else:
            config = WorkerConfig.from_dict(content)
            poni = config.poni or PoniFile()
        detector = poni.detector
    except Exception as problem:  # whatever a wrong value in a wrong place does to pyFAI
        raise InputError(f"{name} is damaged: {_shorten(problem)}: save it again with pyFAI-integrate") from problem
    geometry = _build_geometry(_read_parameters(poni), detector, name)
    return _apply_config(geometry, config, name)


def _apply_config(geometry: Geometry, config: Any, name: str) -> Geometry:
    """Return ``geometry`` with what the configuration of pyFAI-integrate adds."""
    changes: dict[str, Any] = {"notes": _list_ignored(config)}
    if config.mask_file:
        mask = read_mask(_locate(config.mask_file, name))
        changes["mask"] = mask if geometry.mask is None else _join(mask, geometry.mask, str(config.mask_file))
        changes["has_user_mask"] = True
    if config.dark_current:
        changes["dark"], changes["dark_frames"] = read_mean(_locate_all(config.dark_current, name))
    if config.flat_field:
        changes["flat"], _ = read_mean(_locate_all(config.flat_field, name))
    if config.polarization_description is not None:
        factor, offset = config.polarization_description
        changes["polarization"] = None if factor is None else (float(factor), float(offset or 0.0))
    changes["has_solid_angle"] = config.correct_solid_angle is not False
    changes["normalization_factor"] = float(config.normalization_factor or 1.0)
    if config.val_dummy is not None:
        changes["dummy"] = (float(config.val_dummy), float(config.delta_dummy or 0.0))
    if config.do_azimuthal_range:
        changes["azimuth_range"] = (float(config.azimuth_range[0]), float(config.azimuth_range[1]))
    if config.do_radial_range:
        changes["q_range_nm1"] = _convert_range(config, geometry.integrator.wavelength, name)
    return Geometry(**{**geometry.__dict__, **changes})


def _join(mask: BoolArray, other: BoolArray, name: str) -> BoolArray:
    if mask.shape != other.shape:
        raise InputError(f"{name}: the mask has shape {mask.shape}, the detector {other.shape}: give a mask that fits")
    return mask | other


def _list_ignored(config: Any) -> tuple[str, ...]:
    notes = []
    if config.integrator_method and "integrate" not in config.integrator_method:
        notes.append(f"the configuration's method {config.integrator_method} is not used: plain azimuthal averaging")
    if config.monitor_name:
        notes.append(f"the configuration's monitor {config.monitor_name} is not used")
    if config.correct_solid_angle is False:
        notes.append("the configuration switches the solid angle correction off")
    return tuple(notes)


def _locate_all(paths: str | list[str], config_path: str) -> list[str]:
    return [_locate(path, config_path) for path in ([paths] if isinstance(paths, str) else paths)]


def _locate(path: str, config_path: str) -> str:
    """Return where ``path`` is: as it stands, or beside the configuration that names it."""
    from silx.io.url import DataUrl

    url = DataUrl(path)
    file = str(url.file_path() or path).partition("::")[0]
    inner = str(url.data_path() or path.partition("::")[2])
    beside = os.path.join(os.path.dirname(config_path), file)
    found = file if os.path.exists(file) or not os.path.exists(beside) else beside
    return f"{found}::{inner}" if inner else found


def _convert_range(config: Any, wavelength: float, name: str) -> tuple[float, float]:
    """Return the radial range of the configuration, in 1/nm."""
    low, high = sorted(float(value) for value in config.radial_range)
    unit = str(getattr(config.unit, "name", config.unit) or "2th_deg")
    per_angle = {"2th_deg": math.pi / 360, "2th_rad": 0.5}
    factors = {"q_nm^-1": 1.0, "q_A^-1": 10.0, "q_m^-1": 1e-9}
    if unit in factors:
        return low * factors[unit], high * factors[unit]
    if unit in per_angle:
        scale = 4e-9 * math.pi / wavelength
        return scale * math.sin(low * per_angle[unit]), scale * math.sin(high * per_angle[unit])
    raise InputError(f"{name}: a radial range in {unit} is not understood: save it with the unit q_nm^-1")

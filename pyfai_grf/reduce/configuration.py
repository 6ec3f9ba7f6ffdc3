"""What pyFAI's own programs save: a ``.poni`` file, or the JSON of pyFAI-integrate with its mask, dark and flat."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from typing import Any

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.files import MAX_SETTINGS_BYTES, check_regular_file
from pyfai_grf.frames.images import read_mask, read_mean
from pyfai_grf.reduce.geometry import Geometry, build_geometry, join_masks, load_poni, read_parameters, shorten_problem


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
    check_regular_file(name)
    try:
        size = os.path.getsize(name)
        if size > MAX_SETTINGS_BYTES:
            raise InputError(
                f"{name} has {size / 2**20:.0f} MiB: a geometry has less than {MAX_SETTINGS_BYTES // 2**20} MiB: "
                "name the .poni file or the JSON of pyFAI-integrate"
            )
        with open(name, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as problem:
        raise InputError(f"cannot read the geometry {name}: {problem.strerror or problem}") from problem
    if text.lstrip().startswith(("{", "[")):
        return load_configuration(name, text)
    return load_poni(name, text)


def load_configuration(name: str, text: str) -> Geometry:
    """Return the geometry and corrections in ``text``, the JSON of pyFAI-integrate in the file ``name``.

    Raises
    ------
    InputError
        If it is damaged or incomplete, or a file that it names cannot be read.
    """
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
        raise _describe_damage(name, problem) from problem
    geometry = build_geometry(read_parameters(poni), detector, name)
    try:
        return _apply_config(geometry, config, name)
    except InputError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError) as problem:  # no numbers, or too few, and no names
        raise _describe_damage(name, problem) from problem


def _describe_damage(name: str, problem: Exception) -> InputError:
    return InputError(f"{name} is damaged: {shorten_problem(problem)}: save it again with pyFAI-integrate")


def _apply_config(geometry: Geometry, config: Any, name: str) -> Geometry:
    """Return ``geometry`` with what the configuration of pyFAI-integrate adds."""
    changes: dict[str, Any] = {"notes": _list_ignored(config)}
    if config.mask_file:
        mask = read_mask(_locate(config.mask_file, name))
        changes["mask"] = join_masks(mask, geometry.mask)
        changes["has_user_mask"] = True
    if config.dark_current:
        changes["dark"], changes["dark_frames"] = read_mean(_locate_all(config.dark_current, name))
    if config.flat_field:
        changes["flat"], _ = read_mean(_locate_all(config.flat_field, name))
    if config.polarization_description is not None:
        polarization, offset = config.polarization_description
        changes["polarization"] = None if polarization is None else (float(polarization), float(offset or 0.0))
        if polarization is not None and not -1 <= float(polarization) <= 1:
            raise InputError(f"{name}: the polarization factor is {polarization:g}: give a number from -1 to 1")
    changes["has_solid_angle"] = config.correct_solid_angle is not False
    changes["normalization_factor"] = factor = float(config.normalization_factor or 1.0)
    if not 0 < factor < math.inf:
        raise InputError(f"{name}: the normalization factor is {factor:g}: give a positive number")
    if config.val_dummy is not None:
        changes["dummy"] = (float(config.val_dummy), float(config.delta_dummy or 0.0))
    if config.do_azimuthal_range:
        changes["azimuth_range"] = (float(config.azimuth_range[0]), float(config.azimuth_range[1]))
    if config.do_radial_range:
        changes["q_range_nm1"] = _convert_range(config, geometry.integrator.wavelength, name)
    return replace(geometry, **changes)


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

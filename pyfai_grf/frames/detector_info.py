"""What a NeXus file says about a detector: its pixel mask, its limits, exposure, wavelength and monitor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray
from pyfai_grf.frames.frame import MOST_PIXELS

_WAVELENGTH_NM = {"nm": 1.0, "m": 1e9, "angstrom": 0.1, "angstroms": 0.1, "a": 0.1, "å": 0.1, "pm": 1e-3}
#: a value a frame: a file with more of them is damaged
_MOST_NUMBERS = 10**7


@dataclass(frozen=True)
class DetectorInfo:
    """What holds for all frames of one dataset.

    Attributes
    ----------
    mask : (H, W) True where the detector's own pixel mask is set, or None.
    ceiling, floor : values from ``ceiling`` upwards and below ``floor`` are no measurements; None where unknown.
    fixed : metadata of every frame.
    by_frame : name -> (frames,) metadata that change.
    """

    mask: BoolArray | None = None
    ceiling: float | None = None
    floor: float | None = None
    fixed: dict[str, Any] = field(default_factory=dict)
    by_frame: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def get_metadata(self, index: int) -> dict[str, Any]:
        """Return the metadata of frame ``index``."""
        changing = {name: float(values[index]) for name, values in self.by_frame.items() if index < len(values)}
        return {**self.fixed, **changing}


def get_class(node: Any) -> str:
    """Return the NeXus class of a group ("" where it has none)."""
    value = node.attrs.get("NX_class", "") if isinstance(node, h5py.Group) else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_detector_info(file: h5py.File, path: str) -> DetectorInfo:
    """Return what the NXentry around the image dataset at ``path`` says about its detector."""
    entry = _find_entry(file, path)
    detector = _find_detector(file, path, entry)
    fixed: dict[str, Any] = {}
    by_frame: dict[str, NDArray[np.float64]] = {}
    groups = [] if entry is None else list(_iterate(entry))
    beams = [g for g in groups if get_class(g) in ("NXbeam", "NXmonochromator")]
    monitors = [g for g in groups if get_class(g) == "NXmonitor"]
    _store("exposure_time_s", _read_numbers(detector, ("count_time", "exposure_time")), fixed, by_frame)
    _store("monitor", next((v for m in monitors for v in [_read_numbers(m, ("data", "integral"))] if v is not None),
                           None), fixed, by_frame)  # fmt: skip
    wavelength = next((w for b in beams for w in [_read_wavelength(b)] if w is not None), None)
    if wavelength is not None:
        fixed["wavelength_nm"] = wavelength
    title = entry.get("title") if entry is not None else None
    if isinstance(title, h5py.Dataset) and title.size == 1:
        text = np.ravel(title[()])[0]
        fixed["title"] = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    ceiling, floor = _read_limits(detector)
    return DetectorInfo(_read_pixel_mask(detector), ceiling, floor, fixed, by_frame)


def _find_entry(file: h5py.File, path: str) -> h5py.Group | None:
    parts = path.strip("/").split("/")
    for length in range(len(parts) - 1, 0, -1):
        group = file.get("/".join(parts[:length]))
        if get_class(group) == "NXentry":
            return group
    return None


def _find_detector(file: h5py.File, path: str, entry: h5py.Group | None) -> h5py.Group | None:
    """Return the NXdetector that recorded the dataset: its parent, its target, its owner, or the only one."""
    target = file[path].attrs.get("target", b"")
    target = target.decode("utf-8", "replace") if isinstance(target, bytes) else str(target)
    for candidate in (path, target):
        parent = file.get(candidate.rpartition("/")[0]) if "/" in candidate.strip("/") else None
        if get_class(parent) == "NXdetector":
            return parent
    detectors = [] if entry is None else [group for group in _iterate(entry) if get_class(group) == "NXdetector"]
    owners = [d for d in detectors if any(isinstance(d.get(k), h5py.Dataset) and d[k] == file[path] for k in d)]
    if owners:
        return owners[0]
    return detectors[0] if len(detectors) == 1 else None


def _iterate(entry: h5py.Group) -> Iterator[h5py.Group]:
    """Yield the groups of an NXentry and theirs: monitors, the instrument, its detectors and beams."""
    for key in entry:
        child = entry.get(key)
        if isinstance(child, h5py.Group):
            yield child
            if get_class(child) in ("NXinstrument", "NXsample"):
                yield from (g for g in (child.get(k) for k in child) if isinstance(g, h5py.Group))


def _read_pixel_mask(detector: h5py.Group | None) -> BoolArray | None:
    if detector is None:
        return None
    masks = [detector.get(name) for name in ("pixel_mask", "detectorSpecific/pixel_mask")]
    arrays = [mask[()] for mask in masks if isinstance(mask, h5py.Dataset) and mask.size <= MOST_PIXELS]
    found = [np.any(array != 0, axis=tuple(range(array.ndim - 2))) for array in arrays if array.ndim >= 2]
    return np.logical_or.reduce(found) if found else None


def _read_limits(detector: h5py.Group | None) -> tuple[float | None, float | None]:
    names = ("saturation_value", "countrate_correction_count_cutoff", "detectorSpecific/saturation_value",
             "detectorSpecific/countrate_correction_count_cutoff")  # fmt: skip
    limits = [_read_numbers(detector, (name,)) for name in names]
    # zero and below stand for "not known"
    ceilings = [float(limit[0]) for limit in limits if limit is not None and np.isfinite(limit[0]) and limit[0] > 0]
    depth = _read_numbers(detector, ("bit_depth_image",))
    if depth is not None and 8 <= depth[0] <= 32:
        ceilings.append(2.0 ** int(depth[0]) - 1)  # 16-bit images come in 32-bit datasets too
    under = _read_numbers(detector, ("underload_value",))
    return (min(ceilings) if ceilings else None), (float(under[0]) if under is not None else None)


def _read_numbers(group: h5py.Group | None, names: tuple[str, ...]) -> NDArray[np.float64] | None:
    for name in names:
        node = group.get(name) if group is not None else None
        if (
            isinstance(node, h5py.Dataset)
            and node.dtype.kind in "iuf"
            and node.ndim <= 1
            and 0 < node.size <= _MOST_NUMBERS
        ):
            return np.ravel(node[()]).astype(np.float64)
    return None


def _read_wavelength(beam: h5py.Group) -> float | None:
    """Return the wavelength of an NXbeam or NXmonochromator in nm, None without a unit that we know."""
    for name in ("incident_wavelength", "wavelength"):
        values = _read_numbers(beam, (name,))
        if values is not None:
            unit = beam[name].attrs.get("units", b"")
            unit = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit)
            factor = _WAVELENGTH_NM.get(unit.strip().lower())
            return float(values[0]) * factor if factor and np.isfinite(values[0]) else None
    return None


def _store(name: str, values: NDArray[np.float64] | None, fixed: dict, by_frame: dict) -> None:
    """Keep one value for all frames, or a value a frame; what is not finite is not known."""
    if values is None or not np.isfinite(values).all():
        return
    if values.size == 1:
        fixed[name] = float(values[0])
    else:
        by_frame[name] = values

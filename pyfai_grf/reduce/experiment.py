"""What a reduction needs beside the frames, as the user gives it, and made ready for use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.frame import Frame, make_frame
from pyfai_grf.frames.images import read_frames, read_mask, read_mean
from pyfai_grf.reduce.binning import Bins
from pyfai_grf.reduce.configuration import load_geometry
from pyfai_grf.reduce.geometry import Geometry, join_masks, wrap_integrator

Path = str | os.PathLike[str]

#: no transmission or exposure asks for more, and its square would overflow
_LARGEST_SCALE = 1e9


@dataclass(frozen=True)
class ReductionSettings:
    """All that does not change from frame to frame.

    Attributes
    ----------
    geometry : the path of a ``.poni`` or of pyFAI-integrate's JSON, a Geometry, or a pyFAI integrator.
    mask : a path, or (H, W), True (not zero) where masked; joined to the masks of detector and configuration. Pixels
        that are masked in a masked array, also of ``dark`` and ``flat``, are not used.
    dark, flat : a path, paths to average, or (H, W); take the place of the configuration's.
    background : a path (all its frames are averaged), (H, W), a Frame, or an iterable of frames.
    background_scale : what the background is multiplied by before it is subtracted (transmission, exposure ...).
    bins : the q grid; None for about one pixel a bin.
    gain : values per photon (ADU, or what the frames were multiplied by); None to take it from their scatter.
    """

    geometry: Any
    mask: Path | NDArray[Any] | None = None
    dark: Any = None
    flat: Any = None
    background: Any = None
    background_scale: float = 1.0
    bins: Bins | None = None
    gain: float | None = None

    def __post_init__(self) -> None:
        if not abs(self.background_scale) <= _LARGEST_SCALE:
            raise InputError(
                f"the background scale is {self.background_scale}: give a number, {_LARGEST_SCALE:g} at the most"
            )
        if self.gain is not None and not 0 < self.gain < np.inf:
            raise InputError(f"the gain is {self.gain}: give the values per photon, a positive number")

    def describe(self) -> dict[str, Any]:
        """Return what was given, JSON-ready, for the logbook; an array or an object is named by its type."""
        names = ("geometry", "mask", "dark", "flat", "background", "background_scale", "gain")
        return {name: _describe_given(getattr(self, name)) for name in names}


def _describe_given(given: Any) -> Any:
    if given is None or isinstance(given, float | int | str):
        return given
    if isinstance(given, os.PathLike):
        return os.fspath(given)
    return [_describe_given(part) for part in given] if isinstance(given, list | tuple) else type(given).__name__


def complete_geometry(settings: ReductionSettings) -> Geometry:
    """Return the geometry with the settings' own mask, dark and flat."""
    given = settings.geometry
    if isinstance(given, str | os.PathLike):
        geometry = load_geometry(given)
    else:
        geometry = given if isinstance(given, Geometry) else wrap_integrator(given)
    changes: dict[str, Any] = {}
    if settings.mask is not None:
        is_path = isinstance(settings.mask, str | os.PathLike)
        mask: BoolArray = read_mask(settings.mask) if is_path else _fill_masked(settings.mask, 1) != 0  # type: ignore[arg-type]
        changes.update(mask=join_masks(mask, geometry.mask), has_user_mask=True)
    if settings.dark is not None:
        changes["dark"], changes["dark_frames"] = _read_correction(settings.dark)
    if settings.flat is not None:
        changes["flat"], _ = _read_correction(settings.flat)
    return replace(geometry, **changes)


def _fill_masked(given: Any, value: float) -> NDArray[Any]:
    """Return an array with ``value`` where it was masked."""
    return np.asarray(np.ma.filled(given, value))


def _read_correction(given: Any) -> tuple[NDArray[np.float32], int]:
    if isinstance(given, np.ndarray):
        return _fill_masked(given.astype(np.float32), np.nan), 1
    return read_mean([given] if isinstance(given, str | os.PathLike) else list(given))


def check_shapes(geometry: Geometry, shape: tuple[int, ...]) -> None:
    """Raise InputError unless mask, dark and flat of ``geometry`` have the shape of the frames."""
    for name in ("mask", "dark", "flat"):
        image = getattr(geometry, name)
        if image is not None and image.shape != shape:
            raise InputError(f"the {name} has shape {image.shape}, frame or detector {shape}: give a {name} that fits")


def iterate_frames(given: Any) -> Iterator[Frame]:
    """Yield the frames of a path, an array, a Frame, or an iterable of these."""
    if isinstance(given, str | os.PathLike):
        yield from read_frames(given)
    elif isinstance(given, Frame):
        yield given
    elif isinstance(given, np.ndarray):
        yield make_frame(given, "background array")
    else:
        for part in given:
            yield from iterate_frames(part)

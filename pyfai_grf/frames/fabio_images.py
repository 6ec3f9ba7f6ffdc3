"""EDF, CBF, TIFF and the like, read by fabio: their frames, and what the headers say."""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any

import fabio
import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.frames.damage import explain_damage
from pyfai_grf.frames.frame import Frame, check_image, find_bad_pixels
from pyfai_grf.frames.tiff_layout import read_layout

#: metadata name -> spellings in EDF headers, lower case, the preferred one first
_HEADER_KEYS = {
    "exposure_time_s": ("exposuretime", "exposure_time", "count_time", "exptime", "acq_expo_time"),
    "monitor": ("intensity1", "monitor", "mon", "i1", "i0"),
}

_AGAIN = "wait until it is written, or copy it again"
_ADVICE = "is it a detector image, and complete?"
#: these speak of fabio's insides
_INSIDE = (AttributeError, TypeError, NameError, LookupError, AssertionError, RecursionError)


class FabioStack:
    """The frames of one file that fabio reads."""

    def __init__(self, path: str, name: str) -> None:
        self._name = name
        with explain_damage(name, _ADVICE, inside=_INSIDE):
            layout = read_layout(path)
            if layout.is_cut_short:
                raise InputError(f"{name} is cut short: {_AGAIN}")
            self._image = fabio.open(path)
            self._readable = int(self._image.nframes)
            # what is lost is a frame that cannot be read; where nothing can, that will be said of the first
            is_loss = layout.has_lost_images and not (self._readable == 1 and self._image.data is None)
            self.count = self._readable + is_loss

    def read(self, index: int) -> Frame:
        """Return frame ``index``; raises InputError if it is damaged."""
        if index == self._readable:
            raise InputError(f"{self._name} is cut short: of the frames from {index} on nothing can be read: {_AGAIN}")
        with explain_damage(self._name if self.count == 1 else f"{self._name}: frame {index}", _ADVICE, inside=_INSIDE):
            image = self._image if self._readable == 1 else self._image.get_frame(index)
            return _convert(image, self._name, index)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(Exception):  # whatever is the matter with it was said before
            self._image.close()


def _convert(image: Any, name: str, index: int) -> Frame:
    header = {str(key).lower(): value for key, value in (image.header or {}).items()}
    if image.data is None or getattr(image, "incomplete_data", False) or _is_padded(image.data, header):
        # fabio fills what is missing with zeros, which would pass for a measurement
        raise InputError(f"{name}: frame {index} is cut short: {_AGAIN}")
    data = np.asarray(image.data)
    if data.ndim > 2:
        data = data.reshape(data.shape[-2:]) if math.prod(data.shape[:-2]) == 1 else data
    check_image(data, name)
    dectris = _parse_dectris_text(header)
    bad = find_bad_pixels(data, dectris.pop("count_cutoff", None))
    dummy = _to_float(header.get("dummy"))
    if dummy and not (dummy < 0 and data.dtype.kind in "iu"):  # zero stands for "none"; negative counts are bad anyway
        bad |= np.abs(data - dummy) <= abs(_to_float(header.get("ddummy")) or 0.1)
    return Frame(data, bad, name, index, {**_parse_header(header), **dectris})


def _is_padded(data: np.ndarray, header: dict[str, Any]) -> bool:
    """Return whether an EDF header gives a frame more pixels than bytes."""
    stored = _to_float(header.get("edf_binarysize", header.get("size")))
    is_plain = str(header.get("compression", "none")).lower().startswith("no") and "edf_binaryfilename" not in header
    return stored is not None and is_plain and data.nbytes > stored


def _parse_header(header: dict[str, Any]) -> dict[str, Any]:
    """Return what an EDF-like header says under names of ours."""
    found: dict[str, Any] = {}
    for name, spellings in _HEADER_KEYS.items():
        values = (_to_float(header.get(spelling)) for spelling in spellings)
        value = next((v for v in values if v is not None), None)
        if value is not None:
            found[name] = value
    wavelength = _to_float(header.get("wavelength"))
    if wavelength:  # the SAXS package writes metres; whatever else is there is in Angstrom
        found["wavelength_nm"] = wavelength * (1e9 if wavelength < 1e-6 else 0.1)
    if header.get("title"):
        found["title"] = str(header["title"])
    return found


def _parse_dectris_text(header: dict[str, Any]) -> dict[str, Any]:
    """Return what the text header of a Dectris CBF or TIFF says: ``# Exposure_time 1.0 s`` and so on."""
    text = str(header.get("_array_data.header_contents") or header.get("imagedescription") or "")
    names = {"exposure_time": ("exposure_time_s", 1.0), "wavelength": ("wavelength_nm", 0.1)}
    found: dict[str, Any] = {}
    for key, value in re.findall(r"#\s*(Exposure_time|Wavelength|Count_cutoff)[\s:=]+([0-9.eE+-]+)", text):
        number = _to_float(value)
        if number:
            name, factor = names.get(key.lower(), ("count_cutoff", 1.0))
            found[name] = number * factor
    return found


def _to_float(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None

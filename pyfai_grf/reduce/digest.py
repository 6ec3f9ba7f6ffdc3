"""What the inputs of a reduction hold, in a few letters each: the same name need not be the same file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.reduce.experiment import ReductionSettings
from pyfai_grf.reduce.geometry import Geometry, read_parameters

#: a larger file is known by its name alone: reading it would take longer than many a frame
_MOST_BYTES = 2**28


def digest_inputs(settings: ReductionSettings, geometry: Geometry) -> dict[str, str]:
    """Return input -> SHA-256 of what it holds; an input that is not there, or too large, is left out.

    ``geometry`` is that of ``settings`` as it is used: mask, dark and flat count as they were read, also those that a
    configuration names; of the geometry itself and the background the files count.
    """
    given = settings.geometry
    if not isinstance(given, str | os.PathLike):
        text = json.dumps([read_parameters(geometry.integrator), str(geometry.integrator.detector)])
        digests = {"geometry": hashlib.sha256(text.encode()).hexdigest()}
    else:
        digests = {"geometry": _digest_file(given)}
    for name in ("mask", "dark", "flat"):
        image = getattr(geometry, name)
        digests[name] = "" if image is None else _digest_array(image)
    digests["background"] = _digest_files(settings.background)
    return {name: digest for name, digest in digests.items() if digest}


def _digest_files(given: Any) -> str:
    """Return the SHA-256 of a file, or of those of several; "" for anything else."""
    if isinstance(given, str | os.PathLike):
        return _digest_file(given)
    if not isinstance(given, list | tuple) or not all(isinstance(part, str | os.PathLike) for part in given):
        return ""
    parts = [_digest_file(part) for part in given]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest() if parts and all(parts) else ""


def _digest_file(source: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of the file (of ``file.h5::/path`` the whole file), "" if it is too large or gone."""
    path = os.fspath(source)
    path = path if os.path.exists(path) else path.partition("::")[0]
    with contextlib.suppress(OSError):
        if os.path.getsize(path) <= _MOST_BYTES:
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    return ""


def _digest_array(image: NDArray[Any]) -> str:
    head = f"{image.dtype.str} {image.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(image).tobytes()).hexdigest()

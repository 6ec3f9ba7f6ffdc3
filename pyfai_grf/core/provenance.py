"""Where the rows of a results file or a table come from."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.versions import PACKAGE_VERSION

_PACKAGES = ("pyFAI", "silx", "fabio", "h5py", "numpy", "scipy")
#: both distributions install the module xgboost; either may be there
_XGBOOST = ("xgboost-cpu", "xgboost")

#: the fields of Provenance that files hold as they are
PROVENANCE_TEXTS = ("material", "model", "flavour", "model_sha256", "model_version", "spectrum", "command")


def collect_versions() -> dict[str, str]:
    """Return the versions of this package and of what it computes with, as far as installed."""
    versions = {"pyfai-grf": PACKAGE_VERSION}
    for name in (*_PACKAGES, *_XGBOOST):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def format_now() -> str:
    """Return the present time as ISO 8601 with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass(frozen=True)
class Provenance:
    """Where the rows of one results file or table come from.

    Attributes
    ----------
    material : material class, e.g. "two-phase-low-porosity".
    model : name of a bundled model, or the path of a bundle.
    flavour : "measured" or "paper".
    model_sha256, model_version : what identifies the bundle.
    spectrum : the spectral density that the model assumes.
    layer_density : electron density of the layer relative to the solid; None for two phases.
    q_grid_nm1 : (M,) q grid of the model, 1/nm.
    parameters : names of the parameters that the model predicts.
    settings : what the reduction was told (mask, background, scale ...), JSON-ready.
    command : the command line, or what stands for it.
    versions : distribution name -> version; by default of what is installed.
    created : ISO 8601 time with zone; by default now.
    """

    material: str
    model: str
    flavour: str
    model_sha256: str
    model_version: str
    spectrum: str
    layer_density: float | None
    q_grid_nm1: FloatArray
    parameters: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=collect_versions)
    created: str = field(default_factory=format_now)

"""pyfai-grf: length scale, porosity and layer fraction of disordered materials from 2D SAXS frames.

Importing the package loads none of CuPy, XGBoost, pyFAI or Qt: the public names load their room when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "simulate": "pyfai_grf.workflows",
    "make_structure": "pyfai_grf.simulation.structure",
    "add_noise": "pyfai_grf.simulation.noise",
    "expected_intensity": "pyfai_grf.theory.closed_form",
    "load_model": "pyfai_grf.learn.bundle",
    "reduce_frame": "pyfai_grf.reduce.reducer",
    "Curve": "pyfai_grf.core.records",
    "Prediction": "pyfai_grf.core.records",
    "GrfError": "pyfai_grf.core.errors",
    "QRangeError": "pyfai_grf.core.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

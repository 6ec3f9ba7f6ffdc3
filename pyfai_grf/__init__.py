"""pyfai-grf: length scale, porosity and layer fraction of disordered materials from 2D SAXS frames.

Importing the package loads none of CuPy, XGBoost, pyFAI or Qt: a public name loads its room when it is first used.
"""

from __future__ import annotations

import importlib

from pyfai_grf.core import versions

TYPE_CHECKING = False  # type checkers take it for true; without the module typing the command begins sooner

if TYPE_CHECKING:  # for type checkers the names are plain; at run time they are looked up in _PUBLIC
    from pyfai_grf.core.errors import BundleError as BundleError
    from pyfai_grf.core.errors import DeviceError as DeviceError
    from pyfai_grf.core.errors import GrfError as GrfError
    from pyfai_grf.core.errors import InputError as InputError
    from pyfai_grf.core.errors import QRangeError as QRangeError
    from pyfai_grf.core.records import Curve as Curve
    from pyfai_grf.core.records import Fit as Fit
    from pyfai_grf.core.records import Prediction as Prediction
    from pyfai_grf.fit.curve_fit import fit_curve as fit_curve
    from pyfai_grf.learn.bundle import Model as Model
    from pyfai_grf.learn.bundle import load_model as load_model
    from pyfai_grf.reduce.reducer import reduce_frame as reduce_frame
    from pyfai_grf.simulation.noise import add_noise as add_noise
    from pyfai_grf.simulation.structure import make_structure as make_structure
    from pyfai_grf.theory.closed_form import expected_intensity as expected_intensity
    from pyfai_grf.workflows import simulate as simulate

__version__ = versions.PACKAGE_VERSION

_PUBLIC = {
    "BundleError": "pyfai_grf.core.errors",
    "DeviceError": "pyfai_grf.core.errors",
    "GrfError": "pyfai_grf.core.errors",
    "InputError": "pyfai_grf.core.errors",
    "QRangeError": "pyfai_grf.core.errors",
    "Curve": "pyfai_grf.core.records",
    "Fit": "pyfai_grf.core.records",
    "Prediction": "pyfai_grf.core.records",
    "fit_curve": "pyfai_grf.fit.curve_fit",
    "Model": "pyfai_grf.learn.bundle",
    "load_model": "pyfai_grf.learn.bundle",
    "reduce_frame": "pyfai_grf.reduce.reducer",
    "add_noise": "pyfai_grf.simulation.noise",
    "make_structure": "pyfai_grf.simulation.structure",
    "expected_intensity": "pyfai_grf.theory.closed_form",
    "simulate": "pyfai_grf.workflows",
}

__all__ = ["__version__", *_PUBLIC]


if not TYPE_CHECKING:  # or a misspelt name would pass as Any

    def __getattr__(name: str) -> object:
        if name in _PUBLIC:
            return getattr(importlib.import_module(_PUBLIC[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

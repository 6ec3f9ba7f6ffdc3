"""Expected curves of Matern and shell spectra over their shape parameter: what a table for a fit is made of.

As for the power family (:mod:`pyfai_grf.theory.power_family`), ln f is smooth in ln x, x = q a, in |T|, and in a
function of the parameter: ln(nu - 1) for Matern, ln(width) for a shell.
"""

from __future__ import annotations

import importlib.resources
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.atomic import replace_file
from pyfai_grf.theory.power_family import T_HIGH, X_END
from pyfai_grf.theory.sampled_spectrum import Spectrum
from pyfai_grf.theory.scale_free import compute_scale_free_intensity, continue_porod
from pyfai_grf.theory.spectral_shapes import MaternSpectrum, ShellSpectrum

#: below this x, f is constant to 1e-5
_X_START = np.exp(-7.0)
#: nodes beyond the last |T|: what the end does to a spline falls by 0.27 a node
_MARGIN = 6
#: what ln f is stored in, and where
_UNIT, _FILE = 2e-6, "shape-tables.npz"


@dataclass(frozen=True)
class ShapePlan:
    """How curves are laid out over a ``parameter`` of spectra that ``make`` returns.

    Attributes
    ----------
    low, high : the ends of its range.
    first, last, count : of its nodes, even in ln(parameter - ``offset``); some lie beyond the range.
    t_step : between the nodes of |T|, from 0 on.
    shift : a search knows 1 / (parameter + ``shift``), or the parameter itself where this is None.
    """

    parameter: str
    make: Callable[[float], Spectrum]
    low: float
    high: float
    first: float
    last: float
    offset: float
    count: int
    t_step: float
    shift: float | None

    def read(self, number: float) -> float:
        """Return the parameter behind the ``number`` that a search knows."""
        return number if self.shift is None else 1.0 / number - self.shift

    def write(self, value: float) -> float:
        """Return the number that a search knows for the parameter's ``value``."""
        return value if self.shift is None else 1.0 / (value + self.shift)

    def locate(self, numbers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return where ``numbers`` (B,) of a search stand among the nodes, inside the range, and its derivatives."""
        low, high = sorted((self.write(self.low), self.write(self.high)))
        held = np.clip(numbers, low, high)
        value = held if self.shift is None else 1.0 / held - self.shift
        slope = np.ones_like(held) if self.shift is None else -1.0 / held**2
        rate = (self.count - 1) / np.log((self.last - self.offset) / (self.first - self.offset))
        place = rate * np.log((value - self.offset) / (self.first - self.offset))
        return np.asarray(place), np.asarray(slope * rate / (value - self.offset))


PLANS = {
    # a Matern spectrum falls as k^-2(nu + 3/2)
    "matern": ShapePlan("nu", MaternSpectrum, 1.15, 10.0, 1.08, 20.0, 1.0, 32, 0.16, 1.5),
    "shell": ShapePlan("width", ShellSpectrum, 0.08, 0.42, 0.065, 0.5, 0.0, 36, 0.08, None),
}


def compute_curves(plan: ShapePlan, log_x: FloatArray) -> FloatArray:
    """Return ln f (P, T, K) at ``log_x`` (K,), which increases: by quadrature up to x = 50, then Porod's law."""
    x = np.exp(log_x)
    threshold = plan.t_step * np.arange(int(np.ceil(T_HIGH / plan.t_step)) + _MARGIN, dtype=np.float64)
    near = np.maximum(np.append(x[x < X_END], X_END), _X_START)
    distinct, places = np.unique(near, return_inverse=True)
    far = x[x >= X_END]
    stored = _load_near(plan, threshold.size, distinct)
    curves = np.empty((plan.count, threshold.size, x.size))
    for row, spectrum in enumerate(_list_spectra(plan)):
        found = (_compute_near(plan, distinct, spectrum) if stored is None else np.exp(stored[row]))[:, places]
        tail = continue_porod(far, threshold[:, np.newaxis], found[:, -1:], X_END, spectrum)
        curves[row] = np.log(np.concatenate([found[:, :-1], tail], axis=1))
    return curves


def _list_spectra(plan: ShapePlan) -> list[Spectrum]:
    nodes = np.geomspace(plan.first - plan.offset, plan.last - plan.offset, plan.count) + plan.offset
    return [plan.make(float(node)) for node in nodes]


def _compute_near(plan: ShapePlan, x: FloatArray, spectrum: Spectrum) -> FloatArray:
    """Return f (T, K) at ``x`` (K,), by quadrature."""
    threshold = plan.t_step * np.arange(int(np.ceil(T_HIGH / plan.t_step)) + _MARGIN, dtype=np.float64)
    return compute_scale_free_intensity(x, ndtr(-threshold), spectrum)


def save_curves(path: Path, log_x: FloatArray) -> None:
    """Write what ``compute_curves`` takes by quadrature at ``log_x`` (K,) for every plan: seconds of work, once.

    As whole numbers of ``_UNIT`` and their second differences along x, which are small. Raises InputError if the file
    cannot be written.
    """
    x = np.exp(log_x)
    x = np.unique(np.maximum(np.append(x[x < X_END], X_END), _X_START))
    arrays: dict[str, NDArray[np.generic]] = {"x": x}
    for plan in PLANS.values():
        curves = np.log([_compute_near(plan, x, spectrum) for spectrum in _list_spectra(plan)])
        whole = np.rint(curves / _UNIT).astype(np.int64)
        arrays[f"{plan.parameter}/start"] = whole[..., :2]
        bends = np.diff(whole, n=2, axis=-1)
        arrays[f"{plan.parameter}/bends"] = bends.astype(np.int16 if np.abs(bends).max() < 2**15 else np.int32)
    with replace_file(path) as draft, draft.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def _load_near(plan: ShapePlan, thresholds: int, x: FloatArray) -> FloatArray | None:
    """Return ln f (P, T, K) at ``x`` (K,) as it was stored; None where it was laid out otherwise, or not at all."""
    path = Path(str(importlib.resources.files("pyfai_grf_models"))) / _FILE
    try:
        with np.load(path, allow_pickle=False) as file:
            if file["x"].shape != x.shape or not np.allclose(file["x"], x, rtol=1e-12):
                return None
            start, bends = (file[f"{plan.parameter}/{part}"].astype(np.int64) for part in ("start", "bends"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # it takes seconds more without
    if start.shape[:2] != (plan.count, thresholds):
        return None
    slopes = np.cumsum(np.concatenate([np.diff(start, axis=-1), bends], axis=-1), axis=-1)
    return np.concatenate([start[..., :1], start[..., :1] + np.cumsum(slopes, axis=-1)], axis=-1) * _UNIT

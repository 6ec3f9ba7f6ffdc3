"""The expected curves of (1 + (aq)^n)^-2 for any real n, from one table: what a fit of the spectrum's exponent needs.

The table holds ln[f(x, T, n) (1 + x^4)], smooth in all its coordinates: asinh(x / 0.5) with x = q a, the threshold's
magnitude |T|, and ln n. A cubic spline through it is within 6e-5 of the quadrature
(:func:`pyfai_grf.theory.scale_free.compute_scale_free_intensity`) for n from 4 to 12, within 1.5e-4 below, and within
6e-4 up to n = 20. Beyond x = 50, Porod's law with its next term follows.
"""

from __future__ import annotations

import functools
import importlib.resources
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter
from scipy.special import ndtr

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.atomic import replace_file
from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.scale_free import compute_scale_free_intensity, continue_porod
from pyfai_grf.theory.spectral_shapes import PowerSpectrum

#: the exponents and thresholds that the table covers; |T| = 3.2 is a porosity of 0.0007
N_LOW, N_HIGH, T_HIGH = 3.0, 24.0, 3.2
#: where Porod's law follows
X_END = 50.0
_X_SCALE, _X_STEP, _T_STEP, _N_COUNT = 0.5, 0.02, 0.16, 36
_N_STEP = math.log(N_HIGH / N_LOW) / (_N_COUNT - 1)
#: nodes beyond the ends of x and |T|, and of ln n by extrapolation: what the ends do to a spline falls by 0.27 a node
_MARGIN, _EXTRAPOLATED, _ORDER = 6, 4, 5
_FORMAT = "pyfai-grf power family 1"
_FILE = "power-family.npz"


@dataclass(frozen=True)
class PowerFamily:
    """``coefficients`` (N, T, X) of the spline over ln n, |T| and asinh(x / 0.5)."""

    coefficients: FloatArray

    def evaluate(self, x: FloatArray, threshold: float, n: float) -> FloatArray:
        """Return f = I / (V a^3) at ``x`` = q a (any shape, 0 or more), for |T| ``threshold`` and the exponent ``n``.

        Both are held inside the table's range.
        """
        n, threshold = min(max(n, N_LOW), N_HIGH), min(abs(threshold), T_HIGH)
        inside = np.minimum(x, X_END)
        place = np.arcsinh(inside / _X_SCALE) / _X_STEP
        line = self._select_line(math.log(n / N_LOW) / _N_STEP + _EXTRAPOLATED, threshold / _T_STEP)
        logarithm = map_coordinates(line, place[np.newaxis], order=3, mode="mirror", prefilter=False)
        result = np.exp(logarithm) / (1 + np.square(np.square(inside)))
        if x.size and x.max() > X_END:
            far = x > X_END
            result[far] = continue_porod(x[far], np.array(threshold), result[far], X_END, PowerSpectrum(n))
        return np.asarray(result)

    def _select_line(self, n_place: float, t_place: float) -> FloatArray:
        """Return the (X,) coefficients of the spline over x alone, at a place in the other two directions."""
        n_first, n_weights = _weigh(n_place)
        t_first, t_weights = _weigh(t_place)
        columns = np.abs(np.arange(t_first, t_first + 4))  # f is even in T, and so are the coefficients
        block = self.coefficients[n_first : n_first + 4][:, columns]
        return np.asarray(np.einsum("i,j,ijx->x", n_weights, t_weights, block))

    def save(self, path: Path) -> None:
        """Write the table; raises InputError if that cannot be done."""
        with replace_file(path) as draft, draft.open("wb") as stream:
            np.savez_compressed(stream, format=np.array(_FORMAT), coefficients=self.coefficients.astype(np.float32))


def _weigh(place: float) -> tuple[int, FloatArray]:
    """Return the first of the four coefficients of a cubic B-spline that count at ``place``, and their weights."""
    first = math.floor(place)
    t = place - first
    weights = np.array([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    return first - 1, weights


def build_family() -> PowerFamily:
    """Return the table, computed anew in about ten seconds: what ``load_family`` reads was made by this."""
    x_count = int(np.ceil(np.arcsinh(X_END / _X_SCALE) / _X_STEP)) + _MARGIN
    t_count = int(np.ceil(T_HIGH / _T_STEP)) + _MARGIN
    x = _X_SCALE * np.sinh(_X_STEP * np.arange(x_count))
    porosity = ndtr(-_T_STEP * np.arange(t_count))
    values = np.empty((_N_COUNT, t_count, x_count))
    for row, n in enumerate(np.geomspace(N_LOW, N_HIGH, _N_COUNT)):
        curves = compute_scale_free_intensity(x, porosity, PowerSpectrum(float(n)))
        values[row] = np.log(curves * (1 + x**4))
    before, after = _extrapolate(values[:_ORDER]), _extrapolate(values[: -_ORDER - 1 : -1])[::-1]
    return PowerFamily(spline_filter(np.concatenate([before, values, after]), order=3, mode="mirror"))


def _extrapolate(values: FloatArray) -> FloatArray:
    """Return what comes before ``values`` (5, ...), on the polynomial through them."""
    known = np.vander(np.arange(float(_ORDER)), increasing=True)
    wanted = np.vander(np.arange(-float(_EXTRAPOLATED), 0.0), _ORDER, increasing=True)
    return np.tensordot(wanted @ np.linalg.inv(known), values, axes=(1, 0))


@functools.lru_cache(maxsize=1)
def load_family() -> PowerFamily:
    """Return the bundled table.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    path = Path(str(importlib.resources.files("pyfai_grf_models"))) / _FILE
    try:
        with np.load(path) as file:
            if str(file["format"]) != _FORMAT:
                raise ValueError("another format")
            return PowerFamily(file["coefficients"].astype(np.float64))
    except (OSError, ValueError, KeyError) as problem:
        raise InputError(f"{path} is not the table of the power family ({problem}): install pyfai-grf again") from None

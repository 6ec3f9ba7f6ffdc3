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
from scipy.ndimage import map_coordinates, spline_filter, spline_filter1d
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
#: steps for 1 of ln n and of |T|
N_RATE, T_RATE = 1.0 / _N_STEP, 1.0 / _T_STEP
#: nodes beyond the ends of x and |T|, and of ln n by extrapolation: what the ends do to a spline falls by 0.27 a node
_MARGIN, _EXTRAPOLATED, _ORDER = 6, 4, 5
#: polynomials of the four weights of a cubic B-spline (by rows), and of their first and second derivatives
_CUBIC = (
    np.array(
        [
            [[1, -3, 3, -1], [4, 0, -6, 3], [1, 3, 3, -3], [0, 0, 0, 1]],
            [[-3, 6, -3, 0], [0, -12, 9, 0], [3, 6, -9, 0], [0, 0, 3, 0]],
            [[6, -6, 0, 0], [-12, 18, 0, 0], [6, -18, 0, 0], [0, 6, 0, 0]],
        ]
    )
    / 6.0
)
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
        line = self._select_line(float(locate_n(np.array(n))), threshold * T_RATE)
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

    def resample(self, log_x: FloatArray) -> FloatArray:
        """Return coefficients (N, T, K) over ln n and |T| alone, of ln[f (1 + x^4)] at each ``log_x`` (K,).

        |T| in steps of 1 / T_RATE from 0 on, ln n where :func:`locate_n` says. Porod's law is part of it.
        """
        x = np.exp(log_x)
        place = np.arcsinh(np.minimum(x, X_END) / _X_SCALE) / _X_STEP
        first = np.floor(place).astype(int)
        weights = weigh_spline(place - first)[0]
        columns = np.abs(first - 1 + np.arange(4)[:, np.newaxis])  # f is even in x as well
        result = sum(w * self.coefficients[..., column] for w, column in zip(weights, columns, strict=True))
        far = x > X_END
        if far.any():
            nodes = _evaluate_nodes(result[..., np.flatnonzero(far)[0]])
            values = np.empty((*nodes.shape, np.count_nonzero(far)))
            t = _T_STEP * np.arange(nodes.shape[1], dtype=np.float64)[:, np.newaxis]
            for row, n in enumerate(np.geomspace(N_LOW, N_HIGH, _N_COUNT)):
                end = np.exp(nodes[row])[:, np.newaxis] / (1 + X_END**4)
                f = continue_porod(x[far], t, end, X_END, PowerSpectrum(float(n)))
                values[row] = np.log(f * (1 + x[far] ** 4))
            result[..., far] = _filter(_extend(values))
        return np.asarray(result)

    def save(self, path: Path) -> None:
        """Write the table; raises InputError if that cannot be done."""
        with replace_file(path) as draft, draft.open("wb") as stream:
            np.savez_compressed(stream, format=np.array(_FORMAT), coefficients=self.coefficients.astype(np.float32))


def locate_n(n: FloatArray) -> FloatArray:
    """Return where the exponents ``n`` stand among the coefficients; any shape."""
    return np.asarray(np.log(n / N_LOW) * N_RATE + _EXTRAPOLATED)


def weigh_spline(t: FloatArray) -> FloatArray:
    """Return the weights (3, 4, B) of the coefficients of a cubic B-spline around places ``t`` (B,) beyond the second.

    And those of its first and second derivative by the place.
    """
    powers = np.stack([np.ones_like(t), t, t * t, t * t * t])
    return (_CUBIC.reshape(12, 4) @ powers).reshape(3, 4, -1)


def _weigh(place: float) -> tuple[int, FloatArray]:
    """Return the first of the four coefficients of a cubic B-spline that count at ``place``, and their weights."""
    first = math.floor(place)
    return first - 1, weigh_spline(np.array([place - first]))[0, :, 0]


def _evaluate_nodes(coefficients: FloatArray) -> FloatArray:
    """Return the values of a spline (N, T) at its nodes of n that are in the range, and all of |T| but the last."""
    along_t = (4 * coefficients + np.roll(coefficients, 1, axis=1) + np.roll(coefficients, -1, axis=1)) / 6
    along_t[:, 0] = (4 * coefficients[:, 0] + 2 * coefficients[:, 1]) / 6
    inner = along_t[_EXTRAPOLATED - 1 : _EXTRAPOLATED + _N_COUNT + 1, :-1]
    return np.asarray((inner[:-2] + 4 * inner[1:-1] + inner[2:]) / 6)


def _extend(values: FloatArray) -> FloatArray:
    """Return ``values`` (36, T, ...) at the nodes of n with those beyond either end, and a last |T| twice."""
    before, after = _extrapolate(values[:_ORDER]), _extrapolate(values[: -_ORDER - 1 : -1])[::-1]
    extended = np.concatenate([before, values, after])
    return np.concatenate([extended, 2 * extended[:, -1:] - extended[:, -2:-1]], axis=1)


def _filter(values: FloatArray) -> FloatArray:
    """Return the coefficients of the spline over n and |T| through ``values`` (N, T, ...)."""
    return np.asarray(spline_filter1d(spline_filter1d(values, axis=0, mode="mirror"), axis=1, mode="mirror"))


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

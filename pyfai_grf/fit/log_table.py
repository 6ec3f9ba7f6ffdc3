"""Curves over equal steps of ln x, x = q a: there a is a shift, and a lognormal spread of it a convolution."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import spline_filter1d

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.theory.power_family import (
    N_HIGH,
    N_LOW,
    N_RATE,
    T_HIGH,
    T_RATE,
    load_family,
    locate_n,
    weigh_spline,
)
from pyfai_grf.theory.scale_free import look_up_intensity
from pyfai_grf.theory.shape_tables import PLANS, compute_curves
from pyfai_grf.theory.spectra import Spectrum
from pyfai_grf.theory.spectral_shapes import PowerSpectrum

#: the step of ln x; a curve has no detail that is finer, unless the spectrum is very sharp
STEP = 0.02
#: the range of ln x: beyond, f is constant or Porod's
_LOW, _HIGH = -18.0, 18.0
#: of a table of one spectrum
_T_STEP, _T_MARGIN = 0.08, 4
#: below this |T| the derivative by T^2 is half the second one by T, as f is even
_NEAR_ZERO = 1e-3


@dataclass(frozen=True, eq=False)
class LogTable:
    """``coefficients`` (N, 1 + T, K) over the shape parameter and |T| of ln(x^2 f) at ln x = (``first`` + k) STEP.

    x^2 f falls off at either end. The second axis begins at -1 step of |T|, which are ``t_rate`` for 1. ``locate`` says
    where the field ``inverse_n`` of shapes (B,) stands along the first, and the derivatives of that place by it; None
    where N is 1, for a spectrum without a parameter.
    """

    coefficients: FloatArray
    first: int
    t_rate: float
    locate: Callable[[FloatArray], tuple[FloatArray, FloatArray]] | None = None

    def draw(self, u: FloatArray, inverse_n: FloatArray, start: NDArray[np.intp], count: int) -> FloatArray:
        """Return (B, 3, ``count``): ln(x^2 f) and its derivatives by u and 1/n, for B shapes.

        From ln x = ``start`` (B,) STEP on; ``u`` and ``inverse_n`` are (B,), too.
        """
        rows, columns, weights = self._weigh(u, inverse_n)
        begin = np.clip(start - self.first, 0, self.coefficients.shape[2] - count)
        height = min(len(self.coefficients), 4)
        result = np.empty((len(u), 3, count))
        for item, (row, column, k) in enumerate(zip(rows.tolist(), columns.tolist(), begin.tolist(), strict=True)):
            block = self.coefficients[row : row + height, column : column + 4, k : k + count]
            np.matmul(weights[item], block.reshape(-1, count), out=result[item])
        return result

    def _weigh(self, u: FloatArray, inverse_n: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
        """Return the first row and column (B,) of the coefficients that count, and their weights (B, 3, rows x 4)."""
        threshold = np.minimum(np.sqrt(np.maximum(u, 0.0)), T_HIGH)
        place = threshold * self.t_rate
        column = np.floor(place).astype(int)
        t = place - column
        by_t, slope, bend = weigh_spline(t)
        slope *= self.t_rate / (2 * np.maximum(threshold, _NEAR_ZERO))
        by_u = np.where(threshold > _NEAR_ZERO, slope, bend * (self.t_rate**2 / 2))
        if self.locate is None:
            return 0 * column, column, np.stack([by_t, by_u, 0 * by_t]).transpose(2, 0, 1)
        place, rate = self.locate(inverse_n)
        row = np.floor(place).astype(int)
        by_n, by_inverse, _ = weigh_spline(place - row)
        by_inverse *= rate
        weights = np.empty((len(u), 3, 4, 4))
        for part, (rows, columns) in enumerate(((by_n, by_t), (by_n, by_u), (by_inverse, by_t))):
            np.multiply(rows.T[:, :, np.newaxis], columns.T[:, np.newaxis], out=weights[:, part])
        return row - 1, column, weights.reshape(-1, 3, 16)


def make_grid() -> FloatArray:
    """Return the ln x (K,) of every table."""
    return STEP * np.arange(round(_LOW / STEP), round(_HIGH / STEP) + 1, dtype=np.float64)


def _locate_exponent(inverse_n: FloatArray) -> tuple[FloatArray, FloatArray]:
    n = np.clip(1.0 / inverse_n, N_LOW, N_HIGH)
    return locate_n(n), -n * N_RATE


@functools.lru_cache(maxsize=16)
def load_table(spectrum: Spectrum | None, form: str = "power") -> LogTable:
    """Return the table of a ``spectrum``, or (None) of a ``form`` with its parameter free; made when first asked for.

    That takes a moment.
    """
    log_x, first = make_grid(), round(_LOW / STEP)
    if isinstance(spectrum, PowerSpectrum):
        free = load_table(None)
        return LogTable(free.coefficients, first, T_RATE, lambda x: _locate_exponent(np.full(x.shape, 1 / spectrum.n)))
    steepness = 2 * log_x - np.log1p(np.exp(4 * log_x))
    if spectrum is None and form != "power":
        plan = PLANS[form]
        curves = spline_filter1d(compute_curves(plan, log_x), axis=0, mode="mirror") + 2 * log_x
        coefficients = spline_filter1d(curves, axis=1, mode="mirror")
        return LogTable(
            np.concatenate([coefficients[:, 1:2], coefficients], axis=1), first, 1 / plan.t_step, plan.locate
        )
    if spectrum is None:
        coefficients = load_family().resample(log_x) + steepness  # weights sum to 1: what all share may be added
        return LogTable(np.concatenate([coefficients[:, 1:2], coefficients], axis=1), first, T_RATE, _locate_exponent)
    threshold = _T_STEP * np.arange(round(T_HIGH / _T_STEP) + _T_MARGIN + 1, dtype=np.float64)[:, np.newaxis]
    values = look_up_intensity(np.broadcast_to(np.exp(log_x), (len(threshold), log_x.size)), threshold, spectrum)
    filtered = spline_filter1d(np.log(values) + 2 * log_x, axis=0, mode="mirror")[np.newaxis]
    return LogTable(np.concatenate([filtered[:, 1:2], filtered], axis=1), first, 1.0 / _T_STEP)

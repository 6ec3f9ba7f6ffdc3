"""What a fitted curve leaves of the data: its chi-square, and the places where neighbouring points agree against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.rounding import format_percent
from pyfai_grf.fit.target import Target

#: numbers of neighbouring points whose sum is looked at, up to a quarter of the curve; a sum of fewer counts than that
#: is too skew to tell
_WIDTHS, _FEWEST_COUNTS = (3, 4, 6, 8, 12, 16, 24, 32, 48, 64), 25.0


@dataclass(frozen=True)
class Place:
    """Neighbouring points, ``first`` to ``last``, whose sum is ``size`` standard deviations off the curve.

    ``height`` is the sum in parts of the curve's, above 0 where the data are higher; ``ends`` are in 1/nm.
    """

    size: float
    first: int
    last: int
    height: float
    ends: tuple[float, float]

    def _describe_height(self) -> str:
        part = abs(self.height)
        return f"{format_percent(part)} of the curve" if part < 1 else "as much as the curve or more"

    def __str__(self) -> str:
        """Return where and how far the data are off."""
        side = "above" if self.height > 0 else "below"
        return (
            f"the data lie {side} the fit most from {self.ends[0]:.3g} to {self.ends[1]:.3g} per nm ({self.size:.0f} "
            f"standard deviations, {self._describe_height()})"
        )


@dataclass(frozen=True)
class Misfit:
    """(Q,) points: the ``residual`` and the fitted ``curve`` there, both in standard deviations of a point.

    Neighbours have a ``correlation``; ``free`` parameters were fitted.
    """

    q_nm1: FloatArray
    residual: FloatArray
    curve: FloatArray
    correlation: float
    free: int

    @property
    def degrees(self) -> int:
        """Degrees of freedom."""
        return max(self.residual.size - self.free, 1)

    def reduce(self, error: float = 0.0) -> float:
        """Return the reduced chi-square, where the curve is uncertain by the relative ``error`` too."""
        return float(np.sum(self.residual**2 / (1.0 + (error * self.curve) ** 2)) / self.degrees)

    def find_largest(self, error: float = 0.0) -> Place:
        """Return the sum over neighbours that is farthest off, where the curve has a smooth relative ``error`` too."""
        total, signal, counts = (
            np.concatenate([[0.0], np.cumsum(values)]) for values in (self.residual, self.curve, self.curve**2)
        )
        best = Place(0.0, 0, 0, 0.0, (float(self.q_nm1[0]), float(self.q_nm1[0])))
        for width in _WIDTHS:
            if width > max(self.residual.size // 4, _WIDTHS[0]):
                break
            found, known = total[width:] - total[:-width], signal[width:] - signal[:-width]
            # neighbours share the noise of split pixels; a smooth error is the same for all of them
            variance = width + 2 * (width - 1) * self.correlation + (error * known) ** 2
            sizes = np.where(counts[width:] - counts[:-width] > _FEWEST_COUNTS, np.abs(found) / np.sqrt(variance), 0.0)
            first = int(np.argmax(sizes))
            if sizes[first] > best.size:
                last = first + width - 1
                height = float(found[first] / known[first]) if known[first] else np.inf
                ends = float(self.q_nm1[first]), float(self.q_nm1[last])
                best = Place(float(sizes[first]), first, last, height, ends)
        return best

    def leave_out(self, place: Place) -> Misfit:
        """Return the misfit without a place, and without as many points on either side."""
        width = place.last - place.first + 1
        kept: BoolArray = np.ones(self.residual.size, dtype=bool)
        kept[max(place.first - width, 0) : place.last + 1 + width] = False
        return Misfit(self.q_nm1[kept], self.residual[kept], self.curve[kept], self.correlation, self.free)


def make_misfit(target: Target, curve: FloatArray, free: int) -> Misfit:
    """Return what a fitted ``curve`` (Q,) of ``free`` parameters leaves of the ``target``."""
    # errors of correlated points are those of means over many: a point scatters less about the curve
    deviation = np.sqrt(target.point_variance)
    return Misfit(target.q_nm1, (target.intensity - curve) / deviation, curve / deviation, target.correlation, free)

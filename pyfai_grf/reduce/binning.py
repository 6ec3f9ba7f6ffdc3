"""Sums over q bins, by pyFAI: one set-up for a detector, then a call a frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.reduce.counting import estimate_counts, estimate_scatter
from pyfai_grf.reduce.geometry import Geometry
from pyfai_grf.reduce.sectors import SECTORS, Cells

#: No splitting: each photon falls into one bin, so that bins stay independent and their counts are Poisson counts.
#: Measured on 1 Mpixel, two cores: csc 5.5 ms, histogram 6.5 ms (sums in single precision), csr 8.5-12 ms; 36 sectors
#: cost no more than one.
_METHOD = ("no", "csc", "cython")


@dataclass(frozen=True)
class Bins:
    """A q grid: bin centres lie at ``origin_nm1 + k * step_nm1`` for all integers k that the detector reaches.

    With a ``range_nm1`` (lowest, highest) it is wanted on a detector that covers that; another keeps bins of a pixel.
    """

    origin_nm1: float
    step_nm1: float
    range_nm1: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.origin_nm1) and np.isfinite(self.step_nm1) and self.step_nm1 > 0):
            raise InputError(f"q bins need a positive step, found {self.step_nm1} from {self.origin_nm1} per nm")


@dataclass(frozen=True)
class BinSums:
    """What one frame (or the sum of several) puts into the (Q,) bins.

    ``signal`` are the values less the dark, ``exposure`` the sum of normalisations, ``intensity`` their ratio,
    ``variance`` its variance, ``values`` the sums with the dark, ``pixels`` the number of pixels. Empty bins hold
    zeros. ``gain`` are the values per photon, None where the values are no counts; ``frames`` is the number of frames,
    ``cells`` the same sums by sector, None once some of these have been left out.
    """

    signal: FloatArray
    intensity: FloatArray
    variance: FloatArray
    exposure: FloatArray
    values: FloatArray
    pixels: FloatArray
    gain: float | None = 1.0
    frames: int = 1
    cells: Cells | None = None


class Binner:
    """pyFAI's integrator for frames of one shape, with everything that does not change from frame to frame."""

    def __init__(self, geometry: Geometry, mask: BoolArray, bins: Bins | None) -> None:
        """Prepare for frames of the shape of ``mask`` (H, W), True where a pixel is never used.

        Raises
        ------
        InputError
            If the mask leaves no pixel, or the bins are so coarse or fine that there is no curve.
        """
        from pyFAI.containers import PolarizationDescription

        self._geometry = geometry
        shape = mask.shape
        self.q_pixels = geometry.integrator.array_from_unit(shape, "center", "q_nm^-1", scale=True)
        mask = mask | ~np.isfinite(self.q_pixels)
        if geometry.azimuth_range is not None:
            mask = mask | ~_find_arc(geometry.integrator, shape, *geometry.azimuth_range)
        for image in (geometry.dark, geometry.flat):
            if image is not None:
                mask = mask | ~np.isfinite(image)
        if geometry.flat is not None:
            mask = mask | (geometry.flat <= 0)
        if mask.all():
            raise InputError("the mask (with the detector's own and the flat) leaves no pixel: 0 is for usable pixels")
        #: (H, W) what user, detector, dark and flat leave out; ``mask`` adds the pixels outside the bins
        self.masked = mask
        self.mask = mask
        self.pixel_step_nm1 = self._measure_pixel_step()
        self.bins = bins if bins is not None and self._covers(bins) else self._choose_bins()
        self.q_nm1, self._range = self._lay_out_bins()
        # pyFAI rounds towards zero: without this, pixels up to a step below the range would go into its first bin
        self.mask = mask | (self.q_pixels < self._range[0]) | (self.q_pixels >= self._range[1])
        self._usable = ~self.mask
        self.masked_fraction = float(self.mask.mean())
        self._options: dict[str, Any] = {
            "radial_range": self._range,
            "mask": np.ascontiguousarray(self.mask, np.int8),
            "polarization_factor": geometry.polarization and PolarizationDescription(*geometry.polarization),
            "correctSolidAngle": geometry.has_solid_angle,
            "normalization_factor": geometry.normalization_factor,
            "method": _METHOD,
            "unit": "q_nm^-1",
            "dummy": np.nan,  # keeps pyFAI from taking negative values of a float frame for the detector's markers
        }
        self._dark_values, self._dark_exposure = np.zeros(1), np.ones(1)
        if geometry.dark is not None:
            self._dark_values, self._dark_exposure, _ = self._integrate(np.maximum(geometry.dark, 0.0), geometry.flat)
        self._offset = self._measure_offset()

    @property
    def has_dark(self) -> bool:
        """Whether a dark is subtracted."""
        return self._geometry.dark is not None

    def _measure_pixel_step(self) -> float:
        """Return the typical width of a pixel in q, in 1/nm."""
        if min(self.q_pixels.shape) < 2:
            return float(np.ptp(self.q_pixels)) / self.q_pixels.size
        across = np.diff(self.q_pixels, axis=0)[::7, :-1:7]
        along = np.diff(self.q_pixels, axis=1)[:-1:7, ::7]
        return float(np.median(np.hypot(across, along)))

    def _covers(self, bins: Bins) -> bool:
        if bins.range_nm1 is None:
            return True
        low, high = bins.range_nm1
        used = self.q_pixels[~self.mask]
        return bool(used.min() < low + bins.step_nm1 and used.max() > high - bins.step_nm1)

    def _choose_bins(self) -> Bins:
        low = float(self.q_pixels[~self.mask].min())
        # the pixel of smallest q lies just inside the first bin, not on its edge
        return Bins(low + 0.499 * self.pixel_step_nm1, self.pixel_step_nm1)

    def _lay_out_bins(self) -> tuple[FloatArray, tuple[float, float]]:
        """Return the (Q,) bin centres over the detector, above q = 0, and the outer edges."""
        origin, step = self.bins.origin_nm1, self.bins.step_nm1
        used = self.q_pixels[~self.mask]
        first = max(int(np.floor((used.min() - origin) / step + 0.5)), int(np.floor(-origin / step)) + 1)
        last = int(np.floor((used.max() - origin) / step + 0.5))
        if last - first < 1 or last - first > 100_000:
            count = max(last - first + 1, 0)
            only, covered = "only " * (count < 2), f"{used.min():.4g} to {used.max():.4g} per nm"
            raise InputError(
                f"the geometry covers {only}{covered}, {count} bins of {step:g} per nm: check Distance (m) and "
                f"Wavelength (m) in {self._geometry.source}, or choose another step"
            )
        centres = np.asarray(origin + np.arange(first, last + 1) * step, np.float64)
        return centres, (origin + (first - 0.5) * step, origin + (last + 0.5) * step)

    def _integrate(self, data: NDArray[Any], flat: Any, dark: Any = None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (Q, S) sums of (H, W) ``data`` less ``dark``, of normalisations, and of pixels."""
        integrator, size = self._geometry.integrator, len(self.q_nm1)
        options = {**self._options, "flat": flat, "dark": dark, "azimuth_range": (-180.0, 180.0)}
        with np.errstate(invalid="ignore", divide="ignore"):  # empty bins
            result = integrator.integrate2d_ng(data, size, SECTORS, **options)
        parts = (result.sum_signal, result.sum_normalization, result.count)
        signal, exposure, pixels = (np.ascontiguousarray(part.T, np.float64) for part in parts)
        return signal, exposure, pixels

    def _measure_scatter(self, data: NDArray[Any], flat: Any, dark: Any) -> FloatArray:
        """Return the (Q,) standard errors of (H, W) ``data`` by their scatter within the bins."""
        options = {**self._options, "flat": flat, "dark": dark}
        with np.errstate(invalid="ignore", divide="ignore"):
            result = self._geometry.integrator.integrate1d_ng(data, len(self.q_nm1), error_model="azimuthal", **options)
        return np.asarray(result.sem, np.float64)

    def _measure_offset(self) -> FloatArray:
        """Return how far the mean q of a cell's pixels is from the bin's centre, (Q, S) in steps."""
        in_bins = (self.q_pixels - self._range[0]) / self.bins.step_nm1
        total, _, pixels = self._integrate(np.where(self.mask, 0.0, in_bins).astype(np.float32), None)
        centres = np.arange(len(self.q_nm1))[:, np.newaxis] + 0.5
        return np.where(pixels > 0, total / np.where(pixels > 0, pixels, 1.0) - centres, 0.0)

    def sum_frame(self, data: NDArray[Any], bad: BoolArray, frames: int = 1, gain: float | None = 1.0) -> BinSums:
        """Return the bins of (H, W) ``data``, the sum of ``frames`` frames, without the pixels that are ``bad``.

        ``gain`` are the values per photon; without one the variance is taken from the scatter of the values.
        """
        values = data.astype(np.float32, order="C")
        # a mask by index: most bad pixels are in the gaps that the mask covers already
        values.reshape(-1)[np.flatnonzero(bad & self._usable)] = np.nan
        flat, dark = self._geometry.flat, self._geometry.dark
        if dark is not None and frames > 1:
            dark = dark * frames
        signal, exposure, pixels = self._integrate(values, flat, dark)
        # as much of the dark as there are pixels left in the cell
        share = exposure / np.where(self._dark_exposure > 0, self._dark_exposure, 1.0)
        dark_values = (self._dark_values * frames * share).sum(axis=1)
        cells = Cells(signal, exposure * frames, pixels, self._offset)
        signal, exposure, pixels = signal.sum(axis=1), exposure.sum(axis=1) * frames, pixels.sum(axis=1)
        total = signal + dark_values
        total[np.abs(total) < 1e-5 * dark_values] = 0.0  # zero but for the rounding of the subtraction
        intensity = signal / np.where(exposure > 0, exposure, 1.0)
        sums = BinSums(signal, intensity, np.zeros_like(signal), exposure, total, pixels, gain, frames, cells)
        if gain is not None:
            return self.apply_gain(sums, gain)
        variance = estimate_scatter(self._measure_scatter(values, flat, dark), pixels, self.q_nm1) / frames**2
        return replace(sums, variance=variance)

    def apply_gain(self, sums: BinSums, gain: float) -> BinSums:
        """Return ``sums`` with the variance that counts have of which each makes ``gain`` values."""
        photons = estimate_counts(sums.values / gain, sums.exposure, self.q_nm1)
        photons += (sums.values - sums.signal) / gain * sums.frames / self._geometry.dark_frames
        divisor = np.where(sums.exposure > 0, sums.exposure, 1.0)
        return replace(sums, variance=photons * (gain / divisor) ** 2, gain=gain)

    def keep_cells(self, sums: BinSums, kept: BoolArray) -> BinSums:
        """Return the bins of ``sums`` from the ``kept`` (Q, S) cells alone."""
        cells = sums.cells
        assert cells is not None
        signal, exposure, pixels = (
            np.where(kept, part, 0.0).sum(axis=1) for part in (cells.signal, cells.exposure, cells.pixels)
        )
        share = exposure / np.where(sums.exposure > 0, sums.exposure, 1.0)
        values = signal + (sums.values - sums.signal) * share
        intensity = signal / np.where(exposure > 0, exposure, 1.0)
        variance = sums.variance * sums.pixels / np.maximum(pixels, 1.0)
        rest = replace(
            sums,
            signal=signal,
            intensity=intensity,
            variance=variance,
            exposure=exposure,
            values=values,
            pixels=pixels,
            cells=None,
        )
        return rest if sums.gain is None else self.apply_gain(rest, sums.gain)


def _find_arc(integrator: Any, shape: tuple[int, ...], low: float, high: float) -> BoolArray:
    """Return (H, W) True where a pixel's azimuth lies from ``low`` to ``high``, in degrees of any turn of the circle.

    As pyFAI has it, an arc whose end is below its beginning goes on to the next turn.
    """
    chi = integrator.array_from_unit(shape, "center", "chi_deg", scale=True)
    return np.asarray((chi - low) % 360.0 <= (high - low if high >= low else high - low + 360.0))

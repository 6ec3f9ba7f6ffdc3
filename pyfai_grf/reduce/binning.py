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
from pyfai_grf.reduce.sectors import Cells, Sectors

#: No splitting: each photon falls into one bin, so that bins stay independent and their counts are Poisson counts.
#: Measured on 1 Mpixel, two cores: csc 5.5 ms, histogram 6.5 ms (sums in single precision), csr 8.5-12 ms.
_METHOD = ("no", "csc", "cython")


@dataclass(frozen=True)
class Bins:
    """A q grid: bin centres lie at ``origin_nm1 + k * step_nm1`` for all integers k that the detector reaches."""

    origin_nm1: float
    step_nm1: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.origin_nm1) and np.isfinite(self.step_nm1) and self.step_nm1 > 0):
            raise InputError(f"q bins need a positive step, found {self.step_nm1} from {self.origin_nm1} per nm")


@dataclass(frozen=True)
class BinSums:
    """What one frame (or the sum of several) puts into the (Q,) bins.

    ``signal`` are the values less the dark, ``exposure`` the sum of normalisations, ``intensity`` their ratio,
    ``variance`` its variance, ``values`` the sums with the dark, ``pixels`` the number of pixels. Empty bins hold
    zeros. ``gain`` are the values per photon, None where the values are no counts; ``frames`` is the number of frames,
    ``cells`` the same sums by sector, None where only a part of the circle is integrated.
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
        self.bins = bins or self._choose_bins()
        self.q_nm1, self._range = self._lay_out_bins()
        # pyFAI rounds towards zero: without this, pixels up to a step below the range would go into its first bin
        self.mask = mask | (self.q_pixels < self._range[0]) | (self.q_pixels >= self._range[1])
        self._usable = ~self.mask
        self.masked_fraction = float(self.mask.mean())
        self._options: dict[str, Any] = {
            "radial_range": self._range,
            "azimuth_range": geometry.azimuth_range,
            "mask": np.ascontiguousarray(self.mask, np.int8),
            "polarization_factor": geometry.polarization and PolarizationDescription(*geometry.polarization),
            "correctSolidAngle": geometry.has_solid_angle,
            "normalization_factor": geometry.normalization_factor,
            "method": _METHOD,
            "unit": "q_nm^-1",
            "dummy": np.nan,  # keeps pyFAI from taking negative values of a float frame for the detector's markers
        }
        self._dark_values, self._dark_exposure = self._sum_dark()
        self._sectors: Sectors | None = None
        if geometry.azimuth_range is None:
            in_bins = (self.q_pixels - self._range[0]) / self.bins.step_nm1
            self._sectors = Sectors(geometry, self.mask, in_bins, self.q_nm1.size)

    def _measure_pixel_step(self) -> float:
        """Return the typical width of a pixel in q, in 1/nm."""
        if min(self.q_pixels.shape) < 2:
            return float(np.ptp(self.q_pixels)) / self.q_pixels.size
        across = np.diff(self.q_pixels, axis=0)[::7, :-1:7]
        along = np.diff(self.q_pixels, axis=1)[:-1:7, ::7]
        return float(np.median(np.hypot(across, along)))

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

    def _integrate(self, data: NDArray[Any], **extra: Any) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):  # empty bins
            return self._geometry.integrator.integrate1d_ng(data, len(self.q_nm1), **self._options, **extra)

    def _sum_dark(self) -> tuple[FloatArray, FloatArray]:
        if self._geometry.dark is None:
            return np.zeros(len(self.q_nm1)), np.ones(len(self.q_nm1))
        result = self._integrate(np.maximum(self._geometry.dark, 0.0), flat=self._geometry.flat)
        return result.sum_signal, result.sum_normalization

    def sum_frame(self, data: NDArray[Any], bad: BoolArray, frames: int = 1, gain: float | None = 1.0) -> BinSums:
        """Return the bins of (H, W) ``data``, the sum of ``frames`` frames, without the pixels that are ``bad``.

        ``gain`` are the values per photon; without one the variance is taken from the scatter of the values.
        """
        values = data.astype(np.float32, order="C")
        # a mask by index: most bad pixels are in the gaps that the mask covers already
        left_out = np.flatnonzero(bad & self._usable)
        values.reshape(-1)[left_out] = 0.0
        cells = None if self._sectors is None else self._sectors.sum_frame(values, left_out, frames)
        values.reshape(-1)[left_out] = np.nan
        dark = self._geometry.dark
        options = {"dark": dark if dark is None or frames == 1 else dark * frames, "flat": self._geometry.flat}
        result = self._integrate(values, **options, **({"error_model": "azimuthal"} if gain is None else {}))
        pixels = np.asarray(result.count, np.float64)
        base = np.asarray(result.sum_normalization, np.float64)
        exposure = base * frames
        signal = np.asarray(result.sum_signal, np.float64)
        # as much of the dark as there are pixels left in the bin
        dark_values = self._dark_values * frames * base / np.where(self._dark_exposure > 0, self._dark_exposure, 1.0)
        total = signal + dark_values
        total[np.abs(total) < 1e-5 * dark_values] = 0.0  # zero but for the rounding of the subtraction
        intensity = signal / np.where(exposure > 0, exposure, 1.0)
        if gain is None:
            variance = estimate_scatter(np.asarray(result.sem, np.float64), pixels, self.q_nm1) / frames**2
        else:
            variance = np.zeros_like(signal)
        sums = BinSums(signal, intensity, variance, exposure, total, pixels, gain, frames, cells)
        return sums if gain is None else self.apply_gain(sums, gain)

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

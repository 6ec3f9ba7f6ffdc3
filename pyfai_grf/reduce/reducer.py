"""A detector frame to a curve I(q) with its standard errors."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.frames.frame import Frame, make_frame, sum_frames
from pyfai_grf.frames.images import read_frames
from pyfai_grf.reduce.azimuth import Bands, Ring, lay_out_bands
from pyfai_grf.reduce.beamstop import describe_beamstop, find_beam_pixels
from pyfai_grf.reduce.binning import Binner, Bins, BinSums
from pyfai_grf.reduce.deviation import Deviation, find_deviation
from pyfai_grf.reduce.dummies import mark_dummies
from pyfai_grf.reduce.experiment import Path, ReductionSettings, check_shapes, complete_geometry, iterate_frames
from pyfai_grf.reduce.geometry import Geometry
from pyfai_grf.reduce.photons import sum_photons

__all__ = ["Bins", "Frame", "Reducer", "ReductionSettings", "reduce_frame"]


def reduce_frame(
    frame: Any,
    poni: Any,
    mask: Path | NDArray[Any] | None = None,
    background: Any = None,
    *,
    dark: Any = None,
    flat: Any = None,
    background_scale: float = 1.0,
    bins: Bins | None = None,
    gain: float | None = None,
) -> Curve:
    """Return the azimuthal average of one frame: q in 1/nm, intensity per normalised pixel, standard error.

    Pixels are not split between bins, intensities are divided by solid angle (and by polarization where the
    configuration gives a factor), the background is subtracted after normalisation. ``sigma`` follows from the counts
    of the bin and its neighbours; see ``pyfai_grf.reduce.counting``. The curve's ``alternative`` leaves out the sectors
    of the detector that differ from the others.

    Parameters
    ----------
    frame : path, ndarray or Frame
        A file with one frame (``file.h5::/path`` for HDF5), a (H, W) array, or a frame that was read.
    poni : path, Geometry or AzimuthalIntegrator
        The geometry; this and all that follows is as in ReductionSettings.
    mask : path or ndarray, optional
        (H, W), not zero where masked; joined to the masks of detector and configuration.
    background : path, ndarray, Frame or iterable of Frame, optional
        Frames of the empty cell or the solvent, which are averaged.
    dark : path, paths or ndarray, optional
        Dark frame; it takes the place of the configuration's.
    flat : path, paths or ndarray, optional
        Flat field; it takes the place of the configuration's.
    background_scale : float
        What the background is multiplied by before it is subtracted (transmission, exposure ...).
    bins : Bins, optional
        The q grid; by default about one pixel per bin.
    gain : float, optional
        Values per photon (ADU); by default taken from the scatter of the pixels.

    Returns
    -------
    Curve
        The curve.

    Raises
    ------
    InputError
        If something cannot be read, shapes differ, or no pixel or no count is left.
    """
    settings = ReductionSettings(poni, mask, dark, flat, background, background_scale, bins, gain)
    if isinstance(frame, str | os.PathLike):
        frames = read_frames(frame)
        first = next(frames, None)
        if first is None or next(frames, None) is not None:
            held = "no frame" if first is None else "several frames"
            raise InputError(f"{frame} holds {held}: read_frames gives them one by one, a Reducer averages them")
        frame = first
    return Reducer(settings).reduce(frame if isinstance(frame, Frame) else make_frame(frame))


@dataclass(frozen=True)
class _Background:
    """What is subtracted: the bins, sectors that differ, where it is from, of how many frames, what to warn of."""

    sums: BinSums
    deviation: Deviation | None
    source: str
    frames: int
    notes: tuple[str, ...]


class Reducer:
    """Reduces frame after frame of one experiment; masks, geometry and background are prepared once.

    Raises InputError as ``reduce_frame`` does; shapes are checked at the first frame where the geometry names none.
    """

    def __init__(self, settings: ReductionSettings) -> None:
        self.settings = settings
        self._geometry = complete_geometry(settings)
        self._binner: Binner | None = None
        self._background: _Background | None = None
        self._bands: Bands | None = None
        self._beam: tuple[NDArray[np.intp], ...] | None = None
        if self._geometry.shape is not None:
            self._prepare(self._geometry.shape)

    @property
    def geometry(self) -> Geometry:
        """The geometry with mask, dark and flat as they are used."""
        return self._geometry

    @property
    def q_nm1(self) -> NDArray[np.float64] | None:
        """The (Q,) bin centres in 1/nm, None before the first frame where the geometry names no shape."""
        return None if self._binner is None else self._binner.q_nm1

    def reduce(self, frame: Frame | Iterable[Frame]) -> Curve:
        """Return the curve of one frame, or of several that are summed pixel by pixel (averaged, counts kept)."""
        total, count = self._sum(frame)
        binner = self._get_binner(total)
        exposure = sum_photons(binner, total, count, self.settings.gain)
        sums = exposure.sums
        if not sums.pixels.any():
            raise InputError(f"{total.source}: every pixel of frame {total.index} is masked or marked bad")
        if not sums.values.any():
            raise InputError(f"{total.source}: frame {total.index} holds only zeros: was the shutter open?")
        background = None if self._background is None else self._background.sums
        curve = self._subtract(sums, background, binner)
        deviation = self._compare(sums, binner)
        warnings = [*exposure.warnings, *self._list_warnings(total, binner, curve.intensity)]
        metadata = {
            **total.metadata,
            "source": total.source,
            "frame_index": total.index,
            "n_frames": count,
            "warnings": [*self._geometry.notes, *warnings, *([deviation.text] if deviation else [])],
            "masked_fraction": round(1.0 - float(sums.pixels.sum()) / total.data.size, 6),
            "noise_model": exposure.noise_model,
            "gain": sums.gain,
            "sectors": dict(deviation.facts) if deviation else None,
            **self._describe_reduction(binner),
            "q_min_nm1": float(curve.q_nm1[0]),
            "q_max_nm1": float(curve.q_nm1[-1]),
        }
        alternative = self._read_again(sums, deviation, binner)
        if alternative is not None:
            seen = deviation.text if deviation else "the sectors of the background differ"
            alternative = replace(alternative, metadata={**metadata, "azimuth": seen})
        return replace(curve, metadata=metadata, alternative=alternative)

    def _compare(self, sums: BinSums, binner: Binner) -> Deviation | None:
        """Return where the sectors of a frame do not agree."""
        if sums.cells is None or self._bands is None:
            return None
        cells, ring = sums.cells, Ring(binner.q_nm1, sums.intensity, sums.variance)
        if self._geometry.q_range_nm1 is not None:
            low, high = self._geometry.q_range_nm1
            inside = ((ring.q_nm1 >= low) & (ring.q_nm1 <= high))[:, np.newaxis]
            cells = replace(cells, **{name: getattr(cells, name) * inside for name in ("signal", "exposure", "pixels")})
        return find_deviation(cells, ring, self._bands)

    def _read_again(self, sums: BinSums, deviation: Deviation | None, binner: Binner) -> Curve | None:
        """Return the curve without the sectors that deviate in the frame or in the background, None if none do."""
        found = [part for part in (deviation, self._background and self._background.deviation) if part]
        if not found:
            return None
        kept = np.logical_and.reduce([part.kept for part in found])
        background = None if self._background is None else binner.keep_cells(self._background.sums, kept)
        try:
            return self._subtract(binner.keep_cells(sums, kept), background, binner)
        except InputError:  # nothing is left of it
            return None

    def _sum(self, frames: Frame | Iterable[Frame]) -> tuple[Frame, int]:
        """Return one frame, or the sum of several and their number; dummies are found before they are added up."""
        if isinstance(frames, Frame):
            return mark_dummies(frames, self._geometry), 1
        return sum_frames(mark_dummies(frame, self._geometry) for frame in frames)

    def _get_binner(self, frame: Frame) -> Binner:
        if self._binner is None:
            self._prepare(frame.data.shape)
        assert self._binner is not None
        if frame.data.shape != self._binner.mask.shape:
            raise InputError(
                f"{frame.source} has shape {frame.data.shape}, the detector of {self._geometry.source} has "
                f"{self._binner.mask.shape}: give the geometry that belongs to these frames"
            )
        return self._binner

    def _prepare(self, shape: tuple[int, ...]) -> None:
        check_shapes(self._geometry, shape)
        mask = np.zeros(shape, bool) if self._geometry.mask is None else self._geometry.mask
        binner = Binner(self._geometry, mask, self.settings.bins)
        # polarization that is not corrected: half of it to either side of the mean
        sine = np.clip(binner.q_nm1 * self._geometry.integrator.wavelength * 1e9 / (4 * np.pi), 0.0, 1.0)
        is_left_in = self._geometry.polarization is None
        tolerance = 0.5 * np.sin(2.0 * np.arcsin(sine)) ** 2 if is_left_in else np.zeros(sine.size)
        self._bands = lay_out_bands(binner.q_nm1, tolerance, binner.bins.step_nm1 / binner.pixel_step_nm1)
        if self.settings.background is not None:
            self._background = self._read_background(shape, binner)
        if not self._geometry.has_user_mask:
            self._beam = find_beam_pixels(binner.q_pixels, binner.pixel_step_nm1)
        self._binner = binner

    def _read_background(self, shape: tuple[int, ...], binner: Binner) -> _Background:
        total, count = self._sum(iterate_frames(self.settings.background))
        if total.data.shape != shape:
            raise InputError(f"the background has shape {total.data.shape}, the frames {shape}: give one that fits")
        exposure = sum_photons(binner, total, count, self.settings.gain)
        if not exposure.sums.pixels.any():
            raise InputError(f"the background {total.source} has no usable pixel")
        deviation = self._compare(exposure.sums, binner)
        notes = (*exposure.warnings, *([deviation.text] if deviation else []))
        return _Background(exposure.sums, deviation, total.source, count, notes)

    def _subtract(self, sums: BinSums, background: BinSums | None, binner: Binner) -> Curve:
        """Return the curve of ``sums`` less the background, without the bins that hold no pixel."""
        intensity, variance, used = sums.intensity, sums.variance, sums.exposure > 0
        if background is not None:
            scale = self.settings.background_scale
            intensity = intensity - scale * background.intensity
            variance = variance + scale**2 * background.variance
            used &= background.exposure > 0
        if self._geometry.q_range_nm1 is not None:
            low, high = self._geometry.q_range_nm1
            used &= (binner.q_nm1 >= low) & (binner.q_nm1 <= high)
        if used.sum() < 2:
            raise InputError(f"{int(used.sum())} points are left: check the mask, the ranges and the background")
        counts = None if sums.gain is None else float(sums.signal[used].sum()) / sums.gain
        return Curve(binner.q_nm1[used], intensity[used], np.sqrt(variance[used]), sums.exposure[used], counts)

    def _list_warnings(self, frame: Frame, binner: Binner, intensity: NDArray[np.float64]) -> list[str]:
        texts = [describe_beamstop(self._beam, binner.masked, frame.bad, intensity)]
        if self._geometry.has_user_mask and binner.masked_fraction > 0.9:
            texts.append(f"the mask covers {binner.masked_fraction:.0%} of the detector: pyFAI masks what is not zero")
        wavelength = self._geometry.integrator.wavelength * 1e9
        found = frame.metadata.get("wavelength_nm")
        if found and abs(found / wavelength - 1) > 0.01:
            texts.append(f"the frame was taken at {found:.5g} nm, the geometry is for {wavelength:.5g} nm: q is wrong")
        if self._background is not None:
            texts += [f"background: {text}" for text in self._background.notes]
        return [text for text in texts if text]

    def _describe_reduction(self, binner: Binner) -> dict[str, Any]:
        geometry, polarization = self._geometry, self._geometry.polarization
        background = self._background
        return {
            "geometry": geometry.source,
            "q_step_nm1": binner.bins.step_nm1,
            "polarization_factor": None if polarization is None else polarization[0],
            "solid_angle_correction": geometry.has_solid_angle,
            "background": None if background is None else background.source,
            "background_frames": 0 if background is None else background.frames,
            "background_scale": None if background is None else self.settings.background_scale,
        }

"""The way back: from a scattering curve to the frames that a detector would record of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.atomic import replace_file
from pyfai_grf.core.errors import InputError

#: 12.4 keV at 3.1 m: with the beam a quarter of the way across a Pilatus 1M, the mask of the beamstop ends below
#: 0.04 per nm and the far corners lie above 3.05 per nm
_DETECTOR, _DISTANCE_M, _WAVELENGTH_M = "Pilatus1M", 3.1, 1e-10
_BEAM_PIXELS = (521.3, 250.6)
#: a disc on an arm; the mask is drawn two pixels wider, as one does by hand, for the edge casts a soft shadow
_STOP_RADIUS_M, _ARM_HALF_WIDTH_M, _STOP_PASSES, _MASK_MARGIN_PIXELS = 1.5e-3, 0.6e-3, 1e-3, 2.0
#: what a Pilatus writes into pixels without a measurement, and the counts at which it stops
_GAP, _DEAD, _CUTOFF = -1, -2, 1048500
_DEAD_COUNT, _HOT_COUNT = 25, 12


@dataclass(frozen=True)
class Instrument:
    """A detector with its beamstop and its faults.

    Attributes
    ----------
    integrator : pyFAI.integrator.azimuthal.AzimuthalIntegrator, with a wavelength.
    passes : (H, W) part of the scattering that the beamstop lets through, 1 beside it.
    beamstop : (H, W) True where one would mask it.
    gaps, dead : (H, W) True where the detector itself marks what is no measurement: between modules, broken pixels.
    hot : (H, W) True where a pixel counts what is not there; the frames do not tell, only a mask does.
    """

    integrator: Any
    passes: FloatArray
    beamstop: BoolArray
    gaps: BoolArray
    dead: BoolArray
    hot: BoolArray

    @property
    def mask(self) -> BoolArray:
        """(H, W) True where masked: the beamstop, and the hot pixels that the detector's pixel mask knows."""
        return self.beamstop | self.hot

    @property
    def usable(self) -> BoolArray:
        """(H, W) True where a pixel measures the scattering."""
        return ~(self.mask | self.gaps | self.dead)


def make_exposure_geometry() -> Any:
    """Return a pyFAI integrator for a Pilatus 1M at 3.1 m and 0.1 nm: 0.04 to 3.1 per nm, the beam off centre."""
    from pyFAI.detectors import detector_factory
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    detector = detector_factory(_DETECTOR)
    poni1, poni2 = _BEAM_PIXELS[0] * detector.pixel1, _BEAM_PIXELS[1] * detector.pixel2
    return AzimuthalIntegrator(dist=_DISTANCE_M, poni1=poni1, poni2=poni2, detector=detector, wavelength=_WAVELENGTH_M)


def make_instrument(integrator: Any, seed: int = 1) -> Instrument:
    """Return ``integrator``'s detector, upright in the beam, with a beamstop and ``seed``'s dead and hot pixels.

    Raises
    ------
    InputError
        If the integrator names no detector shape, or no wavelength.
    """
    shape = integrator.detector.max_shape
    if shape is None or not integrator.wavelength:
        raise InputError("an exposure needs a detector of known shape and a wavelength: name both in the geometry")
    distance = _measure_beamstop_distance(integrator, shape)
    passes = np.clip(distance + 0.5, _STOP_PASSES, 1.0)
    beamstop = distance < _MASK_MARGIN_PIXELS
    gaps = integrator.detector.calc_mask()
    gaps = np.zeros(shape, bool) if gaps is None else np.asarray(gaps) != 0
    rng = np.random.default_rng([seed, 1])
    faulty = rng.choice(np.flatnonzero(~(gaps | beamstop)), _DEAD_COUNT + _HOT_COUNT, replace=False)
    dead, hot = np.zeros(shape, bool), np.zeros(shape, bool)
    dead.flat[faulty[:_DEAD_COUNT]] = True
    hot.flat[faulty[_DEAD_COUNT:]] = True
    return Instrument(integrator, passes, beamstop, gaps, dead, hot)


def _measure_beamstop_distance(integrator: Any, shape: tuple[int, int]) -> FloatArray:
    """Return how many pixels (H, W) each pixel's centre lies outside the beamstop, negative inside."""
    pixel1, pixel2 = integrator.detector.pixel1, integrator.detector.pixel2
    down = (np.arange(shape[0]) + 0.5)[:, np.newaxis] * pixel1 - integrator.poni1
    across = (np.arange(shape[1]) + 0.5)[np.newaxis, :] * pixel2 - integrator.poni2
    disc = np.hypot(down, across) - _STOP_RADIUS_M
    arm = np.maximum(np.abs(down) - _ARM_HALF_WIDTH_M, across)  # it comes in from the first column
    return np.asarray(np.minimum(disc, arm) / pixel2)


def measure_corner(integrator: Any) -> float:
    """Return the largest q in 1/nm at the centre of a pixel of ``integrator``'s detector."""
    return float(integrator.array_from_unit(integrator.detector.max_shape, "center", "q_nm^-1", scale=True).max())


def project_curve(instrument: Instrument, q_nm1: FloatArray, intensity: FloatArray, counts: float) -> FloatArray:
    """Return the (H, W) expected photons of one frame that collects ``counts`` of them in its usable pixels.

    The curve I (Q,) at ``q_nm1`` (Q,), increasing, in 1/nm, is interpolated to the centre of each pixel and weighted by
    the pixel's solid angle, by pyFAI (``calcfrom1d``); the beamstop's shadow is laid over it. Polarization is left
    out, as in a reduction by a ``.poni`` file. Take ``q_nm1`` finer than a pixel: the interpolation is linear.

    Raises
    ------
    InputError
        If the curve does not cover the detector or is no intensity, or ``counts`` is not positive.
    """
    q, intensity = np.asarray(q_nm1, np.float64), np.asarray(intensity, np.float64)
    if q.ndim != 1 or q.size < 2 or q.shape != intensity.shape or not np.all(np.diff(q) > 0):
        raise InputError(f"a curve is I over increasing q, found shapes {q.shape} and {intensity.shape}")
    if not (np.all(np.isfinite(intensity)) and np.all(intensity >= 0) and intensity.any()):
        raise InputError("an intensity is negative, not finite, or all are zero: no detector counts that")
    if not 0 < counts < 1e15:
        raise InputError(f"counts is {counts:g}: a frame needs a positive number of photons")
    shape = instrument.passes.shape
    corner = measure_corner(instrument.integrator)
    if q[0] > 0 or q[-1] < corner:
        raise InputError(
            f"the curve covers {q[0]:.3g} to {q[-1]:.3g} per nm, the detector 0 to {corner:.3g}: extend it"
        )
    image = instrument.integrator.calcfrom1d(q, intensity, shape=shape, dim1_unit="q_nm^-1", correctSolidAngle=True)
    image = image * instrument.passes
    return np.asarray(image * (counts / image[instrument.usable].sum()), np.float64)


def expose(instrument: Instrument, expected: FloatArray, frames: int, seed: int = 1) -> Iterator[NDArray[np.int32]]:
    """Yield ``frames`` frames (H, W) as the detector writes them: Poisson counts, -1 in gaps, -2 in dead pixels.

    ``expected`` (H, W) are the photons to expect. Hot pixels add hundreds to thousands of counts, the same in every
    frame but for their own noise. Frame k depends on ``seed`` and k only.
    """
    hot_rate = 10 ** np.random.default_rng([seed, 2]).uniform(2.5, 4.5, int(instrument.hot.sum()))
    for number in range(frames):
        rng = np.random.default_rng([seed, 3, number])
        counts = rng.poisson(expected)
        counts[instrument.hot] += rng.poisson(hot_rate)
        frame = np.minimum(counts, _CUTOFF).astype(np.int32)
        frame[instrument.dead] = _DEAD
        frame[instrument.gaps] = _GAP
        yield frame


def write_frame(path: Path, frame: NDArray[np.int32], instrument: Instrument, exposure_time_s: float = 1.0) -> None:
    """Write (H, W) counts as CBF with the text header of a Pilatus, which says that they are simulated.

    Raises
    ------
    InputError
        If the file cannot be written; so do the other writers.
    """
    from fabio.cbfimage import CbfImage

    integrator = instrument.integrator
    row, column = integrator.poni1 / integrator.detector.pixel1, integrator.poni2 / integrator.detector.pixel2
    lines = (
        f"Detector: {integrator.detector.name}, simulated by pyfai-grf",
        f"Pixel_size {integrator.detector.pixel2:g} m x {integrator.detector.pixel1:g} m",
        f"Exposure_time {exposure_time_s:g} s",
        f"Count_cutoff {_CUTOFF} counts",
        f"Wavelength {integrator.wavelength * 1e10:.6g} A",
        f"Detector_distance {integrator.dist:.6g} m",
        f"Beam_xy ({column:.2f}, {row:.2f}) pixels",
    )
    header = {
        "_array_data.header_convention": '"PILATUS_1.2"',
        "_array_data.header_contents": "\r\n".join(f"# {line}" for line in lines),
    }
    with replace_file(path) as draft:
        CbfImage(data=frame, header=header).write(str(draft))


def write_mask(path: Path, mask: BoolArray) -> None:
    """Write a (H, W) mask as EDF, 1 where masked: pyFAI's convention."""
    from fabio.edfimage import EdfImage

    with replace_file(path) as draft:
        EdfImage(data=mask.astype(np.uint8)).write(str(draft))


def write_geometry(path: Path, integrator: Any) -> None:
    """Write a ``.poni`` file; what was in the file before is replaced (``integrator.save`` would append)."""
    from pyFAI.io.ponifile import PoniFile

    with replace_file(path) as draft, draft.open("w", encoding="utf-8") as file:
        PoniFile(integrator).write(file)

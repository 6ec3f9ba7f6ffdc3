"""What a model reads from a curve: Porod-normalised, binned, logarithmic intensities and one number for the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Points
from pyfai_grf.features.invariant import compute_invariant
from pyfai_grf.features.scatter import MAD_TO_SIGMA
from pyfai_grf.features.significance import SIGNIFICANCE, merge_nonpositive

#: how the noise of a curve is told, and the features that tell it: its own scatter, or its counts sum (I / sigma)^2,
#: once over the whole grid and once over the last third, where a subtracted background shows
NOISE_FEATURES = {"scatter": ("scatter",), "counts": ("counts", "counts in the last third")}

#: decades from all photons of a training curve to those in its last third, as a rule; more is noise in the tail
_USUAL_FALL = 3.4
#: parts of the first two thirds that each tell how many photons there are
_GROUPS = 10
#: an intensity that is negative by this many standard errors is not noise
OVERSUBTRACTED = 3.0


@dataclass(frozen=True)
class FeatureSpec:
    """The feature specification: saved with a model, and the only way from a curve to its inputs.

    ``q_nm1`` (M,) is the model grid; ``starts`` (B,) the first grid point of each bin; ``noise`` a key of
    NOISE_FEATURES.
    """

    q_nm1: FloatArray
    starts: tuple[int, ...]
    noise: str

    @property
    def q_bins_nm1(self) -> FloatArray:
        """Mean q of each bin (B,), in 1/nm, weighted like the intensities."""
        return bin_curves(self, self.q_nm1[np.newaxis])[0]

    @property
    def names(self) -> list[str]:
        """What each feature is, in words, (F,)."""
        bins = [f"intensity near q = {q:.3g} 1/nm" for q in self.q_bins_nm1]
        return [*bins, *(f"noise ({name})" for name in NOISE_FEATURES[self.noise])]

    @property
    def noise_count(self) -> int:
        """How many of the features, the last ones, tell the noise."""
        return len(NOISE_FEATURES[self.noise])

    def to_json(self) -> dict[str, Any]:
        """Return what ``model.json`` stores; the grid stands in full so that no rounding can shift it."""
        return {
            "q_nm1": self.q_nm1.tolist(),
            "bin_starts": list(self.starts),
            "bin_weight": "q",
            "normalisation": "4 pi sum I q^2 dq (Röding et al. 2022, Eq. 12)",
            "transform": "ln",
            "noise": self.noise,
        }

    @classmethod
    def from_json(cls, text: dict[str, Any]) -> FeatureSpec:
        """Return the specification that ``to_json`` wrote."""
        return cls(np.array(text["q_nm1"], dtype=np.float64), tuple(text["bin_starts"]), str(text["noise"]))


@dataclass(frozen=True)
class Features:
    """What a model reads from N curves.

    ``values`` (N, F): ln of the B binned, normalised intensities, then the noise. ``merged`` (N,): part of the bins
    that had to be merged to be significant. ``errors`` (N, B): relative standard errors of the bins, 0 if unknown.
    ``negative_from`` (N,): the q in 1/nm from which on the intensity is negative by more than three standard errors,
    NaN where it is not: more background was subtracted than there is.
    """

    values: FloatArray
    merged: FloatArray
    errors: FloatArray
    negative_from: FloatArray


def make_spec(q_nm1: FloatArray, noise: str, bins: int = 60) -> FeatureSpec:
    """Return a specification with about ``bins`` bins of equal width in ln q, one grid point each at least.

    Raises
    ------
    InputError
        If the grid is not equidistant (Eq. 12 takes one step), or too short.
    """
    q = np.asarray(q_nm1, dtype=np.float64)
    if q.ndim != 1 or q.size < 20 or q[0] <= 0 or not np.allclose(np.diff(q), q[1] - q[0], rtol=1e-6):
        raise InputError(f"a model grid is 20 or more equidistant q above 0 in 1/nm, found shape {q.shape}")
    starts = np.unique(np.searchsorted(q, np.geomspace(q[0], q[-1], bins + 1)[:-1]))
    return FeatureSpec(q, tuple(int(s) for s in starts), noise)


def compute_features(spec: FeatureSpec, intensity: FloatArray, sigma: FloatArray | None = None) -> Features:
    """Return the features of curves (N, M) on the grid of ``spec``; ``sigma`` alike (needed for noise "counts").

    Raises
    ------
    InputError
        If the shape does not match, a value is not finite, the invariant is not positive, or sigma is needed and
        missing.
    """
    intensity = np.atleast_2d(np.asarray(intensity, dtype=np.float64))
    if intensity.shape[-1] != spec.q_nm1.size:
        raise InputError(f"curves of {intensity.shape[-1]} points given, the model reads {spec.q_nm1.size}: resample")
    if not np.isfinite(intensity).all():
        raise InputError("an intensity is not finite: drop such points, the gap is bridged when resampling")
    invariant = compute_invariant(spec.q_nm1, intensity)
    if not np.all(invariant > 0):
        raise InputError("the invariant of a curve is not positive: more background was subtracted than there is")
    binned = bin_curves(spec, intensity / invariant[:, np.newaxis])
    merged, errors, negative_from = np.zeros(len(intensity)), np.zeros_like(binned), np.full(len(intensity), np.nan)
    if sigma is not None:
        sigma = np.atleast_2d(np.asarray(sigma, dtype=np.float64))
        errors = bin_curves(spec, sigma / invariant[:, np.newaxis], is_error=True)
        negative_from = _find_negative(spec, binned, errors)
        _merge_bins(spec, binned, errors, merged)
    if not np.all(binned > 0):
        _merge_bins(spec, binned, errors, merged, significance=0.0)
    noise = _measure_counts(spec, intensity, sigma) if spec.noise == "counts" else _measure_scatter(intensity)
    positive = np.maximum(binned, np.finfo(float).tiny)
    return Features(np.column_stack((np.log(positive), noise)), merged, errors / positive, negative_from)


def bin_curves(spec: FeatureSpec, values: FloatArray, is_error: bool = False) -> FloatArray:
    """Return means over the bins of ``values`` (N, M), (N, B), weighted by q, as the pixels of a flat detector are.

    Of errors (``is_error``) in quadrature.
    """
    weights = np.add.reduceat(spec.q_nm1, spec.starts)
    if is_error:
        return np.asarray(np.sqrt(np.add.reduceat((values * spec.q_nm1) ** 2, spec.starts, axis=1)) / weights)
    return np.asarray(np.add.reduceat(values * spec.q_nm1, spec.starts, axis=1) / weights)


def _merge_bins(
    spec: FeatureSpec, binned: FloatArray, errors: FloatArray, merged: FloatArray, significance: float = SIGNIFICANCE
) -> None:
    """Merge, in place, bins that are not significantly positive with their neighbours; count them in ``merged``."""
    q, weight = spec.q_bins_nm1, np.add.reduceat(spec.q_nm1, spec.starts)
    for row in np.flatnonzero(np.any(binned <= significance * errors, axis=1)):
        curve, fraction = merge_nonpositive(Points(q, binned[row], errors[row], weight), significance)
        binned[row], errors[row] = curve.intensity, curve.sigma
        merged[row] = max(merged[row], fraction)


def _find_negative(spec: FeatureSpec, binned: FloatArray, errors: FloatArray) -> FloatArray:
    """Return (N,) the q from which on the sum of all bins (N, B) to the end is most negative, NaN where it is not."""
    weight = np.add.reduceat(spec.q_nm1, spec.starts)
    signal = np.cumsum((binned * weight)[:, ::-1], axis=1)[:, ::-1]
    error = np.sqrt(np.cumsum(((errors * weight) ** 2)[:, ::-1], axis=1))[:, ::-1]
    ratio = signal / np.where(error > 0, error, np.inf)
    lowest = np.argmin(ratio, axis=1)
    is_negative = ratio[np.arange(len(ratio)), lowest] < -OVERSUBTRACTED
    return np.where(is_negative, spec.q_bins_nm1[lowest], np.nan)


def _measure_counts(spec: FeatureSpec, intensity: FloatArray, sigma: FloatArray | None) -> FloatArray:
    """Return log10 of sum (I / sigma)^2 over the grid and over its last third, (N, 2): for counting noise photons.

    Where the last third holds far more of them than photons would, by the intensity (constant relative errors, as of
    desmeared or merged curves), the noise is told as that of the frame whose every point is no better known: models are
    trained on counts, and have nothing to say of a noise that they never met.
    """
    if sigma is None:
        raise InputError("this model reads the counting noise: give sigma, or let the model estimate it")
    if not np.all((sigma > 0) & np.isfinite(sigma)):
        raise InputError("sigma must be finite and above 0 everywhere: leave it out where it is not known")
    photons = (intensity / sigma) ** 2
    last = slice(-(photons.shape[1] // 3), None)
    # no more than one photon in the last third is no photon
    counts = np.log10(np.column_stack((photons.sum(axis=1), np.maximum(photons[:, last].sum(axis=1), 1.0))))
    falls = _expect_falls(intensity * spec.q_nm1, last)
    for row in np.flatnonzero(counts[:, 0] - counts[:, 1] < falls / 2):
        total = min(counts[row, 0], _find_frame(spec, intensity[row], sigma[row]))
        counts[row] = total, min(counts[row, 1], max(total - _USUAL_FALL, 0.0))
    return counts


def _expect_falls(rates: FloatArray, last: slice) -> FloatArray:
    """Return (N,) the decades from all photons to those in the ``last`` part, by the ``rates`` (N, M) of the points."""
    whole = rates.sum(axis=1)
    part = np.maximum(rates[:, last].sum(axis=1), whole * 10**-_USUAL_FALL)
    return np.log10(whole / part)


def _find_frame(spec: FeatureSpec, intensity: FloatArray, sigma: FloatArray) -> float:
    """Return log10 of the photons of a frame that knows no point (M,) of the first two thirds better than ``sigma``."""
    q = spec.q_nm1
    rate = intensity / sigma**2 * (intensity @ q) / q  # photons of the frame, by each point: constant for counts
    groups = np.array_split(rate[: 2 * q.size // 3], min(_GROUPS, q.size // 6))
    return float(np.log10(max(min(float(np.median(group)) for group in groups), 1.0)))


def _measure_scatter(intensity: FloatArray) -> FloatArray:
    """Return log10 of the relative scatter about a local parabola, (N,), from third differences of ln I.

    Their variance is 20 times that of independent noise; the last third of the grid, where the noise is largest.
    """
    part = np.log(np.maximum(intensity[:, -(intensity.shape[1] // 3) :], np.finfo(float).tiny))
    scatter = MAD_TO_SIGMA * np.median(np.abs(np.diff(part, n=3, axis=1)), axis=1) / np.sqrt(20)
    return np.asarray(np.log10(np.maximum(scatter, 1e-5)))

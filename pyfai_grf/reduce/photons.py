"""From the values of a frame to the photons behind them: what the error of a bin is taken from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyfai_grf.frames.frame import Frame
from pyfai_grf.frames.markers import is_counted
from pyfai_grf.reduce.azimuth import Ring, expect_cells
from pyfai_grf.reduce.binning import Binner, BinSums
from pyfai_grf.reduce.gain import COUNTS, Scatter, measure_arc_scatter, measure_scatter

_COUNTS = "counts"
_ASSUMED = "assumed counts (the frame holds floating-point values)"
#: a variance that is off by that factor is a sigma off by 2.5: as of a curve's own errors, it is not believed then
_CONTRADICTED = 6.25
_SCATTER = "scatter of the pixels within a bin ({}, so these are no counts)"


@dataclass(frozen=True)
class Exposure:
    """The bins of a frame (or of the sum of several), what their variance comes from, and what to warn of."""

    sums: BinSums
    noise_model: str
    warnings: tuple[str, ...] = ()


def sum_photons(binner: Binner, frame: Frame, count: int, gain: float | None) -> Exposure:
    """Return the bins of ``frame``, the sum of ``count``; ``gain`` are the values per photon if somebody said it.

    Else whole numbers are taken for counts, unless they scatter like something else: by a constant times their mean,
    they are counts times a gain; not in proportion to it, the scatter within a bin tells the error.
    """
    data, bad = frame.data, frame.bad
    if data.dtype.kind == "f":
        found = _find_no_counts(frame, binner, gain)
        if found:
            warning = f"{found}: sigma is taken from the scatter of the pixels within a bin, not from counts"
            return Exposure(binner.sum_frame(data, bad, count, None), _SCATTER.format(found), (warning,))
    sums = binner.sum_frame(data, bad, count)
    scatter = measure_scatter(data, bad, binner.mask)
    if scatter is not None and scatter.is_none_of_counts:
        seen = _scale(binner, frame, sums, scatter)
    else:
        seen = Exposure(sums, _ASSUMED if data.dtype.kind == "f" else _COUNTS)
    if gain is None:
        return seen
    own = seen.sums.gain
    if scatter is None or own is None or max(own / gain, gain / own) < _CONTRADICTED:
        return Exposure(binner.apply_gain(seen.sums, gain), f"counts of {gain:g} each, as given")
    warning = (
        f"the gain given is {gain:g}, but the pixels scatter as counts of {own:.3g} each do: it is not believed, "
        "sigma is taken from their scatter"
    )
    return replace(seen, warnings=(warning,))


def _find_no_counts(frame: Frame, binner: Binner, gain: float | None) -> str:
    """Return why the floats of a frame are not counts, "" where they can be, or are said to be times ``gain``."""
    values = frame.data[~(frame.bad | binner.mask)]
    if values.size and values.min() < 0:
        return "the frame holds negative values"
    return "" if gain is not None or is_counted(values) else "the frame holds values that are not whole numbers"


def _scale(binner: Binner, frame: Frame, sums: BinSums, scatter: Scatter) -> Exposure:
    """Return the bins of a frame that are not counts as they are: counts times a gain, or none at all."""
    # on the pedestal that a dark takes off, scatter in proportion to the signal is in none to the values
    are_spread = scatter.is_shared and not binner.has_dark
    if are_spread or ((scatter.is_shared or scatter.is_narrow) and scatter.is_steady):
        # neighbours may share photons: the scatter of single pixels is then too small, that of arcs is not
        gain = _measure_width(binner, sums) or scatter.gain
        if COUNTS[0] < gain < COUNTS[1]:
            return Exposure(sums, _COUNTS)
    elif scatter.is_wide:
        gain = scatter.gain
    else:
        low, high = min(scatter.ratios), max(scatter.ratios)
        found = f"the pixels scatter by {low:.2g} to {high:.2g} times what counts would, in no proportion to them"
        warning = f"{found}: sigma is taken from the scatter of the pixels within a bin, not from counts"
        again = binner.sum_frame(frame.data, frame.bad, sums.frames, None)
        width = max(_measure_width(binner, again) or 1.0, 1.0)
        return Exposure(replace(again, variance=again.variance * width), _SCATTER.format(found), (warning,))
    warning = (
        f"the scatter of the pixels within a bin is {gain:.3g} times what photon counts would have: taken as a gain of "
        f"{gain:.3g}, unless the gain is given"
    )
    return Exposure(binner.apply_gain(sums, gain), f"counts of {gain:.3g} each, from their scatter", (warning,))


def _measure_width(binner: Binner, sums: BinSums) -> float | None:
    """Return how much wider than their variance the arcs of a frame scatter, None if that cannot be told."""
    if sums.cells is None:
        return None
    expected, _, variance = expect_cells(sums.cells, Ring(binner.q_nm1, sums.intensity, sums.variance))
    return measure_arc_scatter(sums.cells, expected, variance)

"""The records that travel between the rooms: a curve, its usable points, a prediction, a row of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pyfai_grf.core.arrays import BoolArray, FloatArray
from pyfai_grf.core.html_table import format_fit, format_prediction
from pyfai_grf.core.rounding import format_percent, format_value

#: curves of a prediction that are printed
_LINES = 20


@dataclass(frozen=True)
class Curve:
    """One azimuthally averaged scattering curve, as it was reduced or read.

    Attributes
    ----------
    q_nm1 : (Q,) momentum transfer in 1/nm, increasing.
    intensity : (Q,) intensity, any scale.
    sigma : (Q,) standard error of ``intensity``, NaN where unknown; None where it is unknown throughout.
    weight : (Q,) what an average over neighbouring points weights with (for a reduced frame the sum of
        pyFAI's pixel normalisations), or None where unknown.
    counts : number of photons behind the curve, or None where unknown.
    metadata : what a logbook keeps about it (source, frame, geometry, warnings ...), JSON-ready.
    alternative : the same frame without the sectors of the detector that differ from the others, if any do; its
        ``metadata["azimuth"]`` says how. None where they agree, and for curves that come without a frame.
    """

    q_nm1: FloatArray
    intensity: FloatArray
    sigma: FloatArray | None = None
    weight: FloatArray | None = None
    counts: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    alternative: Curve | None = None

    @property
    def source(self) -> str:
        """The file that the curve comes from, as its metadata name it ("" if they do not)."""
        return str(self.metadata.get("source", ""))

    @property
    def frame(self) -> int:
        """Its number within the source."""
        return int(self.metadata.get("frame_index", self.metadata.get("frame", 0)))


@dataclass(frozen=True)
class Points(Curve):
    """A curve of which every point counts: what regressors and model-free numbers read.

    ``features.points.clean_curve`` makes them, once, when a curve comes in: q above 0 and increasing, intensities
    finite, ``sigma`` always known, finite and above 0 (the curve's own, or what the scatter of the points says),
    weights above 0. What was left out or not believed stands in ``metadata["warnings"]``.
    """

    sigma: FloatArray = field()  # required: a plain annotation would keep the default of Curve


#: a difference of the criterion beyond which one spectrum is worse than another: its likelihood is 150 times smaller
NEAR = 10.0


@dataclass(frozen=True)
class Alternative:
    """Another spectrum, fitted to the same points as a fit.

    Attributes
    ----------
    spectrum : its text, with the shape parameter that was found, such as "matern:nu=2.48".
    values, errors : name -> number: "a" as that spectrum defines it, "porosity", "spread" and the shape parameter
        ("spectrum_n", "nu", "width") where they were fitted.
    a_alike : in nm, the a of the fit's own spectrum whose correlation falls to one half over the same distance.
    chi2 : reduced chi-square.
    free : how many parameters were fitted.
    criterion : Akaike's, less that of the fit: below 0 it is better than the fit. Chi-square counts in units of what
        the best of all spectra leaves.
    is_near : whether it describes the curve about as well as the best, within ``NEAR``.
    is_applicable : whether it fits, or within the 1 % that a model may be wrong by.
    """

    spectrum: str
    values: Mapping[str, float]
    errors: Mapping[str, float]
    a_alike: float
    chi2: float
    free: int
    criterion: float
    is_near: bool
    is_applicable: bool

    def __str__(self) -> str:
        """Return its values with their standard errors, and how well it fits."""
        numbers = (f"{name} {value:.4g} +- {self.errors[name]:.2g}" for name, value in self.values.items())
        return f"{self.spectrum}: {', '.join(numbers)}; chi-square {self.chi2:.3g}, criterion {self.criterion:+.3g}"


@dataclass(frozen=True)
class Fit:
    """The expected curve that lies nearest to a measured one: scale x expected intensity + background + upturn.

    Attributes
    ----------
    values, errors, lower, upper : name -> number: value, standard error and 90 % interval of "a" (nm), "porosity", and
        "spectrum_n" and "spread" (standard deviation of ln a) where they were fitted.
    chi2 : reduced chi-square.
    q_nm1, curve, background, upturn : (Q,) the points that were given, the fitted intensity there, its flat background
        and its upturn.
    residual : (Q,) what is left, in standard errors of a point; NaN at points that were not fitted.
    names, covariance : the P parameters as they are fitted, and their (P, P) covariance: "log_a", "u" (threshold
        squared), "inverse_n", "variance" (of ln a), "power" (of the upturn), "scale", "background", "amplitude".
    spectrum : "fitted", or the spectrum that was held.
    model_error : relative, of the curve: what it is wrong by beside noise; 0 where noise explains all that is left.
    runs : standard deviations by which the residuals have fewer changes of sign than noise has.
    noise_scale : how many times more than their errors say the points scatter about the curve, by which errors and
        chi-square were corrected; 1 where they do not, or where that does not make it fit.
    is_applicable, reason : True and "": it fits; True and a reason: within so many per cent, the intervals are wider
        for it; False: it does not, and where.
    alternatives : the other spectra that were tried, best first; none where they were not asked for.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]
    chi2: float
    q_nm1: FloatArray
    curve: FloatArray
    background: FloatArray
    upturn: FloatArray
    residual: FloatArray
    names: tuple[str, ...]
    covariance: FloatArray
    spectrum: str
    model_error: float
    runs: float
    is_applicable: bool
    reason: str
    alternatives: tuple[Alternative, ...] = ()
    noise_scale: float = 1.0

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Name -> (lowest, highest) value over this fit and the alternatives that are near; "a" by ``a_alike``."""
        near = [{**other.values, "a": other.a_alike} for other in self.alternatives if other.is_near]
        found = {name: [value, *(v[name] for v in near if name in v)] for name, value in self.values.items()}
        known = {name: [value for value in values if value == value] for name, values in found.items()}
        return {name: (min(values), max(values)) for name, values in known.items() if values}

    def describe_alternatives(self) -> str:
        """Return what other spectra make of the curve, where that is not in the intervals already; else ""."""
        if not self.alternatives:
            return ""
        manner = "well" if self.is_applicable else "badly"
        better = [other for other in self.alternatives if other.criterion < -NEAR]
        parts = [f"{other.spectrum} fits better (chi-square {other.chi2:.3g})" for other in better[:1]]
        over = "this spectrum and those that fit better" if better else f"spectra that fit about as {manner}"
        wide = [
            f"{name} {low:.3g} to {high:.3g}"
            for name, (low, high) in self.ranges.items()
            if name in ("a", "porosity") and self._is_beyond(name, low, high)
        ]
        return "; ".join([*parts, *([f"{' and '.join(wide)} over {over}"] if wide else [])])

    def _is_beyond(self, name: str, low: float, high: float) -> bool:
        """Return whether ``low`` to ``high`` leaves the interval by more than half of its width."""
        half = (self.upper[name] - self.lower[name]) / 2
        return low < self.lower[name] - half or high > self.upper[name] + half

    @property
    def is_outdone(self) -> bool:
        """Whether another spectrum describes the curve clearly better: the values of this one mean nothing then."""
        return any(other.criterion < -NEAR for other in self.alternatives)

    @property
    def correlations(self) -> FloatArray:
        """The (P, P) correlations of the fitted parameters."""
        size = np.sqrt(np.diag(self.covariance))
        return np.asarray(self.covariance / np.outer(size, size))

    @property
    def worst(self) -> float:
        """The largest residual in standard errors."""
        return float(np.nanmax(np.abs(self.residual)))

    @property
    def verdict(self) -> str:
        """Whether it describes the curve: "fits", "fits within 0.4 %", or why it does not."""
        if not self.is_applicable:
            return self.reason or "does not fit"
        return f"fits within {format_percent(self.model_error)}" if self.model_error > 0 else "fits"

    def _repr_html_(self) -> str:
        """Return the values, and the verdict above them, for a notebook."""
        return format_fit(self)

    def __str__(self) -> str:
        """Return values with their intervals, and the verdict."""
        numbers = (f"{n} {v:.4g} [{self.lower[n]:.4g}, {self.upper[n]:.4g}]" for n, v in self.values.items())
        others = self.describe_alternatives()
        verdict = f"chi-square {self.chi2:.3g}: {self.reason or 'fits'}"
        return "; ".join([", ".join(numbers), verdict, *([others] if others else [])])


@dataclass(frozen=True)
class PredictionRow:
    """What is said of one curve; by parameter name, in the parameter's unit, NaN where nothing is.

    ``lower`` and ``upper`` bound the 90 % interval; ``reason`` is empty where the model applies. ``source`` says whose
    answer it is: "model and fit" (the fit's, and the regressors agree), "fit", "model", "" where there is none.
    ``model`` is what the regressors said by themselves where a fit was made too, ``fit`` that fit.
    """

    values: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]
    is_applicable: bool
    reason: str = ""
    source: str = ""
    model: PredictionRow | None = None
    fit: Fit | None = field(default=None, compare=False)  # arrays have no single truth value

    def __str__(self) -> str:
        """Return values with their intervals and whose they are, or first of all why they are refused."""
        numbers = (
            f"{name} {format_value(value, self.lower[name], self.upper[name])}"
            for name, value in self.values.items()
            if value == value
        )
        said = ", ".join(numbers)
        if self.is_applicable:
            return f"{said} ({self.source})" if self.source else said
        return f"not applicable: {self.reason}" + (f" (refused: {said})" if said else "")

    def drop_curves(self) -> PredictionRow:
        """Return this row without what its fit holds point by point: of a long series that would fill the memory."""
        if self.fit is None:
            return self
        none = np.empty(0)
        return replace(self, fit=replace(self.fit, q_nm1=none, curve=none, background=none, upturn=none, residual=none))

    @classmethod
    def make_empty(cls, names: Sequence[str], reason: str) -> PredictionRow:
        """Return the row of a curve of which nothing can be said, for ``reason``."""
        nothing = dict.fromkeys(names, float("nan"))
        return cls(nothing, nothing, nothing, False, reason)


@dataclass(frozen=True)
class Prediction:
    """What a model says of N curves.

    Attributes
    ----------
    values, lower, upper : parameter name -> (N,); ``lower`` and ``upper`` bound the 90 % prediction interval.
    is_applicable : (N,) bool, whether the model may be asked about the curve at all.
    reasons : N strings, why not (empty where applicable).
    source : N strings, whose answer it is: "model and fit", "fit", "model", "" (see ``PredictionRow``).
    fit : the N fits, None where there is none; None altogether where none was asked for.
    """

    values: Mapping[str, FloatArray]
    lower: Mapping[str, FloatArray]
    upper: Mapping[str, FloatArray]
    is_applicable: BoolArray
    reasons: tuple[str, ...]
    source: tuple[str, ...] = ()
    fit: tuple[Fit | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.reasons)

    def __str__(self) -> str:
        """Return one line a curve, of the first 20."""
        lines = [f"{n}: {row}" for n, row in zip(range(_LINES), self, strict=False)]
        return "\n".join([*lines, *([f"... {len(self) - _LINES} more"] if len(self) > _LINES else [])])

    __repr__ = __str__

    def __iter__(self) -> Iterator[PredictionRow]:
        return (self.get_row(n) for n in range(len(self)))

    def get_row(self, n: int) -> PredictionRow:
        """Return what is said of curve ``n``."""
        values, lower, upper = (
            {name: float(column[n]) for name, column in part.items()} for part in (self.values, self.lower, self.upper)
        )
        source = self.source[n] if self.source else ""
        fit = None if self.fit is None else self.fit[n]
        return PredictionRow(values, lower, upper, bool(self.is_applicable[n]), self.reasons[n], source, None, fit)

    def _repr_html_(self) -> str:
        """Return a row a curve, the first 20, for a notebook."""
        return format_prediction(self)

    @classmethod
    def from_rows(cls, rows: Sequence[PredictionRow]) -> Prediction:
        """Return the prediction whose rows these are; one at least, all of the same parameters."""
        values, lower, upper = (
            {name: np.array([getattr(row, part)[name] for row in rows]) for name in rows[0].values}
            for part in ("values", "lower", "upper")
        )
        is_applicable = np.array([row.is_applicable for row in rows])
        fits = tuple(row.fit for row in rows)
        return cls(
            values,
            lower,
            upper,
            is_applicable,
            tuple(row.reason for row in rows),
            tuple(row.source for row in rows),
            None if all(fit is None for fit in fits) else fits,
        )


@dataclass(frozen=True)
class Result:
    """What is known of one curve: a row of the results file and of the table.

    ``frame`` counts within ``source``; ``extras`` are further columns (their names carry the unit), the same for
    every row of one file.
    """

    source: str
    frame: int
    curve: Curve
    prediction: PredictionRow
    extras: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one frame or curve: a result, a problem in words, or both (a curve that cannot be predicted).

    ``hint`` and ``facts`` are those of the error behind the problem (``core.errors``): what would help.
    """

    result: Result | None
    problem: str = ""
    hint: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

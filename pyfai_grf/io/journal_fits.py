"""The fits in the running part of a results file, and what the regressors said by themselves.

Under ``/prediction``, all along the frame axis: beside the curves their ``fit``, its ``background`` and its ``upturn``
(curves on another grid: beside those in ``other_curves``), the NXdata ``residuals``, one NXdata a parameter in
``model`` (the regressors) and ``fit`` (with chi-square and verdict). NaN where a row has none. The rest of a fit, with
the names and the covariance of what was fitted, stands in the text of the row in ``log``. The first row with a fit
brings all this; a file without fits has none of it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.records import Alternative, Fit, PredictionRow
from pyfai_grf.io.growing_columns import TEXT_WIDTH, create_column, create_spectra, put_points, put_row
from pyfai_grf.io.hdf5_fields import create_group, cut_text

#: dataset -> attribute of Fit, one number a point; in NXcanSAS entries too
FIT_CURVES = {"fit": "curve", "background": "background", "upturn": "upturn", "residual": "residual"}
FIT_LABELS = {
    "fit": "fitted intensity",
    "background": "background of the fit",
    "upturn": "upturn of the fit",
    "residual": "(intensity - fit) / standard error",
}
#: beside the parameters of the material, a fit may have these: name -> meaning
_SHAPE = {"spectrum_n": "exponent n of the spectrum", "spread": "standard deviation of ln a"}
#: column -> attribute of PredictionRow; of Fit, which has errors too
_BOUNDS = {"value": "values", "lower": "lower", "upper": "upper"}
_FITTED = {**_BOUNDS, "errors": "errors"}
_LABELS = {
    "lower": "lower bound of the 90 % interval",
    "upper": "upper bound of the 90 % interval",
    "errors": "standard error",
}
#: rows of a column that are written together: a file of few rows shall stay small
_CHUNK = 128
#: silx draws q logarithmic, residuals as they are
_LOG_Q = json.dumps({"axes_scale_types": ["log"]})


def has_fit(row: PredictionRow) -> bool:
    """Return whether a row holds a fit, or what the regressors said beside one."""
    return row.fit is not None or row.model is not None


def create_fits(entry: h5py.Group, parameters: Sequence[str]) -> None:
    """Lay out the fits of a journal; the rows that it holds already have none."""
    curves, frame = entry["curves"], entry["frame"]
    residuals = create_group(entry, "residuals", "NXdata", signal="residual", axes=["frame", "q"], SILX_style=_LOG_Q)
    residuals.attrs["title"] = "residuals of the fits"
    residuals["frame"], residuals["q"] = frame, curves["q"]
    points, count = len(curves["q"]), len(frame)
    for name, label in FIT_LABELS.items():
        is_residual = name == "residual"
        create_spectra(
            residuals if is_residual else curves, name, points, "" if is_residual else "arbitrary", label, count
        )
        before = np.full(len(entry["other_curves/q"]), math.nan)
        create_column(entry["other_curves"], name, "f8", f"{label}, curves on another q grid", 1024, filled=before)
    curves.attrs["auxiliary_signals"] = ["fit"]
    model = create_group(entry, "model", "NXcollection")
    for name in parameters:
        _create_data(model, name, frame, _BOUNDS)
    fit = create_group(entry, "fit", "NXcollection")
    for name in dict.fromkeys([*parameters, *_SHAPE]):
        _create_data(fit, name, frame, _FITTED)
    create_column(fit, "chi2", "f8", "reduced chi-square", _CHUNK, filled=np.full(count, math.nan))
    create_column(fit, "is_applicable", "?", "whether the curve fits", _CHUNK, filled=np.zeros(count, dtype=bool))
    text = h5py.string_dtype("utf-8", TEXT_WIDTH)
    label = f"how well the curve fits (at most {TEXT_WIDTH} bytes; whole in log)"
    create_column(fit, "reason", text, label, 64, filled=np.full(count, b"", dtype=text))


def _create_data(group: h5py.Group, name: str, frame: h5py.Dataset, columns: Iterable[str]) -> None:
    known = PARAMETERS.get(name)
    label, unit, title = (known.column, known.unit, known.meaning) if known else (name, "", _SHAPE[name])
    data = create_group(group, name, "NXdata", signal="value", axes=["frame"])
    data.attrs["title"] = title
    data["frame"] = frame
    for key in columns:
        before = np.full(len(frame), math.nan)
        create_column(data, key, "f8", _LABELS.get(key, label), _CHUNK, unit=unit, filled=before)


class FitColumns:
    """The datasets that ``create_fits`` made, to be appended to."""

    def __init__(self, entry: h5py.Group) -> None:
        curves = {**entry["curves"], **entry["residuals"]}
        self._spectra = {name: curves[name] for name in FIT_CURVES}
        self._other = {name: entry["other_curves"][name] for name in FIT_CURVES}
        self._model = _collect_columns(entry["model"])
        self._fit = _collect_columns(entry["fit"])
        self._verdict = {name: entry["fit"][name] for name in ("chi2", "is_applicable", "reason")}

    def append(self, row: int, said: PredictionRow, span: tuple[int, int] | None) -> None:
        """Write the fit of one row; ``span`` is where its curve lies in ``other_curves``, if it does."""
        fit = said.fit
        for name, attribute in FIT_CURVES.items():
            values = np.array(math.nan) if fit is None else getattr(fit, attribute)
            put_row(self._spectra[name], row, values if span is None else math.nan)
            if span is not None:
                put_points(self._other[name], span[0], np.broadcast_to(values, span[1] - span[0]))
        _put_numbers(self._model, row, said.model, _BOUNDS)
        _put_numbers(self._fit, row, fit, _FITTED)
        put_row(self._verdict["chi2"], row, math.nan if fit is None else fit.chi2)
        put_row(self._verdict["is_applicable"], row, fit is not None and bool(fit.is_applicable))
        put_row(self._verdict["reason"], row, cut_text("" if fit is None else fit.reason, TEXT_WIDTH))


def _collect_columns(group: h5py.Group) -> dict[str, dict[str, h5py.Dataset]]:
    return {
        name: {key: data[key] for key in _FITTED if key in data}
        for name, data in group.items()
        if isinstance(data, h5py.Group)
    }


def _put_numbers(
    columns: Mapping[str, Mapping[str, h5py.Dataset]],
    row: int,
    said: PredictionRow | Fit | None,
    attributes: Mapping[str, str],
) -> None:
    for name, datasets in columns.items():
        for key, attribute in attributes.items():
            put_row(datasets[key], row, math.nan if said is None else getattr(said, attribute).get(name, math.nan))


def describe_fit(fit: Fit | None) -> dict[str, Any] | None:
    """Return what is known of a fit beside its curves."""
    if fit is None:
        return None
    curves = ("q_nm1", *FIT_CURVES.values())
    names = (field.name for field in dataclasses.fields(fit) if field.name not in curves)
    return {name: _to_dict(getattr(fit, name)) for name in names}


def _to_dict(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_dict(part) for part in value]
    if isinstance(value, Alternative):
        return {name: _to_dict(part) for name, part in vars(value).items()}
    return dict(value) if isinstance(value, Mapping) else value


def describe_model(row: PredictionRow | None) -> dict[str, Any] | None:
    """Return what the regressors said beside their numbers."""
    if row is None:
        return None
    return {"is_applicable": bool(row.is_applicable), "reason": row.reason, "source": row.source}


class FitReader:
    """Gives back the fits of the first ``count`` rows; raises KeyError where a row has one and the file has not."""

    def __init__(self, entry: h5py.Group, count: int) -> None:
        def read(name: str) -> dict[str, dict[str, FloatArray]]:
            columns = _collect_columns(entry[name]) if name in entry else {}
            return {name: {key: column[:count] for key, column in data.items()} for name, data in columns.items()}

        self._model, self._fit = read("model"), read("fit")
        self._chi2 = entry["fit/chi2"][:count] if "fit/chi2" in entry else np.empty(0)
        self._other = entry["other_curves"]
        groups = {name: entry["residuals" if name == "residual" else "curves"] for name in FIT_CURVES if self._fit}
        self._spectra = {name: group[name] for name, group in groups.items()}
        self._first, self._block = 0, dict[str, FloatArray]()

    def load(self, first: int, last: int) -> None:
        """Read the curves of the rows from ``first`` to before ``last``, from which the next rows are taken."""
        self._first, self._block = first, {name: dataset[first:last] for name, dataset in self._spectra.items()}

    def read_model(self, record: Mapping[str, Any] | None, row: int) -> PredictionRow | None:
        """Return what the regressors said of ``row``, of which the log holds ``record``."""
        if record is None:
            return None
        values, lower, upper = (self._pick(self._model, key, row) for key in _BOUNDS)
        return PredictionRow(values, lower, upper, **record)

    def read_fit(
        self, record: Mapping[str, Any] | None, row: int, q_nm1: FloatArray, span: Sequence[int] | None
    ) -> Fit | None:
        """Return the fit of ``row``, of which the log holds ``record``, on the points ``q_nm1`` of its curve."""
        if record is None:
            return None
        known = dict(record)
        # the log holds them too; what people see is what the checksum is compared with
        for key, attribute in _FITTED.items():
            seen = self._pick(self._fit, key, row)
            known[attribute] = {name: seen.get(name, number) for name, number in known[attribute].items()}
        known["chi2"] = float(self._chi2[row])
        known["names"] = tuple(known["names"])
        known["alternatives"] = tuple(Alternative(**other) for other in known.get("alternatives", ()))
        known["covariance"] = np.array(known["covariance"], dtype=float)
        for name, attribute in FIT_CURVES.items():
            known[attribute] = self._other[name][slice(*span)] if span else self._block[name][row - self._first]
        return Fit(q_nm1=q_nm1, **known)

    @staticmethod
    def _pick(columns: Mapping[str, Mapping[str, FloatArray]], key: str, row: int) -> dict[str, float]:
        return {name: float(data[key][row]) for name, data in columns.items()}


def list_numbers(row: PredictionRow, parameters: Sequence[str]) -> Iterator[ArrayLike]:
    """Yield the numbers of a row's fit, and of what the regressors said, that its checksum covers."""
    if row.model is not None:
        yield [[getattr(row.model, part).get(name, math.nan) for name in parameters] for part in _BOUNDS.values()]
    if row.fit is not None:
        fit = row.fit
        for part in _FITTED.values():
            yield list(getattr(fit, part).values())
        yield fit.chi2
        for attribute in FIT_CURVES.values():
            yield getattr(fit, attribute)

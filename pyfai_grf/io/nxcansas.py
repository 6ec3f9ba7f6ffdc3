"""One curve and what was predicted from it, as an NXcanSAS entry that other programs read.

The definition: https://manual.nexusformat.org/classes/applications/NXcanSAS.html (version 1.1).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np

from pyfai_grf.core.atomic import write_bytes
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.hdf5_image import build_image
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.provenance import PROVENANCE_TEXTS, Provenance
from pyfai_grf.core.records import Curve, Fit, PredictionRow, Result
from pyfai_grf.io.hdf5_fields import clean_text, create_group, dump_json, write_array
from pyfai_grf.io.journal_fits import FIT_CURVES, FIT_LABELS

#: silx draws both axes logarithmic
LOG_LOG = json.dumps({"axes_scale_types": ["log"], "signal_scale_type": "log"})
#: what NXcanSAS allows; a curve says so in ``metadata["intensity_unit"]``, else its scale is arbitrary
_INTENSITY_UNITS = ("1/m", "1/cm", "m2/g", "cm2/g")
#: fields of the note on a fit -> their labels
_NOTES = {
    "chi2": "reduced chi-square of the fit",
    "model_error": "relative error of the fitted curve beside noise",
    "covariance": "covariance of the fitted parameters, in the order of covariance_names",
}


def write_sas_entry(h5: h5py.Group, name: str, result: Result, provenance: Provenance) -> h5py.Group:
    """Write ``result`` as the SASentry ``name`` of ``h5`` and return the new group.

    Points whose q or intensity is not finite (empty or masked bins) are left out: the readers of NXcanSAS expect
    numbers. A curve without standard errors gets no ``Idev``. A fit stands beside the curve, in the same group: of any
    other the readers of NXcanSAS take each point for a remark.
    """
    entry = create_group(h5, name, "NXentry", canSAS_class="SASentry", version="1.1", default="sasdata")
    metadata = result.curve.metadata
    title = clean_text(f"{result.source} frame {result.frame}")
    entry["definition"] = "NXcanSAS"
    entry["title"] = title
    entry["run"] = clean_text(f"{result.source}::{result.frame}")
    _write_data(entry, result.curve, title, result.prediction.fit)
    _write_process(entry, result, provenance)
    sample = create_group(entry, "sassample", "NXsample", canSAS_class="SASsample")
    sample["name"] = clean_text(str(metadata.get("sample") or metadata.get("title") or result.source))
    instrument = create_group(entry, "sasinstrument", "NXinstrument", canSAS_class="SASinstrument")
    instrument["name"] = clean_text(str(metadata.get("instrument", "not recorded")))
    note = create_group(entry, "sasnote", "NXcollection", canSAS_class="SASnote")
    note["metadata"] = dump_json(dict(metadata))
    note["extras"] = dump_json(dict(result.extras))
    return entry


def _write_data(entry: h5py.Group, curve: Curve, title: str, fit: Fit | None = None) -> None:
    keep = np.isfinite(curve.q_nm1) & np.isfinite(curve.intensity)
    unit = curve.metadata.get("intensity_unit")
    unit = unit if unit in _INTENSITY_UNITS else "arbitrary"
    data = create_group(
        entry, "sasdata", "NXdata", canSAS_class="SASdata", signal="I", axes=["Q"], I_axes="Q", SILX_style=LOG_LOG
    )
    data.attrs["Q_indices"] = 0
    data["title"] = title
    write_array(data, "Q", curve.q_nm1[keep], "1/nm", "scattering vector q (1/nm)")
    intensity = write_array(data, "I", curve.intensity[keep], unit, f"intensity ({unit})")
    if fit is not None:
        data.attrs["auxiliary_signals"] = ["fit"]
        for name, attribute in FIT_CURVES.items():
            own = "" if name == "residual" else unit
            write_array(data, name, getattr(fit, attribute)[keep], own, FIT_LABELS[name])
    if curve.weight is not None:  # by pyFAI's name: who reads the curve again weights its bins as before
        write_array(data, "sum_normalization", curve.weight[keep], "", "sum of the pixels' normalisations")
    if curve.sigma is None or not np.isfinite(curve.sigma[keep]).any():
        return
    intensity.attrs["uncertainties"] = "Idev"
    # silx does not know Idev: it finds errors as SIGNAL_errors
    data["I_errors"] = write_array(data, "Idev", curve.sigma[keep], unit, "standard error of the intensity")


def _write_process(entry: h5py.Group, result: Result, provenance: Provenance) -> None:
    process = create_group(entry, "sasprocess", "NXprocess", canSAS_class="SASprocess")
    process["name"] = "pyfai-grf"
    process["date"] = provenance.created
    said = result.prediction
    process["description"] = (
        f"{provenance.material} by model {clean_text(provenance.model)} ({provenance.flavour}), "
        f"given the spectrum {provenance.spectrum}; lower and upper bound the 90 % prediction interval"
        + ("" if said.fit is None else f"; spectrum of the fit: {clean_text(said.fit.spectrum)}")
    )
    for name in provenance.parameters:
        unit = PARAMETERS[name].unit
        for field, bounds in ((name, said.values), (f"{name}_lower", said.lower), (f"{name}_upper", said.upper)):
            process[field] = bounds.get(name, math.nan)
            process[field].attrs["units"] = unit
    # in the order of their names is how they are read
    for number, term in enumerate(_list_terms(said, provenance.parameters), start=1):
        process[f"term{number:02d}"] = clean_text(term)
    if said.fit is not None:
        _write_fit(process, said.fit, said.model)
    process["is_applicable"] = str(bool(said.is_applicable)).lower()
    process["reason"] = clean_text(said.reason)
    process["answer_from"] = clean_text(said.source)
    # what is the same for every curve of a results file is written once there and linked
    shared = entry.file.get("prediction/process", {})
    for field in PROVENANCE_TEXTS:
        process[field] = shared[field] if field in shared else clean_text(getattr(provenance, field))
    if provenance.layer_density is not None:
        process["layer_density"] = shared.get("layer_density", provenance.layer_density)
        process["layer_density"].attrs["units"] = ""


def _list_terms(said: PredictionRow, parameters: Iterable[str]) -> Iterator[str]:
    """Yield in words what is predicted, then what the fit and the regressors say each."""
    yield from (_describe_value(said, name) for name in parameters)
    if said.fit is not None:
        yield f"answer from {said.source or 'nobody'}"
        yield f"fit: chi-square = {said.fit.chi2:.4g}"
        yield f"fit: {said.fit.reason or 'the curve fits'}"
        yield from (f"fit: {_describe_value(said.fit, name)}" for name in said.fit.values)
    if said.model is not None:
        yield from (f"model: {_describe_value(said.model, name)}" for name in parameters)


def _describe_value(said: PredictionRow | Fit, name: str) -> str:
    value, lower, upper = (bounds.get(name, math.nan) for bounds in (said.values, said.lower, said.upper))
    if not math.isfinite(value):
        return f"{name}: no prediction"
    unit = PARAMETERS[name].unit if name in PARAMETERS else ""
    return f"{name} = {value:.5g} {unit}".rstrip() + f" ({lower:.5g} to {upper:.5g})"


def _write_fit(process: h5py.Group, fit: Fit, model: PredictionRow | None) -> None:
    """Write what else is known of a fit, as the note that an SASprocess may have."""
    note = create_group(process, "sasprocessnote", "NXcollection", canSAS_class="SASprocessnote")
    note["spectrum"] = clean_text(fit.spectrum)
    note["verdict"] = clean_text(fit.reason or "the curve fits")
    note["covariance_names"] = list(fit.names)
    for name, value in (("chi2", fit.chi2), ("model_error", fit.model_error), ("covariance", fit.covariance)):
        write_array(note, name, value, "", _NOTES[name])
    numbers = ("values", "errors", "lower", "upper")
    for name, part in (("fit", fit), ("model", model)):
        if part is not None:
            note[name] = dump_json({key: dict(getattr(part, key)) for key in numbers if hasattr(part, key)})


def write_curve(path: str | os.PathLike[str], curve: Curve, title: str, overwrite: bool = False) -> None:
    """Write one curve by itself as an NXcanSAS file; its metadata goes into an SASnote.

    Raises
    ------
    InputError
        If the file exists (unless ``overwrite``) or cannot be written.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise InputError(f"{target} exists already: choose another name or remove it")

    def fill(h5: h5py.File) -> None:
        h5.attrs["default"] = "entry"
        h5.attrs["NX_class"] = "NXroot"
        entry = create_group(h5, "entry", "NXentry", canSAS_class="SASentry", version="1.1", default="sasdata")
        entry["definition"] = "NXcanSAS"
        entry["title"] = entry["run"] = clean_text(title)
        _write_data(entry, curve, clean_text(title))
        note = create_group(entry, "sasnote", "NXcollection", canSAS_class="SASnote")
        note["metadata"] = dump_json(dict(curve.metadata))

    write_bytes(target, build_image(fill))

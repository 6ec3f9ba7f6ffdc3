"""One curve and what was predicted from it, as an NXcanSAS entry that other programs read.

The definition: https://manual.nexusformat.org/classes/applications/NXcanSAS.html (version 1.1).
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import h5py
import numpy as np

from pyfai_grf.core.atomic import write_bytes
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.hdf5_image import build_image
from pyfai_grf.core.parameters import PARAMETERS
from pyfai_grf.core.provenance import PROVENANCE_TEXTS, Provenance
from pyfai_grf.core.records import Curve, Result
from pyfai_grf.io.hdf5_fields import clean_text, create_group, dump_json, write_array

#: silx draws both axes logarithmic
LOG_LOG = json.dumps({"axes_scale_types": ["log"], "signal_scale_type": "log"})
#: what NXcanSAS allows; a curve says so in ``metadata["intensity_unit"]``, else its scale is arbitrary
_INTENSITY_UNITS = ("1/m", "1/cm", "m2/g", "cm2/g")


def write_sas_entry(h5: h5py.Group, name: str, result: Result, provenance: Provenance) -> h5py.Group:
    """Write ``result`` as the SASentry ``name`` of ``h5`` and return the new group.

    Points whose q or intensity is not finite (empty or masked bins) are left out: the readers of NXcanSAS expect
    numbers. A curve without standard errors gets no ``Idev``.
    """
    entry = create_group(h5, name, "NXentry", canSAS_class="SASentry", version="1.1", default="sasdata")
    metadata = result.curve.metadata
    title = clean_text(f"{result.source} frame {result.frame}")
    entry["definition"] = "NXcanSAS"
    entry["title"] = title
    entry["run"] = clean_text(f"{result.source}::{result.frame}")
    _write_data(entry, result.curve, title)
    _write_process(entry, result, provenance)
    sample = create_group(entry, "sassample", "NXsample", canSAS_class="SASsample")
    sample["name"] = clean_text(str(metadata.get("sample") or metadata.get("title") or result.source))
    instrument = create_group(entry, "sasinstrument", "NXinstrument", canSAS_class="SASinstrument")
    instrument["name"] = clean_text(str(metadata.get("instrument", "not recorded")))
    note = create_group(entry, "sasnote", "NXcollection", canSAS_class="SASnote")
    note["metadata"] = dump_json(dict(metadata))
    note["extras"] = dump_json(dict(result.extras))
    return entry


def _write_data(entry: h5py.Group, curve: Curve, title: str) -> None:
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
    if curve.sigma is None or not np.isfinite(curve.sigma[keep]).any():
        return
    intensity.attrs["uncertainties"] = "Idev"
    # silx does not know Idev: it finds errors as SIGNAL_errors
    data["I_errors"] = write_array(data, "Idev", curve.sigma[keep], unit, "standard error of the intensity")


def _write_process(entry: h5py.Group, result: Result, provenance: Provenance) -> None:
    process = create_group(entry, "sasprocess", "NXprocess", canSAS_class="SASprocess")
    process["name"] = "pyfai-grf"
    process["date"] = provenance.created
    process["description"] = (
        f"{provenance.material} by model {clean_text(provenance.model)} ({provenance.flavour}), "
        f"given the spectrum {provenance.spectrum}; lower and upper bound the 90 % prediction interval"
    )
    said = result.prediction
    for number, name in enumerate(provenance.parameters, start=1):
        unit = PARAMETERS[name].unit
        value, lower, upper = (bounds.get(name, math.nan) for bounds in (said.values, said.lower, said.upper))
        process[f"term{number}"] = _describe_value(name, unit, value, lower, upper)
        for field, number_ in ((name, value), (f"{name}_lower", lower), (f"{name}_upper", upper)):
            process[field] = number_
            process[field].attrs["units"] = unit
    process["is_applicable"] = str(bool(said.is_applicable)).lower()
    process["reason"] = clean_text(said.reason)
    # what is the same for every curve of a results file is written once there and linked
    shared = entry.file.get("prediction/process", {})
    for field in PROVENANCE_TEXTS:
        process[field] = shared[field] if field in shared else clean_text(getattr(provenance, field))
    if provenance.layer_density is not None:
        process["layer_density"] = shared.get("layer_density", provenance.layer_density)
        process["layer_density"].attrs["units"] = ""


def _describe_value(name: str, unit: str, value: float, lower: float, upper: float) -> str:
    if not math.isfinite(value):
        return f"{name}: no prediction"
    return f"{name} = {value:.5g} {unit}".rstrip() + f" ({lower:.5g} to {upper:.5g})"


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

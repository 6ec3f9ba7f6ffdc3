"""What a results file says of where its rows come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyfai_grf.core.provenance import Provenance
from pyfai_grf.learn.bundle import Model


def make_provenance(model: Model, settings: Mapping[str, Any], command: str) -> Provenance:
    """Return the provenance of predictions by ``model``: ``settings`` of the reduction, ``command`` that was given."""
    known = model.description
    return Provenance(
        material=known.material,
        model=model.name,
        flavour=known.flavour,
        model_sha256=model.sha256,
        model_version=str(known.model_version),
        spectrum=known.spectrum,
        layer_density=known.layer_density,
        q_grid_nm1=model.q_nm1,
        parameters=model.parameters,
        settings=settings,
        command=command,
    )

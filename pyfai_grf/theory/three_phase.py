"""The expected curve of an infinite three-phase sample: a film of uniform thickness on the solid.

The solid S = {psi >= T} is that of a Gaussian random field, the film consists of the pore points nearest to it, up to
the layer fraction nu of the pores, and D is both. No voxels, no smoothing. ``a`` is the only length, so with x = q a

    I/V = a^3 [d^2 f_DD + 2 d (1 - d) f_SD + (1 - d)^2 f_SS]

for the layer density d. f_SS is the exact two-phase closed form; f_DD and f_SD were simulated (``tabulation.boxes``)
and smoothed (``tabulation.fit``). Beyond the simulated x they follow Porod's law and the film's interference.
"""

from __future__ import annotations

import functools
import importlib.resources
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_LAYER_DENSITY
from pyfai_grf.theory.scale_free import validate_q
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum, get_spectrum
from pyfai_grf.theory.three_phase_table import ThreePhaseTable, load_table

__all__ = ["add_table", "compute_film_thickness", "expected_three_phase", "expected_three_phase_error", "get_table"]

_ADDED: dict[Spectrum, ThreePhaseTable] = {}


def add_table(path: str | Path) -> ThreePhaseTable:
    """Use the table in ``path`` (written by ``pyfai-grf tabulate``) for its spectrum from now on, and return it.

    Raises
    ------
    InputError
        If it is not such a table.
    """
    table = load_table(Path(path))
    _ADDED[table.spectrum] = table
    return table


def get_table(spectrum: str | Spectrum = DEFAULT_SPECTRUM) -> ThreePhaseTable:
    """Return the table for ``spectrum``: one that was added, or a bundled one, which is read once.

    Raises
    ------
    InputError
        If there is none.
    """
    spectrum = get_spectrum(spectrum)
    table = _ADDED.get(spectrum) or _read_bundled().get(spectrum)
    if table is None:
        raise InputError(
            f"there is no table of expected three-phase curves for spectrum {spectrum.text}: make one, and load it "
            "with pyfai_grf.theory.three_phase.add_table",
            "table",
            spectrum=spectrum.text,
        )
    return table


@functools.lru_cache(maxsize=1)
def _read_bundled() -> dict[Spectrum, ThreePhaseTable]:
    folder = Path(str(importlib.resources.files("pyfai_grf_models")))
    tables = [load_table(path) for path in sorted(folder.glob("three-phase*.npz"))]
    return {table.spectrum: table for table in tables}


def expected_three_phase(
    q: ArrayLike,
    a: ArrayLike,
    porosity: ArrayLike,
    layer_fraction: ArrayLike,
    layer_density: float = PAPER_LAYER_DENSITY,
    spectrum: str | Spectrum = DEFAULT_SPECTRUM,
) -> FloatArray:
    """Return the expected I(q)/V in nm^3 of an infinite sample with electron densities 0, layer_density and 1.

    From the table, smooth in every argument. ``q`` in 1/nm, any shape; ``a`` in nm, ``porosity`` and
    ``layer_fraction`` numbers or one axis (N,), broadcast. Returns (*q.shape), or (N, *q.shape).

    Raises
    ------
    InputError
        For values outside the table, q negative, or a spectrum without a table.
    """
    table = get_table(spectrum)
    q = validate_q(q, "q")
    a, porosity, layer = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (a, porosity, layer_fraction)))
    table.check_range(porosity[layer != 0], layer[layer != 0])
    rows = zip(a.ravel(), porosity.ravel(), layer.ravel(), strict=True)
    points = q.ravel()
    curves = [length**3 * table.expect(length * points, p, nu, layer_density) for length, p, nu in rows]
    return np.reshape(curves, a.shape + q.shape)


def expected_three_phase_error(
    q: ArrayLike,
    a: float,
    porosity: float,
    layer_fraction: float,
    layer_density: float = PAPER_LAYER_DENSITY,
    spectrum: str | Spectrum = DEFAULT_SPECTRUM,
) -> FloatArray:
    """Return the relative standard error of :func:`expected_three_phase`, same shape as ``q``, for one sample.

    It comes from the scatter of the boxes that the table was made of (jackknife over groups of boxes), and from what
    their voxels may have left. It is large where little is scattered: near a density at which the film's two faces
    cancel.

    Raises
    ------
    InputError
        As :func:`expected_three_phase`.
    """
    table = get_table(spectrum)
    table.check_range(porosity, layer_fraction)
    x = a * validate_q(q, "q")
    curve, error = table.expect_error(x.ravel(), porosity, layer_fraction, layer_density)
    return np.asarray((error / curve).reshape(x.shape))


def compute_film_thickness(
    a: ArrayLike, porosity: ArrayLike, layer_fraction: ArrayLike, spectrum: str | Spectrum = DEFAULT_SPECTRUM
) -> FloatArray:
    """Return the thickness in nm of the film that fills ``layer_fraction`` of the pores; arguments broadcast.

    Raises
    ------
    InputError
        For values outside the table, or a spectrum without one.
    """
    table = get_table(spectrum)
    a, porosity, layer = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (a, porosity, layer_fraction)))
    table.check_range(porosity, layer)
    values = [table.get_thickness(p, nu) for p, nu in zip(porosity.ravel(), layer.ravel(), strict=True)]
    return np.asarray(a * np.reshape(values, a.shape))

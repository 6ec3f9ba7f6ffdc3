"""The table of expected three-phase curves: what it holds, and how a curve comes out of it.

Each node (porosity, layer fraction) holds three cubic splines in v = x^2 / (x^2 + c^2). In v, a function of x = q a
that is even at 0 and approaches its limit as 1/x^2 is smooth from end to end:

    log f_DD = log f_two-phase(x, porosity (1 - nu)) + r(v)
    f_SD = sqrt(f_SS f_DD) [alpha(v) cos(x t) + beta(v) X_SCALE sin(x t) / x]

S is the solid, D is solid and film, nu the layer fraction, t the film's thickness (a = 1). The two faces of a film
interfere; with that divided out, what is left varies slowly with x, porosity and nu, and splines through the nodes
suffice. Without a layer, r = 0, alpha = 1 and t = 0: exactly the two-phase closed form.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import BSpline, CubicSpline
from scipy.special import ndtr

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.atomic import replace_file
from pyfai_grf.core.errors import InputError
from pyfai_grf.theory.covariance import compute_flat_film, compute_threshold
from pyfai_grf.theory.scale_free import look_up_intensity
from pyfai_grf.theory.spectra import Spectrum, get_spectrum

FORMAT = "pyfai-grf three-phase table 1"
#: layer fractions of the table's nodes
LAYER_NODES = np.array([0.0, 0.02, 0.06, 0.12, 0.19, 0.27, 0.36, 0.44, 0.52, 0.6])
#: the x at which v is one half (for alpha and beta: at porosity 0.5), and the power with which the scale of alpha and
#: beta falls with the film's thickness
X_SCALE, _SCALE_POWER = 2.5, 0.2
#: the error that the finest voxels leave, relative to the faces' scattering, from this x on; below it grows as x^2, and
#: it is smaller for films below this layer fraction. Judged by halving the voxels, and by d(volume)/d(thickness)
_VOXELS, _X_VOXELS, _THIN = 0.005, 25.0, 0.1
#: how far rounding may take a porosity out of the table's range
_SLACK = 1e-4


def map_x(x: FloatArray, scale: float = X_SCALE) -> FloatArray:
    """Return v = x^2 / (x^2 + scale^2), from 0 at x = 0 to 1 at infinity."""
    square = np.square(x)
    return np.asarray(square / (square + scale**2))


def find_wave_scale(porosity: float, spectrum: Spectrum) -> float:
    """Return the scale in v of alpha and beta: smaller where films are thicker.

    What depends on x t, not on x alone, then varies less from porosity to porosity (with nodes left out, splines
    through the others have the smallest error with this power).
    """
    flat, reference = (compute_flat_film(p, 1.0, spectrum) for p in (porosity, 0.5))
    return float(X_SCALE * (flat / reference) ** -_SCALE_POWER)


def mix_phases(layer_density: float, dd: FloatArray, sd: FloatArray, ss: FloatArray) -> FloatArray:
    """Return the intensity at ``layer_density`` from the partial intensities of D (solid and film) and S (solid)."""
    d = layer_density
    return np.asarray(d * d * dd + 2 * d * (1 - d) * sd + (1 - d) ** 2 * ss)


def compute_jackknife_variance(replicates: FloatArray) -> FloatArray:
    """Return the squared standard error of a mean from replicates (R, ...), each of which leaves one group out."""
    variance = np.sum((replicates - replicates.mean(axis=0)) ** 2, axis=0)
    return np.asarray(variance * (len(replicates) - 1) / len(replicates))


def make_knots(intervals: int) -> FloatArray:
    """Return the knots of cubic splines over 0 <= v <= 1."""
    return np.concatenate(([0.0] * 3, np.linspace(0, 1, intervals + 1), [1.0] * 3))


@dataclass(frozen=True)
class ThreePhaseTable:
    """What ``tabulation.fit`` found, with jackknife replicates: row 0 is from all boxes, rows 1 .. R leave a group out.

    Attributes
    ----------
    thresholds : (J,) of the unit field, one for each porosity.
    curves : (1 + R, 3, J, M, C) spline coefficients over ``knots`` of the log ratio, alpha and beta at the porosities
        and ``LAYER_NODES``.
    stretch : (1 + R, J, M) the film's thickness over that of the same volume spread flat (1 without a layer).
    knots : of the cubic splines.
    description : spectrum, versions, seed, boxes.
    """

    thresholds: FloatArray
    curves: FloatArray
    stretch: FloatArray
    knots: FloatArray
    description: dict[str, Any]

    @functools.cached_property
    def spectrum(self) -> Spectrum:
        """The spectral density of the field."""
        return get_spectrum(self.description["spectrum"])

    def save(self, path: Path) -> None:
        """Write the table.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        content = json.dumps({"format": FORMAT, **self.description})
        with replace_file(path) as draft, draft.open("wb") as stream:
            np.savez_compressed(
                stream,
                description=np.array(content),
                curves=self.curves.astype(np.float32),
                stretch=self.stretch.astype(np.float32),
                thresholds=self.thresholds,
                knots=self.knots,
                layer_nodes=LAYER_NODES,
            )

    def expect(
        self, x: FloatArray, porosity: float, layer_fraction: float, layer_density: float, row: int = 0
    ) -> FloatArray:
        """Return I/(V a^3) at ``x`` (Q,) for one sample; ``row`` chooses all boxes or a replicate."""
        solid, film = self._look_up_solids(x, porosity, layer_fraction)
        dd, sd = self._evaluate(x, porosity, layer_fraction, row, solid, film)
        return mix_phases(layer_density, dd, sd, solid)

    def expect_error(
        self, x: FloatArray, porosity: float, layer_fraction: float, layer_density: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return I/(V a^3) and its standard error, both (Q,).

        The error combines the boxes' scatter (delete-group jackknife) with what the finest voxels may have left at
        high x.
        """
        solid, film = self._look_up_solids(x, porosity, layer_fraction)
        curves = []
        for row in range(len(self.curves)):
            dd, sd = self._evaluate(x, porosity, layer_fraction, row, solid, film)
            curves.append(mix_phases(layer_density, dd, sd, solid))
        variance = compute_jackknife_variance(np.array(curves[1:]))
        d = layer_density
        faces = d * d * film + 2 * np.abs(d * (1 - d)) * np.sqrt(solid * film)
        voxels = _VOXELS * np.minimum(x / _X_VOXELS, 1) ** 2 * min(layer_fraction / _THIN, 1) * faces
        return curves[0], np.sqrt(variance + voxels**2)

    def summarise_error(self, layer_density: float) -> tuple[float, float]:
        """Return the median and the 99th percentile of the relative standard error over the whole table."""
        x = np.geomspace(0.05, 25, 60)
        layers = LAYER_NODES[1::2]
        pairs = [(p, nu) for p in ndtr(self.thresholds) for nu in layers]
        values = [error / curve for curve, error in (self.expect_error(x, p, nu, layer_density) for p, nu in pairs)]
        median, highest = np.percentile(values, [50, 99])
        return float(median), float(highest)

    def get_thickness(self, porosity: float, layer_fraction: float) -> float:
        """Return the film's thickness in units of a."""
        weights = self._weigh_porosity(porosity), self._weigh_layer(layer_fraction)
        return self._stretch(porosity, layer_fraction, 0, *weights)

    def check_range(self, porosity: ArrayLike, layer_fraction: ArrayLike) -> None:
        """Raise InputError if a porosity or a layer fraction is outside the table."""
        lowest, highest = ndtr(self.thresholds[[0, -1]])
        for name, values, low, high in (
            ("porosity", np.atleast_1d(porosity), lowest - _SLACK, highest + _SLACK),
            ("layer_fraction", np.atleast_1d(layer_fraction), 0.0, LAYER_NODES[-1] + _SLACK),
        ):
            bad = ~((values >= low) & (values <= high))
            if bad.any():
                raise InputError(
                    f"{name} is {values[bad].flat[0]:g}: the table of expected three-phase curves reaches from "
                    f"{max(low, 0):.2g} to {high:.2g}; outside it, simulate single structures"
                )

    def _look_up_solids(self, x: FloatArray, porosity: float, layer_fraction: float) -> FloatArray:
        """Return the two-phase curves (2, Q) of the solid, and of a solid with the volume of solid and film."""
        porosities = np.array([[porosity], [porosity * (1 - layer_fraction)]])
        return look_up_intensity(np.stack((x, x)), np.abs(compute_threshold(porosities)), self.spectrum)

    def _evaluate(
        self, x: FloatArray, porosity: float, layer_fraction: float, row: int, solid: FloatArray, film: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return f_DD and f_SD at ``x`` (Q,), given the two-phase curves of ``_look_up_solids``."""
        at_porosity, at_layer = self._weigh_porosity(porosity), self._weigh_layer(layer_fraction)
        coefficients = np.tensordot(at_porosity, np.tensordot(self.curves[row], at_layer, (2, 0)), (0, 1))
        ratio = BSpline(self.knots, coefficients[0], 3)(map_x(x))
        scale = find_wave_scale(porosity, self.spectrum)
        alpha, beta = BSpline(self.knots, coefficients[1:].T, 3)(map_x(x, scale)).T
        thickness = self._stretch(porosity, layer_fraction, row, at_porosity, at_layer)
        dd = film * np.exp(ratio)
        # sin(x t) / x, finite at x = 0
        sine = X_SCALE * thickness * np.sinc(x * thickness / np.pi)
        coherence = np.clip(alpha * np.cos(x * thickness) + beta * sine, -1, 1)  # no intensity is negative
        return dd, np.sqrt(solid * dd) * coherence

    def _stretch(
        self, porosity: float, layer_fraction: float, row: int, at_porosity: FloatArray, at_layer: FloatArray
    ) -> float:
        """Return the film's thickness in units of a."""
        flat = compute_flat_film(porosity, layer_fraction, self.spectrum)
        return float(flat * (at_porosity @ self.stretch[row] @ at_layer))

    def _weigh_porosity(self, porosity: float) -> FloatArray:
        return np.asarray(_make_cardinals(tuple(self.thresholds))(float(compute_threshold(porosity))))

    def _weigh_layer(self, layer_fraction: float) -> FloatArray:
        return np.asarray(_make_cardinals(tuple(LAYER_NODES))(layer_fraction))


@functools.lru_cache(maxsize=8)
def _make_cardinals(nodes: tuple[float, ...]) -> CubicSpline:
    """Return the cardinal cubic splines of ``nodes``: the weight of each node's value at a point."""
    return CubicSpline(nodes, np.eye(len(nodes)))


def load_table(path: Path) -> ThreePhaseTable:
    """Return the table in ``path``.

    Raises
    ------
    InputError
        If it is not such a table.
    """
    try:
        with np.load(path) as file:
            description = json.loads(str(file["description"]))
            if description.pop("format") != FORMAT or not np.array_equal(file["layer_nodes"], LAYER_NODES):
                raise ValueError("another format")
            names = ("thresholds", "curves", "stretch", "knots")
            arrays = {name: file[name].astype(np.float64) for name in names}
            return ThreePhaseTable(**arrays, description=description)
    except (OSError, ValueError, KeyError) as problem:
        raise InputError(f"{path} is not a table of expected three-phase curves ({problem})") from None

"""The doors to the fit: of one curve as it is given, of points that have been cleaned, of many together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.parameters import Material, get_material
from pyfai_grf.core.records import Curve, Fit, Points
from pyfai_grf.core.units import parse_q_unit
from pyfai_grf.features.points import clean_curve, fill_masked, select_points, select_window
from pyfai_grf.fit.conclusion import conclude
from pyfai_grf.fit.family import Family, Shape
from pyfai_grf.fit.options import CALIBRATION_ERROR, DEFAULT_FIT, FITTED, FitOptions
from pyfai_grf.fit.search import Minimum, Problem, descend, find_minima, find_minimum
from pyfai_grf.fit.target import make_target
from pyfai_grf.theory.spectra import get_spectrum

#: fewer points do not tell scale, background, upturn and shape apart
_FEWEST = 20
#: the last q over the first, and the resolution over the range: beyond, there is no curve to be read
_WIDEST, _COARSEST = 1e6, 0.1
#: curves that are searched at once
_TOGETHER = 32


def fit_curve(
    q: ArrayLike,
    intensity: ArrayLike,
    sigma: ArrayLike | None = None,
    material: str = "two-phase-low-porosity",
    spectrum: str = FITTED,
    *,
    unit: str = "nm^-1",
    q_min: float | None = None,
    q_max: float | None = None,
    upturn: bool = True,
    background: bool = True,
    resolution: float | None = None,
    spread: bool | None = None,
    exclude: Sequence[tuple[float, float]] = (),
    calibration_error: float = CALIBRATION_ERROR,
    alternatives: bool = False,
) -> Fit:
    """Return the least-squares fit of scale x expected intensity + flat background + low-q upturn to a curve.

    On its points as they are: any q grid, no model needed. Two phases. Scale and background are solved exactly, the
    upturn is A q^-p with A of 0 or more and p from 1 to 4.5. Points are means over their bins where these are equally
    wide, values at their q elsewhere; of a logarithmic q whichever of the two describes them better. Variances are
    smoothed along the curve, for weights that follow each point's own noise pull the fit towards the points that came
    out low.

    Parameters
    ----------
    q, intensity, sigma : (Q,) array_like
        The curve; without ``sigma`` the scatter of neighbouring points tells the errors. What is masked or not finite
        is left out.
    material : str
        "two-phase-low-porosity" or "two-phase-high-porosity": a curve is the same for porosity and 1 - porosity.
    spectrum : str
        "fitted": the exponent n of (1 + (aq)^n)^-2, from 3.2 to 20, and a lognormal spread of a are parameters. Else a
        registered name such as "roding2022", without a spread unless ``spread`` is True.
    unit : str
        Of ``q``, ``q_min``, ``q_max``, ``resolution`` and ``exclude``.
    q_min, q_max : float, optional
        Ends of what is fitted.
    upturn, background : bool
        Whether they are part of the curve.
    resolution : float, optional
        Standard deviation of q, in either direction of the detector, the same at every point.
    spread : bool, optional
        Whether a has a spread; None: where the spectrum is fitted.
    exclude : sequence of (float, float)
        Ranges of q that are left out, such as ice rings.
    calibration_error : float
        Relative standard error of q, by distance and wavelength: the interval of a contains it.
    alternatives : bool
        Whether other families of spectra are tried too (:mod:`pyfai_grf.fit.alternatives`), which takes several times
        as long as the fit: ``Fit.alternatives`` and ``Fit.ranges`` say what they make of the curve.

    Returns
    -------
    Fit
        The parameters and the verdict. Intervals come from the covariance and are marginal over everything fitted.

    Raises
    ------
    InputError
        If the arrays are no curve, fewer than 20 points are left, or the material or the spectrum is not one.
    """
    factor = parse_q_unit(unit)
    errors = None if sigma is None else fill_masked(sigma)
    curve = Curve(fill_masked(q) * factor, fill_masked(intensity), errors, metadata={"q_unit_from": "given"})
    points = clean_curve(curve)
    if q_min is not None or q_max is not None:
        ends = (None if end is None else end * factor for end in (q_min, q_max))
        points = clean_curve(select_window(points, *ends))
    options = FitOptions.convert(
        factor,
        resolution=resolution,
        exclude=exclude,
        spectrum=spectrum,
        upturn=upturn,
        background=background,
        spread=spread,
        calibration_error=calibration_error,
    )
    try:
        fit = fit_points(points, material, options, curve.q_nm1)
    except (ArithmeticError, np.linalg.LinAlgError) as problem:
        message = f"the numbers are too large, too small or too uneven to fit ({problem}): check the curve"
        raise InputError(message) from None
    if not alternatives:
        return fit
    from pyfai_grf.fit.alternatives import compare_families  # it fits too, with what stands below

    return compare_families(points, fit, material, options)


def fit_points(
    points: Points,
    material: str = "two-phase-low-porosity",
    options: FitOptions = DEFAULT_FIT,
    q_nm1: FloatArray | None = None,
    starts: Sequence[tuple[float, float]] = (),
) -> Fit:
    """Return the fit of a curve that has been cleaned; raises as :func:`fit_curve`.

    The fitted curve is drawn at ``q_nm1`` (Q,), by default the points'; ``residual`` is NaN where that holds no point.
    ``starts`` are pairs (a in nm, porosity) to begin at, beside those of the search itself.
    """
    return fit_batch([points], material, options, [q_nm1], [starts])[0]


def fit_batch(
    points: Sequence[Points],
    material: str = "two-phase-low-porosity",
    options: FitOptions = DEFAULT_FIT,
    q_nm1: Sequence[FloatArray | None] | None = None,
    starts: Sequence[Sequence[tuple[float, float]]] | None = None,
) -> list[Fit]:
    """Return the fits of many curves, each as :func:`fit_points` has it: curves on the same q are searched together.

    ``q_nm1`` and ``starts`` hold an entry for each curve. Raises for the first curve that is none.
    """
    kind, family = _get_two_phases(material), make_family(options)
    problems = [_pose(one, options, family) for one in points]
    shapes = [[_make_shape(*pair) for pair in some if pair[0] > 0] for some in starts or [()] * len(problems)]
    minima: dict[int, Minimum] = {}
    for part in _group(problems):
        found = find_minima([problems[item] for item in part], [shapes[item] for item in part])
        minima.update(zip(part, found, strict=True))
    grids = q_nm1 or [None] * len(problems)
    return [
        conclude(problem, minima[item], one.q_nm1 if grid is None else grid, kind.porosity_high > 0.5, options)
        for item, (problem, one, grid) in enumerate(zip(problems, points, grids, strict=True))
    ]


def fit_family(
    points: Points,
    family: Family,
    material: str,
    options: FitOptions,
    q_nm1: FloatArray | None = None,
    below: Shape | None = None,
) -> Fit:
    """Return the fit of a ``family`` of curves, whatever spectrum ``options`` name; else as :func:`fit_points`.

    With ``below`` it is the minimum below that shape, which need not be the best one.
    """
    kind = _get_two_phases(material)
    problem = _pose(points, options, family)
    minimum = find_minimum(problem) if below is None else descend(problem, below)
    return conclude(problem, minimum, points.q_nm1 if q_nm1 is None else q_nm1, kind.porosity_high > 0.5, options)


def make_family(options: FitOptions) -> Family:
    """Return the family of curves that the options ask for."""
    has_spread = options.is_fitted if options.spread is None else options.spread
    return Family(None if options.is_fitted else get_spectrum(str(options.spectrum)), has_spread)


def _get_two_phases(material: str) -> Material:
    kind = get_material(material)
    if kind.phases != 2:
        raise InputError(f"{material} has three phases: a fit of two is what there is, name a two-phase class")
    return kind


def _pose(points: Points, options: FitOptions, family: Family) -> Problem:
    used = select_points(points, ~options.find_excluded(points.q_nm1))
    if used.q_nm1.size < _FEWEST:
        raise InputError(f"{used.q_nm1.size} points are too few for a fit: it needs {_FEWEST}")
    low, high = float(used.q_nm1[0]), float(used.q_nm1[-1])
    if high > _WIDEST * low:
        raise InputError(f"q goes from {low:.3g} to {high:.3g} per nm, which no instrument covers: choose a part of it")
    if (width := options.resolution_nm1 or 0.0) > _COARSEST * (high - low):
        raise InputError(
            f"the resolution is {width:.3g} per nm on a curve from {low:.3g} to {high:.3g}: give a finer one"
        )
    return Problem(make_target(used, options.resolution_nm1), family, options.background, options.upturn)


def _make_shape(a: float, porosity: float) -> Shape:
    """Return where a search begins; a porosity beyond what is fitted is moved there."""
    return Shape(float(np.log(a)), float(ndtri(np.clip(porosity, 1e-3, 1 - 1e-3))) ** 2)


def _group(problems: Sequence[Problem]) -> list[list[int]]:
    """Return the places of problems that see the same points, a handful together: more would not stay in the cache."""
    groups: dict[int, list[int]] = {}
    for item, problem in enumerate(problems):
        groups.setdefault(id(problem.target.raster), []).append(item)
    return [group[k : k + _TOGETHER] for group in groups.values() for k in range(0, len(group), _TOGETHER)]

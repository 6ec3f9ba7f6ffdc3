"""The model bundle: a folder with everything a prediction needs, checked by hashes when it is loaded."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import BundleError, InputError, describe_problem
from pyfai_grf.core.parameters import MATERIALS, PARAMETERS, Material
from pyfai_grf.core.records import Curve, Points, Prediction, PredictionRow
from pyfai_grf.core.units import parse_q_unit
from pyfai_grf.features.points import clean_curve, fill_masked
from pyfai_grf.features.resampling import resample
from pyfai_grf.features.specification import Features, FeatureSpec, compute_features
from pyfai_grf.fit.options import FITTED, FitOptions
from pyfai_grf.learn.answer import MODEL, answer, leave_out
from pyfai_grf.learn.applicability import fit_expected, join_reasons, judge_features, judge_fit, judge_values
from pyfai_grf.learn.bundle_files import (
    ARRAYS,
    DESCRIPTION,
    check_bundled,
    check_description,
    check_target,
    find_bundled,
    read_description,
    read_files,
    write_files,
)
from pyfai_grf.learn.description import ModelDescription
from pyfai_grf.learn.regressor import Regressor
from pyfai_grf.learn.smooth import Projection, SmoothModel
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, Spectrum

FORMAT, FORMAT_VERSION = "pyfai-grf model bundle", 2
#: fields of a regressor: arrays of its calibration, and plain values
_CALIBRATION, _SWITCHES = ("edges", "factors", "noise_edges"), ("is_log", "is_mirrored", "noise_column")


@dataclass(frozen=True)
class Model:
    """A trained model: feature specification, one regressor per parameter, and where it all came from.

    ``sha256`` is the hash of the whole bundle, "" before it is saved.
    """

    name: str
    spec: FeatureSpec
    projection: Projection
    regressors: Mapping[str, Regressor]
    description: ModelDescription
    sha256: str = ""

    @property
    def material(self) -> Material:
        """The material class that the model was trained for."""
        return self.description.get_material()

    @property
    def flavour(self) -> str:
        """ "measured" or "paper"."""
        return self.description.flavour

    @property
    def spectrum(self) -> Spectrum | None:
        """The spectral density that the model was trained for; None where every material has its own."""
        return self.description.get_spectrum()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that it predicts."""
        return tuple(self.regressors)

    @property
    def q_nm1(self) -> FloatArray:
        """The model's q grid (M,), 1/nm."""
        return self.spec.q_nm1

    @property
    def has_fit(self) -> bool:
        """Whether a fit can follow: it knows infinite samples of two phases."""
        return self.flavour == "measured" and self.material.phases == 2

    def predict(
        self,
        q: FloatArray,
        intensity: FloatArray,
        sigma: FloatArray | None = None,
        unit: str = "nm^-1",
        fit: bool = True,
        **options: Any,
    ) -> Prediction:
        """Return the parameters behind one or more curves.

        A measured-sample model of two phases places them by its regressors and measures them by a fit, which alone
        answers where the curve is not on the model's q grid (see :mod:`pyfai_grf.learn.answer`).

        Parameters
        ----------
        q : (Q,) momentum transfer in ``unit``.
        intensity : (Q,) or (N, Q), any scale; of a masked array the masked points are left out.
        sigma : standard errors of ``intensity``, of its shape; None: estimated from the curve's own scatter.
        unit : "nm^-1" or "A^-1".
        fit : whether a fit follows.
        options : of the fit, as for :func:`pyfai_grf.fit_curve`: spectrum (by default that of the training), upturn,
            background, resolution, spread, exclude, calibration_error; ``resolution`` and ``exclude`` in ``unit``;
            compared=None ranks other spectra too.

        Raises
        ------
        QRangeError
            If the parameters cannot be told from the curves' q range, by the model or by the fit.
        InputError
            If an array has the wrong shape or cannot be a scattering curve.
        """
        factor = parse_q_unit(unit)
        q = fill_masked(q) * factor
        intensity = np.atleast_2d(fill_masked(intensity))
        if q.ndim != 1 or intensity.ndim != 2 or intensity.shape[1] != q.size:
            raise InputError(f"q has shape {q.shape} and intensity {intensity.shape}: give (Q,) and (Q,) or (N, Q)")
        if not len(intensity):
            raise InputError("there is no curve: give one row of intensities at least")
        errors = None if sigma is None else np.atleast_2d(fill_masked(sigma))
        if errors is not None and errors.shape != intensity.shape:
            raise InputError(f"sigma has shape {errors.shape}, intensity {intensity.shape}: they must agree")
        metadata = {"q_unit_from": "given"}
        return self.predict_points(
            [
                clean_curve(Curve(q, row, None if errors is None else errors[n], metadata=metadata))
                for n, row in enumerate(intensity)
            ],
            self._make_options(factor, fit, options),
        )

    def predict_curve(self, curve: Curve, fit: bool = True, **options: Any) -> Prediction:
        """Return the parameters behind one curve (N = 1); raises as :meth:`predict`. ``options`` in 1/nm."""
        return self.predict_points([clean_curve(curve)], self._make_options(1.0, fit, options))

    def _make_options(self, to_nm1: float, fit: bool, given: Mapping[str, Any]) -> FitOptions | None:
        if given and not (fit and self.has_fit):
            raise InputError(f"{', '.join(given)}: these are options of a fit, and there is none")
        return FitOptions.convert(to_nm1, **given) if fit else None

    def predict_points(self, curves: Sequence[Points], options: FitOptions | None = None, first: int = 0) -> Prediction:
        """Return the parameters behind N curves that have been cleaned; by the regressors alone without ``options``.

        ``first`` is the place of the first one in its run.

        Raises
        ------
        QRangeError
            If one does not cover the model's q range, and no fit can tell its parameters.
        InputError
            If one has no positive invariant.
        """
        return Prediction.from_rows(self.answer(curves, options, first))

    def answer(
        self, curves: Sequence[Points], options: FitOptions | None = None, first: int = 0
    ) -> list[PredictionRow]:
        """Return the same as :meth:`predict_points`, one row a curve, with what the regressors said by themselves."""
        if options is None or not self.has_fit:
            return list(self._ask(curves))
        options = options.complete(self.description.spectrum)
        kept = [leave_out(points, options) for points in curves]
        return answer(curves, self.material.name, options, self._try(kept), first)

    def _try(self, curves: Sequence[Points]) -> list[PredictionRow | InputError]:
        """Return what the regressors say of each curve, or why they cannot be asked."""
        try:
            return list(self._ask(curves))
        except InputError as problem:
            return [problem] if len(curves) == 1 else [row for curve in curves for row in self._try([curve])]

    def _ask(self, curves: Sequence[Points]) -> Prediction:
        # the model to train instead, where one does not cover the range, is one of the same spectrum
        usual = DEFAULT_SPECTRUM if self.flavour == "paper" else FITTED
        spectrum = "" if self.description.spectrum == usual else self.description.spectrum
        on_grid = [resample(points, self.q_nm1, self.name, spectrum) for points in curves]
        intensity, sigma = (np.array([getattr(c, part) for c in on_grid]) for part in ("intensity", "sigma"))
        features = compute_features(self.spec, intensity, sigma if self.spec.noise == "counts" else None)
        held = self.projection.hold_noise(features.values, self.spec.noise_count)
        columns = {
            # an interval cut to what the parameter can mean holds as much as before
            name: np.clip(regressor.predict(self.projection, held), PARAMETERS[name].lowest, PARAMETERS[name].highest)
            for name, regressor in self.regressors.items()
        }
        values, lower, upper = ({name: column[k] for name, column in columns.items()} for k in range(3))
        reasons = self._judge(features, values)
        is_applicable = np.array([not reason for reason in reasons])
        return Prediction(values, lower, upper, is_applicable, reasons, (MODEL,) * len(reasons))

    def _judge(self, features: Features, values: Mapping[str, FloatArray]) -> tuple[str, ...]:
        """Return for each curve why the model does not apply, "" where it does."""
        verdicts = [
            judge_features(self.spec, self.projection, features),
            judge_values(self.material, self.description.length_scale, values),
        ]
        if (limit := self.description.misfit_limit) is not None and self.spectrum is not None:
            fit = fit_expected(self.spec, features, values["a"], values["porosity"], self.spectrum)
            verdicts.append(judge_fit(fit, limit))
        return tuple(join_reasons(reasons) for reasons in zip(*verdicts, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return what ``model.json`` holds, but for the hashes."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.name,
            **self.description.to_json(),
            "features": self.spec.to_json(),
            "regressors": {name: _describe(regressor) for name, regressor in self.regressors.items()},
        }


def load_model(name_or_path: str | Path) -> Model:
    """Load a model: the name of a bundled one, or the path of a bundle.

    A class whose model for measured samples is not there yet resolves to its "@paper" model, whose name says so.

    Parameters
    ----------
    name_or_path : str or Path
        "two-phase-low-porosity" and the like, or the folder of a bundle.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    BundleError
        If there is no such model, its spectrum is not known here, or its files do not match their hashes.
    """
    name = str(name_or_path)
    bundled = find_bundled()
    if name in MATERIALS and name not in bundled:
        name = f"{name}@paper"
    path = bundled.get(name, Path(name_or_path))
    if not (path / DESCRIPTION).is_file():
        raise BundleError(
            f"there is no model {str(name_or_path)!r}: choose one of {', '.join(bundled) or '(none is bundled)'}, or "
            "the folder of a bundle",
            "bundle",
        )
    try:
        model = _read(path)
        if name in bundled:
            check_bundled(name, model.sha256)
    except BundleError:
        raise
    except Exception as problem:  # whatever a wrong byte in a wrong place does to JSON, NumPy and XGBoost
        reason = describe_problem(problem)
        raise BundleError(f"the model bundle {path} is damaged ({reason}): install or train it again") from None
    return model


def save_model(model: Model, path: str | Path) -> Model:
    """Write ``model`` as a bundle and return it with its hash; a bundle that is there is replaced when all is written.

    Raises
    ------
    InputError
        If the folder exists and is not a bundle or holds files of somebody else, or cannot be written.
    """
    path = Path(path)
    check_target(path, overwrite=True)
    arrays = {f"projection/{k}": v for k, v in vars(model.projection).items()}
    files = {}
    for name, regressor in model.regressors.items():
        files[f"{name}.ubj"] = bytes(regressor.trees.save_raw("ubj"))
        files[f"{name}-spread.ubj"] = bytes(regressor.spread.save_raw("ubj"))
        arrays[f"{name}/coefficients"] = regressor.smooth.coefficients
        arrays |= {f"{name}/{part}": getattr(regressor, part) for part in _CALIBRATION}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    files[ARRAYS] = stream.getvalue()
    return replace(model, sha256=write_files(path, model.to_json(), files))


def _describe(regressor: Regressor) -> dict[str, Any]:
    return {
        **{key: getattr(regressor, key) for key in _SWITCHES},
        "interval_factors": regressor.factors.tolist(),
        "smooth": {k: v for k, v in vars(regressor.smooth).items() if k != "coefficients"},
        "trees": regressor.trees.num_boosted_rounds(),
    }


def _read(path: Path) -> Model:
    text = read_description(path)
    if text.get("format") != FORMAT or text["format_version"] != FORMAT_VERSION:
        raise BundleError(f"{path} is not a {FORMAT} of format version {FORMAT_VERSION}: train it again")
    digest = check_description(path, text)
    description = ModelDescription.from_json(text)
    try:
        description.get_spectrum()
    except InputError as problem:
        raise BundleError(f"{path} was trained for a spectrum that cannot be used here: {problem}") from None
    trees = [f"{name}{part}.ubj" for name in description.get_material().parameters for part in ("", "-spread")]
    files = read_files(path, text, [*trees, ARRAYS])
    with np.load(io.BytesIO(files[ARRAYS]), allow_pickle=False) as arrays:
        projection = Projection(**{f.name: arrays[f"projection/{f.name}"] for f in fields(Projection)})
        regressors = {
            name: Regressor(
                SmoothModel(coefficients=arrays[f"{name}/coefficients"], **entry["smooth"]),
                xgboost.Booster(model_file=bytearray(files[f"{name}.ubj"])),
                xgboost.Booster(model_file=bytearray(files[f"{name}-spread.ubj"])),
                **{key: entry[key] for key in _SWITCHES},
                **{part: arrays[f"{name}/{part}"] for part in _CALIBRATION},
            )
            for name, entry in text["regressors"].items()
        }
    spec = FeatureSpec.from_json(text["features"])
    return Model(text["name"], spec, projection, regressors, description, digest)

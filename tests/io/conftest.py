"""Results as an analysis makes them: a three-phase model, closed-form-like curves, every kind of extra column."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.provenance import Provenance, collect_versions, format_now
from pyfai_grf.core.records import Alternative, Curve, Fit, PredictionRow, Result

NAMES = ("a", "porosity", "layer_fraction")
#: results files of earlier layouts
OLD = Path(__file__).parents[1] / "data" / "results"


@pytest.fixture
def provenance() -> Provenance:
    """A three-phase model with everything that can be said about it."""
    return Provenance(
        material="three-phase-high-porosity",
        model="three-phase-high-porosity",
        flavour="measured",
        model_sha256="0123456789abcdef" * 4,
        model_version="1",
        spectrum="(1+(aq)^8)^-2",
        layer_density=0.65,
        q_grid_nm1=np.linspace(0.05, 3.0, 60),
        parameters=NAMES,
        settings={"mask": "masque é.edf", "background": None, "scale": 1.5},
        command="pyfai-grf analyze 'Å frame.edf'",
        versions=collect_versions(),
        created=format_now(),
    )


def make_fit(curve: Curve, index: int) -> Fit:
    """Return a fit whose every number differs from the others, with the last points left out."""
    rng = np.random.default_rng(index)
    names = ("log_a", "u", "inverse_n", "variance", "power", "scale", "background", "amplitude")
    values = {"a": 4.0 + index, "porosity": 0.7, "spectrum_n": 8.1, "spread": 1 / 3}
    background, upturn = np.full(curve.q_nm1.size, -0.1), 0.01 * curve.q_nm1**-3.5
    residual = rng.normal(size=curve.q_nm1.size)
    residual[-5:] = np.nan
    return Fit(
        values,
        {name: 0.001 * value for name, value in values.items()},
        {name: 0.99 * value for name, value in values.items()},
        {name: np.inf if name == "spread" else 1.01 * value for name, value in values.items()},
        chi2=1.0 + 0.1 * index,
        q_nm1=curve.q_nm1,
        curve=1.01 * curve.intensity + background + upturn,
        background=background,
        upturn=upturn,
        residual=residual,
        names=names,
        covariance=rng.normal(size=(8, 8)),
        spectrum="fitted",
        model_error=0.002,
        runs=-0.3,
        is_applicable=True,
        reason="the curve fits within 0.2 % – not to its noise",
        alternatives=(Alternative("matern:nu=2.5", {"a": 1.5}, {"a": 0.1}, 4.4, 1.2, 5, 3.5, True, True),) * index,
    )


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """``make_result(index, ...)``: row ``index`` of a run; what is not given is as in an ordinary frame."""

    def make(
        index: int = 0,
        *,
        size: int = 60,
        source: str = "frames.h5::/entry/data",
        has_sigma: bool = True,
        is_predicted: bool = True,
        reason: str = "",
        has_fit: bool = False,
    ) -> Result:
        q_nm1 = np.linspace(0.05, 3.0, size)
        intensity = (index + 1) * 1e4 / (1 + (2 * q_nm1) ** 2) ** 2
        curve = Curve(
            q_nm1,
            intensity,
            sigma=0.01 * intensity if has_sigma else None,
            weight=np.arange(1.0, size + 1) if has_sigma else None,
            counts=1e7 if has_sigma else None,
            metadata={"title": "Ruß", "warnings": ["sparse – few counts"], "poni": {"dist": 1.25}},
        )
        value = {"a": 4.0 + index, "porosity": 0.7, "layer_fraction": 0.2}
        if not is_predicted:
            value = dict.fromkeys(NAMES, np.nan)
        said = PredictionRow(
            values=value,
            lower={name: number - 0.02 for name, number in value.items()},
            upper={name: number + 0.03 for name, number in value.items()},
            is_applicable=is_predicted,
            reason=reason,
        )
        if has_fit:
            model = dataclasses.replace(said, values={**value, "a": 4.01 + index}, reason="près", source="model")
            said = dataclasses.replace(said, source="model and fit", model=model, fit=make_fit(curve, index))
        return Result(
            source=source,
            frame=index,
            curve=curve,
            prediction=said,
            extras={"q_max_nm1": 3.0, "counts": 1e7, "porod_constant": float("nan"), "warnings": 'Å, "quoted"\nline'},
        )

    return make


@pytest.fixture
def assert_same() -> Callable[[Result, Result], None]:
    """Every number and every text of two results agree exactly; NaN agrees with NaN."""

    def check(found: Result, expected: Result) -> None:
        for name in ("q_nm1", "intensity", "sigma", "weight"):
            one, other = getattr(found.curve, name), getattr(expected.curve, name)
            assert (one is None) == (other is None), name
            if one is not None:
                np.testing.assert_array_equal(one, other)
        assert found.curve.counts == expected.curve.counts
        assert found.curve.metadata == expected.curve.metadata
        # every field of the rows, of what the regressors said and of the fits
        np.testing.assert_equal(dataclasses.asdict(found.prediction), dataclasses.asdict(expected.prediction))
        np.testing.assert_equal(dict(found.extras), dict(expected.extras))
        assert (found.source, found.frame) == (expected.source, expected.frame)

    return check


@pytest.fixture
def old_file(tmp_path: Path) -> Callable[[str], Path]:
    """``old_file(name)``: a copy of a results file of an earlier layout."""

    def unpack(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.decompress((OLD / f"{name}.gz").read_bytes()))
        return path

    return unpack

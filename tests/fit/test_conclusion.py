"""A minimum becomes a record: its intervals know what noise there is, and what cannot be told has no numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_grf.core.records import Points
from pyfai_grf.fit.conclusion import conclude
from pyfai_grf.fit.family import Family
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.fit.search import Problem, find_minimum
from pyfai_grf.fit.target import make_target
from pyfai_grf.theory.closed_form import expected_intensity
from pyfai_grf.theory.spectra import get_spectrum

Q = np.linspace(0.05, 2.5, 250)
OPTIONS = FitOptions("roding2022", calibration_error=0.0)


def pose(part: float, q: np.ndarray = Q) -> Problem:
    """The problem of a curve with errors of ``part``."""
    truth = expected_intensity(q, 3.0, 0.3)
    noisy = np.random.default_rng(1).normal(truth, part * truth)
    return Problem(make_target(Points(q, noisy, part * truth)), Family(get_spectrum("roding2022"), False))


def test_intervals_follow_the_noise() -> None:
    fits = []
    for part in (0.01, 0.02):
        problem = pose(part)
        fits.append(conclude(problem, find_minimum(problem), Q, False, OPTIONS))
    assert fits[1].errors["a"] / fits[0].errors["a"] == pytest.approx(2, rel=0.15)  # sqrt(2 / 250) of each chi-square
    for fit in fits:
        assert fit.chi2 == pytest.approx(1, abs=4 * np.sqrt(2 / Q.size))


def test_points_that_scatter_more_than_their_errors_say_widen_the_intervals() -> None:
    problem = pose(0.01)
    wrong = replace(problem, target=replace(problem.target, variance=problem.target.variance / 4))
    right, found = (conclude(p, find_minimum(p), Q, False, OPTIONS) for p in (problem, wrong))
    assert found.is_applicable
    assert found.errors["a"] == pytest.approx(right.errors["a"], rel=0.15)
    assert found.chi2 == pytest.approx(right.chi2, rel=0.15)


def test_the_mirror_image_is_above_one_half() -> None:
    problem = pose(0.01)
    low, high = (conclude(problem, find_minimum(problem), Q, is_mirrored, OPTIONS) for is_mirrored in (False, True))
    assert high.values["porosity"] == pytest.approx(1 - low.values["porosity"])
    assert (high.lower["porosity"], high.upper["porosity"]) == pytest.approx(
        (1 - low.upper["porosity"], 1 - low.lower["porosity"])
    )


def test_what_cannot_be_told_has_no_numbers() -> None:
    q = np.linspace(2.0, 2.5, 100)
    problem = pose(0.02, q)
    fit = conclude(problem, find_minimum(problem), q, False, OPTIONS)
    assert not fit.is_applicable
    assert "no shoulder" in fit.reason
    for part in (fit.values, fit.errors, fit.lower, fit.upper):
        assert np.isnan(list(part.values())).all()
    assert np.isfinite(fit.curve).all()  # what was tried can be looked at

"""The exception family: errors carry a message, a hint and facts, also from one process to another."""

from __future__ import annotations

import pickle

import pytest

from pyfai_grf.core.errors import BundleError, DeviceError, GrfError, InputError, QRangeError, TrainingGrid


def test_the_family() -> None:
    assert issubclass(InputError, GrfError)
    assert issubclass(InputError, ValueError)  # so that callers who know nothing of us catch it
    assert issubclass(BundleError, GrfError)
    assert issubclass(DeviceError, GrfError)


def test_an_error_needs_no_hint() -> None:
    problem = InputError("porosity is 2")
    assert (str(problem), problem.hint, problem.facts) == ("porosity is 2", "", {})


@pytest.mark.parametrize("kind", [GrfError, InputError, BundleError, DeviceError])
def test_hint_and_facts_travel_between_processes(kind: type[GrfError]) -> None:
    problem = pickle.loads(pickle.dumps(kind("message", "hint", value=3)))
    assert type(problem) is kind
    assert (str(problem), problem.hint, problem.facts) == ("message", "hint", {"value": 3})


def test_a_q_range_travels_between_processes() -> None:
    problem = QRangeError(
        (0.1, 1.0), (0.04, 3.0), "it ends early", TrainingGrid(0.1, 1.0, 100), "two-phase-low-porosity"
    )
    again = pickle.loads(pickle.dumps(problem))
    assert (str(again), again.grid, again.covered_nm1) == (str(problem), problem.grid, problem.covered_nm1)
    assert (again.hint, again.facts) == (problem.hint, problem.facts)

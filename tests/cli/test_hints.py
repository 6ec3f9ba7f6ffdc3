"""Errors carry hints, and the command line words them."""

from __future__ import annotations

from pyfai_grf.cli.hints import HINTS, word_problem
from pyfai_grf.core.errors import DeviceError, InputError


def test_a_problem_without_a_hint_is_its_message() -> None:
    assert word_problem(InputError("porosity is 2")) == "porosity is 2"


def test_a_hint_follows_the_message() -> None:
    assert word_problem(DeviceError("choose the CPU", "device")) == f"choose the CPU ({HINTS['device']})"


def test_facts_stand_in_the_hint() -> None:
    problem = InputError("no scheduler file", "scheduler file", path="cluster.json")
    assert word_problem(problem) == "no scheduler file ('dask scheduler --scheduler-file cluster.json' writes one)"

"""Errors carry hints, and the command line words them."""

from __future__ import annotations

import pytest

from pyfai_grf.cli.hints import HINTS, word_problem
from pyfai_grf.core.errors import DeviceError, InputError, QRangeError, TrainingGrid


def test_a_problem_without_a_hint_is_its_message() -> None:
    assert word_problem(InputError("porosity is 2")) == "porosity is 2"


def test_a_hint_follows_the_message() -> None:
    assert word_problem(DeviceError("choose the CPU", "device")) == f"choose the CPU ({HINTS['device']})"


def test_facts_stand_in_the_hint() -> None:
    problem = InputError("no scheduler file", "scheduler file", path="cluster.json")
    assert word_problem(problem) == "no scheduler file ('dask scheduler --scheduler-file cluster.json' writes one)"


def test_what_can_be_pasted_is_quoted() -> None:
    assert word_problem(InputError("full", "export", path="my run.h5")) == "full (pyfai-grf export 'my run.h5')"


@pytest.mark.parametrize(("spectrum", "scale"), [("", 1.0), ("power:n=6", 1.0), ("", 30.0), ("matern:nu=2.5", 0.5)])
def test_a_command_has_the_options_that_are_needed(spectrum: str, scale: float) -> None:
    grid = TrainingGrid(0.1, 1.0, 100, scale)
    problem = QRangeError((0.1, 1.0), (0.04, 3.0), "it ends too early", grid, "two-phase-low-porosity", spectrum)
    assert "--" not in str(problem)
    assert str(problem).endswith(
        "100 points from 0.1 to 1 per nm" + f" and lengths {scale:g} times the published ones" * (scale != 1)
    )
    more = f" --spectrum {spectrum}" * bool(spectrum), f" --length-scale {scale:g}" * (scale != 1)
    assert word_problem(problem) == (
        f"{problem} (pyfai-grf train --material two-phase-low-porosity{more[0]} --q-min 0.1 --q-max 1 --q-points 100"
        f"{more[1]} -o my-model)"
    )

"""The exception family. A message says what was wrong, the value found, and what to do, in words for everybody.

The same error may come out of a Python call, a task of another program or the command line. So no message speaks of
flags or commands: an error names a ``hint`` and the ``facts`` that belong to it, and whoever shows the error may word
them (for the command line: ``pyfai_grf.cli.hints``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


class GrfError(Exception):
    """Base of every error that this package raises on purpose.

    Attributes
    ----------
    hint : key of what would help, "" where the message says it all.
    facts : values that belong to the hint, by name.
    """

    def __init__(self, message: str = "", hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.hint = hint
        self.facts = facts


class InputError(GrfError, ValueError):
    """A value, an array or a file from outside cannot be used as it is."""


@dataclass(frozen=True)
class TrainingGrid:
    """An equidistant q grid that a curve covers, in 1/nm, and what multiplies the published lengths there."""

    q_min_nm1: float
    q_max_nm1: float
    points: int
    length_scale: float = 1.0


class QRangeError(InputError):
    """A curve does not cover the q range of a model; the message ends with the command that trains one for it.

    Attributes
    ----------
    covered_nm1, needed_nm1 : (lowest, highest) q of the curve and of the model, in 1/nm.
    problem : what is missing, in words.
    grid : what to train a model for.
    material : its class.
    """

    def __init__(
        self,
        covered_nm1: tuple[float, float],
        needed_nm1: tuple[float, float],
        problem: str,
        grid: TrainingGrid,
        material: str,
    ) -> None:
        self.covered_nm1, self.needed_nm1, self.problem = covered_nm1, needed_nm1, problem
        self.grid, self.material = grid, material
        super().__init__(
            f"the curve covers {covered_nm1[0]:.3g} to {covered_nm1[1]:.3g} per nm, the model needs "
            f"{needed_nm1[0]:.3g} to {needed_nm1[1]:.3g}: {problem}; train a model for this curve: {self.command}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes by what it was made from."""
        return type(self), (self.covered_nm1, self.needed_nm1, self.problem, self.grid, self.material)

    @property
    def command(self) -> str:
        """The command line that trains such a model; it can be pasted as it is."""
        grid = self.grid
        lengths = "" if grid.length_scale == 1 else f" --length-scale {grid.length_scale:g}"
        return (
            f"pyfai-grf train --material {self.material} --q-min {grid.q_min_nm1:g} --q-max {grid.q_max_nm1:g} "
            f"--q-points {grid.points}{lengths} -o my-model"
        )


class BundleError(GrfError):
    """A model bundle is missing, damaged, or made for something else."""


class DeviceError(GrfError):
    """A device was asked for that this machine cannot offer."""


def describe_problem(problem: BaseException) -> str:
    """Return the system's own words out of an OSError or one of HDF5's many-line messages."""
    if isinstance(problem, OSError) and problem.strerror and "\n" not in problem.strerror:
        return problem.strerror
    found = re.search(r"error message = '([^']*)'", str(problem))
    return found.group(1) if found else " ".join(str(problem).split()) or type(problem).__name__

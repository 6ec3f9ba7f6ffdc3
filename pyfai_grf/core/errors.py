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
    """A curve does not cover the q range of a model; the message ends with the grid to train one for it.

    Attributes
    ----------
    covered_nm1, needed_nm1 : (lowest, highest) q of the curve and of the model, in 1/nm.
    problem : what is missing, in words.
    grid : what to train a model for.
    material, spectrum : its class and its spectral density, "" for the one that is trained by default.
    """

    def __init__(
        self,
        covered_nm1: tuple[float, float],
        needed_nm1: tuple[float, float],
        problem: str,
        grid: TrainingGrid,
        material: str,
        spectrum: str = "",
    ) -> None:
        self.covered_nm1, self.needed_nm1, self.problem = covered_nm1, needed_nm1, problem
        self.grid, self.material, self.spectrum = grid, material, spectrum
        scale = "" if grid.length_scale == 1 else f"{grid.length_scale:g}"
        super().__init__(
            f"the curve covers {covered_nm1[0]:.3g} to {covered_nm1[1]:.3g} per nm, the model needs "
            f"{needed_nm1[0]:.3g} to {needed_nm1[1]:.3g}: {problem}; train a model for this curve, for {grid.points} "
            f"points from {grid.q_min_nm1:g} to {grid.q_max_nm1:g} per nm"
            + (f" and lengths {scale} times the published ones" if scale else ""),
            hint="model for a curve",
            material=material,
            spectrum=spectrum,
            q_min=f"{grid.q_min_nm1:g}",
            q_max=f"{grid.q_max_nm1:g}",
            points=grid.points,
            scale=scale,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes by what it was made from."""
        made_from = (self.covered_nm1, self.needed_nm1, self.problem, self.grid, self.material, self.spectrum)
        return type(self), made_from


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

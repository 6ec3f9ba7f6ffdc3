"""The exception family. A message says what was wrong, the value found, and what to do."""

from __future__ import annotations

import re


class GrfError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(GrfError, ValueError):
    """A value, an array or a file from outside cannot be used as it is."""


class QRangeError(InputError):
    """A curve does not cover the q range of a model."""


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

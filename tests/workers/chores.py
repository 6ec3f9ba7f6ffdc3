"""Tasks for the tests of the workers, in a module that worker processes can import."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Square:
    """Squares the index."""

    def run(self, backend: object, index: int) -> int:
        return index**2

    def describe(self, index: int) -> str:
        return f"square {index}"


@dataclass(frozen=True)
class Threads(Square):
    """Tells the device and the number of threads of whoever does it."""

    def run(self, backend, index):
        return backend.device, backend.threads


@dataclass(frozen=True)
class KillOnce(Square):
    """Kills the first worker that takes index 3."""

    marker: str = ""

    def run(self, backend: object, index: int) -> int:
        if index == 3:
            try:
                os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
                os._exit(1)
            except FileExistsError:
                pass
        return index**2


@dataclass(frozen=True)
class KillAlways(Square):
    """Kills every worker that takes it."""

    def run(self, backend: object, index: int) -> int:
        os._exit(1)


@dataclass(frozen=True)
class Fail(Square):
    """Fails at index 3 in several lines."""

    def run(self, backend: object, index: int) -> int:
        if index == 3:
            raise MemoryError("Unable to allocate\n9 GB")
        return index**2


@dataclass(frozen=True)
class Raise(Square):
    """Raises what it is given."""

    problem: Exception = dataclasses.field(default_factory=Exception)

    def run(self, backend: object, index: int) -> int:
        raise self.problem

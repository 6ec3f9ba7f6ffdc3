"""One task, or a group of them, done here: by this process or inside a worker."""

from __future__ import annotations

import time
from typing import Protocol, TypeVar

from pyfai_grf.core.backend import Backend
from pyfai_grf.core.errors import GrfError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Task(Protocol[T_co]):
    """What is to be done for each index. It travels to the workers, so it has to be picklable."""

    def run(self, backend: Backend, index: int) -> T_co:
        """Return the result for ``index``; it may depend on nothing else."""

    def describe(self, index: int) -> str:
        """Return what messages call the work on ``index``, such as "structure 3"."""


def attempt_task(task: Task[T], backend: Backend, index: int) -> T:
    """Return the result for ``index``.

    Raises
    ------
    GrfError
        Whatever goes wrong, in one line.
    """
    try:
        return task.run(backend, index)
    except GrfError:
        raise
    except Exception as problem:
        text = " ".join(str(problem).split()) or "no further text"
        is_memory = isinstance(problem, MemoryError) or "OutOfMemory" in type(problem).__name__
        message = f"{task.describe(index)} failed ({type(problem).__name__}: {text})"
        if is_memory:
            raise GrfError(f"{message}: use fewer workers at a time, or smaller tasks", "fewer workers") from problem
        raise GrfError(message) from problem


def attempt_group(task: Task[T], backend: Backend, group: tuple[int, ...]) -> tuple[list[T], float]:
    """Return the results for several indices, and the seconds they took."""
    start = time.perf_counter()
    return [attempt_task(task, backend, index) for index in group], max(time.perf_counter() - start, 1e-6)

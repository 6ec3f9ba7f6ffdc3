"""One task, or a group of them, done here: by this process or inside a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pyfai_grf.core.backend import Backend
from pyfai_grf.core.errors import GrfError

T = TypeVar("T")
#: called as task(backend=..., index=...); it travels to the workers and has to be picklable
Task = Callable[..., T]


def attempt_task(task: Task[T], backend: Backend, index: int) -> T:
    """Return the result of a task; whatever goes wrong comes out as one line."""
    try:
        return task(backend=backend, index=index)
    except GrfError:
        raise
    except Exception as problem:
        text = " ".join(str(problem).split()) or "no further text"
        is_memory = isinstance(problem, MemoryError) or "OutOfMemory" in type(problem).__name__
        advice = ": fewer workers at a time, or a smaller box" if is_memory else ""
        raise GrfError(f"structure {index} failed ({type(problem).__name__}: {text}){advice}") from problem


def attempt_group(task: Task[T], backend: Backend, group: tuple[int, ...]) -> tuple[list[T], float]:
    """Return the results of several tasks, and the seconds they took."""
    start = time.perf_counter()
    return [attempt_task(task, backend, index) for index in group], max(time.perf_counter() - start, 1e-6)

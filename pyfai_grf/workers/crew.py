"""Who simulates: this process, several of this machine, or the workers of a Dask cluster; one loop for all of them.

A task is called with a backend and an index. What it returns depends on nothing else, so that it does not matter who
does it, in which order, or how often: a worker that dies has its tasks done again by another.

A worker process makes one structure at a time. On the CPU it uses its share of the cores as threads (under Dask: as
many as the worker has, ``--nthreads``), on CUDA one GPU.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.workers.cluster import DaskPool
from pyfai_grf.workers.processes import ProcessPool
from pyfai_grf.workers.tasks import Task, attempt_task

T = TypeVar("T")
#: results, and the number of workers
Progress = tuple[list[T], int]

#: tasks given out for each worker: one it works on, one that waits for it
_AHEAD = 2
#: seconds of work handed over at once, where one task takes less
_GROUP_S = 0.5
#: seconds after which the loop looks around, finished tasks or not
_TICK_S = 1.0


@dataclass(frozen=True)
class Crew:
    """Who simulates: ``processes`` of this machine (1: this process itself), or a Dask ``scheduler``'s workers.

    ``scheduler`` is an address (tcp://host:8786) or a Dask scheduler file (.json); ``device`` is "auto", "cpu" or
    "cuda".
    """

    device: str = "auto"
    processes: int = 1
    scheduler: str | None = None


class _Pool(Protocol[T]):
    """Somebody else who does groups of tasks and says how many seconds they took."""

    def count_workers(self) -> int: ...
    def submit(self, group: tuple[int, ...]) -> Any: ...
    def gather(self, futures: list[Any]) -> list[tuple[list[T], float]]: ...
    def close(self) -> None: ...


@contextlib.contextmanager
def open_workers(crew: Crew, task: Task[T]) -> Iterator[Callable[[Iterable[int]], Iterator[Progress[T]]]]:
    """Give a function that has ``task`` done for given indices; the workers are stopped at the end of the context.

    The function yields what has been done since the last time, perhaps nothing, and the number of workers, until all
    is done. Results come in any order.

    Raises
    ------
    DeviceError
        If the device is not there.
    GrfError
        If the workers cannot be used, or a task fails: one line on who and why.
    """
    if crew.scheduler is None and crew.processes == 1:
        yield partial(_run_here, get_backend(crew.device), task)
        return
    with contextlib.closing(_open_pool(crew, task)) as pool:
        yield partial(_run_window, pool)


def _open_pool(crew: Crew, task: Task[T]) -> _Pool[T]:
    if crew.scheduler is None:
        return ProcessPool(crew.processes, crew.device, task)
    return DaskPool(crew.scheduler, crew.device, task)


def _run_here(backend: Backend, task: Task[T], indices: Iterable[int]) -> Iterator[Progress[T]]:
    yield [], 1
    for index in indices:
        yield [attempt_task(task, backend, index)], 1


def _run_window(pool: _Pool[T], indices: Iterable[int]) -> Iterator[Progress[T]]:
    """Keep a few tasks a worker under way, never more, however many there are to do and whoever comes and goes.

    Short tasks travel in groups: handing one over costs milliseconds.
    """
    todo = iter(indices)
    running: dict[int, Any] = {}
    done: queue.SimpleQueue[int] = queue.SimpleQueue()
    size, is_last = 1, False
    while running or not is_last:
        workers = pool.count_workers()
        while len(running) < _AHEAD * workers and not is_last:
            if group := tuple(itertools.islice(todo, size)):
                running[group[0]] = pool.submit(group)
                running[group[0]].add_done_callback(lambda _, first=group[0]: done.put(first))
            is_last = len(group) < size
        finished = pool.gather([running.pop(first) for first in _drain(done, _TICK_S if running else 0)])
        for results, seconds in finished:
            size = min(2 * size, max(1, int(_GROUP_S * len(results) / seconds)))
        yield [result for results, _ in finished for result in results], workers
        if not workers:
            time.sleep(_TICK_S)


def _drain(done: queue.SimpleQueue[int], timeout_s: float) -> list[int]:
    """Return all that is in the queue, waiting for the first."""
    found = []
    try:
        found.append(done.get(timeout=timeout_s))
        while True:
            found.append(done.get_nowait())
    except queue.Empty:
        return found

"""One loop over many tasks for this process, several of this machine, or the workers of a Dask cluster.

A task is called with a backend and an index. Its result may depend on nothing else: then it does not matter who does
it, in which order, or how often, and the tasks of a worker that dies are done again by another.

A worker does one task at a time. On the CPU it uses its share of the cores as threads (under Dask: as many as the
worker has), on CUDA one GPU.
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
from pyfai_grf.workers.work import Task, attempt_task

T = TypeVar("T")
#: results, and the number of workers
Progress = tuple[list[T], int]

#: groups of tasks handed out for each worker: one that it works on, one that waits
_AHEAD = 2
#: seconds of work in a group, where one task takes less
_GROUP_S = 0.5
#: tasks in a group at most, however little each takes: Dask looks at every index that it is handed
_LARGEST_GROUP = 1000
#: seconds after which the loop yields, whether tasks have finished or not
_TICK_S = 1.0


@dataclass(frozen=True)
class Crew:
    """Who works: a number of ``processes`` of this machine (1: this process itself), or a Dask ``scheduler``'s workers.

    ``scheduler`` is an address (tcp://host:8786) or a Dask scheduler file (.json); ``device`` is "auto", "cpu" or
    "cuda".
    """

    device: str = "auto"
    processes: int = 1
    scheduler: str | None = None


class _Pool(Protocol[T]):
    """Workers that do groups of tasks and report how many seconds each group took."""

    def count_workers(self) -> int: ...
    def submit(self, group: tuple[int, ...]) -> Any: ...
    def gather(self, futures: list[Any]) -> list[tuple[list[T], float]]: ...
    def close(self) -> None: ...


@contextlib.contextmanager
def open_workers(crew: Crew, task: Task[T]) -> Iterator[Callable[[Iterable[int]], Iterator[Progress[T]]]]:
    """Give a function that does ``task`` for an iterable of indices; the workers stop when the context ends.

    The function yields the results that have come in since the last time, perhaps none, and the number of workers,
    until all are there. Results come in any order.

    Raises
    ------
    DeviceError
        If the device is not there.
    GrfError
        If the workers cannot be used, or a task fails: one line that says which and why.
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
    """Keep a few groups of tasks per worker under way, however many tasks there are and whoever comes and goes.

    Short tasks travel in groups, because handing over a group costs milliseconds.
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
            size = min(2 * size, _LARGEST_GROUP, max(1, int(_GROUP_S * len(results) / seconds)))
        yield [result for results, _ in finished for result in results], workers
        if not workers:
            time.sleep(_TICK_S)


def _drain(done: queue.SimpleQueue[int], timeout_s: float) -> list[int]:
    """Return everything in the queue, after waiting for the first entry."""
    found = []
    try:
        found.append(done.get(timeout=timeout_s))
        while True:
            found.append(done.get_nowait())
    except queue.Empty:
        return found

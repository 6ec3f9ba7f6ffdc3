"""The workers of a Dask scheduler, wherever they run; the only module that imports distributed.

A worker does one task at a time, on as many threads as it has, or on the GPU that it sees. Workers may join and leave
at any time. Those of another version are refused: when the work begins, or when they join.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any, Generic, TypeVar

from pyfai_grf.core.backend import count_cores, get_backend
from pyfai_grf.core.errors import GrfError, InputError
from pyfai_grf.core.versions import describe_versions
from pyfai_grf.workers.work import Task, attempt_group

T = TypeVar("T")

#: seconds to wait for the scheduler's answer
_CONNECT_S = 10.0
#: seconds between two counts of the workers
_COUNT_EVERY_S = 1.0
#: a worker with several threads is given several tasks: they take turns
_ONE_AT_A_TIME = threading.Lock()


class DaskPool(Generic[T]):
    """The workers of a scheduler; they may come and go."""

    def __init__(self, scheduler: str, device: str, task: Task[T]) -> None:
        self._scheduler = scheduler
        self._client = _connect(scheduler)
        self._counted_at, self._count = -_COUNT_EVERY_S, 0
        self._orders = task, device
        self._is_checked = False

    def count_workers(self) -> int:
        """Return the number of workers, looked up once a second; the first ones are checked before they are used."""
        if time.monotonic() - self._counted_at > _COUNT_EVERY_S:
            try:
                self._count = len(self._client.nthreads())
                if self._count and not self._is_checked:
                    self._check_workers()
            except (OSError, AttributeError) as problem:  # the latter from a client that has closed itself
                raise self._explain(problem) from problem
            self._counted_at = time.monotonic()
        return self._count

    def _check_workers(self) -> None:
        """Refuse workers of other versions than this client's; settle on one device for all of them."""
        task, device = self._orders
        found = self._client.run(_make_description(device), on_error="return")
        devices = set()
        for address, answer in found.items():
            versions, problem, name = answer if isinstance(answer, tuple) else ("", str(answer), "")
            if problem or versions != describe_versions():
                reason = problem or f"it has {versions}, this is {describe_versions()}; install the same on both"
                raise GrfError(f"the worker {address} cannot be used: {reason}")
            devices.add(name)
        if len(devices) > 1:
            raise InputError(
                "some of the workers have a GPU and some do not: choose one device for all", "device of all workers"
            )
        self._orders = task, devices.pop()
        self._is_checked = True

    def submit(self, group: tuple[int, ...]) -> Any:
        """Return the Dask future of a group of tasks."""
        return self._client.submit(_work, *self._orders, describe_versions(), group, pure=False)

    def gather(self, futures: list[Any]) -> list[tuple[list[T], float]]:
        """Return the results of ``futures``.

        Raises
        ------
        GrfError
            If a task failed, a worker died or the scheduler is gone: one line.
        """
        try:
            return self._client.gather(futures)
        except GrfError:
            raise
        except Exception as problem:
            raise self._explain(problem) from problem

    def close(self) -> None:
        """Cancel what is under way and disconnect; scheduler and workers stay."""
        self._client.close(timeout=2)

    def _explain(self, problem: Exception) -> GrfError:
        name, text = type(problem).__name__, " ".join(str(problem).split())
        if name == "KilledWorker":
            return GrfError(f"several workers died over the same work, perhaps for lack of memory: {text}")
        if isinstance(problem, OSError) or "Cancelled" in name or self._client.status != "running":
            return GrfError(
                f"the scheduler {self._scheduler} is gone; what was finished is kept: start it again, and repeat the "
                "same call"
            )
        return GrfError(f"a worker of {self._scheduler} failed ({name}: {text})")


def _connect(scheduler: str) -> Any:
    """Return a client of the scheduler at an address or in a scheduler file."""
    try:
        from distributed import Client
        from distributed.comm import resolve_address
    except ImportError as problem:
        raise GrfError(
            f"a Dask scheduler needs the package distributed, which is not installed ({problem})", "cluster"
        ) from None
    _silence_logs()
    is_file = "://" not in scheduler and (scheduler.endswith(".json") or Path(scheduler).is_file())
    if is_file and not Path(scheduler).is_file():  # the client would wait for it
        raise InputError(
            f"there is no scheduler file {scheduler}: start the scheduler first", "scheduler file", path=scheduler
        )
    place = {"scheduler_file": scheduler} if is_file else {"address": scheduler}
    try:
        if not is_file:
            resolve_address(scheduler)  # a client that fails over this does not end cleanly
        return Client(**place, timeout=_CONNECT_S, set_as_default=False, name="pyfai-grf")
    except (OSError, ValueError, TypeError, KeyError) as problem:
        text = " ".join(str(problem).split())
        raise GrfError(f"no Dask scheduler answers at {scheduler} ({type(problem).__name__}: {text})") from problem


def _silence_logs() -> None:
    """Keep distributed from logging what is reported in one line anyway, unless the log shows information."""
    if not logging.getLogger().isEnabledFor(logging.INFO):
        for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _make_description(device: str) -> Any:
    """Return a function that describes a worker: (versions, problem, device)."""

    def describe_worker() -> tuple[str, str, str]:  # nested, it travels as code: a worker may lack this package
        try:
            from pyfai_grf.core.backend import get_backend
            from pyfai_grf.core.versions import describe_versions

            return describe_versions(), "", get_backend(device).device
        except Exception as problem:
            return "", f"{type(problem).__name__}: {problem}", ""

    return describe_worker


def _work(task: Task[T], device: str, versions: str, group: tuple[int, ...]) -> tuple[list[T], float]:
    """Do tasks on a worker; one that has joined late is checked only here."""
    from distributed import get_worker

    worker = get_worker()
    if versions != describe_versions():
        raise GrfError(
            f"the worker {worker.address} cannot be used: it has {describe_versions()}, the client {versions}; "
            "install the same on both"
        )
    with _ONE_AT_A_TIME:
        threads = min(worker.state.nthreads, count_cores())
        return attempt_group(task, get_backend(device, threads), group)

"""Worker processes of this machine, each with its share of the cores or a GPU; one that dies is replaced."""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from pyfai_grf.core.backend import Backend, count_cores, get_backend
from pyfai_grf.core.child_process import end_child, start_child
from pyfai_grf.core.errors import GrfError
from pyfai_grf.workers.work import Task, attempt_group

T = TypeVar("T")

#: how many worker processes may die over one group of tasks before it is given up
_ATTEMPTS = 3


class ProcessPool(Generic[T]):
    """Worker processes, each served by a thread that sends it indices and waits for the results."""

    def __init__(self, processes: int, device: str, task: Task[T]) -> None:
        backend = get_backend(device)
        self._gpus = _list_gpus(backend) if backend.device == "cuda" else []
        self._orders = task, backend.device
        self._is_closing = False
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * processes
        self._mine = threading.local()
        numbers = itertools.count()
        self._threads = ThreadPoolExecutor(processes, initializer=lambda: setattr(self._mine, "number", next(numbers)))

    def count_workers(self) -> int:
        """Return the number of processes."""
        return len(self._processes)

    def submit(self, group: tuple[int, ...]) -> Any:
        """Return the future of a group of tasks."""
        return self._threads.submit(self._ask, group)

    def gather(self, futures: list[Any]) -> list[tuple[list[T], float]]:
        """Return the results of ``futures``, which are done."""
        return [future.result() for future in futures]

    def close(self) -> None:
        """Stop the processes, whatever they are doing."""
        self._is_closing = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in filter(None, self._processes):
            process.kill()
        self._threads.shutdown()
        for process in filter(None, self._processes):
            end_child(process)

    def _ask(self, group: tuple[int, ...]) -> tuple[list[T], float]:
        """Return the results from this thread's process, which is started again if it has died."""
        number = self._mine.number
        for _ in range(_ATTEMPTS):
            process = self._processes[number]
            if process is None or process.poll() is not None:
                process = self._start(number)
            try:
                answer = _talk(process, group)
            except (EOFError, OSError, pickle.UnpicklingError):
                end_child(process)
                if self._is_closing:
                    break
                continue
            if isinstance(answer, GrfError):
                raise answer
            return answer
        raise GrfError(
            f"{self._orders[0].describe(group[0])}: {_ATTEMPTS} worker processes died over it; if they ran out of "
            "memory, use fewer workers",
            "fewer workers",
        )

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        if (dead := self._processes[number]) is not None:
            end_child(dead)
        process = self._processes[number] = start_child(
            f"from {__name__} import serve; serve()", self.get_environment(number)
        )
        with contextlib.suppress(OSError):  # a process that is dead already is noticed with the first tasks
            _send((*self._orders, self._count_threads(number)), process)
        return process

    def _count_threads(self, number: int) -> int:
        """Return the share of the cores of process ``number``."""
        cores, processes = count_cores(), len(self._processes)
        return max(1, cores // processes + (number < cores % processes))

    def get_environment(self, number: int) -> dict[str, str]:
        """Return what the environment of process ``number`` has of its own: how many threads, which GPU."""
        threads = str(self._count_threads(number))
        gpu = {"CUDA_VISIBLE_DEVICES": self._gpus[number % len(self._gpus)]} if self._gpus else {}
        return {
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads),
            **gpu,
        }


def _list_gpus(backend: Backend) -> list[str]:
    """Return the GPUs as CUDA_VISIBLE_DEVICES names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",") if given else [str(i) for i in range(backend.xp.cuda.runtime.getDeviceCount())]


def _talk(process: subprocess.Popen[bytes], group: tuple[int, ...]) -> Any:
    _send(group, process)
    assert process.stdout is not None
    return pickle.load(process.stdout)


def _send(message: Any, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    pickle.dump(message, process.stdin)
    process.stdin.flush()


def serve() -> None:
    """Answer groups of indices on standard input until the client is gone; task, device and threads come first."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    try:
        task, device, threads = pickle.load(source)
        while True:
            group = pickle.load(source)
            try:
                answer: Any = attempt_group(task, get_backend(device, threads), group)
            except GrfError as problem:
                answer = problem
            pickle.dump(answer, sink)
            sink.flush()
    except (EOFError, OSError):
        os._exit(0)  # without another attempt to send what nobody reads

"""Worker processes of this machine: their share of cores and GPUs, what happens when they die, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from pyfai_grf.core.errors import DeviceError, GrfError
from pyfai_grf.workers import processes
from pyfai_grf.workers.crew import Crew, open_workers
from pyfai_grf.workers.processes import ProcessPool

TWO = Crew("cpu", processes=2)


def run_all(crew, task, count):
    with open_workers(crew, task) as run:
        return [result for results, _ in run(range(count)) for result in results]


# --- shares -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "count", "shares"), [(8, 2, "4 4"), (8, 3, "3 3 2"), (2, 2, "1 1"), (2, 4, "1 1 1 1"), (7, 1, "7")]
)
def test_processes_share_the_cores(monkeypatch, chores, cores, count, shares):
    monkeypatch.setattr(processes, "count_cores", lambda: cores)
    with contextlib.closing(ProcessPool(count, "cpu", chores.Square())) as pool:
        assert [pool.get_environment(i)["OMP_NUM_THREADS"] for i in range(count)] == shares.split()
        assert "CUDA_VISIBLE_DEVICES" not in pool.get_environment(0)


@pytest.mark.parametrize(("visible", "bound"), [(None, "0 1 2 0"), ("3", "3 3 3 3"), ("5,1", "5 1 5 1")])
def test_each_process_has_its_gpu(monkeypatch, chores, visible, bound):
    """As CuPy would report three of them."""
    runtime = SimpleNamespace(getDeviceCount=lambda: 3)
    backend = SimpleNamespace(device="cuda", xp=SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    monkeypatch.setattr(processes, "get_backend", lambda device: backend)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with contextlib.closing(ProcessPool(4, "auto", chores.Square())) as pool:
        assert [pool.get_environment(i)["CUDA_VISIBLE_DEVICES"] for i in range(4)] == bound.split()


def test_a_worker_gets_its_threads(monkeypatch, chores):
    """Two processes on eight cores: each gets four threads."""
    monkeypatch.setattr(processes, "count_cores", lambda: 8)
    assert set(run_all(TWO, chores.Threads(), 6)) == {("cpu", 4)}


# --- workers that die -------------------------------------------------------------------------------------------------


@pytest.mark.kills
def test_what_a_dead_worker_had_in_hand_is_done_again(tmp_path, chores):
    marker = tmp_path / "died"
    assert sorted(run_all(TWO, chores.KillOnce(str(marker)), 12)) == [i**2 for i in range(12)]
    assert marker.exists()


@pytest.mark.kills
def test_a_task_that_kills_every_worker_is_given_up(chores):
    with pytest.raises(GrfError, match=r"^square 0: 3 worker processes died over it; .*fewer workers$") as found:
        run_all(TWO, chores.KillAlways(), 1)
    assert found.value.hint == "fewer workers"


def test_what_goes_wrong_in_a_worker_is_one_line(chores):
    with pytest.raises(GrfError, match=r"^square 3 failed \(MemoryError: Unable to allocate 9 GB\): use") as found:
        run_all(TWO, chores.Fail(), 12)
    assert found.value.hint == "fewer workers"  # it travels


# --- the end ----------------------------------------------------------------------------------------------------------


def test_an_error_of_the_caller_stops_the_workers(chores):
    threads = set(threading.enumerate())

    def interrupt():
        with open_workers(TWO, chores.Square()) as run:
            for results, _ in run(range(10**9)):
                if results:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert set(threading.enumerate()) <= threads  # those that talked to the workers have ended, and so have these


@pytest.mark.kills
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_workers_end_with_their_client(chores):
    """A client that is killed leaves no process behind."""
    program = (
        "from pyfai_grf.workers.crew import Crew, open_workers\n"
        "from chores import Square\n"
        "with open_workers(Crew('cpu', 2), Square()) as run:\n"
        "    for _ in run(range(10**9)):\n"
        "        print(*(p.pid for p in run.args[0]._processes if p), flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    client = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert client.stdout is not None
    pids: list[str] = []
    while len(pids) < 2:
        pids = client.stdout.readline().split()
        assert client.poll() is None
    client.kill()
    client.communicate(timeout=60)
    for pid in map(int, pids):
        for _ in range(600):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            if _is_zombie(pid):
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"worker {pid} still runs a minute after its client")


def _is_zombie(pid):
    """Return whether the process has ended and waits for whoever adopted it to take notice."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def test_a_device_that_is_not_there(chores):
    with pytest.raises(DeviceError, match="unknown device"):
        run_all(Crew("gpu", 2), chores.Square(), 2)

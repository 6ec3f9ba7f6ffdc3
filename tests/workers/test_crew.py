"""Several processes: the same library, whoever makes a structure and whoever dies over it."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from pyfai_grf.core.errors import DeviceError, GrfError
from pyfai_grf.library.generate import generate_library, simulate_structure
from pyfai_grf.library.shard import open_shard
from pyfai_grf.workers import processes
from pyfai_grf.workers.crew import _AHEAD, Crew, _run_window, open_workers
from pyfai_grf.workers.processes import ProcessPool

TWO = Crew("cpu", processes=2)


def test_two_processes_make_the_library_of_one(tmp_path, setting, undisturbed, assert_equal_files):
    path = tmp_path / "library-6.h5"
    seen = []
    generate_library(path, 40, setting, TWO, lambda *progress: seen.append(progress))
    assert_equal_files(path, undisturbed)
    assert {(total, workers) for _, total, workers in seen} == {(40, 2)}
    done = [held for held, *_ in seen]
    assert done == sorted(done)
    assert done[-1] == 40


def test_a_library_changes_hands(tmp_path, setting, undisturbed, assert_equal_files):
    path = tmp_path / "library-6.h5"
    for count, crew in ((7, TWO), (15, "cpu"), (40, TWO)):
        generate_library(path, count, setting, crew)
    assert_equal_files(path, undisturbed)


def test_the_number_of_threads_changes_nothing(tmp_path, setting, undisturbed, assert_equal_files, monkeypatch):
    """Two processes on eight cores: each gets four threads."""
    monkeypatch.setattr(processes, "count_cores", lambda: 8)
    generate_library(tmp_path / "library-6.h5", 40, setting, TWO)
    assert_equal_files(tmp_path / "library-6.h5", undisturbed)


@pytest.mark.parametrize(
    ("cores", "count", "shares"), [(8, 2, "4 4"), (8, 3, "3 3 2"), (2, 2, "1 1"), (2, 4, "1 1 1 1"), (7, 1, "7")]
)
def test_processes_share_the_cores(monkeypatch, cores, count, shares):
    monkeypatch.setattr(processes, "count_cores", lambda: cores)
    with contextlib.closing(ProcessPool(count, "cpu", get_index)) as pool:
        assert [pool.get_environment(i)["OMP_NUM_THREADS"] for i in range(count)] == shares.split()
        assert "CUDA_VISIBLE_DEVICES" not in pool.get_environment(0)


@pytest.mark.parametrize(("visible", "bound"), [(None, "0 1 2 0"), ("3", "3 3 3 3"), ("5,1", "5 1 5 1")])
def test_each_process_has_its_gpu(monkeypatch, visible, bound):
    """As CuPy would find it that sees three of them."""
    runtime = SimpleNamespace(getDeviceCount=lambda: 3)
    backend = SimpleNamespace(device="cuda", xp=SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    monkeypatch.setattr(processes, "get_backend", lambda device: backend)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with contextlib.closing(ProcessPool(4, "auto", get_index)) as pool:
        assert [pool.get_environment(i)["CUDA_VISIBLE_DEVICES"] for i in range(4)] == bound.split()


# --- workers that die -------------------------------------------------------------------------------------------------


def kill_once(backend, index, marker, setting):
    """A task over which the first worker that takes structure 3 dies."""
    if index == 3:
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            os._exit(1)
        except FileExistsError:
            pass
    return simulate_structure(backend, setting, index)


def die(backend, index):
    os._exit(1)


def fail(backend, index):
    if index == 3:
        raise MemoryError("Unable to allocate\n9 GB")
    return index


def get_index(backend, index):
    return index


def run_all(crew, task, count):
    with open_workers(crew, task) as run:
        return [result for results, _ in run(range(count)) for result in results]


@pytest.fixture
def importable(monkeypatch):
    """Let worker processes import this module, where the tasks above are."""
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    for task in (kill_once, die, fail, get_index):
        monkeypatch.setattr(task, "__module__", "test_workers")
    monkeypatch.setitem(sys.modules, "test_workers", sys.modules[__name__])


@pytest.mark.usefixtures("importable")
def test_what_a_dead_worker_had_in_hand_is_made_again(tmp_path, setting):
    task = functools.partial(kill_once, marker=str(tmp_path / "died"), setting=setting)
    structures = run_all(TWO, task, 12)
    assert (tmp_path / "died").exists()
    assert sorted(s.index for s in structures) == list(range(12))


@pytest.mark.usefixtures("importable")
def test_a_task_that_kills_every_worker_is_given_up():
    with pytest.raises(GrfError, match=r"structure 0: 3 worker processes died over it; .*fewer --workers"):
        run_all(Crew("cpu", 2), die, 1)


@pytest.mark.usefixtures("importable")
def test_what_goes_wrong_in_a_worker_is_one_line():
    with pytest.raises(GrfError, match=r"^structure 3 failed \(MemoryError: Unable to allocate 9 GB\): fewer workers"):
        run_all(TWO, fail, 12)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_worker_is_killed_in_the_middle(tmp_path, setting, undisturbed, assert_equal_files, monkeypatch):
    path = tmp_path / "library-6.h5"
    pools = []
    start = ProcessPool.__init__
    monkeypatch.setattr(ProcessPool, "__init__", lambda pool, *rest: (pools.append(pool), start(pool, *rest))[1])

    moments = [2, 11]

    def kill_one(done, total, workers):
        if moments and done >= moments[0]:
            victim = pools[0]._processes[len(moments) - 1]
            os.kill(victim.pid, signal.SIGKILL)
            del moments[0]

    generate_library(path, 40, setting, TWO, kill_one)
    assert moments == []
    assert_equal_files(path, undisturbed)


def test_an_error_stops_the_workers_and_saves(tmp_path, setting, undisturbed, assert_equal_files):
    path = tmp_path / "library-6.h5"

    def interrupt(done, total, workers):
        if done >= 5:
            raise KeyboardInterrupt

    threads = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        generate_library(path, 40, setting, TWO, interrupt)
    assert len(open_shard(path).structures) >= 5
    assert set(threading.enumerate()) <= threads  # those that talked to the workers have ended, and so have these
    generate_library(path, 40, setting, "cpu")
    assert_equal_files(path, undisturbed)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_workers_end_with_their_client(tmp_path):
    """A client that is killed leaves no process behind."""
    program = (
        "from pyfai_grf.workers.crew import Crew, open_workers\n"
        "from test_workers import get_index\n"
        "with open_workers(Crew('cpu', 2), get_index) as run:\n"
        "    for _ in run(range(10**9)):\n"
        "        print(*(p.pid for p in run.args[0]._processes if p), flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *filter(None, sys.path)])}
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
    """Ended, and waiting for whoever adopted it to take notice."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


# --- the window -------------------------------------------------------------------------------------------------------


class CountingPool:
    """A pool in this thread, of a changing number of workers, that knows how much it was given."""

    def __init__(self, workers):
        self.workers = workers
        self.waiting = []
        self.most = 0

    def count_workers(self):
        return self.workers.pop(0) if len(self.workers) > 1 else self.workers[0]

    def submit(self, group):
        self.waiting.append(Task(group))
        self.most = max(self.most, len(self.waiting))
        return self.waiting[-1]

    def gather(self, futures):
        self.waiting = [task for task in self.waiting if task not in futures]
        return [(list(future.group), 0.4 * len(future.group)) for future in futures]


class Task:
    def __init__(self, group):
        self.group = group

    def add_done_callback(self, callback):
        callback(self)


def test_few_tasks_are_under_way_however_many_there_are():
    pool = CountingPool([3])
    drawn = []
    numbers = (drawn.append(i) or i for i in range(10**6))
    work = _run_window(pool, numbers)
    for _ in range(50):
        next(work)
    assert pool.most == _AHEAD * 3
    assert len(drawn) <= 51 * _AHEAD * 3


def test_workers_may_come_and_go(monkeypatch):
    """One, then none, then eight: all is done once, and the new ones are given work at once."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    pool = CountingPool([1, 1, 0, 0, 0, 8])
    results, workers = zip(*_run_window(pool, range(30)), strict=True)
    assert [len(found) for found in results] == [2, 2, 0, 0, 0, 16, 10]
    assert sorted(i for found in results for i in found) == list(range(30))
    assert workers == (1, 1, 0, 0, 0, 8, 8)


def test_short_tasks_travel_in_groups():
    sizes = []

    class QuickPool(CountingPool):
        def gather(self, futures):
            found = super().gather(futures)
            sizes.extend(len(group) for group, _ in found)
            return [(group, 0.01 * len(group)) for group, _ in found]

    done = [i for results, _ in _run_window(QuickPool([1]), range(1000)) for i in results]
    assert sorted(done) == list(range(1000))
    assert sizes[0] == 1
    assert max(sizes) == 50  # half a second


# --- bad requests -----------------------------------------------------------------------------------------------------


def test_a_device_that_is_not_there(tmp_path, setting):
    with pytest.raises(DeviceError, match="unknown device"):
        generate_library(tmp_path / "new.h5", 2, setting, Crew("gpu", 2))
    assert list(tmp_path.iterdir()) == []


# --- killed clients ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_resumes_as_if_nothing_had_been(check_kills, kills):
    check_kills(kills)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_with_two_workers(check_kills, kills):
    check_kills(kills, processes=2)

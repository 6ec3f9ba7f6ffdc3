"""The workers of a Dask scheduler: the same library, whoever comes, goes or dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from pyfai_grf.core.errors import GrfError, InputError
from pyfai_grf.library.generate import generate_library
from pyfai_grf.library.shard import open_shard
from pyfai_grf.workers.crew import Crew

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

#: a scheduler or a worker in a process of its own, as started by hand
_DASK = [sys.executable, "-m", "dask"]


class Cluster:
    """A scheduler and its workers, each a process that can be killed."""

    def __init__(self, folder):
        self.file = folder / "cluster.json"
        self._log = (folder / "cluster.log").open("w")
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_for(self.file.exists)
        self.workers = []

    def _start(self, role, *options):
        command = [*_DASK, role, *options, "--scheduler-file", str(self.file), "--no-dashboard"]
        return subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def add_worker(self, *options, threads=1):
        # no nanny, so that the process is the worker
        fixed = ("--nthreads", str(threads), "--memory-limit", "0", "--no-nanny", "--host", "127.0.0.1")
        self.workers.append(self._start("worker", *fixed, *options))

    def close(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._log.close()


def wait_for(is_done):
    """Wait for something that will happen, a minute at most."""
    for _ in range(600):
        if is_done():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen within a minute")


@pytest.fixture
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "library-6.h5"


def make_crew(cluster):
    return Crew("cpu", scheduler=str(cluster.file))


def grow_watched(path, count, setting, cluster, events):
    """Grow, and call each of ``events``, {held: function}, when so many structures are held."""
    todo = sorted(events.items())
    seen = []

    def report(done, total, workers):
        seen.append((done, workers))
        while todo and done >= todo[0][0]:
            todo.pop(0)[1]()

    generate_library(path, count, setting, make_crew(cluster), report)
    assert todo == []
    return seen


def test_a_cluster_makes_the_library_of_one_process(path, setting, undisturbed, assert_equal_files, cluster):
    """One worker of one thread, one of three: the latter makes one structure at a time, on three threads."""
    cluster.add_worker()
    cluster.add_worker(threads=3)
    seen = grow_watched(path, 40, setting, cluster, {})
    assert_equal_files(path, undisturbed)
    assert seen[-1][0] == 40


def test_workers_in_this_process(path, setting, undisturbed, assert_equal_files):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, processes=False, dashboard_address=":0", threads_per_worker=2) as local:
        generate_library(path, 40, setting, Crew("cpu", scheduler=local.scheduler_address))
    assert_equal_files(path, undisturbed)


def test_workers_may_come_late(path, setting, undisturbed, assert_equal_files, cluster):
    """None at the start, one then, another one later."""
    threading.Timer(1.0, cluster.add_worker).start()
    seen = grow_watched(path, 40, setting, cluster, {10: cluster.add_worker})
    assert_equal_files(path, undisturbed)
    assert seen[0] == (0, 0)


def test_a_worker_is_killed_in_the_middle(path, setting, undisturbed, assert_equal_files, cluster):
    for _ in range(2):
        cluster.add_worker()
    grow_watched(path, 40, setting, cluster, {2: cluster.workers[0].kill, 12: cluster.add_worker})
    assert_equal_files(path, undisturbed)


def test_the_only_worker_is_killed(path, setting, undisturbed, assert_equal_files, cluster):
    """The work waits for another one."""
    cluster.add_worker()

    def replace():
        cluster.workers[0].kill()
        threading.Timer(2.0, cluster.add_worker).start()

    grow_watched(path, 40, setting, cluster, {4: replace})
    assert_equal_files(path, undisturbed)


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_the_scheduler_dies(path, setting, undisturbed, assert_equal_files, cluster, tmp_path_factory, end):
    cluster.add_worker()
    with pytest.raises(
        GrfError, match=r"the scheduler .*cluster\.json is gone; what was made is saved: start it again"
    ):
        grow_watched(path, 100_000, setting, cluster, {4: getattr(cluster.scheduler, end)})
    held = list(open_shard(path).structures)
    assert len(held) >= 4
    again = Cluster(tmp_path_factory.mktemp("again"))
    try:
        again.add_worker()
        generate_library(path, max(40, len(held) + 5), setting, make_crew(again))
    finally:
        again.close()
    reference = path.with_name("reference.h5")
    generate_library(reference, len(open_shard(path).structures), setting, "cpu")
    assert_equal_files(path, reference)


def test_ctrl_c_leaves_scheduler_and_workers_as_they_are(path, setting, undisturbed, assert_equal_files, cluster):
    cluster.add_worker()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grow_watched(path, 40, setting, cluster, {5: interrupt})
    assert len(open_shard(path).structures) >= 5
    assert cluster.workers[0].poll() is None
    generate_library(path, 40, setting, make_crew(cluster))
    assert_equal_files(path, undisturbed)


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.fixture
def other_version(tmp_path):
    """A file that makes a worker one of another version."""
    preload = tmp_path / "preload.py"
    preload.write_text("from pyfai_grf.core import published\npublished.GENERATOR_VERSION = 99\n")
    return ("--preload", str(preload))


def test_workers_of_another_version_are_refused(tmp_path, setting, cluster, other_version):
    cluster.add_worker(*other_version)
    with pytest.raises(
        GrfError, match=r"the worker tcp://\S+ cannot be used: it has .*generator 99, this is .*install"
    ):
        generate_library(tmp_path / "new.h5", 40, setting, make_crew(cluster))
    assert list(open_shard(tmp_path / "new.h5").structures) == []


def test_a_worker_of_another_version_that_joins_late_is_refused(path, setting, cluster, other_version):
    cluster.add_worker()
    with pytest.raises(GrfError, match=r"the worker tcp://\S+ cannot be used: it has .*generator 99, the client "):
        grow_watched(path, 100_000, setting, cluster, {2: lambda: cluster.add_worker(*other_version)})
    assert len(open_shard(path).structures) >= 2


def test_a_worker_without_this_package_is_refused(tmp_path, setting, cluster):
    preload = tmp_path / "preload.py"
    preload.write_text("import sys\nsys.modules['pyfai_grf'] = None\n")
    cluster.add_worker("--preload", str(preload))
    with pytest.raises(GrfError, match=r"the worker tcp://\S+ cannot be used: ModuleNotFoundError: .*pyfai_grf"):
        generate_library(tmp_path / "new.h5", 40, setting, make_crew(cluster))


def test_what_goes_wrong_in_a_worker_is_one_line(tmp_path, setting, cluster):
    preload = tmp_path / "preload.py"
    preload.write_text(
        "from pyfai_grf.library import generate\n"
        "def fail(*_): raise MemoryError('Unable to allocate\\n9 GB')\n"
        "generate.count_boundaries = fail\n"
    )
    cluster.add_worker("--preload", str(preload))
    with pytest.raises(GrfError, match=r"^structure \d failed \(MemoryError: Unable to allocate 9 GB\): fewer workers"):
        generate_library(tmp_path / "new.h5", 40, setting, make_crew(cluster))


def test_a_structure_that_kills_every_worker_is_given_up(tmp_path, setting, cluster):
    preload = tmp_path / "preload.py"
    preload.write_text(
        "import os\nfrom pyfai_grf.library import generate\ngenerate.count_boundaries = lambda *_: os._exit(1)\n"
    )
    for _ in range(5):  # Dask gives a task four workers
        cluster.add_worker("--preload", str(preload))
    with pytest.raises(GrfError, match="workers died again and again over one structure, perhaps for want of memory"):
        generate_library(tmp_path / "new.h5", 1, setting, make_crew(cluster))


def test_a_device_that_a_worker_does_not_have(tmp_path, setting, cluster):
    cluster.add_worker("--preload", str(make_cupy_missing(tmp_path)))
    with pytest.raises(
        GrfError, match=r"the worker tcp://\S+ cannot be used: DeviceError: device 'cuda' was asked for"
    ):
        generate_library(tmp_path / "new.h5", 4, setting, Crew("cuda", scheduler=str(cluster.file)))


def make_cupy_missing(folder):
    preload = folder / "preload.py"
    preload.write_text("import sys\nsys.modules['cupy'] = None\n")
    return preload


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ("missing.json", "there is no scheduler file missing.json: 'dask scheduler --scheduler-file FILE' writes one"),
        ("nonsense", "no Dask scheduler answers at nonsense .*missing port"),
        ("foo://here:1", "no Dask scheduler answers at foo://here:1 .*unknown address scheme"),
        ("tcp://no-such-host.invalid:8786", "no Dask scheduler answers at tcp://no-such-host.invalid:8786"),
        ("tcp://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_a_scheduler_that_is_not_there(tmp_path, setting, monkeypatch, scheduler, said):
    monkeypatch.setattr("pyfai_grf.workers.cluster._CONNECT_S", 0.5)
    with pytest.raises((GrfError, InputError), match=said):
        generate_library(tmp_path / "new.h5", 2, setting, Crew("cpu", scheduler=scheduler))
    assert list(tmp_path.iterdir()) == []


def test_without_the_package(tmp_path, setting, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(GrfError, match=r"--scheduler needs the package distributed .*pip install pyfai-grf\[cluster\]"):
        generate_library(tmp_path / "new.h5", 2, setting, Crew("cpu", scheduler="tcp://127.0.0.1:1"))


def test_the_command_says_one_line(path, cluster):
    """In a process of its own: distributed logs a great deal when its scheduler dies."""
    cluster.add_worker()
    command = [sys.executable, "-m", "pyfai_grf", "generate", str(path), "--count", "100000", "--shape", "32"]
    client = subprocess.Popen(
        [*command, "--device", "cpu", "--scheduler", str(cluster.file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: path.exists() and len(open_shard(path).structures) > 0)
    cluster.scheduler.kill()
    output, complaints = client.communicate(timeout=60)
    assert output == ""
    (line,) = complaints.splitlines()
    assert line.startswith("pyfai-grf generate: the scheduler ")
    assert client.returncode == 1


# --- killed clients ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_resumes_as_if_nothing_had_been(check_kills, cluster, kills):
    for _ in range(2):
        cluster.add_worker()
    check_kills(kills, scheduler=str(cluster.file))


@pytest.mark.slow
def test_workers_killed_twenty_times(path, setting, assert_equal_files, cluster):
    """One after the other, at whatever they are doing; each is replaced."""
    if not hasattr(signal, "SIGKILL"):
        pytest.skip("no SIGKILL on this system")
    for _ in range(2):
        cluster.add_worker()

    def replace():
        victim = cluster.workers.pop(0)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        cluster.add_worker()

    count = 6000
    grow_watched(path, count, setting, cluster, dict.fromkeys(range(250, 5250, 250), replace))
    reference = path.with_name("reference.h5")
    generate_library(reference, count, setting, "cpu")
    assert_equal_files(path, reference)

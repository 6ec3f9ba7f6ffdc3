"""A library made by the workers of a Dask scheduler: the same file, whoever comes, goes or dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from pyfai_grf.core.errors import GrfError
from pyfai_grf.library.generate import generate_library
from pyfai_grf.library.shard import open_shard
from pyfai_grf.workers.crew import Crew


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
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

    with distributed.LocalCluster(n_workers=2, processes=False, dashboard_address=":0", threads_per_worker=2) as local:
        generate_library(path, 40, setting, Crew("cpu", scheduler=local.scheduler_address))
    assert_equal_files(path, undisturbed)


def test_workers_may_come_late(path, setting, undisturbed, assert_equal_files, cluster):
    """None at the start, one then, another one later."""
    threading.Timer(1.0, cluster.add_worker).start()
    seen = grow_watched(path, 40, setting, cluster, {10: cluster.add_worker})
    assert_equal_files(path, undisturbed)
    assert seen[0] == (0, 0)


@pytest.mark.kills
def test_a_worker_is_killed_in_the_middle(path, setting, undisturbed, assert_equal_files, cluster):
    for _ in range(2):
        cluster.add_worker()
    grow_watched(path, 40, setting, cluster, {2: cluster.workers[0].kill, 12: cluster.add_worker})
    assert_equal_files(path, undisturbed)


@pytest.mark.kills
def test_the_only_worker_is_killed(path, setting, undisturbed, assert_equal_files, cluster):
    """The work waits for another one."""
    cluster.add_worker()

    def replace():
        cluster.workers[0].kill()
        threading.Timer(2.0, cluster.add_worker).start()

    grow_watched(path, 40, setting, cluster, {4: replace})
    assert_equal_files(path, undisturbed)


@pytest.mark.kills
@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_the_scheduler_dies(path, setting, undisturbed, assert_equal_files, cluster, start_cluster, end):
    cluster.add_worker()
    with pytest.raises(
        GrfError, match=r"the scheduler .*cluster\.json is gone; what was finished is kept: start it again"
    ):
        grow_watched(path, 100_000, setting, cluster, {4: getattr(cluster.scheduler, end)})
    held = list(open_shard(path).structures)
    assert len(held) >= 4
    again = start_cluster()
    again.add_worker()
    generate_library(path, max(40, len(held) + 5), setting, make_crew(again))
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


@pytest.mark.kills
def test_the_command_says_one_line(path, cluster, wait_for):
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


@pytest.mark.kills
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_resumes_as_if_nothing_had_happened(check_kills, cluster, kills):
    for _ in range(2):
        cluster.add_worker()
    check_kills(kills, scheduler=str(cluster.file))


@pytest.mark.kills
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

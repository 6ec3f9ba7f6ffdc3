"""The workers of a Dask scheduler: what they are given, which of them are refused, and what happens when they die."""

from __future__ import annotations

import sys

import pytest

from pyfai_grf.cli.hints import word_problem
from pyfai_grf.core.errors import GrfError, InputError
from pyfai_grf.workers.crew import Crew, open_workers


def run_all(cluster, task, count, events=(), device="cpu"):
    """Return all results; call each of ``events``, (number of results, function), when so many are there."""
    todo = list(events)
    found = []
    with open_workers(Crew(device, scheduler=str(cluster.file)), task) as run:
        for results, _ in run(range(count)):
            found += results
            while todo and len(found) >= todo[0][0]:
                todo.pop(0)[1]()
    return found


def test_every_task_is_done_once(chores, cluster):
    cluster.add_worker()
    cluster.add_worker(threads=3)
    assert sorted(run_all(cluster, chores.Square(), 50)) == [i**2 for i in range(50)]


def test_a_worker_does_one_task_at_a_time_on_all_its_threads(chores, cluster, monkeypatch):
    cluster.add_worker(threads=1)
    assert set(run_all(cluster, chores.Threads(), 5)) == {("cpu", 1)}


@pytest.mark.kills
def test_what_a_dead_worker_had_in_hand_is_done_again(chores, cluster, tmp_path):
    for _ in range(2):
        cluster.add_worker()
    marker = tmp_path / "died"
    assert sorted(run_all(cluster, chores.KillOnce(str(marker)), 12)) == [i**2 for i in range(12)]
    assert marker.exists()


@pytest.mark.kills
def test_a_task_that_kills_every_worker_is_given_up(chores, cluster):
    for _ in range(5):  # Dask gives a task four workers
        cluster.add_worker()
    with pytest.raises(GrfError, match="several workers died over the same work, perhaps for lack of memory"):
        run_all(cluster, chores.KillAlways(), 1)


def test_what_goes_wrong_in_a_worker_is_one_line(chores, cluster):
    cluster.add_worker()
    with pytest.raises(GrfError, match=r"^square 3 failed \(MemoryError: Unable to allocate 9 GB\): use") as found:
        run_all(cluster, chores.Fail(), 12)
    assert found.value.hint == "fewer workers"  # it travels


@pytest.mark.kills
@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_the_scheduler_dies(chores, cluster, end):
    cluster.add_worker()
    said = r"the scheduler .*cluster\.json is gone; what was finished is kept: start it again"
    with pytest.raises(GrfError, match=said):
        run_all(cluster, chores.Square(), 10**9, [(4, getattr(cluster.scheduler, end))])


# --- workers that are refused -----------------------------------------------------------------------------------------


@pytest.fixture
def other_version(tmp_path):
    """The options that make a worker one of another version."""
    preload = tmp_path / "preload.py"
    preload.write_text("from pyfai_grf.core import versions\nversions.GENERATOR_VERSION = 99\n")
    return ("--preload", str(preload))


def test_workers_of_another_version_are_refused(chores, cluster, other_version):
    cluster.add_worker(*other_version)
    said = r"the worker tcp://\S+ cannot be used: it has .*generator 99, .*, this is .*install the same on both"
    with pytest.raises(GrfError, match=said):
        run_all(cluster, chores.Square(), 40)


def test_a_worker_of_another_version_that_joins_late_is_refused(chores, cluster, other_version):
    cluster.add_worker()
    said = r"the worker tcp://\S+ cannot be used: it has .*generator 99, .*, the client "
    with pytest.raises(GrfError, match=said):
        run_all(cluster, chores.Square(), 10**9, [(2, lambda: cluster.add_worker(*other_version))])


def test_a_worker_without_this_package_is_refused(chores, cluster, tmp_path):
    preload = tmp_path / "preload.py"
    preload.write_text("import sys\nsys.modules['pyfai_grf'] = None\n")
    cluster.add_worker("--preload", str(preload))
    with pytest.raises(GrfError, match=r"the worker tcp://\S+ cannot be used: ModuleNotFoundError: .*pyfai_grf"):
        run_all(cluster, chores.Square(), 40)


def test_a_device_that_a_worker_does_not_have(chores, cluster, tmp_path):
    preload = tmp_path / "preload.py"
    preload.write_text("import sys\nsys.modules['cupy'] = None\n")
    cluster.add_worker("--preload", str(preload))
    said = r"the worker tcp://\S+ cannot be used: DeviceError: device 'cuda' was asked for"
    with pytest.raises(GrfError, match=said):
        run_all(cluster, chores.Square(), 4, device="cuda")


# --- schedulers that are not there ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ("missing.json", "there is no scheduler file missing.json: start the scheduler first"),
        ("nonsense", "no Dask scheduler answers at nonsense .*missing port"),
        ("foo://here:1", "no Dask scheduler answers at foo://here:1 .*unknown address scheme"),
        ("tcp://no-such-host.invalid:8786", "no Dask scheduler answers at tcp://no-such-host.invalid:8786"),
        ("tcp://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_a_scheduler_that_is_not_there(chores, monkeypatch, scheduler, said):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    monkeypatch.setattr("pyfai_grf.workers.cluster._CONNECT_S", 0.5)
    with (
        pytest.raises((GrfError, InputError), match=said),
        open_workers(Crew("cpu", scheduler=scheduler), chores.Square()),
    ):
        pass


def test_the_command_line_names_the_command_that_writes_a_scheduler_file(chores):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with pytest.raises(InputError) as found, open_workers(Crew("cpu", scheduler="cluster.json"), chores.Square()):
        pass
    assert word_problem(found.value).endswith("('dask scheduler --scheduler-file cluster.json' writes one)")


def test_without_the_package(chores, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = "a Dask scheduler needs the package distributed, which is not installed"
    with (
        pytest.raises(GrfError, match=said) as found,
        open_workers(Crew(scheduler="tcp://127.0.0.1:1"), chores.Square()),
    ):
        pass
    assert word_problem(found.value).endswith("(pip install 'pyfai-grf[cluster]')")

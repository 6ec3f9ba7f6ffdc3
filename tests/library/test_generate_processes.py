"""A library made by several processes: the same file, whoever makes a structure and whoever dies over it."""

from __future__ import annotations

import os
import signal

import pytest

from pyfai_grf.core.errors import DeviceError
from pyfai_grf.library.generate import generate_library
from pyfai_grf.library.shard import open_shard
from pyfai_grf.workers import processes
from pyfai_grf.workers.crew import Crew
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


@pytest.mark.kills
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


def test_an_error_saves_what_was_made(tmp_path, setting, undisturbed, assert_equal_files):
    path = tmp_path / "library-6.h5"

    def interrupt(done, total, workers):
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_library(path, 40, setting, TWO, interrupt)
    assert len(open_shard(path).structures) >= 5
    generate_library(path, 40, setting, "cpu")
    assert_equal_files(path, undisturbed)


# --- bad requests -----------------------------------------------------------------------------------------------------


def test_a_device_that_is_not_there(tmp_path, setting):
    with pytest.raises(DeviceError, match="unknown device"):
        generate_library(tmp_path / "new.h5", 2, setting, Crew("gpu", 2))
    assert list(tmp_path.iterdir()) == []


# --- killed clients ---------------------------------------------------------------------------------------------------


@pytest.mark.kills
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_resumes_as_if_nothing_had_happened(check_kills, kills):
    check_kills(kills)


@pytest.mark.kills
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_with_two_workers(check_kills, kills):
    check_kills(kills, processes=2)

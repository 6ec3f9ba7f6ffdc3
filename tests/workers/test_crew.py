"""The loop that keeps workers busy: all is done once, whoever comes and goes, and little is under way at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from pyfai_grf.core.errors import DeviceError, GrfError
from pyfai_grf.workers.crew import _AHEAD, _LARGEST_GROUP, Crew, _Pool, _run_window, open_workers


def test_alone_it_works_in_order(chores):
    with open_workers(Crew("cpu"), chores.Square()) as run:
        assert list(run(range(4))) == [([], 1), ([0], 1), ([1], 1), ([4], 1), ([9], 1)]


def test_alone_what_goes_wrong_is_one_line(chores):
    with open_workers(Crew("cpu"), chores.Fail()) as run, pytest.raises(GrfError, match=r"^square 3 failed"):
        list(run(range(4)))


def test_a_device_that_is_not_there(chores):
    with pytest.raises(DeviceError, match="unknown device"), open_workers(Crew("gpu"), chores.Square()):
        pass


# --- the window -------------------------------------------------------------------------------------------------------


class CountingPool(_Pool[Any]):
    """A pool in this thread, of a changing number of workers, that knows how much it was given."""

    def __init__(self, workers):
        self.workers = workers
        self.waiting = []
        self.most = 0

    def count_workers(self):
        return self.workers.pop(0) if len(self.workers) > 1 else self.workers[0]

    def submit(self, group):
        self.waiting.append(Future(group))
        self.most = max(self.most, len(self.waiting))
        return self.waiting[-1]

    def gather(self, futures):
        self.waiting = [task for task in self.waiting if task not in futures]
        return [(list(future.group), 0.4 * len(future.group)) for future in futures]

    def close(self):
        pass


class Future:
    """Done at once."""

    def __init__(self, group):
        self.group = group

    def add_done_callback(self, callback):
        callback(self)


def test_few_tasks_are_under_way_however_many_there_are():
    pool = CountingPool([3])
    drawn = []
    numbers = (drawn.append(i) or i for i in range(10**6))
    work: Iterator[Any] = _run_window(pool, numbers)
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


def test_groups_do_not_grow_without_end():
    """Tasks that take nothing at all."""

    class InstantPool(CountingPool):
        def gather(self, futures):
            return [(group, 1e-6) for group, _ in super().gather(futures)]

    sizes = [len(results) for results, _ in _run_window(InstantPool([1]), range(20_000))]
    assert sum(sizes) == 20_000
    assert max(sizes) == _AHEAD * _LARGEST_GROUP

"""The line of progress: what it says, how it measures, and where it is drawn."""

from __future__ import annotations

import contextlib

import pytest

from pyfai_grf.cli.progress import Progress, format_progress


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ((0, 100, 1, 0.0), "0/100 structures, 1 worker"),
        ((10, 100, 4, 3.0), "10/100 structures, 3 a second, 30 s left, 4 workers"),
        ((10, 1000, 2, 0.4), "10/1000 structures, 2.5 s each, 41.2 min left, 2 workers"),
        ((10, 100_000, 20, 10.0), "10/100000 structures, 10 a second, 2.78 h left, 20 workers"),
        ((10, 1_000_000, 20, 2.0), "10/1000000 structures, 2 a second, 5.79 days left, 20 workers"),
        ((10, 100, 0, 0.0), "10/100 structures, waiting for workers"),
    ],
)
def test_the_line(state, text):
    done, total, workers, rate = state
    assert format_progress(done, total, workers, rate, "structures") == text


def test_the_rate_is_that_of_the_last_minute(monkeypatch, capsys):
    """By a clock of our own: one a second for ten minutes, then two a second by twice as many workers."""
    now = [0.0]
    monkeypatch.setattr("pyfai_grf.cli.progress.time.monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress("structures", is_quiet=False)
    done = 0
    for second in range(800):
        now[0] = float(second)
        done += 1 if second < 600 else 2
        progress.show(done, 10_000, 1 if second < 600 else 2)
    progress.close()
    lines = capsys.readouterr().err.split("\r")[1:]
    assert len(lines) == 800
    assert lines[599].startswith("600/10000 structures, 1 a second, 2.61 h left, 1 worker ")
    assert lines[799].startswith("1000/10000 structures, 2 a second, 75 min left, 2 workers ")
    assert lines[799].endswith("\n")
    assert all(len(line.rstrip("\n")) == 79 for line in lines)  # covers what was there, and fits


def test_nothing_is_drawn_where_nobody_looks(capsys):
    """Standard error is captured here: it is not a terminal."""
    with contextlib.closing(Progress("structures", is_quiet=False)) as progress:
        progress.show(1, 2, 1)
    assert capsys.readouterr() == ("", "")


def test_nothing_is_drawn_for_who_wants_quiet(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with contextlib.closing(Progress("structures", is_quiet=True)) as progress:
        progress.show(1, 2, 1)
    assert capsys.readouterr() == ("", "")

"""The line on a terminal that shows how far long work has come."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque

from pyfai_grf.cli.printing import print_progress, write_line


class Progress:
    """A line on a terminal: how much is done, how fast in the last minute, the time left, and how many workers.

    ``noun`` is the plural of what is made. The line is drawn on a terminal only, and not if ``is_quiet``.
    """

    _RECENT_S = 60.0
    _REDRAW_S = 0.2

    def __init__(self, noun: str, is_quiet: bool) -> None:
        self._noun = noun
        self._is_shown = not is_quiet and sys.stderr.isatty()
        self._drawn = -self._REDRAW_S
        self._history: deque[tuple[float, int]] = deque()

    def show(self, done: int, total: int, workers: int) -> None:
        """Draw the line, unless it was drawn a moment ago."""
        now = time.monotonic()
        if not self._is_shown or (now - self._drawn < self._REDRAW_S and done < total):
            return
        self._drawn = now
        self._history.append((now, done))
        while len(self._history) > 2 and now - self._history[1][0] > self._RECENT_S:
            self._history.popleft()
        text = format_progress(done, total, workers, self._measure_rate(), self._noun)
        width = shutil.get_terminal_size().columns - 1
        print_progress(f"{text[:width]:<{width}}")

    def _measure_rate(self) -> float:
        """Return how many are made per second; 0 while it is not known."""
        (start, first), (end, last) = self._history[0], self._history[-1]
        return (last - first) / (end - start) if end > start else 0.0

    def close(self) -> None:
        """End the line, so that what follows starts on a new one."""
        if self._history:
            write_line("", sys.stderr)


def format_progress(done: int, total: int, workers: int, rate: float, noun: str) -> str:
    """Return the line; ``rate`` is per second, 0 while it is not known."""
    parts = [f"{done}/{total} {noun}"]
    if rate > 0:
        parts.append(f"{rate:.3g} a second" if rate >= 1 else f"{1 / rate:.3g} s each")
        parts.append(f"{_format_duration((total - done) / rate)} left")
    parts.append("waiting for workers" if not workers else f"{workers} worker{'s' * (workers > 1)}")
    return ", ".join(parts)


def _format_duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.0f} s"

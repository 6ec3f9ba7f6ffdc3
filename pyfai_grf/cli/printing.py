"""What goes to the terminal: file names and texts out of files may hold anything; a line shows it and does no more."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from pyfai_grf.core.spelling import spell_out


def print_line(text: str) -> None:
    """Print one line."""
    print(spell_out(text))


def print_text(text: str) -> None:
    """Print a text of several lines, such as a table."""
    for line in text.split("\n"):
        print_line(line)


def print_problem(text: str, command: str = "") -> None:
    """Print one line on what is wrong to standard error, as of the whole program or of one ``command``."""
    write_line(f"pyfai-grf{' ' * bool(command)}{command}: {text}", sys.stderr)


def print_progress(text: str, end: str = "") -> None:
    """Print over the present line of a terminal."""
    print(f"\r{spell_out(text)}", end=end, file=sys.stderr, flush=True)


def write_line(text: str, stream: TextIO | None) -> None:
    """Write one line to ``stream``; None, as of a program without a terminal, takes nothing."""
    if stream is not None:
        print(spell_out(text), file=stream)


class LineFormatter(logging.Formatter):
    """Formats what is logged; a traceback keeps its lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of ``record``."""
        message, *trace = super().format(record).split("\n") if record.exc_info else [super().format(record)]
        return "\n".join(map(spell_out, (message, *trace)))

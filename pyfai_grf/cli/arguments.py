"""Arguments that commands share, and what they check before the work starts: numbers, inputs, outputs."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

from pyfai_grf.core.errors import InputError

if TYPE_CHECKING:
    from pyfai_grf.workers.crew import Crew


def parse_seed(text: str) -> int:
    """Return a seed: a whole number, 0 or more."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: give a whole number, 0 or more")
    return int(text)


def parse_q(text: str) -> float:
    """Return a bound of q in 1/nm: a finite number, 0 or more."""
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if not 0 <= bound < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a q in 1/nm: give a finite number, 0 or more")
    return bound


def add_window_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --q-min and --q-max, the part of each curve that is used; both are None where left open."""
    parser.add_argument("--q-min", type=parse_q, metavar="Q", help="use the curve from this q on, in 1/nm")
    parser.add_argument("--q-max", type=parse_q, metavar="Q", help="use the curve up to this q, in 1/nm")


def get_window(options: argparse.Namespace) -> tuple[float | None, float | None]:
    """Return the q range that was asked for; exit with status 2 if --q-min is not below --q-max."""
    if options.q_min is not None and options.q_max is not None and options.q_min >= options.q_max:
        reject_usage(f"--q-min {options.q_min:g} is not below --q-max {options.q_max:g}: both are in 1/nm")
    return options.q_min, options.q_max


def add_curve_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --unit and --columns, which say of a curve file what it does not say itself."""
    parser.add_argument("--unit", choices=("nm", "A"), help="unit of q (1/nm or 1/Angstrom) where a file does not say")
    parser.add_argument(
        "--columns",
        type=_parse_columns,
        metavar="q,I,sigma",
        help="what the columns of a text table are, in order, where its header does not say: q, I, sigma, dq, or - for "
        "one that does not count",
    )


def _parse_columns(text: str) -> tuple[str, ...]:
    from pyfai_grf.io.column_roles import parse_columns

    try:
        return parse_columns(text)
    except InputError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def add_crew_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare who does the tasks of a command that has many."""
    parser.add_argument("--workers", type=int, metavar="N", help="processes of this machine (default: this one alone)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler: tcp://HOST:8786, or its FILE.json")


def read_crew(options: argparse.Namespace, device: str) -> Crew:
    """Return the crew that the options name; exit with status 2 if they cannot be meant."""
    from pyfai_grf.workers.crew import Crew

    if options.workers is not None and (options.workers < 1 or options.scheduler):
        reject_usage(f"--workers is {options.workers}: give 1 or more, and not together with --scheduler")
    return Crew(device, options.workers or 1, options.scheduler)


def reject_usage(text: str) -> NoReturn:
    """Say what is wrong with the command line, and exit with status 2."""
    print(f"pyfai-grf: {text}", file=sys.stderr)
    raise SystemExit(2)


def collect_sources(patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the sources that ``patterns`` name (files, globs, ``file.h5::/path``), and what is wrong with the others.

    As ``frames.images.find_sources``, but one name that matches nothing does not keep the others from being used.
    """
    from pyfai_grf.frames.images import find_sources

    sources: dict[str, None] = {}
    problems = []
    for pattern in patterns:
        try:
            sources.update(dict.fromkeys(find_sources([pattern])))
        except InputError as problem:
            problems.append(str(problem))
    return list(sources), problems


def check_outputs(outputs: Iterable[str | None], overwrite: bool, inputs: Iterable[str | None] = ()) -> None:
    """Return silently if every output can be written; what is None is not asked for.

    Raises
    ------
    InputError
        If one exists (unless ``overwrite``), is an input or another output, or its folder cannot be written to: better
        now than after the work.
    """
    taken = {os.path.realpath(name.partition("::")[0]): "an input" for name in inputs if name}
    for path in filter(None, outputs):
        real = os.path.realpath(path)
        folder = os.path.dirname(real)
        if real in taken:
            raise InputError(f"{path} is the name of {taken[real]} too: choose another")
        if os.path.isdir(real):
            raise InputError(f"cannot write {path}: it is a folder")
        if os.path.lexists(real) and not overwrite:
            raise InputError(f"{path} exists already: choose another name, or add --overwrite")
        if os.path.lexists(real) and not os.access(real, os.W_OK):
            raise InputError(f"cannot write {path}: no permission to replace it")
        if not os.path.isdir(folder):
            raise InputError(f"cannot write {path}: there is no folder {folder}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"cannot write {path}: no permission to write into {folder}")
        taken[real] = "another output"

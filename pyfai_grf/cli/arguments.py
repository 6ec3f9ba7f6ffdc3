"""Arguments that commands share, and what they check before the work starts: numbers, inputs, outputs."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from pyfai_grf.cli.hints import word_problem
from pyfai_grf.cli.printing import print_problem
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.files import MAX_SETTINGS_BYTES
from pyfai_grf.core.spelling import spell_out

#: seeds are 64-bit numbers wherever they are written
_SEED_END = 2**64
#: of a length in nm: beyond, numbers in single precision no longer hold what follows from it
LENGTH_NM = (1e-3, 1e6)
#: edge of a box in voxels
SHAPE = (8, 4096)
#: formats of pictures, by the end of the name
PICTURES = (".png", ".pdf", ".svg")
#: the end of an option whose value is "--" alone
_IS_DASHES = re.compile(r"(--?[^=]+)=--|(-[^-])--")


class ArgumentParser(argparse.ArgumentParser):
    """argparse's, but what is wrong is one line, "--" is no value, and a value may begin with a minus sign."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, what follows an option that takes a value being that value: ``--columns -,q,I``.

        Exits with status 2 at ``--option=--``, of which Python 3.11 makes an empty list.
        """
        given = list(sys.argv[1:] if args is None else args)
        joined: list[str] = []
        while given:
            word = given.pop(0)
            if word == "--":
                joined += [word, *given]
                break
            if found := _IS_DASHES.fullmatch(word):
                self.error(f"{found.group(1) or found.group(2)}: '--' is not a value")
            if given and self._takes_value(word) and self._is_value(given[0]):
                word += ("=" if word.startswith("--") else "") + given.pop(0)
            joined.append(word)
        return super().parse_known_args(joined, namespace)

    def _takes_value(self, word: str) -> bool:
        """Return whether ``word`` is an option, or its beginning, that takes one value."""
        known = self._option_string_actions
        is_long = word.startswith("--")
        found = [word] if word in known else [name for name in known if is_long and name.startswith(word)]
        return len(found) == 1 and known[found[0]].nargs is None

    def _is_value(self, word: str) -> bool:
        """Return whether ``word`` begins with a minus sign and is no option all the same."""
        return word.startswith("-") and word[:2] not in ("-", "--", *self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        """Print ``message`` and exit with status 2."""
        self.exit(2, f"{self.prog}: {spell_out(message)} (see {self.prog} --help)\n")


if TYPE_CHECKING:
    from pyfai_grf.workers.crew import Crew


def parse_seed(text: str) -> int:
    """Return a seed: a whole number from 0 to 2^64 - 1."""
    if not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) >= _SEED_END:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: give a whole number from 0 to 2^64 - 1")
    return int(text)


def parse_number(low: float = -math.inf, high: float = math.inf) -> Callable[[str], float]:
    """Return what reads a finite number from ``low`` to ``high``, both included."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number{_describe_range(low, high)}")
        return number

    return parse


def parse_count(low: int = 1, high: int = 10**9) -> Callable[[str], int]:
    """Return what reads a whole number from ``low`` to ``high``, both included."""

    def parse(text: str) -> int:
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 20 or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number{_describe_range(low, high)}")
        return int(text)

    return parse


def parse_picture(text: str) -> str:
    """Return the name of a picture, which says its format: better refused now than after the work."""
    if os.path.splitext(text)[1].lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(PICTURES[:-1])} or {PICTURES[-1]}")
    return text


def _describe_range(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return ""
    return f" from {low:g} to {high:g}" if math.isfinite(high) else f" of {low:g} or more"


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
        help="what the columns of a text table are, in order, where its header does not say: q, I, sigma, dq, or _ for "
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
    parser.add_argument(
        "--workers",
        type=parse_count(0, 10_000),
        metavar="N",
        help="processes of this machine (default: this one alone)",
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler: tcp://HOST:8786, or its FILE.json")


def read_crew(options: argparse.Namespace, device: str) -> Crew:
    """Return the crew that the options name; exit with status 2 if they cannot be meant."""
    from pyfai_grf.workers.crew import Crew

    if options.workers is not None and (options.workers < 1 or options.scheduler):
        reject_usage(f"--workers is {options.workers}: give 1 or more, and not together with --scheduler")
    return Crew(device, options.workers or 1, options.scheduler)


def reject_usage(text: str) -> NoReturn:
    """Say what is wrong with the command line, and exit with status 2."""
    print_problem(text)
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
            problems.append(word_problem(problem))
    return list(sources), problems


def check_outputs(outputs: Iterable[str | None], overwrite: bool, inputs: Iterable[str | None] = ()) -> None:
    """Return silently if every output can be written; what is None is not asked for.

    ``inputs`` are files (also ``file.h5::/path``), and folders such as a bundle, in which nothing is written. The
    files that a JSON among them names (the mask of a configuration of pyFAI) are inputs too. A file is known by what
    it is, not by its name: links do not hide it.

    Raises
    ------
    InputError
        If one exists (unless ``overwrite``), is an input or another output, or its folder cannot be written to: better
        now than after the work.
    """
    files, folders = _list_inputs(inputs)
    taken: dict[object, str] = {}
    for name in files:
        taken.update(dict.fromkeys(_identify(name), "an input"))
    for path in filter(None, outputs):
        for identity in _identify(path):
            if identity in taken:
                raise InputError(f"{path} is the name of {taken[identity]} too: choose another")
        real = os.path.realpath(path)
        for folder in folders:
            if os.path.commonpath([real, folder]) == folder:
                raise InputError(f"{path} is in {folder}, which is an input: choose another folder")
        _check_writable(path, real, overwrite)
        taken.update(dict.fromkeys(_identify(path), "another output"))


def _check_writable(path: str, real: str, overwrite: bool) -> None:
    folder = os.path.dirname(real)
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


def _list_inputs(inputs: Iterable[str | None]) -> tuple[list[str], list[str]]:
    """Return the files behind ``inputs``, and the real names of the folders."""
    files, folders = [], []
    for name in filter(None, inputs):
        path = name if os.path.exists(name) else name.partition("::")[0]
        if os.path.isdir(path):
            folders.append(os.path.realpath(path))
        else:
            files += [path, *_list_named(path)]
    return files, folders


def _list_named(path: str) -> Iterator[str]:
    """Yield the files that a JSON file names, where they are: as they stand, or beside it."""
    if not path.lower().endswith((".json", ".poni", ".azimint")):
        return
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > MAX_SETTINGS_BYTES:
            return
        with open(path, encoding="utf-8") as file:
            texts = list(_walk_texts(json.load(file)))
    except (OSError, ValueError, RecursionError):  # whoever reads it will say why
        return
    for text in texts:
        name = text.removeprefix("silx:").removeprefix("fabio:").partition("::")[0].partition("?")[0]
        for place in (name, os.path.join(os.path.dirname(path), name)):
            if name and "\0" not in name and os.path.isfile(place):
                yield place


def _walk_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _walk_texts(part)


def _identify(path: str) -> Iterator[object]:
    """Yield what tells a file from others: its real name, and its place on the disk if it is there."""
    yield os.path.realpath(path)
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return
    if stat.S_ISREG(found.st_mode):
        yield found.st_dev, found.st_ino

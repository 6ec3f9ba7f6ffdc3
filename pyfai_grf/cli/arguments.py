"""What every command checks before it starts to work: numbers, inputs that are there, outputs that can be written."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from pyfai_grf.core.errors import InputError


def parse_seed(text: str) -> int:
    """Return a seed: a whole number, 0 or more."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: give a whole number, 0 or more")
    return int(text)


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

"""The command line: a table of commands, each loaded only when it is called."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from pyfai_grf.cli.arguments import ArgumentParser
from pyfai_grf.cli.hints import word_problem
from pyfai_grf.cli.printing import LineFormatter, print_problem
from pyfai_grf.core.errors import GrfError, describe_problem
from pyfai_grf.core.versions import PACKAGE_VERSION

#: command -> what it does; the module of the same name in this package holds it
COMMANDS = {
    "demo": "simulate a known material on a detector, analyze it, and show truth beside prediction",
    "analyze": "detector frames to length scale, porosity and layer fraction",
    "predict": "the same for curves that are reduced already",
    "simulate": "one structure and its scattering curve",
    "generate": "grow a library of simulated structures; stopped at any moment, it resumes",
    "tabulate": "simulate films on solids, and make from them the table of expected three-phase curves",
    "train": "train a model for a material class, a q range, a detector",
    "evaluate": "a model's errors beside the published ones",
    "models": "the bundled models: q range, errors, provenance",
    "export": "complete a results file whose run was killed",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 some input could not be used, 2 wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _make_parser()
    if not arguments or arguments[0] not in COMMANDS:
        parser.parse_args(arguments)  # --help, --version, or an error that lists the commands
        parser.print_help()
        return 2
    name, is_verbose = arguments[0], False
    try:
        module = importlib.import_module(f"pyfai_grf.cli.{name}")
        options = _parse_options(name, module, arguments)
        is_verbose = options.verbose
        _set_up_output(is_verbose)
        status = int(module.run(options))
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.flush()
        return status
    except GrfError as problem:
        if is_verbose:
            raise
        print_problem(word_problem(problem), name)
        return 1
    except KeyboardInterrupt:
        print_problem("stopped; what was written is kept", name)
        return 130
    except BrokenPipeError:  # whoever read the lines has had enough; what was written is kept
        _drop_unprinted()
        return 1
    except OSError as problem:  # what is not met where it happens, such as a full disk behind standard output
        _drop_unprinted()
        if is_verbose:
            raise
        where = f"{problem.filename}: " if problem.filename else ""
        print_problem(f"{where}{describe_problem(problem)}", name)
        return 1


def _parse_options(name: str, module: Any, arguments: Sequence[str]) -> argparse.Namespace:
    command = ArgumentParser(prog=f"pyfai-grf {name}", description=module.__doc__)
    command.add_argument("-v", "--verbose", action="store_true", help="say more, and show where an error comes from")
    command.add_argument("--quiet", action="store_true", help="print errors only")
    module.add_arguments(command)
    options = command.parse_args(arguments[1:])
    options.command_line = shlex.join(["pyfai-grf", *arguments])
    return options


def _drop_unprinted() -> None:
    """Print what is left, or drop what cannot be printed, which Python would try again at its end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _set_up_output(is_verbose: bool) -> None:
    """Show errors of this package, or with --verbose what every library says."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(name)s: %(message)s"))
    if not is_verbose:  # fabio and h5py log what is reported in one line anyway
        handler.addFilter(logging.Filter("pyfai_grf"))
    logging.basicConfig(level=logging.INFO if is_verbose else logging.ERROR, handlers=[handler])
    logging.captureWarnings(True)  # those of NumPy and others are not for the user
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be UTF-8


def _make_parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    parser = ArgumentParser(
        prog="pyfai-grf",
        description="Length scale, porosity and layer fraction of disordered porous materials from 2D SAXS frames.",
        epilog=f"commands:\n{lines}\n\n'pyfai-grf COMMAND --help' explains each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pyfai-grf {PACKAGE_VERSION}")
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help="what to do, see below")
    return parser

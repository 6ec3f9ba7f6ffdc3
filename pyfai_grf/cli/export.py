"""Complete a results file whose run was killed: add the NXcanSAS entries for the rows that it holds."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("results", metavar="OUT.h5", help="the results file")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pyfai_grf.io.results import export

    count = export(options.results)
    if not options.quiet:
        print(f"{options.results}: {count} curves, complete")
    return 0

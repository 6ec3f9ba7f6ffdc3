"""Complete a results file whose run was killed: add the NXcanSAS entries for the rows that it holds."""

from __future__ import annotations

import argparse

from pyfai_grf.cli.printing import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("results", metavar="OUT.h5", help="the results file")
    parser.add_argument("-o", "--output", metavar="OTHER.h5", help="write it here, leave OUT.h5 as it is")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pyfai_grf.io.results import export

    count = export(options.results, options.output)
    if not options.quiet:
        print_line(f"{options.output or options.results}: {count} curves, complete")
    return 0

"""Measure a model's errors on structures (or, for measured samples, fresh curves) that it was not trained on."""

from __future__ import annotations

import argparse
import os

from pyfai_grf.cli.arguments import check_outputs, parse_seed, reject_usage
from pyfai_grf.cli.printing import print_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("bundle", metavar="BUNDLE", help="name of a bundled model, or the folder of a bundle")
    parser.add_argument(
        "libraries", nargs="*", metavar="LIBRARY.h5", help="structure libraries for @paper (default: the installed)"
    )
    parser.add_argument("-o", "--output", metavar="REPORT", help="also REPORT.md and REPORT.png")
    parser.add_argument("--seed", type=parse_seed, default=2, help="of the noise (%(default)s, not the training's)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pyfai_grf.learn.bundle import load_model
    from pyfai_grf.learn.evaluate import evaluate_model, format_table
    from pyfai_grf.workflows import open_libraries, write_report

    report = _find_report(options.output)
    if report:  # it is made to be made again
        outputs = [report + end for end in (".md", ".png")]
        check_outputs(outputs, overwrite=True, inputs=[options.bundle, *options.libraries])
    model = load_model(options.bundle)
    if options.libraries and model.flavour != "paper":
        reject_usage(f"structure libraries are for @paper models, {model.name} is for measured samples: leave them out")
    shards = open_libraries(options.libraries) if model.flavour == "paper" else []
    evaluation = evaluate_model(model, shards, options.seed)
    if not options.quiet:
        print_text(format_table(model, evaluation.errors))
    if report:
        write_report(report, model, evaluation)
    return 0


def _find_report(name: str | None) -> str:
    """Return what the names of both files begin with; whoever names one of them means both."""
    base, suffix = os.path.splitext(name or "")
    return base if suffix.lower() in (".md", ".png") else name or ""

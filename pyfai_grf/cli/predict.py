"""Predict from reduced curves: NXcanSAS, HDF5 of pyFAI and ewoksxrpd, CanSAS XML, .pdh, tables of text."""

from __future__ import annotations

import argparse

from pyfai_grf.cli.arguments import (
    add_curve_arguments,
    add_window_arguments,
    check_outputs,
    check_window_arguments,
    collect_sources,
)
from pyfai_grf.cli.outputs import (
    add_material_argument,
    add_output_arguments,
    check_material,
    describe_model,
    write_outcomes,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument(
        "curves", nargs="+", metavar="CURVE", help="curve files, file.h5::/path or file.h5::entry; globs"
    )
    add_material_argument(parser)
    add_curve_arguments(parser)
    add_window_arguments(parser)
    add_output_arguments(parser, is_required=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object a curve, and nothing else")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_material(options.material)
    check_window_arguments(options)
    from itertools import chain

    from pyfai_grf.learn.bundle import load_model
    from pyfai_grf.workflows import Outcome, make_provenance, predict_curves

    sources, missing = collect_sources(options.curves)
    check_outputs((options.output, options.csv), options.overwrite, sources)
    model = load_model(options.material)
    reading = {name: getattr(options, name) for name in ("unit", "columns", "q_min", "q_max")}
    provenance = make_provenance(model, reading, options.command_line)
    if not options.quiet and not options.json:
        print(describe_model(provenance))
    outcomes = chain((Outcome(None, problem) for problem in missing), predict_curves(sources, model, **reading))
    _, status = write_outcomes(outcomes, provenance, options)
    return status

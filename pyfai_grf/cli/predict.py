"""Predict from reduced curves: NXcanSAS, HDF5 of pyFAI and ewoksxrpd, text of two or three columns."""

from __future__ import annotations

import argparse

from pyfai_grf.cli.outputs import add_material_argument, add_output_arguments, check_material


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("curves", nargs="+", metavar="CURVE", help="curve files, file.h5::/path; globs")
    add_material_argument(parser)
    parser.add_argument("--unit", choices=("nm", "A"), help="unit of q (1/nm or 1/Angstrom) where a file does not say")
    add_output_arguments(parser, is_required=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object a curve")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_material(options.material)
    from pyfai_grf.cli.outputs import describe_model, write_outcomes
    from pyfai_grf.learn.bundle import load_model
    from pyfai_grf.reduce.images import find_sources
    from pyfai_grf.workflows import make_provenance, predict_curves

    model = load_model(options.material)
    provenance = make_provenance(model, {"unit": options.unit}, options.command_line)
    if not options.quiet and not options.json:
        print(describe_model(provenance))
    outcomes = predict_curves(find_sources(options.curves), model, options.unit)
    _, status = write_outcomes(outcomes, provenance, options)
    return status

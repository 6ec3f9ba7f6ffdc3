"""Predict from reduced curves: NXcanSAS, HDF5 of pyFAI and ewoksxrpd, text of two or three columns."""

from __future__ import annotations

import argparse

from pyfai_grf.cli.arguments import (
    add_curve_arguments,
    add_window_arguments,
    check_outputs,
    collect_sources,
    get_window,
)
from pyfai_grf.cli.fitting import add_fit_arguments, check_fit, get_fit_options
from pyfai_grf.cli.outputs import (
    Printer,
    add_material_argument,
    add_output_arguments,
    check_material,
    describe_model,
    get_outputs,
)
from pyfai_grf.cli.printing import print_line, print_problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument(
        "curves", nargs="+", metavar="CURVE", help="curve files, file.h5::/path or file.h5::entry; globs"
    )
    add_material_argument(parser)
    add_curve_arguments(parser)
    add_window_arguments(parser)
    add_fit_arguments(parser)
    add_output_arguments(parser, is_required=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object a curve, and nothing else")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_material(options.material)
    window = get_window(options)
    fit_options = get_fit_options(options)
    from pyfai_grf.learn.bundle import load_model
    from pyfai_grf.workflows import analyze_curves, draw_results

    sources, missing = collect_sources(options.curves)
    check_outputs((options.output, options.csv, options.plot), options.overwrite, (*sources, options.material))
    model = load_model(options.material)
    check_fit(options, model)
    printer = Printer(model, options)
    if not options.quiet and not options.json:
        print_line(describe_model(model))
    for problem in missing:
        print_problem(problem)
    summary = analyze_curves(
        sources,
        model,
        get_outputs(options),
        unit=options.unit,
        columns=options.columns,
        q_range_nm1=window,
        options=fit_options,
        command=options.command_line,
        listen=printer,
    )
    if options.plot and printer.rows:
        draw_results(options.plot, model, printer.rows, printer.curves)
    return printer.conclude(summary, len(missing))

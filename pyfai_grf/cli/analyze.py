"""Reduce detector frames by pyFAI, predict, and write a results file that silx, SasView and others open."""

from __future__ import annotations

import argparse
from itertools import chain
from typing import TYPE_CHECKING

from pyfai_grf.cli.arguments import (
    add_window_arguments,
    check_outputs,
    collect_sources,
    get_window,
    parse_count,
    parse_number,
    reject_usage,
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

if TYPE_CHECKING:
    from pyfai_grf.learn.bundle import Model


#: values per photon: a camera has some, frames may be multiplied or divided by large numbers
_GAIN = (1e-12, 1e12)
#: as for ``ReductionSettings``, which is not imported before it is needed
_BACKGROUND_SCALE = (-1e9, 1e9)


def _parse_average(text: str) -> int | None:
    return None if text == "all" else parse_count()(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument(
        "frames", nargs="+", metavar="FRAME", help="EDF, CBF, TIFF ..., HDF5/NeXus as file.h5::/path; globs"
    )
    geometry = parser.add_mutually_exclusive_group(required=True)
    geometry.add_argument("--poni", metavar="P", help="geometry, as pyFAI-calib2 saves it")
    geometry.add_argument("--config", metavar="AZIMINT.json", help="configuration, as pyFAI-integrate saves it")
    add_material_argument(parser)
    add_output_arguments(parser, is_required=True)
    parser.add_argument("--mask", metavar="M", help="mask image, not zero where masked (pyFAI's convention)")
    parser.add_argument("--dark", metavar="D", help="dark frame; of a 'pattern_*.edf' the mean, as of a stack")
    parser.add_argument("--flat", metavar="F", help="flat field; likewise")
    parser.add_argument(
        "--gain", type=parse_number(*_GAIN), metavar="G", help="values per photon (1, or told from the scatter)"
    )
    parser.add_argument("--background", metavar="B", help="frames of the empty cell or the solvent; likewise")
    parser.add_argument(
        "--background-scale",
        type=parse_number(*_BACKGROUND_SCALE),
        metavar="X",
        help="with --background: times it is subtracted (1)",
    )
    parser.add_argument(
        "--average", type=_parse_average, default=1, metavar="N|all", help="frames averaged into one curve (1)"
    )

    add_window_arguments(parser)
    add_fit_arguments(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with OUT.h5 of a run that was cut short: each frame once"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_material(options.material)
    window = get_window(options)
    fit_options = get_fit_options(options)
    if options.background_scale is None:
        options.background_scale = 1.0
    elif options.background is None:
        reject_usage("--background-scale multiplies a background: give --background too")
    if options.resume and options.overwrite:
        reject_usage("--resume goes on with the file that --overwrite would replace: give one of them")
    if options.resume and options.average != 1:
        reject_usage("--resume goes on frame by frame: run --average again from the start")
    from pyfai_grf.frames.images import announce_source

    given = {name: getattr(options, name) for name in ("mask", "background_scale", "gain")}
    averaged = {name: _find_averaged(getattr(options, name)) for name in ("dark", "flat", "background")}
    # a name alone is kept as it is: that is what results files state
    given.update({name: found[0] if len(found) == 1 else found or None for name, found in averaged.items()})
    geometry = options.poni or options.config
    sources, missing = collect_sources(options.frames)
    inputs = (*sources, geometry, options.mask, *chain.from_iterable(averaged.values()), options.material)
    check_outputs((options.output, options.csv, options.plot), options.overwrite or options.resume, inputs)
    for first in () if options.resume else sources[:1]:  # decoded while libraries and model are loaded
        announce_source(first)

    from pyfai_grf.learn.bundle import load_model
    from pyfai_grf.reduce.experiment import ReductionSettings
    from pyfai_grf.workflows import analyze

    model = load_model(options.material)
    check_fit(options, model)
    printer = Printer(model, options)
    if not options.quiet:
        print_line(describe_model(model))
    for problem in missing:
        print_problem(problem)
    summary = analyze(
        sources,
        model,
        ReductionSettings(geometry, **given),
        get_outputs(options),
        average=options.average,
        q_range_nm1=window,
        options=fit_options,
        command=options.command_line,
        listen=printer,
    )
    if options.resume and not (summary.rows or summary.problems or options.quiet):
        print_line(f"every frame has its row in {options.output} already")
    if options.plot and (printer.first or options.resume):
        _draw(options, model, printer)
    return printer.conclude(summary, len(missing))


def _find_averaged(pattern: str | None) -> list[str]:
    """Return the files that a pattern names; they are averaged."""
    from pyfai_grf.frames.images import find_sources

    return [] if pattern is None else find_sources([pattern])


def _draw(options: argparse.Namespace, model: Model, printer: Printer) -> None:
    """Draw the series of a run, or the curve of one frame (the first of an average) beside its image."""
    import numpy as np

    from pyfai_grf.frames.images import read_frames
    from pyfai_grf.io.results import read_results
    from pyfai_grf.workflows import draw_results

    results = read_results(options.output)[1] if options.resume else []
    rows = [result.prediction for result in results] or printer.rows
    curves = {place: result.curve for place, result in enumerate(results)} or printer.curves
    first = results[0] if results else printer.first
    if first is None or len(rows) > 1:
        draw_results(options.plot, model, rows, curves)
        return
    frame = next(read_frames(first.source, first.frame))
    draw_results(options.plot, model, rows, curves, frame=np.ma.masked_array(frame.data, frame.bad))

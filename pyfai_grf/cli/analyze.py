"""Reduce detector frames by pyFAI, predict, and write a results file that silx, SasView and others open."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pyfai_grf.cli.arguments import check_outputs, collect_sources, reject_usage
from pyfai_grf.cli.outputs import (
    add_material_argument,
    add_output_arguments,
    check_material,
    describe_model,
    write_outcomes,
)

if TYPE_CHECKING:
    from pyfai_grf.learn.bundle import Model


def _parse_average(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames, nor 'all'")
    return int(text)


def _parse_gain(text: str) -> float:
    try:
        gain = float(text)
    except ValueError:
        gain = 0.0
    if not 0 < gain < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of values per photon")
    return gain


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
    parser.add_argument("--plot", metavar="OUT.png", help="also a picture (of one frame, or of the series)")
    parser.add_argument("--mask", metavar="M", help="mask image, not zero where masked (pyFAI's convention)")
    parser.add_argument("--dark", metavar="D", help="dark frame")
    parser.add_argument("--flat", metavar="F", help="flat field")
    parser.add_argument(
        "--gain",
        type=_parse_gain,
        metavar="G",
        help="values per photon (1, or told from the scatter)",
    )
    parser.add_argument("--background", metavar="B", help="frames of the empty cell or the solvent, averaged")
    parser.add_argument(
        "--background-scale", type=float, metavar="X", help="with --background: times it is subtracted (1)"
    )
    parser.add_argument(
        "--average", type=_parse_average, default=1, metavar="N|all", help="frames averaged into one curve (1)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_material(options.material)
    if options.background_scale is None:
        options.background_scale = 1.0
    elif options.background is None:
        reject_usage("--background-scale multiplies a background: give --background too")
    from itertools import chain

    from pyfai_grf.learn.bundle import load_model
    from pyfai_grf.reduce.reducer import Reducer
    from pyfai_grf.workflows import Outcome, analyze_frames, make_provenance, make_reduction_settings

    names = ("mask", "dark", "flat", "background", "background_scale", "gain")
    given = {name: getattr(options, name) for name in names}
    geometry = options.poni or options.config
    sources, missing = collect_sources(options.frames)
    inputs = (*sources, geometry, options.mask, options.dark, options.flat, options.background)
    check_outputs((options.output, options.csv, options.plot), options.overwrite, inputs)
    model = load_model(options.material)
    reducer = Reducer(make_reduction_settings(model, geometry, **given))
    average = "all" if options.average is None else options.average
    provenance = make_provenance(model, {**given, "geometry": geometry, "average": average}, options.command_line)
    if not options.quiet:
        print(describe_model(provenance))
    outcomes = analyze_frames(sources, reducer, model, options.average)
    count, status = write_outcomes(
        chain((Outcome(None, problem) for problem in missing), outcomes), provenance, options
    )
    if options.plot and count:
        _draw(options.plot, model, options.output)
    return status


def _draw(path: str, model: Model, output: str) -> None:
    """Draw the series of a results file, or the curve of one frame (the first of an average) beside its image."""
    import numpy as np

    from pyfai_grf.frames.images import read_frames
    from pyfai_grf.io.results import read_results
    from pyfai_grf.workflows import draw_results

    _, results = read_results(output)
    if len(results) > 1:
        draw_results(path, model, results)
        return
    frame = next(f for f in read_frames(results[0].source) if f.index == results[0].frame)
    draw_results(path, model, results, frame=np.ma.masked_array(frame.data, frame.bad))

"""Train a model: CLASS for measured samples of your q range or detector, CLASS@paper for the published setting."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyfai_grf.cli.arguments import parse_count, parse_number, parse_seed, reject_usage
from pyfai_grf.cli.printing import print_line, print_text, write_line
from pyfai_grf.core.errors import InputError

if TYPE_CHECKING:
    from pyfai_grf.core.arrays import FloatArray


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    from pyfai_grf.core.parameters import MATERIALS
    from pyfai_grf.core.published import PAPER_Q_NM1, PAPER_SPECTRUM
    from pyfai_grf.fit.options import FITTED
    from pyfai_grf.learn.settings import TrainSettings as Default

    parser.add_argument(
        "libraries", nargs="*", metavar="LIBRARY.h5", help="structure libraries for @paper (default: the installed)"
    )
    names = [f"{name}{flavour}" for name in MATERIALS for flavour in ("", "@paper")]
    parser.add_argument("--material", required=True, metavar="CLASS[@paper]", choices=names, help=", ".join(names))
    parser.add_argument("-o", "--output", required=True, metavar="BUNDLE", help="folder of the new bundle")
    parser.add_argument("--overwrite", action="store_true", help="replace a bundle that exists")
    parser.add_argument("--q-min", type=parse_number(), metavar="Q", help=f"first q in 1/nm ({PAPER_Q_NM1[0]:g})")
    parser.add_argument("--q-max", type=parse_number(), metavar="Q", help=f"last q in 1/nm ({PAPER_Q_NM1[-1]:g})")
    parser.add_argument(
        "--q-points", type=parse_count(), metavar="N", help=f"points of the equidistant grid ({PAPER_Q_NM1.size})"
    )
    parser.add_argument("--poni", metavar="P", help="take the q range of this geometry instead")
    parser.add_argument("--mask", metavar="M", help="with --poni: the mask in use")
    parser.add_argument(
        "--length-scale",
        type=parse_number(1e-6, 1e6),
        default=Default.length_scale,
        metavar="S",
        help="train for lengths S times the published ones (%(default)g)",
    )
    parser.add_argument(
        "--layer-density",
        type=parse_number(0, 1e6),
        metavar="D",
        help=f"three phases: layer over solid ({Default.layer_density})",
    )
    parser.add_argument(
        "--spectrum",
        metavar="NAME[:P=V]",
        help=f"pin the field's: {PAPER_SPECTRUM}, power:n=6, matern:nu=2.5, shell:width=0.2 (@paper: the libraries'; "
        f"measured samples: {FITTED}, every curve has an exponent, a spread of a and an upturn of its own)",
    )
    parser.add_argument(
        "--examples", type=parse_count(), metavar="N", help=f"curves for measured samples ({Default.examples})"
    )
    parser.add_argument(
        "--draws",
        type=parse_count(1, 10**6),
        metavar="N",
        help=f"noise draws per structure for @paper ({Default.draws})",
    )
    parser.add_argument("--seed", type=parse_seed, default=Default.seed, help="of examples and noise (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pyfai_grf.learn.bundle_files import check_target
    from pyfai_grf.learn.evaluate import describe_model
    from pyfai_grf.learn.settings import TrainSettings
    from pyfai_grf.workflows import train

    if options.mask and not options.poni:
        reject_usage("--mask says which pixels of a geometry are usable: give --poni too")
    given = _collect_given(options)
    check_target(Path(options.output), options.overwrite)  # better now than after the work
    settings = TrainSettings(
        name=options.material,
        q_nm1=_choose_grid(options),
        length_scale=options.length_scale,
        seed=options.seed,
        **given,
    )
    report = (lambda line: None) if options.quiet else (lambda line: write_line(line, sys.stderr))
    model = train(settings, options.libraries, options.output, report)
    if not options.quiet:
        print_text(describe_model(model))
        print_line(f"written to {options.output}")
    return 0


def _collect_given(options: Any) -> dict[str, Any]:
    """Return the settings that were given and have defaults elsewhere; exit with status 2 if one has no effect."""
    from pyfai_grf.core.parameters import get_material

    is_paper = options.material.endswith("@paper")
    if options.libraries and not is_paper:
        reject_usage(f"structure libraries are for {options.material}@paper: leave out {options.libraries[0]}")
    if options.draws is not None and not is_paper:
        reject_usage("--draws counts noise draws for @paper: say --examples for measured samples")
    if options.examples is not None and is_paper:
        reject_usage("--examples counts curves for measured samples: say --draws for @paper")
    if options.layer_density is not None and get_material(options.material).phases == 2:
        reject_usage(f"--layer-density is for three phases, {options.material} has no layer: leave it out")
    names = ("layer_density", "examples", "draws", "spectrum")
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _choose_grid(options: Any) -> FloatArray:
    import numpy as np

    from pyfai_grf.core.published import PAPER_Q_NM1
    from pyfai_grf.workflows import measure_q_range

    low, high, points = PAPER_Q_NM1[0], PAPER_Q_NM1[-1], PAPER_Q_NM1.size
    if options.poni:
        grid = measure_q_range(options.poni, options.mask)
        low, high, points = grid.q_min_nm1, grid.q_max_nm1, grid.points
    low = low if options.q_min is None else options.q_min
    high = high if options.q_max is None else options.q_max
    points = points if options.q_points is None else options.q_points
    if not 0 < low < high < np.inf or not 20 <= points <= 10_000:
        raise InputError(
            f"q from {low} to {high} 1/nm in {points} points is no grid: give 0 < q-min < q-max and 20 points or more"
        )
    return np.linspace(low, high, points)

"""Simulate films on Gaussian-field solids, and make the table of expected three-phase curves from them.

Stopped at any moment, the same command continues where it was. Several runs may share one folder (--part 1/2,
--part 2/2), and the folders of several machines may be copied together. Boxes are made on CPUs; 'pyfai-grf generate
--help' has the recipes for several processes (--workers) and clusters (--scheduler).
"""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

from pyfai_grf.cli.arguments import (
    SHAPE,
    add_crew_arguments,
    check_outputs,
    parse_count,
    parse_number,
    parse_seed,
    read_crew,
)
from pyfai_grf.cli.printing import print_line
from pyfai_grf.cli.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from pyfai_grf.tabulation.store import BoxFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    from pyfai_grf.tabulation.grids import BoxSetting

    own = BoxSetting()
    parser.add_argument("boxes", metavar="BOXES", help="the folder of the boxes")
    parser.add_argument(
        "--count", type=parse_count(0, 10**6), default=0, metavar="TOTAL", help="boxes that it is to hold (0: add none)"
    )
    parser.add_argument(
        "--wide",
        type=parse_count(0, 10**6),
        metavar="N",
        help="boxes of twice the edge, for low q (as many as --count)",
    )
    parser.add_argument(
        "--fine",
        type=parse_count(0, 10**6),
        default=8,
        metavar="N",
        help="boxes at half the voxel size, for high q (%(default)s)",
    )
    parser.add_argument(
        "--pair",
        type=parse_count(0, 10**6),
        default=10,
        metavar="N",
        help="boxes at twice the voxel size (%(default)s)",
    )
    parser.add_argument("--part", type=_parse_part, default=(1, 1), metavar="I/N", help="make every N-th box only")
    add_crew_arguments(parser)
    parser.add_argument(
        "--spectrum", metavar="TEXT", help=f"spectral density of the field (the folder's own, or {own.spectrum})"
    )
    parser.add_argument("--seed", type=parse_seed, help=f"seed of the boxes (the folder's own, or {own.seed})")
    parser.add_argument(
        "--shape",
        type=parse_count(*SHAPE),
        metavar="N",
        help=f"edge of a fine box in voxels (the folder's own, or {own.shape})",
    )
    parser.add_argument(
        "--voxels-per-a",
        type=parse_number(1, 1000),
        metavar="N",
        help=f"voxels of a fine box per a (the folder's own, or {own.voxels_per_a:g})",
    )
    parser.add_argument("--porosities", type=_parse_fractions, metavar="P,P,...", help="nodes other than the table's")
    parser.add_argument("--layer-fractions", type=_parse_fractions, metavar="F,F,...", help="the same, met roughly")
    parser.add_argument("-o", "--output", metavar="TABLE.npz", help="fit the table to all boxes and write it")


def _parse_part(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a part: write 1/2 for the first of two")
    return int(part), int(parts)


def _parse_fractions(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(0 < v < 1 for v in values) or list(values) != sorted(set(values)):
        raise argparse.ArgumentTypeError(f"{text!r}: write ascending fractions between 0 and 1, such as 0.3,0.6")
    return values


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from dataclasses import replace
    from pathlib import Path

    from pyfai_grf.tabulation.grids import KINDS, BoxSetting
    from pyfai_grf.tabulation.store import Plan, add_boxes, open_boxes, read_boxes
    from pyfai_grf.theory.covariance import compute_threshold

    crew = read_crew(options, "cpu")
    # a table is made to be made again, but not out of its own boxes
    check_outputs([options.output], overwrite=True, inputs=[options.boxes])
    path = Path(options.boxes)
    setting = read_boxes(path).setting if (path / "setting.json").exists() else BoxSetting()
    names = ("spectrum", "seed", "shape", "voxels_per_a", "layer_fractions")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.porosities is not None:
        given["thresholds"] = tuple(float(t) for t in compute_threshold(options.porosities))
    folder = open_boxes(path, replace(setting, **given))
    if options.count > 0:
        wide = options.count if options.wide is None else options.wide
        plan = Plan(options.count, options.fine, wide, options.pair, *options.part)
        with contextlib.closing(Progress("boxes", options.quiet)) as progress:
            add_boxes(folder, plan, crew, progress.show)
    if not options.quiet:
        held = ", ".join(f"{len(folder.list_boxes(kind))} {kind}" for kind in KINDS)
        print_line(f"{path}: boxes: {held}")
    if options.output:
        _write_table(folder, Path(options.output), options.quiet)
    return 0


def _write_table(folder: BoxFolder, path: Path, is_quiet: bool) -> None:
    from pyfai_grf.core.published import PAPER_LAYER_DENSITY
    from pyfai_grf.tabulation.fit import fit_table

    table = fit_table(folder)
    table.save(path)
    if is_quiet:
        return
    for density in (0.0, PAPER_LAYER_DENSITY, 1.0):
        median, highest = table.summarise_error(density)
        print_line(
            f"{path}: standard error at layer density {density:g}: median {median:.2%}, 99 % below {highest:.2%}"
        )

"""Simulate films on Gaussian-field solids, and make from them the table of expected three-phase curves.

Stopped at any moment, the same command goes on where it was. Several may work on one folder (--part 1/2, --part 2/2),
folders of several machines may be copied together.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyfai_grf.cli.arguments import parse_seed

if TYPE_CHECKING:
    from pathlib import Path

    from pyfai_grf.tabulation.store import BoxFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("boxes", metavar="BOXES", help="the folder that the boxes are collected in")
    parser.add_argument("--count", type=int, default=0, metavar="TOTAL", help="boxes it shall hold (0: add none)")
    parser.add_argument("--wide", type=int, metavar="N", help="boxes of twice the edge, for low q (as many as --count)")
    parser.add_argument("--fine", type=int, default=8, metavar="N", help="boxes at half the voxel size, for high q (8)")
    parser.add_argument("--pair", type=int, default=10, metavar="N", help="boxes at twice the voxel size (10)")
    parser.add_argument("--part", type=_parse_part, default=(1, 1), metavar="I/N", help="make every N-th box only")
    parser.add_argument("--spectrum", help="spectral density of the field (the folder's own, or roding2022)")
    parser.add_argument("--seed", type=parse_seed, help="seed of the boxes (the folder's own, or 1)")
    parser.add_argument("--shape", type=int, metavar="N", help="edge of a fine box in voxels (its own, or 512)")
    parser.add_argument("--voxels-per-a", type=float, metavar="N", help="its voxels per a (its own, or 16)")
    parser.add_argument("--porosities", type=_parse_fractions, metavar="P,P,...", help="other nodes than the table's")
    parser.add_argument("--layer-fractions", type=_parse_fractions, metavar="F,F,...", help="likewise, roughly met")
    parser.add_argument("-o", "--output", metavar="TABLE.npz", help="fit the table to all boxes and write it")


def _parse_part(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is no part: write 1/2 for the first of two")
    return int(part), int(parts)


def _parse_fractions(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(0 < v < 1 for v in values) or list(values) != sorted(set(values)):
        raise argparse.ArgumentTypeError(f"{text!r}: write fractions between 0 and 1, ascending, as 0.3,0.6")
    return values


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from dataclasses import replace
    from pathlib import Path

    from pyfai_grf.tabulation.setting import KINDS, BoxSetting
    from pyfai_grf.tabulation.store import Plan, add_boxes, open_boxes, read_boxes
    from pyfai_grf.theory.covariance import compute_threshold

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
        add_boxes(folder, plan, (lambda done, total: None) if options.quiet else _make_report())
    if not options.quiet:
        held = ", ".join(f"{len(folder.list_boxes(kind))} {kind}" for kind in KINDS)
        print(f"{path}: boxes: {held}")
    if options.output:
        _write_table(folder, Path(options.output), options.quiet)
    return 0


def _write_table(folder: BoxFolder, path: Path, is_quiet: bool) -> None:
    from pyfai_grf.tabulation.fit import fit_table

    table = fit_table(folder)
    table.save(path)
    if is_quiet:
        return
    for density in (0.0, 0.65, 1.0):
        median, highest = table.summarise_error(density)
        print(f"{path}: standard error at layer density {density:g}: median {median:.2%}, 99 % below {highest:.2%}")


def _make_report() -> Callable[[int, int], None]:
    """Return a progress line with pace and remaining time, on a terminal only."""
    started = time.monotonic()

    def report(done: int, total: int) -> None:
        if not sys.stderr.isatty() or not done:
            return
        pace = (time.monotonic() - started) / done
        end = "\n" if done == total else ""
        left = pace * (total - done) / 60
        print(f"\r{done}/{total} boxes, {pace:.0f} s each, {left:.0f} min left ", end=end, file=sys.stderr)

    return report

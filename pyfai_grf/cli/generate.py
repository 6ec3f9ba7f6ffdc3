"""Grow a structure library to COUNT structures. Stopped at any moment, the same command goes on where it was."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from pyfai_grf.cli.arguments import parse_seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("library", metavar="LIBRARY.h5", help="the file; by custom library-SEED.h5")
    parser.add_argument("--count", type=int, required=True, metavar="TOTAL", help="structures it shall hold")
    parser.add_argument(
        "--seed",
        type=parse_seed,
        help="seed of the library: another seed, another library (default: the file's own, or 1)",
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to compute (auto)")
    parser.add_argument("--shape", type=int, help="edge of the box in voxels (default: the file's own, or 512)")
    parser.add_argument("--voxel-size", type=float, metavar="NM", help="edge of a voxel in nm (the file's own, or 0.5)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from dataclasses import replace
    from pathlib import Path

    from pyfai_grf.library.generate import generate_library
    from pyfai_grf.library.shard import Setting, open_shard

    path = Path(options.library)
    setting = open_shard(path).setting if path.exists() else Setting(1)
    given = {"library_seed": options.seed, "shape": options.shape, "voxel_size_nm": options.voxel_size}
    setting = replace(setting, **{name: value for name, value in given.items() if value is not None})
    report = (lambda done, total: None) if options.quiet else _make_report()
    shard = generate_library(path, options.count, setting, options.device, report)
    if not options.quiet:
        print(f"{path}: {len(shard.structures)} structures")
    return 0


def _make_report() -> Callable[[int, int], None]:
    """Return a progress line with rate and remaining time, on a terminal only."""
    started, first = time.monotonic(), []

    def report(done: int, total: int) -> None:
        first.append(done)
        if not sys.stderr.isatty():
            return
        pace = (time.monotonic() - started) / (done - first[0] + 1)
        left = pace * (total - done)
        end = "\n" if done == total else ""
        print(f"\r{done}/{total} structures, {pace:.2f} s each, {left / 60:.0f} min left ", end=end, file=sys.stderr)

    return report

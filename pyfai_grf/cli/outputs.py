"""What analyze and predict share: the outputs they write, and the line they print for each outcome."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pyfai_grf.cli.arguments import reject_usage

if TYPE_CHECKING:
    from pyfai_grf.core.provenance import Provenance
    from pyfai_grf.core.records import Result
    from pyfai_grf.workflows import Outcome


def add_material_argument(parser: argparse.ArgumentParser) -> None:
    """Add --material."""
    from pyfai_grf.core.parameters import MATERIALS

    parser.add_argument(
        "--material",
        required=True,
        metavar="CLASS|BUNDLE",
        help="material class, or the folder of a bundle. Two-phase curves are the same for porosity p and 1 - p, so "
        f"you must say which side yours is on: {', '.join(MATERIALS)} (low: porosity up to 0.5)",
    )


def add_output_arguments(parser: argparse.ArgumentParser, is_required: bool) -> None:
    """Add -o, --csv and --overwrite."""
    parser.add_argument("-o", "--output", required=is_required, metavar="OUT.h5", help="results file (HDF5, NXcanSAS)")
    parser.add_argument("--csv", metavar="OUT.csv", help="also a table, one row a frame")
    parser.add_argument("--overwrite", action="store_true", help="replace output files that exist")


def check_material(name: str) -> None:
    """Exit with status 2 if ``name`` is neither a class, a bundled model nor a folder."""
    import os

    from pyfai_grf.core.parameters import MATERIALS
    from pyfai_grf.learn.bundle import find_bundled

    if name not in MATERIALS and name not in find_bundled() and not os.path.isdir(name):
        reject_usage(
            f"no material class or bundle is called {name!r}: choose one of {', '.join(MATERIALS)}, or the folder of a "
            "bundle that 'pyfai-grf train' made"
        )


def write_outcomes(outcomes: Iterable[Outcome], provenance: Provenance, options: Any) -> tuple[int, int]:
    """Write every outcome as it comes, keeping none; return the number of results and the exit status.

    Output files are made with the first result: an empty one would stand in the way of the corrected command.
    """
    count, status, told = 0, 0, set[str]()
    with ExitStack() as stack:
        writers: list[Any] = []
        for outcome in outcomes:
            if outcome.problem:
                print(f"pyfai-grf: {outcome.problem}", file=sys.stderr)
                status = 1
            if outcome.result is None:
                continue
            if count == 0:
                writers = _open_writers(stack, provenance, options)
            for writer in writers:
                writer.append(outcome.result)
            count += 1
            if not options.quiet:
                _print_warnings(outcome.result, told)
            if getattr(options, "json", False):
                print(_format_json(outcome.result, provenance))
            elif not options.quiet and not outcome.problem:
                print(format_line(outcome.result))
    return count, status


def _open_writers(stack: ExitStack, provenance: Provenance, options: Any) -> list[Any]:
    """Return the writers of the files that are asked for; ``stack`` closes them."""
    from pyfai_grf.io.results import ResultsWriter
    from pyfai_grf.io.table import TableWriter

    asked = ((ResultsWriter, options.output), (TableWriter, options.csv))
    return [stack.enter_context(kind(path, provenance, overwrite=options.overwrite)) for kind, path in asked if path]


def _print_warnings(result: Result, told: set[str]) -> None:
    """Print what a curve's reader or reduction warns of, unless it is in ``told``; add it there."""
    for text in result.curve.metadata.get("warnings", ()):
        if text not in told:
            told.add(text)
            print(f"pyfai-grf: warning: {text}", file=sys.stderr)


def describe_model(provenance: Provenance) -> str:
    """Return one line on the model in use, with what its user must know of it."""
    line = f"model {provenance.model} ({provenance.flavour}, {provenance.model_sha256[:12]})"
    if provenance.flavour == "paper":
        line += ": trained on simulated boxes with the paper's noise, not on measured samples"
    return line


def format_line(result: Result) -> str:
    """Return one line on a result: values with their 90 % intervals, or why there are none."""
    from pyfai_grf.core.parameters import PARAMETERS

    parts = []
    for name, value in result.values.items():
        if math.isfinite(value):
            unit = f" {PARAMETERS[name].unit}".rstrip()
            parts.append(f"{name} {value:.5g}{unit} [{result.lower[name]:.5g}, {result.upper[name]:.5g}]")
    averaged = result.extras.get("frames_averaged", 1)
    which = f"frame {result.frame}" if averaged == 1 else f"frame {result.frame} and on, average of {averaged:.0f}"
    text = f"{result.source} {which}: {', '.join(parts) or 'no prediction'}"
    return text if result.is_applicable else f"{text}; NOT APPLICABLE: {result.reason}"


def _format_json(result: Result, provenance: Provenance) -> str:
    def clean(values: Any) -> dict[str, Any]:
        return {k: (None if isinstance(v, float) and not math.isfinite(v) else v) for k, v in values.items()}

    return json.dumps(
        {
            "source": result.source,
            "frame": result.frame,
            "material": provenance.material,
            "model": provenance.model,
            "model_sha256": provenance.model_sha256,
            "values": clean(result.values),
            "lower": clean(result.lower),
            "upper": clean(result.upper),
            "is_applicable": result.is_applicable,
            "reason": result.reason,
            **clean(result.extras),
        },
        ensure_ascii=False,
    )

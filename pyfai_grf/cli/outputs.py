"""What analyze and predict share: the outputs they write, and the lines they print for each outcome."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyfai_grf.cli.arguments import parse_picture, reject_usage
from pyfai_grf.cli.hints import word_hint
from pyfai_grf.cli.printing import print_line, print_problem
from pyfai_grf.core.rounding import format_chi_square, format_interval

if TYPE_CHECKING:
    from pyfai_grf.analysis.recorder import Outputs
    from pyfai_grf.core.records import Curve, Outcome, PredictionRow, Result
    from pyfai_grf.learn.bundle import Model
    from pyfai_grf.report.waterfall import CurveKeeper
    from pyfai_grf.workflows import Summary

_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!/)")
#: reasons that the summary of a run counts
_MOST_REASONS = 6


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
    """Add -o, --csv, --plot and --overwrite."""
    parser.add_argument("-o", "--output", required=is_required, metavar="OUT.h5", help="results file (HDF5, NXcanSAS)")
    parser.add_argument("--csv", metavar="OUT.csv", help="also a table, one row a frame")
    parser.add_argument(
        "--plot", type=parse_picture, metavar="OUT.png", help="also a picture (of one curve, or of the series)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace output files that exist")


def get_outputs(options: argparse.Namespace) -> Outputs:
    """Return the files that were asked for."""
    from pyfai_grf.analysis.recorder import Outputs

    return Outputs(options.output, options.csv, options.overwrite, getattr(options, "resume", False))


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


def describe_model(model: Model) -> str:
    """Return one line on the model in use, with what its user must know of it."""
    line = f"model {model.name} ({model.flavour}, {model.sha256[:12]})"
    if model.flavour == "paper":
        line += ": trained on simulated boxes with the paper's noise, not on measured samples"
    return line


class Printer:
    """Prints a line for each outcome as it comes, each warning once, and at the end what the run came to.

    Attributes
    ----------
    rows : what was predicted, of each curve; for the picture of a run, as the next two.
    curves : place in the run -> curve, of some of them; none where no picture was asked for.
    first : the first result, None as long as there is none.
    """

    def __init__(self, model: Model, options: argparse.Namespace) -> None:
        self._model = model
        self._is_quiet = options.quiet
        self._is_json = getattr(options, "json", False)
        self._warned: set[str] = set()
        self._reasons: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self.rows: list[PredictionRow] = []
        self._keeper: CurveKeeper | None = None
        if getattr(options, "plot", None):
            from pyfai_grf.report.waterfall import CurveKeeper

            self._keeper = CurveKeeper()
        self.first: Result | None = None

    def __call__(self, outcome: Outcome) -> None:
        """Print what became of one frame or curve."""
        result = outcome.result
        if outcome.problem:
            if self._count_reason(outcome.problem):
                print_problem(outcome.problem + word_hint(outcome.hint, outcome.facts))
            else:  # the advice once: the same holds for the next 239
                print_problem(outcome.problem.partition("; train a model")[0])
        elif result is not None and not result.prediction.is_applicable:
            self._count_reason(result.prediction.reason)
        if result is None:
            return
        is_kept = self._keeper is not None and self._keeper.add(len(self.rows), result.curve)
        self.rows.append(result.prediction if is_kept else result.prediction.drop_curves())
        self.first = self.first or result
        if not self._is_quiet:
            self._print_warnings(result)
        if self._is_json:
            print_line(_format_json(result, self._model))
        elif not self._is_quiet and not outcome.problem:
            print_line(format_line(result))

    @property
    def curves(self) -> Mapping[int, Curve]:
        return {} if self._keeper is None else self._keeper.curves

    def _print_warnings(self, result: Result) -> None:
        for text in result.curve.metadata.get("warnings", ()):
            kind = _NUMBERS.sub("#", text)  # the same with other numbers is not news
            if kind not in self._warned:
                self._warned.add(kind)
                print_problem(f"warning: {text}")

    def _count_reason(self, text: str) -> bool:
        """Count why a curve has no answer that stands; return whether it is the first for that reason."""
        reason = (text.partition(" frame ")[2] or text).partition(": ")[2] or text
        kind = _NUMBERS.sub("#", reason.partition("; ")[0])
        self._first.setdefault(kind, reason.partition("; ")[0])
        self._reasons[kind] += 1
        return self._reasons[kind] == 1

    def _print_reasons(self) -> None:
        """Print how often each reason was given, in the words of its first time; a few need no counting."""
        if self._reasons.total() <= _MOST_REASONS:
            return
        for kind, count in self._reasons.most_common(_MOST_REASONS):
            print_line(f"  {count} x {self._first[kind]}")
        if (more := self._reasons.total() - sum(n for _, n in self._reasons.most_common(_MOST_REASONS))) > 0:
            print_line(f"  {more} x other reasons")

    def conclude(self, summary: Summary, missing: int = 0) -> int:
        """Print what a run of several curves came to, and return its exit status; ``missing`` inputs are not there."""
        unusable = summary.problems + missing
        refused = summary.rows - summary.applicable
        if summary.rows + unusable > 1 and not self._is_quiet and not self._is_json:
            print_line(
                f"{summary.rows} rows: the model applies to {summary.applicable}, not to {refused}"
                + (f"; {unusable} inputs could not be used as they are" if unusable else "")
            )
            self._print_reasons()
        return 1 if unusable or (summary.rows and not summary.applicable) else 0


def format_line(result: Result) -> str:
    """Return one line on a result: values with their 90 % intervals, or first of all why they are refused."""
    said = result.prediction
    averaged = result.extras.get("frames_averaged", 1)
    which = f"frame {result.frame}" if averaged == 1 else f"frame {result.frame} and on, average of {averaged:.0f}"
    place = f"{result.source} {which}"
    if said.is_applicable:
        return f"{place}: {format_values(said)}{_format_fit(said)}"
    values = format_values(said)
    refused = f" (refused: {values})" if values else ""
    return f"{place}: NOT APPLICABLE: {said.reason}{refused}"


def format_values(row: PredictionRow) -> str:
    """Return the values with their intervals, with the digits that the intervals carry; "" where there are none."""
    from pyfai_grf.core.parameters import PARAMETERS

    parts = []
    for name, value in row.values.items():
        if math.isfinite(value):
            unit = f" {PARAMETERS[name].unit}".rstrip()
            value_text, low, high = format_interval(value, row.lower[name], row.upper[name])
            parts.append(f"{name} {value_text}{unit} [{low}, {high}]")
    return ", ".join(parts)


def _format_fit(row: PredictionRow) -> str:
    """Return in brackets whose answer a row holds, and how the fit describes the curve; "" without a fit."""
    fit = row.fit
    if fit is None:
        return ""
    parts = [row.source]
    if "spectrum_n" in fit.values:
        value, low, high = format_interval(*(part["spectrum_n"] for part in (fit.values, fit.lower, fit.upper)))
        parts.append(f"n {value} [{low}, {high}]")
    parts.append(fit.reason or f"chi-square {format_chi_square(fit.chi2)}")
    return f" ({', '.join(parts)})"


def _format_json(result: Result, model: Model) -> str:
    def clean(values: Any) -> dict[str, Any]:
        return {k: (None if isinstance(v, float) and not math.isfinite(v) else v) for k, v in values.items()}

    said = result.prediction
    return json.dumps(
        {
            "source": result.source,
            "frame": result.frame,
            "material": model.material.name,
            "model": model.name,
            "model_sha256": model.sha256,
            "values": clean(said.values),
            "lower": clean(said.lower),
            "upper": clean(said.upper),
            "is_applicable": said.is_applicable,
            "reason": said.reason,
            "answer_from": said.source,
            **clean(result.extras),
        },
        ensure_ascii=False,
    )

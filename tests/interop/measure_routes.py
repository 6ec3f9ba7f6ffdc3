"""The same frames by every route: refusals, coverage of the truth, and the distance from ``pyfai-grf analyze``.

    python -m tests.interop.measure_routes [--frames 200] [--photons 1e5 1e6 1e7] [--truths 4,0.3 2.5,0.42]
                                           [--only WORD ...] [--folder DIR] [-o TABLE.md]

Needs the peers (see .ci/interop). Frames are made once and kept in --folder. Writes a Markdown table, one row a route,
setting, truth and number of photons, and below it the reasons of all refusals with how often each was given.
refused   frames without an answer that stands
truth in  part of the answered frames whose 90 % interval holds the truth (for 200 frames 0.86 to 0.94 is 90 %)
mean      of the answered frames
shift     mean of (answer - answer of analyze) over frames that both answer, in mean widths of analyze's interval
width     mean width of the interval over that of analyze
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .answers import COLUMNS, Answer
from .routes import ROUTES, Route, analyze
from .scans import PHOTONS, TRUTHS, Scan, Setting, make_scan

_HEAD = "| route | pyFAI | truth | photons | frames | refused | {} |"


@dataclass(frozen=True)
class Measured:
    """One parameter by one route."""

    coverage: float
    mean: float
    shift: float
    width: float


def measure(answers: Sequence[Answer], reference: Sequence[Answer], name: str, truth: float) -> Measured:
    """Compare ``answers`` with the truth and with ``reference``, frame by frame; NaN where nothing can be said."""
    answered = [answer for answer in answers if not answer.refusal]
    pairs = [(a, r) for a, r in zip(answers, reference, strict=True) if not (a.refusal or r.refusal)]
    if not pairs:
        return Measured(np.nan, np.nan, np.nan, np.nan)
    width, theirs = (np.mean([pair[n].upper[name] - pair[n].lower[name] for pair in pairs]) for n in (0, 1))
    return Measured(
        float(np.mean([answer.lower[name] <= truth <= answer.upper[name] for answer in answered])),
        float(np.mean([answer.values[name] for answer in answered])),
        float(np.mean([a.values[name] - r.values[name] for a, r in pairs]) / theirs),
        float(width / theirs),
    )


def follow_routes(scan: Scan, words: Sequence[str]) -> Iterator[tuple[str, Setting | None, list[Answer], list[Answer]]]:
    """Yield (route, setting, answers, answers of analyze), analyze itself first; ``words`` choose among the others."""
    with tempfile.TemporaryDirectory() as folder:
        reference = analyze(scan, Path(folder))
    yield "analyze", None, reference, reference
    for route, setting in list_cases(words):
        with tempfile.TemporaryDirectory() as folder:
            yield route.name, setting, route.follow(scan, setting, Path(folder)), reference


def list_cases(words: Sequence[str] = ()) -> list[tuple[Route, Setting]]:
    """Return every route with each of its settings, those only whose name holds one of ``words`` if there are any."""
    return [
        (route, setting)
        for route in ROUTES
        if not words or any(word in route.name for word in words)
        for setting in route.settings
    ]


def format_row(name: str, setting: Setting | None, scan: Scan, answers: list[Answer], reference: list[Answer]) -> str:
    """Return one row of the table."""
    refused = sum(bool(answer.refusal) for answer in answers)
    cells = [name, setting.name if setting else "-", f"{scan.a:g} nm, {scan.porosity:g}"]
    cells += [f"{scan.photons:.0e}".replace("e+0", "e"), str(len(answers)), str(refused)]
    for parameter in COLUMNS:
        found = measure(answers, reference, parameter, getattr(scan, parameter))
        cells += [f"{found.coverage:.3f}", f"{found.mean:.4f}", f"{found.shift:+.3f}", f"{found.width:.2f}"]
    return f"| {' | '.join(cells)} |"


def shorten_reason(text: str) -> str:
    """Return a reason without its numbers and its file, so that equal ones can be counted."""
    text = re.sub(r"\S*/\S+:?", "FILE", text)
    return re.sub(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?", "N", text)[:200]


def list_reasons(reasons: Counter[tuple[str, str]]) -> list[str]:
    """Return one line a reason: how often it was given, and where; ``reasons`` counts (case, reason)."""
    cases: dict[str, list[str]] = {}
    for (case, reason), count in reasons.items():
        cases.setdefault(reason, []).append(f"{case} ({count})")
    return [f"- {reason} -- {'; '.join(where)}" for reason, where in cases.items()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--photons", type=float, nargs="+", default=PHOTONS)
    parser.add_argument("--truths", nargs="+", default=[f"{a},{porosity}" for a, porosity in TRUTHS[:1]])
    parser.add_argument("--only", nargs="+", default=(), metavar="WORD", help="routes with one of these in their name")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "pyfai-grf-interop")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    columns = [f"{name}: {part}" for name in COLUMNS for part in ("truth in", "mean", "shift", "width")]
    head = _HEAD.format(" | ".join(columns))
    lines, reasons = [head, "|" + "---|" * (head.count("|") - 1)], Counter[tuple[str, str]]()
    for truth in options.truths:
        a, porosity = map(float, truth.split(","))
        for photons in options.photons:
            scan = make_scan(options.folder, a, porosity, photons, options.frames)
            start = time.monotonic()
            for name, setting, answers, reference in follow_routes(scan, options.only):
                lines.append(format_row(name, setting, scan, answers, reference))
                case = f"{name}, {setting.name if setting else '-'}, {photons:.0e}"
                reasons.update((case, shorten_reason(answer.refusal)) for answer in answers if answer.refusal)
                sys.stderr.write(f"{time.monotonic() - start:6.1f} s {lines[-1]}\n")
    text = "\n".join([*lines, "", *list_reasons(reasons)]) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

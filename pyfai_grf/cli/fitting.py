"""The arguments of the fit that follows the regressors, shared by the commands that predict."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pyfai_grf.cli.arguments import parse_count, parse_number, parse_q, reject_usage

if TYPE_CHECKING:
    from pyfai_grf.fit.options import FitOptions
    from pyfai_grf.learn.bundle import Model

#: curves of a run for which other spectra are ranked
_COMPARED = 3
#: options that say how to fit: without a fit they say nothing
_FLAGS = {
    "spectrum": "--spectrum",
    "exclude": "--exclude",
    "resolution": "--resolution",
    "calibration_error": "--calibration-error",
}


def _parse_range(text: str) -> tuple[float, float]:
    parts = text.split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of q: give two numbers, like 1.52,1.68")
    low, high = map(parse_q, parts)
    if not low < high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of q: the first number must be the smaller one")
    return low, high


def _parse_compared(text: str) -> int | None:
    return None if text == "all" else parse_count(0)(text)


def add_fit_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --spectrum, --exclude, --resolution, --calibration-error, --compare and --no-fit."""
    parser.add_argument(
        "--spectrum",
        metavar="fitted|NAME",
        help="of the fit: its exponent and a spread of a are parameters (fitted), or one that is held: roding2022, "
        "power:n=6 ...",
    )
    parser.add_argument(
        "--exclude",
        type=_parse_range,
        action="append",
        default=[],
        metavar="LOW,HIGH",
        help="leave out this range of q in 1/nm (ice rings, glitches); may be given several times",
    )
    parser.add_argument(
        "--resolution", type=parse_number(0, 10), metavar="S", help="of the fit: standard deviation of q in 1/nm (0)"
    )
    parser.add_argument(
        "--calibration-error",
        type=parse_number(0, 0.5),
        metavar="E",
        help="of the fit: relative error of q by distance and wavelength, part of the interval of a (0.001)",
    )
    parser.add_argument(
        "--compare",
        type=_parse_compared,
        dest="compared",
        default=_COMPARED,
        metavar="N|all",
        help=f"of the fit: rank other spectra for the first N curves, which takes a fifth of a second each "
        f"({_COMPARED}): what a and porosity they would give",
    )
    parser.add_argument("--no-fit", action="store_true", help="the regressors' answer alone")


def check_fit(options: argparse.Namespace, model: Model) -> None:
    """Exit with status 2 if anything was asked of a fit that ``model`` does not have."""
    given = [flag for name, flag in _FLAGS.items() if getattr(options, name) not in (None, [])]
    if given and not model.has_fit:
        reject_usage(f"{given[0]} is for the fit, which {model.name} does not have: it is for two measured phases")


def get_fit_options(options: argparse.Namespace) -> FitOptions | None:
    """Return what was asked of the fit, None with --no-fit; exit with status 2 if it makes no sense."""
    given = {name: getattr(options, name) for name in _FLAGS if getattr(options, name) not in (None, [])}
    if options.no_fit:
        if given:
            reject_usage(f"{_FLAGS[next(iter(given))]} is for the fit, which --no-fit leaves out: give one of them")
        return None
    from pyfai_grf.core.errors import InputError
    from pyfai_grf.fit.options import FitOptions

    try:
        return FitOptions.convert(1.0, compared=options.compared, **given)
    except InputError as problem:
        reject_usage(f"--spectrum: {problem}")

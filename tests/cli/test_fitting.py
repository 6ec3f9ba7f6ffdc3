"""What is asked of the fit on the command line is read once, and refused where it makes no sense."""

from __future__ import annotations

import pytest

from pyfai_grf.cli.arguments import ArgumentParser
from pyfai_grf.cli.fitting import add_fit_arguments, get_fit_options
from pyfai_grf.fit.options import FitOptions


def read(*arguments: str) -> FitOptions | None:
    parser = ArgumentParser(prog="test")
    add_fit_arguments(parser)
    return get_fit_options(parser.parse_args(arguments))


def test_options_become_those_of_the_fit() -> None:
    assert read() == FitOptions(compared=3)
    assert read("--no-fit") is None
    given = read("--spectrum", "power:n=6", "--exclude", "1.5,1.6", "--exclude", "2,2.1", "--resolution", "0.01")
    assert given == FitOptions("power:n=6", exclude_nm1=((1.5, 1.6), (2.0, 2.1)), resolution_nm1=0.01, compared=3)
    assert read("--calibration-error", "0") == FitOptions(calibration_error=0.0, compared=3)
    assert read("--spectrum", "fitted") == FitOptions("fitted", compared=3)
    assert read("--compare", "all") == FitOptions(compared=None)
    assert read("--compare", "0") == FitOptions()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--exclude", "1.5"), "is not a range of q: give two numbers, like 1.52,1.68"),
        (("--exclude", "1.6,1.5"), "the first number must be the smaller one"),
        (("--exclude", "-1,1"), "is not a q in 1/nm"),
        (("--spectrum", "gauss"), "--spectrum: "),
        (("--no-fit", "--exclude", "1,2"), "--exclude is for the fit, which --no-fit leaves out"),
        (("--calibration-error", "2"), "is not a number from 0 to 0.5"),
    ],
)
def test_nonsense_is_refused(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read(*arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err

"""The flags that say of curves what files do not: unit, columns, and the part that is used."""

from __future__ import annotations

import argparse

import pytest

from pyfai_grf.cli.arguments import add_curve_arguments, add_window_arguments, get_window


def _parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_curve_arguments(parser)
    add_window_arguments(parser)
    options = parser.parse_args(words)
    get_window(options)
    return options


def test_flags_become_values() -> None:
    options = _parse("--unit", "A", "--columns", "q,-,I,sigma", "--q-min", "0.04", "--q-max", "2.5")
    assert vars(options) == {"unit": "A", "columns": ("q", "-", "I", "sigma"), "q_min": 0.04, "q_max": 2.5}
    assert set(vars(_parse()).values()) == {None}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--columns", "q,I,x"), "no column is called 'x'"),
        (("--columns", "q"), "which columns are q and I"),
        (("--q-min", "-1"), "'-1' is not a q in 1/nm"),
        (("--q-max", "nan"), "'nan' is not a q in 1/nm"),
        (("--q-max", "1e400"), "not a q in 1/nm"),
        (("--q-min", "much"), "'much' is not a q in 1/nm"),
        (("--q-min", "2", "--q-max", "2"), "--q-min 2 is not below --q-max 2"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(words: tuple, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _parse(*words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err

"""Several curves in one table are refused; what one curve may look like in a file is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.curves import read_curves
from pyfai_grf.io.pieces import check_single

UP = np.linspace(0.05, 3.0, 60)
LOG = np.geomspace(0.01, 3.0, 60)
SWAPPED = UP.copy()
SWAPPED[30:32] = SWAPPED[[31, 30]]


@pytest.mark.parametrize(
    "q",
    [
        np.concatenate([UP, UP]),
        np.concatenate([UP[::-1], UP[::-1]]),
        np.concatenate([UP, 1.01 * UP[:-3]]),
        np.concatenate([LOG, LOG[5:]]),
        np.concatenate([UP[10:50], UP]),  # the first lies within the second
        np.concatenate([UP, UP[20:]]),
        np.concatenate([SWAPPED, SWAPPED]),
        np.concatenate([UP, [np.nan], UP, UP]),
        np.concatenate([UP[:6], UP[:6]]),
    ],
)
def test_q_that_begins_again(q: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"^c\.dat: q begins again at row \d+ of the table") as caught:
        check_single(q, "c.dat")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "q",
    [
        UP,
        UP[::-1],
        SWAPPED,
        [],
        [1.0],
        [np.nan, np.nan],
        [2.0, 1.0, 2.0, 1.0],
        np.full(40, 0.5),
        np.repeat(UP, 2),
        np.where(np.arange(60) % 7 == 3, np.nan, UP),
        np.concatenate([np.linspace(0.01, 0.4, 60), np.linspace(0.3, 3.0, 60)]),  # two detectors
        np.concatenate([np.linspace(0.3, 3.0, 60), np.linspace(0.01, 0.4, 60)]),
        np.concatenate([np.linspace(0.01, 0.1, 40), np.linspace(0.07, 0.6, 40), np.linspace(0.4, 3.0, 40)]),
        np.concatenate([UP[:40], UP[36:]]),
        UP + 0.2 * np.random.default_rng(1).normal(size=60),  # disorder of about three steps
        np.random.default_rng(1).permutation(UP),
        np.stack([UP, UP + 0.01]).T.ravel(),  # two that were put together row by row
    ],
)
def test_one_curve(q: np.ndarray) -> None:
    check_single(np.asarray(q, dtype=np.float64), "c.dat")


@pytest.mark.parametrize("between", ["", "\n", "# the other curve\n# q I sigma\n"])
def test_two_curves_in_one_text_are_not_merged(between: str, tmp_path: Path) -> None:
    first, second = ("".join(f"{q:.6f} {k / q**2:.6e} {0.01 * k:.6e}\n" for q in UP) for k in (1, 5))
    (tmp_path / "c.dat").write_text("# q(1/nm) I sigma\n" + first + between + second)
    with pytest.raises(InputError, match=r"row 61 .*ran from 0\.05 to 3, and goes on at 0\.05 to 3: two curves"):
        read_curves(tmp_path / "c.dat")
    (tmp_path / "c.dat").write_text("# q(1/nm) I sigma\n" + first)
    (curve,) = read_curves(tmp_path / "c.dat")
    assert curve.q_nm1.size == 60

"""What is asked of a fit is checked before any curve is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pyfai_grf.core.errors import InputError
from pyfai_grf.fit.options import FitOptions


def test_a_spectrum_is_kept_by_its_canonical_text() -> None:
    assert FitOptions("power:n=8").spectrum == FitOptions("roding2022").spectrum
    assert FitOptions().is_fitted
    assert not FitOptions("matern:nu=2.5").is_fitted


def test_ranges_are_left_out_with_their_ends() -> None:
    options = FitOptions(exclude_nm1=((0.2, 0.3), (0.5, 0.6)))
    assert_array_equal(options.find_excluded(np.array([0.1, 0.2, 0.3, 0.4, 0.55, 0.7])), [0, 1, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude_nm1": ((0.3, 0.2),)}, "0.3 to 0.2 per nm is left out: it must begin below its end"),
        ({"calibration_error": 1.0}, "error of the calibration is 1: give"),
        ({"resolution_nm1": float("nan")}, "resolution is nan per nm: give"),
        ({"spectrum": "no such"}, "no such"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FitOptions(**options)  # type: ignore[arg-type]

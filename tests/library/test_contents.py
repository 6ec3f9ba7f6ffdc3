"""What a library keeps: intensities as 16-bit logarithms on nodes that are fine enough."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.published import PAPER_LAYER_DENSITY
from pyfai_grf.library.contents import DENSITIES, LOG_STEP, Setting, Structure, encode_intensity

#: rounding to the nearest code leaves this in ln I
HALF_STEP = LOG_STEP / 2


def test_the_published_density_is_stored_itself():
    assert PAPER_LAYER_DENSITY in DENSITIES


@pytest.mark.parametrize("value", [np.exp(5), 1e3, 12345.678, np.exp(40)])
def test_codes_are_off_by_half_a_step_at_most(value):
    nothing = np.zeros(0)
    coded = Structure(0, 0, 1.0, 0.5, 0.1, encode_intensity(np.array([value])), nothing, nothing, 0.0)
    assert abs(np.log(coded.intensity[0]) - np.log(value)) <= HALF_STEP * (1 + 1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e18, -1.0, np.nan, np.inf])
def test_intensities_that_16_bits_cannot_hold_are_refused(value):
    with pytest.raises(InputError, match="outside the range that a library can store"):
        encode_intensity(np.array([1e9, value]))


def test_nodes_of_the_published_setting():
    nodes, step = Setting(1).nodes_nm1, 2 * np.pi / 256
    assert nodes[0] == pytest.approx(step)
    assert nodes[0] < 0.04  # where the published grid begins
    assert 4.5 <= nodes[-1] < 4.5 + step
    np.testing.assert_allclose(np.diff(nodes), step / 3, rtol=1e-9)

"""The published setting says what the paper says (Röding et al. 2022, sections 2.1 to 2.3, Table 2)."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_grf.core import published
from pyfai_grf.theory.spectra import DEFAULT_SPECTRUM, get_spectrum


def test_the_box_is_256_nm() -> None:
    assert published.PAPER_SHAPE * published.PAPER_VOXEL_SIZE_NM == 256
    assert published.PAPER_SMOOTHING_NM == 1


def test_the_grid_has_500_points_that_the_voxels_carry() -> None:
    q = published.PAPER_Q_NM1
    assert (q[0], q[-1], q.size) == (0.04, 3.0, 500)
    np.testing.assert_allclose(np.diff(q), q[1] - q[0], rtol=1e-10)
    assert 2 * np.pi / 256 < q[0]
    assert q[-1] < np.pi / published.PAPER_VOXEL_SIZE_NM


def test_the_spectrum_is_eq_7() -> None:
    assert DEFAULT_SPECTRUM == published.PAPER_SPECTRUM
    k = np.array([0.5, 1.0, 1.5])
    assert get_spectrum(published.PAPER_SPECTRUM).density(k) == pytest.approx((1 + k**8) ** -2)

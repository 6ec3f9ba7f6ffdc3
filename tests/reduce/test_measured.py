"""Frames that instruments wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyFAI.detectors import detector_factory
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from pyfai_grf.frames.images import find_sources, read_frames
from pyfai_grf.reduce.reducer import Reducer, ReductionSettings, reduce_frame


def test_nexus_frames_with_a_blank(shared_data: Path) -> None:
    folder = shared_data / "aps12id_pilatus100k"
    (source,) = find_sources([f"{folder}/PU_25C*.hdf"])
    (frame,) = read_frames(source)
    assert frame.data.shape == (195, 487)
    assert frame.source.endswith("::/entry/data/data")
    np.testing.assert_array_equal(frame.bad, frame.data < 0)
    plain = reduce_frame(source, folder / "aps12id.poni")
    # the first and the last pixel, to half a bin
    assert plain.q_nm1[0] == pytest.approx(0.198, abs=0.02)
    assert plain.q_nm1[-1] == pytest.approx(17.766, abs=0.02)
    assert plain.counts == frame.data[~frame.bad].sum()
    # thousands of counts a pixel, whose scatter is twice that of counts: pixels of unequal response, no gain
    assert plain.metadata["gain"] == 1.0
    # the first columns are shaded
    assert plain.metadata["sectors"] is not None
    scale = 0.9
    blank = folder / "HeaterBlank_0059.hdf"
    subtracted = reduce_frame(source, folder / "aps12id.poni", background=blank, background_scale=scale)
    empty = reduce_frame(blank, folder / "aps12id.poni")
    np.testing.assert_allclose(subtracted.intensity, plain.intensity - scale * empty.intensity, rtol=1e-9)
    assert plain.sigma is not None
    assert empty.sigma is not None
    np.testing.assert_allclose(subtracted.sigma, np.hypot(plain.sigma, scale * empty.sigma), rtol=1e-9)


def test_two_measured_frames_average(shared_data: Path) -> None:
    folder = shared_data / "aps12id_pilatus100k"
    sources = find_sources([f"{folder}/PU_*.hdf"])
    reducer = Reducer(ReductionSettings(folder / "aps12id.poni"))
    curve = reducer.reduce(frame for source in sources for frame in read_frames(source))
    assert curve.metadata["n_frames"] == len(sources) == 2


def test_silver_behenate_ring(shared_data: Path) -> None:
    (frame,) = read_frames(shared_data / "calibrant_agbh/AgBH_pilatus1m.edf.gz")
    assert frame.metadata["exposure_time_s"] == 120.0
    assert frame.metadata["wavelength_nm"] == pytest.approx(0.154189)
    assert frame.bad.sum() == (frame.data < 0).sum() > 70_000
    integrator = AzimuthalIntegrator(
        dist=2.46,
        poni1=903 * 172e-6,
        poni2=348 * 172e-6,
        detector=detector_factory("Pilatus1M"),
        wavelength=1.54189e-10,
    )
    curve = reduce_frame(frame, integrator)
    near = (curve.q_nm1 > 0.9) & (curve.q_nm1 < 1.2)
    peak = curve.q_nm1[near][np.argmax(curve.intensity[near])]
    # counts, on an arm that nothing masks, 45 degrees down to the right
    assert curve.metadata["gain"] == 1.0
    assert curve.metadata["noise_model"] == "counts"
    assert curve.alternative is not None
    # where the header's distance puts the 001 ring, to one bin
    assert peak == pytest.approx(1.043, abs=curve.metadata["q_step_nm1"])

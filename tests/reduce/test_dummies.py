"""What pyFAI's detector or configuration calls a dummy is left out, in the frame's own type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pyFAI.detectors import detector_factory
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from pyfai_grf.frames.frame import Frame, make_frame
from pyfai_grf.reduce.dummies import mark_dummies
from pyfai_grf.reduce.geometry import Geometry, wrap_integrator
from pyfai_grf.reduce.reducer import Reducer, ReductionSettings, reduce_frame

DEAD = 25


def make_geometry(name: str) -> Geometry:
    detector = detector_factory(name)
    integrator = AzimuthalIntegrator(dist=0.5, poni1=0.01, poni2=0.04, detector=detector, wavelength=1e-10)
    return wrap_integrator(integrator)


@pytest.mark.parametrize("name", ["Pilatus100k", "Eiger500k", "Detector"])
@pytest.mark.parametrize("kind", ["uint32", "int32", "float32", "float64", "int64", "uint16", "uint64"])
@pytest.mark.parametrize("marker", [-1, -2])
def test_dead_pixels_are_left_out_whatever_the_type(setup: Any, name: str, kind: str, marker: int) -> None:
    geometry = wrap_integrator(setup.integrator) if name == "Detector" else make_geometry(name)
    assert geometry.shape is not None
    used = np.flatnonzero(~geometry.mask if geometry.mask is not None else np.ones(geometry.shape, bool))
    where = np.random.default_rng(1).choice(used, DEAD, replace=False)
    frame = np.random.default_rng(2).poisson(2.0, geometry.shape).astype(np.int64)
    clean = frame.copy()
    clean.flat[where] = 0
    raw = "uint16" if kind == "uint16" else "uint32"
    frame.flat[where] = np.array(marker).astype(raw)
    curve = reduce_frame(frame.astype(kind), geometry)
    assert curve.counts == clean.flat[used].sum()
    assert "counts" in curve.metadata["noise_model"]


def test_markers_are_found_before_frames_are_added(setup: Any) -> None:
    frame = np.full(setup.shape, 3, np.int32)
    poisoned = frame.copy()
    poisoned[50, 60] = 1234
    geometry = replace(wrap_integrator(setup.integrator), dummy=(1234.0, 0.0))
    curve = Reducer(ReductionSettings(geometry)).reduce(make_frame(f) for f in (frame, poisoned, frame))
    assert curve.counts == 9 * (frame.size - 1)


def test_the_users_own_detector(setup: Any) -> None:
    integrator = setup.copy_integrator()
    integrator.detector.dummy, integrator.detector.delta_dummy = -999.0, 0.5
    frame = np.random.default_rng(3).uniform(1.0, 2.0, setup.shape).astype(np.float32)
    frame[::7, ::7] = -999.0
    marked = mark_dummies(make_frame(frame), wrap_integrator(integrator))
    np.testing.assert_array_equal(marked.bad, frame < 0)
    frame[3, 3] = -0.2  # a subtracted frame: what is negative may be a measurement
    assert not mark_dummies(make_frame(frame), wrap_integrator(integrator)).bad.any()


def test_a_dummy_of_zero_is_a_count() -> None:
    geometry = make_geometry("Lambda60k")
    assert geometry.integrator.detector.dummy == 0
    frame = make_frame(np.zeros(geometry.shape or (), np.uint32))
    assert not mark_dummies(frame, geometry).bad.any()


def test_the_frame_keeps_its_own_bad_pixels(setup: Any) -> None:
    frame = Frame(np.full(setup.shape, 7, np.uint16), np.eye(200, dtype=bool))
    geometry = replace(wrap_integrator(setup.integrator), dummy=(-2.0, 1.5))
    frame.data[0, 1] = 65534
    marked = mark_dummies(frame, geometry)
    assert marked.bad.sum() == 201
    assert not frame.bad[0, 1]
    assert mark_dummies(Frame(frame.data * 0, frame.bad), geometry).bad is frame.bad

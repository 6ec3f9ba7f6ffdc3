"""A small model, trained once for all tests of this room."""

import numpy as np
import pytest

from pyfai_grf.learn.bundle import Model, save_model
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.learn.train import train_model

Q_NM1 = np.linspace(0.05, 2.5, 120)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Model:
    """A two-phase model of 4000 curves, saved; its folder is ``model.path``'s name in ``bundle_folder``."""
    settings = TrainSettings("two-phase-low-porosity", q_nm1=Q_NM1, examples=4000)
    return train_model(settings)


@pytest.fixture
def bundle_folder(model, tmp_path):
    save_model(model, tmp_path / "bundle")
    return tmp_path / "bundle"

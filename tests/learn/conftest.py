"""A small model and a small library, made once for all tests of this room."""

import numpy as np
import pytest

from pyfai_grf.learn.bundle import Model, save_model
from pyfai_grf.learn.settings import TrainSettings
from pyfai_grf.learn.train import train_model
from pyfai_grf.library.generate import generate_library
from pyfai_grf.library.shard import Setting, Shard

Q_NM1 = np.linspace(0.05, 2.5, 120)
#: what boxes of 32 voxels carry
LIBRARY_Q_NM1 = np.linspace(0.4, 3.0, 60)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Model:
    """A two-phase model of 4000 curves, saved; its folder is ``model.path``'s name in ``bundle_folder``."""
    settings = TrainSettings("two-phase-low-porosity", q_nm1=Q_NM1, examples=4000)
    return train_model(settings)


@pytest.fixture
def bundle_folder(model, tmp_path):
    save_model(model, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture(scope="session")
def shard(tmp_path_factory) -> Shard:
    """A library of 150 structures in boxes of 32^3, far too small for physics, right for bookkeeping."""
    path = tmp_path_factory.mktemp("library") / "library-3.h5"
    return generate_library(path, 150, Setting(3, shape=32), "cpu")


@pytest.fixture(scope="session")
def paper_model(shard) -> Model:
    """A model of the published kind from the structures of ``shard``."""
    return train_model(TrainSettings("two-phase-low-porosity@paper", q_nm1=LIBRARY_Q_NM1, draws=4), [shard])

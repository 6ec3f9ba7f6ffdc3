"""A scan of simulated frames with its geometry, mask and pyFAI configurations: what every peer is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fabio.edfimage
import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray
from pyFAI.io.integration_config import WorkerConfig
from pyFAI.io.ponifile import PoniFile

from pyfai_grf.virtual_instrument.sample import simulate_frames

#: as BLISS names a detector, and where it puts its frames
DETECTOR = "pilatus"
FRAMES = f"/1.1/instrument/{DETECTOR}/data"
#: (a nm, porosity)
TRUTHS = ((4.0, 0.3), (2.5, 0.42))
PHOTONS = (1e5, 1e6, 1e7)


@dataclass(frozen=True)
class Setting:
    """How a user sets pyFAI up: bins, splitting of pixels ("bbox", "no"), error model ("poisson", "no"), unit of q."""

    bins: int = 1000
    split: str = "bbox"
    error_model: str = "poisson"
    unit: str = "q_nm^-1"

    @property
    def name(self) -> str:
        """What tables and files call it."""
        unit = "" if self.unit == "q_nm^-1" else f"-{self.unit.split('^')[0]}"
        return f"{self.bins}-{self.split}-{self.error_model}{unit}"


#: what pyFAI-integrate proposes with an error model and without; bins twice as wide, without splitting
SPLIT, SPLIT_BARE, WHOLE, WHOLE_BARE = (
    Setting(),
    Setting(error_model="no"),
    Setting(500, "no"),
    Setting(500, "no", "no"),
)


@dataclass(frozen=True)
class Scan:
    """Frames of one material at one exposure in a BLISS-like file, beside it ``mask.edf`` and ``setup.poni``."""

    folder: Path
    a: float
    porosity: float
    photons: float
    frames: int

    @property
    def path(self) -> Path:
        """The file that holds the frames."""
        return self.folder / "scan.h5"

    @property
    def url(self) -> str:
        """The stack of frames as fabio and ``pyfai-grf analyze`` name it."""
        return f"{self.path}::{FRAMES}"

    @property
    def mask(self) -> Path:
        """The mask image, not zero where masked."""
        return self.folder / "mask.edf"

    @property
    def poni(self) -> Path:
        """The geometry."""
        return self.folder / "setup.poni"

    def list_images(self) -> list[str]:
        """Return the frames one by one as silx names them."""
        return [f"silx://{self.path}?path={FRAMES}&slice={index}" for index in range(self.frames)]

    def read_images(self) -> Iterator[NDArray[np.int32]]:
        """Yield the frames (H, W)."""
        with h5py.File(self.path) as h5:
            yield from h5[FRAMES]

    def make_config(self, setting: Setting) -> WorkerConfig:
        """Return the configuration of ``setting`` as the dialog of pyFAI-integrate makes it."""
        config = WorkerConfig(application="pyfai-integrate", poni=PoniFile(str(self.poni)))
        config.nbpt_rad, config.nbpt_azim, config.unit = setting.bins, 1, setting.unit
        config.mask_file = str(self.mask)
        config.method = (setting.split, "csr", "cython")
        config.error_model = setting.error_model
        return config

    def save_config(self, setting: Setting) -> Path:
        """Write the configuration of ``setting`` as pyFAI-integrate saves it; return its path."""
        path = self.folder / f"{setting.name}.json"
        # always anew: pyFAI goes on without a mask that is not where an old file says
        self.make_config(setting).save(str(path))
        return path


def make_scan(folder: Path, a: float, porosity: float, photons: float, frames: int) -> Scan:
    """Return a scan of ``frames`` frames below ``folder``; what is there already is not made again."""
    scan = Scan(folder / f"a{a:g}-porosity{porosity:g}-{photons:.0e}-{frames}", a, porosity, photons, frames)
    seed = round(np.log10(photons))  # frame k depends on the seed and k: other noise, pixels and mask for each exposure
    if not scan.path.exists():
        write_scan(scan, *simulate_frames(a=a, porosity=porosity, counts=photons, frames=frames, seed=seed))
    return scan


def write_scan(scan: Scan, instrument: Any, images: Iterable[NDArray[np.int32]]) -> None:
    """Write mask, geometry and frames (H, W) of ``instrument``, as ``simulate_frames`` returns them."""
    scan.folder.mkdir(parents=True, exist_ok=True)
    fabio.edfimage.EdfImage(data=instrument.mask.astype(np.uint8)).write(str(scan.mask))
    with scan.poni.open("w") as stream:
        PoniFile(instrument.integrator).write(stream)
    unfinished = scan.path.with_suffix(".part")
    with h5py.File(unfinished, "w") as h5:
        _fill(h5, images, scan.frames)
    unfinished.rename(scan.path)


def _fill(h5: h5py.File, images: Iterable[NDArray[np.int32]], frames: int) -> None:
    """Fill a file as BLISS lays it out: an entry a scan, detectors below instrument, links below measurement."""
    h5.attrs["NX_class"], h5.attrs["creator"] = "NXroot", "bliss"
    entry = _make_group(h5, "1.1", "NXentry")
    entry["title"], entry["start_time"] = f"loopscan {frames} 1", "2026-01-01T00:00:00+01:00"
    detector = _make_group(_make_group(entry, "instrument", "NXinstrument"), DETECTOR, "NXdetector")
    measurement = _make_group(entry, "measurement", "NXcollection")
    measurement[DETECTOR] = h5py.SoftLink(f"{detector.name}/data")
    data: Any = None
    for index, image in enumerate(images):
        if data is None:
            shape, packed = (frames, *image.shape), hdf5plugin.Bitshuffle(cname="lz4")
            data = detector.create_dataset("data", shape, image.dtype, chunks=(1, *image.shape), compression=packed)
        data[index] = image
    entry["end_time"] = "2026-01-01T00:05:00+01:00"  # ewoksxrpd waits for it


def _make_group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group

"""Write tests/data/peers: what other people's programs make of six simulated frames, for the tests of every run.

    python -m tests.interop.write_peer_files [-o tests/data/peers]

Needs the peers (see .ci/interop). Two frames each of 10^5, 10^6 and 10^7 photons are one scan, in this order; every
program gets that scan, and the folder keeps what it wrote, byte for byte, HDF5 files packed by gzip. Only
IntegrateSinglePattern writes no file: the outputs of the task stand in an .npz. tests/data/peers/README.md lists all.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from fabio.edfimage import EdfImage
from numpy.typing import NDArray
from pyFAI.io.diffmap_config import DiffmapConfig
from pyFAI.io.nexus import save_NXcansas, save_NXmonpd

from pyfai_grf.virtual_instrument.sample import simulate_frames

from . import peers
from .scans import PHOTONS, TRUTHS, Scan, Setting, write_scan

FRAMES_EACH, SEED, BINS = 2, 1, 500
#: the programs write the names of their inputs into their outputs: a place that says nothing of the machine
FOLDER = Path("/tmp/peers")
SPLIT, SPLIT_BARE = Setting(BINS), Setting(BINS, error_model="no")
SPLIT_ANGSTROM = Setting(BINS, error_model="no", unit="q_A^-1")
WHOLE = Setting(BINS, "no")


def make_mixed_scan(folder: Path) -> Scan:
    """Return a scan of ``FRAMES_EACH`` frames of each exposure, weakest first."""
    a, porosity = TRUTHS[0]
    scan = Scan(folder, a, porosity, np.nan, FRAMES_EACH * len(PHOTONS))
    series = [simulate_frames(a, porosity, photons, scan.frames, SEED) for photons in PHOTONS]

    def choose() -> Iterator[NDArray[np.int32]]:
        # frame k depends on the seed and k: no two exposures share their k
        for number, (_, images) in enumerate(series):
            yield from islice(images, number * FRAMES_EACH, (number + 1) * FRAMES_EACH)

    write_scan(scan, series[0][0], choose())
    return scan


def write_ewoksxrpd_files(scan: Scan, output: Path) -> None:
    """Run the tasks of ewoksxrpd."""
    _save_patterns(output / "ewoksxrpd-single-pattern-poisson.npz", peers.integrate_patterns(scan, SPLIT))
    _save_patterns(output / "ewoksxrpd-single-pattern-no-error.npz", peers.integrate_patterns(scan, SPLIT_BARE))
    peers.integrate_list(scan, WHOLE, scan.folder / "list.h5")
    _pack(scan.folder / "list.h5", output / "ewoksxrpd-list.h5.gz")
    peers.integrate_bliss_scan(scan, SPLIT, scan.folder / "bliss.h5")
    _pack(scan.folder / "bliss.h5", output / "ewoksxrpd-bliss-scan.h5.gz")


def write_pyfai_files(scan: Scan, output: Path) -> None:
    """Run pyFAI-integrate, and integrate as in a notebook."""
    for setting, name in ((SPLIT, "poisson"), (SPLIT_ANGSTROM, "no-error-angstrom")):
        result = scan.folder / f"integrate-{name}.h5"
        _integrate(scan, setting, result)
        _pack(result, output / f"pyfai-{result.name}.gz")
    for setting, name, exposures in ((SPLIT, "poisson", 3), (SPLIT_BARE, "no-error", 2)):
        curves = scan.folder / f"text-{name}"
        curves.mkdir()
        _integrate(scan, setting, curves)
        for exposure, path in islice(_choose_firsts(curves), exposures):
            shutil.copy(path, output / f"pyfai-{name}-{exposure}.dat")
    peers.save_curves(scan, SPLIT, scan.folder / "nxcansas", save_NXcansas)
    for exposure, path in _choose_firsts(scan.folder / "nxcansas"):
        _pack(path, output / f"pyfai-nxcansas-{exposure}.h5.gz")
    weakest = peers.save_curves(scan, SPLIT, scan.folder / "nxmonopd", save_NXmonpd)[0]
    _pack(weakest, output / "pyfai-nxmonopd-1e5.h5.gz")


def write_maps(scan: Scan, output: Path) -> None:
    """Run pyFAI-diffmap as its command line sets it up (an angle), and with a configuration (q, errors)."""
    frames = [f"frame_{index:04d}.edf" for index in range(scan.frames)]
    for frame, image in zip(frames, scan.read_images(), strict=True):
        EdfImage(data=image).write(frame)
    DiffmapConfig(ai=scan.make_config(WHOLE)).save("map.json")
    shape = ["-t", str(FRAMES_EACH), "-r", str(len(PHOTONS)), "-c", str(BINS)]
    given = {"2th": ["-p", scan.poni.name, "-m", scan.mask.name], "q": ["--config", "map.json"]}
    for name, options in given.items():
        _run("pyFAI-diffmap", "--no-gui", *options, *shape, "-o", f"map-{name}.h5", *frames)
        _pack(Path(f"map-{name}.h5"), output / f"pyfai-diffmap-{name}.h5.gz")


def _integrate(scan: Scan, setting: Setting, output: Path) -> None:
    _run("pyFAI-integrate", "--no-gui", "-j", str(scan.save_config(setting)), "-o", str(output), scan.url)


def _run(program: str, *arguments: str) -> None:
    """Run a command of this environment."""
    subprocess.run([str(Path(sys.executable).parent / program), *arguments], check=True, stdout=subprocess.DEVNULL)


def _choose_firsts(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield ("1e5", path) ... of the first curve of each exposure, in a folder of one file a frame."""
    for photons, path in zip(PHOTONS, sorted(folder.iterdir())[::FRAMES_EACH], strict=True):
        yield f"{photons:.0e}".replace("e+0", "e"), path


def _pack(path: Path, output: Path) -> None:
    output.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def _save_patterns(path: Path, patterns: Iterator[dict[str, Any]]) -> None:
    """Write the outputs of IntegrateSinglePattern, (frames, Q), without the ``info`` that is no array."""
    rows = list(patterns)
    assert len({row["radial_units"] for row in rows}) == 1
    intensity, error = (np.stack([row[name] for row in rows]) for name in ("intensity", "intensity_error"))
    radial, unit = rows[0]["radial"], np.asarray(rows[0]["radial_units"])
    np.savez_compressed(path, radial=radial, radial_units=unit, intensity=intensity, intensity_error=error)


def main() -> None:
    """Write them anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parents[1] / "data" / "peers")
    output = parser.parse_args().output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    FOLDER.mkdir()
    try:
        os.chdir(FOLDER)
        scan = make_mixed_scan(FOLDER)
        for write in (write_ewoksxrpd_files, write_pyfai_files, write_maps):
            write(scan, output)
    finally:
        shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()

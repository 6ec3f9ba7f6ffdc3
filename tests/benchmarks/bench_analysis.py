"""Milliseconds a frame of `analyze`, beside a loop that reads the same frames and calls pyFAI's integrate1d_ng.

    python tests/benchmarks/bench_analysis.py [--frames 100] [--repeats 5]

Both run in this process, in turn, on the same EDF and HDF5 frames of a Pilatus 1M; medians over the repeats. What
`analyze` does beyond the loop: bad pixels, errors from counts, features, prediction, results file and table.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fabio
import h5py
import numpy as np

from pyfai_grf.cli import main

MATERIAL = "two-phase-low-porosity"


def write_frames(folder: Path, count: int) -> tuple[Path, list[Path], Path]:
    """Write a geometry and ``count`` Poisson frames as EDF files and as one HDF5 stack."""
    import pyFAI.detectors
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    from pyfai_grf.theory.closed_form import expected_intensity

    detector = pyFAI.detectors.detector_factory("Pilatus 1M")
    ai = AzimuthalIntegrator(dist=1.2, poni1=0.0895, poni2=0.004, detector=detector, wavelength=0.6e-10)
    q = ai.array_from_unit(unit="q_nm^-1", scale=True)
    image = expected_intensity(np.maximum(q, 1e-3).ravel(), 4.0, 0.3).reshape(q.shape)
    image *= 1e7 / image.sum()
    rng = np.random.default_rng(1)
    poni = folder / "bench.poni"
    ai.save(str(poni))
    paths = []
    with h5py.File(folder / "stack.h5", "w") as h5:
        stack = h5.create_dataset("entry/data/data", (count, *image.shape), np.int32, chunks=(1, *image.shape))
        for n in range(count):
            frame = rng.poisson(image).astype(np.int32)
            stack[n] = frame
            paths.append(folder / f"frame_{n:04d}.edf")
            fabio.edfimage.EdfImage(frame).write(str(paths[-1]))
    return poni, paths, folder / "stack.h5"


def run_loop_edf(poni: Path, paths: list[Path]) -> None:
    """Read each frame by fabio and integrate it: what a beamline script does."""
    import pyFAI

    ai = pyFAI.load(str(poni))
    for path in paths:
        with fabio.open(str(path)) as image:
            ai.integrate1d_ng(image.data, 500, unit="q_nm^-1", method=("no", "csr", "cython"), error_model="poisson")


def run_loop_stack(poni: Path, stack: Path) -> None:
    """The same on an HDF5 stack."""
    import pyFAI

    ai = pyFAI.load(str(poni))
    with h5py.File(stack) as h5:
        for image in h5["entry/data/data"]:
            ai.integrate1d_ng(image, 500, unit="q_nm^-1", method=("no", "csr", "cython"), error_model="poisson")


def time_calls(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median seconds of each call, taken in turn after one warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if repeat:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def run() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        poni, paths, stack = write_frames(folder, options.frames)
        common = ["--poni", str(poni), "--material", MATERIAL, "--quiet", "--overwrite", "-o", str(folder / "o.h5")]
        edf = ["analyze", *map(str, paths), *common, "--csv", str(folder / "o.csv")]
        hdf5 = ["analyze", str(stack), *common, "--csv", str(folder / "o.csv")]
        calls: dict[str, Callable[[], object]] = {
            "EDF, loop": lambda: run_loop_edf(poni, paths),
            "EDF, analyze": lambda: main(edf),
            "HDF5, loop": lambda: run_loop_stack(poni, stack),
            "HDF5, analyze": lambda: main(hdf5),
        }
        medians = time_calls(calls, options.repeats)
    for name, seconds in medians.items():
        print(f"{name:<15} {1e3 * seconds / options.frames:7.1f} ms a frame")


if __name__ == "__main__":
    run()

"""Seconds and peak memory of one simulated structure, beside a plain transcription of the paper and the FFT floor.

    python tests/benchmarks/bench_simulator.py [--shape 512] [--device cpu]

Contenders, each in a process of its own so that its peak memory is its own:
ours   one three-phase structure and its curves at three layer densities, after one warm-up for compilation;
numpy  the same where numba is not installed, on fewer points;
plain  the same written down from the paper in NumPy and SciPy: white noise, forward and inverse FFT, quantiles by
       partition, Gaussian filter, one FFT a density, shell means by bincount over the rounded radius;
floor  one rfft and one irfft of an array of that size.
Medians over the first points of the structure library's design; the corners of the published range are told one by one.
The result is on the host when the clock stops.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
import scipy.fft
import scipy.ndimage

VOXEL_NM = 0.5
DENSITIES = (0.0, 0.65, 1.0)
DESIGN_POINTS = 15
NUMPY_POINTS = 5
#: (a, porosity, layer_fraction): corners of the published range; the last has the thickest layer
CORNERS = [(0.8, 0.1, 0.05), (0.8, 0.5, 0.3), (0.8, 0.9, 0.5), (8.0, 0.1, 0.05), (8.0, 0.5, 0.5), (8.0, 0.9, 0.5)]
#: the transcription takes the same time everywhere
PLAIN_POINTS = [(4.0, 0.7, 0.2), (0.8, 0.5, 0.3)]
REPEATS = 5


def count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# --- contenders: each returns a function of a point -------------------------------------------------------------------


def prepare_ours(shape: int, device: str, use_compiled: bool = True) -> tuple[Callable, list]:
    from pyfai_grf.core.backend import get_backend
    from pyfai_grf.core.published import PAPER_Q_NM1
    from pyfai_grf.library.design import get_point
    from pyfai_grf.simulation.intensity import compute_shells
    from pyfai_grf.simulation.structure import StructureModel, make_labels

    backend = dataclasses.replace(get_backend(device), use_compiled=use_compiled)

    def simulate(a: float, porosity: float, layer_fraction: float) -> list[np.ndarray]:
        model = StructureModel(a, porosity, layer_fraction, shape, VOXEL_NM)
        labels = make_labels(backend, model, 1)
        shells = compute_shells(backend, labels, VOXEL_NM, PAPER_Q_NM1[-1])
        return [shells.compute_intensity(PAPER_Q_NM1, density) for density in DENSITIES]

    design = [tuple(get_point(1, index).values()) for index in range(DESIGN_POINTS)]
    for point in (design[0], CORNERS[-1]) if use_compiled else ():  # the deepest layers take a path of their own
        simulate(*point)
    return simulate, design + CORNERS


def prepare_numpy(shape: int, device: str) -> tuple[Callable, list]:
    simulate, points = prepare_ours(shape, "cpu", use_compiled=False)
    return simulate, points[:NUMPY_POINTS]


def prepare_plain(shape: int, device: str) -> tuple[Callable, list]:
    workers = count_cores()
    numbers = np.fft.fftfreq(shape, 1 / shape).astype(np.float32)
    half = np.arange(shape // 2 + 1, dtype=np.float32)

    def find_quantile(values: np.ndarray, share: float) -> np.float32:
        place = round(share * values.size) - 1
        return np.partition(values, place, axis=None)[place]

    def simulate(a: float, porosity: float, layer_fraction: float) -> list[np.ndarray]:
        radius = np.sqrt(numbers[:, None, None] ** 2 + numbers[:, None] ** 2 + half**2)
        noise = np.random.default_rng(1).standard_normal((shape,) * 3, dtype=np.float32)
        modes = scipy.fft.rfftn(noise, workers=workers)
        modes *= 1 / (1 + (np.float32(a * 2 * np.pi / (shape * VOXEL_NM)) * radius) ** 8)  # sqrt(Gamma), Eq. 6, 7
        field = scipy.fft.irfftn(modes, s=noise.shape, workers=workers)
        del noise, modes
        binary = (field > find_quantile(field, porosity)).astype(np.float32)  # Eq. 8
        smooth = scipy.ndimage.gaussian_filter(binary, 2.0, mode="wrap")
        del field, binary
        solid = smooth > find_quantile(smooth, porosity)  # Eq. 10
        covered = smooth > find_quantile(smooth, porosity * (1 - layer_fraction))
        del smooth
        bins = np.rint(radius).astype(np.int64).ravel()
        multiplicity = np.bincount(bins)
        curves = []
        for density in DENSITIES:
            rho = np.where(solid, np.float32(1), np.float32(density) * covered)
            power = np.abs(scipy.fft.rfftn(rho, workers=workers)) ** 2
            curves.append(np.bincount(bins, weights=power.ravel()) / multiplicity)
        return curves

    return simulate, PLAIN_POINTS


def prepare_floor(shape: int, device: str) -> tuple[Callable, list]:
    values = np.random.default_rng(1).standard_normal((shape,) * 3, dtype=np.float32)
    workers = count_cores()

    def transform(*point: float) -> np.ndarray:
        return scipy.fft.irfftn(scipy.fft.rfftn(values, workers=workers), s=values.shape, workers=workers)

    transform()
    return transform, [()] * REPEATS


CONTENDERS = {"ours": prepare_ours, "numpy": prepare_numpy, "plain": prepare_plain, "floor": prepare_floor}


# --- measuring --------------------------------------------------------------------------------------------------------


def run_contender(name: str, shape: int, device: str) -> dict:
    """Return the seconds of every point and the peak memory in GB of this process."""
    call, points = CONTENDERS[name](shape, device)
    seconds = []
    for point in points:
        start = time.perf_counter()
        call(*point)
        seconds.append(time.perf_counter() - start)
    unit = 1 if sys.platform == "darwin" else 1024
    return {"seconds": seconds, "memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9}


def measure_contender(name: str, shape: int, device: str) -> dict:
    command = [sys.executable, __file__, "--contender", name, "--shape", str(shape), "--device", device]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def describe_machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        model = next(lines, model).split(":")[-1].strip()
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    return f"{model}, {count_cores()} cores{load}; {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, default=512, help="edge of the box in voxels")
    parser.add_argument("--device", default="cpu", help="where ours runs; the others run on the CPU")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(run_contender(options.contender, options.shape, options.device)))
        return
    print(describe_machine())
    print(f"box of {options.shape}^3, {len(DENSITIES)} densities, ours on {options.device}")
    results = {name: measure_contender(name, options.shape, options.device) for name in CONTENDERS}
    corners = results["ours"]["seconds"][DESIGN_POINTS:]
    del results["ours"]["seconds"][DESIGN_POINTS:]
    floor = statistics.median(results["floor"]["seconds"])
    print(f"{'':6} {'median s':>9} {'min s':>7} {'max s':>7} {'/ floor':>8} {'peak GB':>8}")
    for name, result in results.items():
        seconds = result["seconds"]
        median = statistics.median(seconds)
        print(
            f"{name:6} {median:9.2f} {min(seconds):7.2f} {max(seconds):7.2f} {median / floor:8.2f} "
            f"{result['memory_gb']:8.2f}"
        )
    print("ours at the corners (a nm, porosity, layer fraction):")
    for point, taken in zip(CORNERS, corners, strict=True):
        print(f"  {point!s:18} {taken:6.2f} s")


if __name__ == "__main__":
    main()

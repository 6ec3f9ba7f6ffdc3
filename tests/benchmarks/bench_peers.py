"""Seconds and peak memory of one simulated structure, ours beside other programs', from small boxes to large ones.

    python tests/benchmarks/bench_peers.py [--shapes 64 128 256 512] [--threads 2] [--limit 60] [--only WORD ...]

Prints Markdown tables for the documentation. Three kinds of work, each contender compared with ours of its kind:
curves at 3 densities   three phases: the structure and its I(q) at three layer densities; ours and the plain
                        transcription are those of bench_simulator.py
curve                   two phases: the structure and its I(q). Ours smooths the interface as published; pyirena's
                        voxelgram from the same spectral density, and its I(q), do not
structure               two phases, no smoothing and no curve. PoreSpy's blobs and GSTools have other spectra: their
                        Gaussian correlation is given the same surface per volume; GSTools sums 1000 random modes
Every run is a process of its own, held to the same cores; its peak memory counts everything, its imports too. Seconds
are the median over three points of the design range, after one call that is not counted, with the result on the host.
A contender stops growing where one structure would take longer than --limit seconds or more memory than there is.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_simulator import (
    CORNERS,
    DENSITIES,
    PLAIN_POINTS,
    VOXEL_NM,
    count_cores,
    describe_machine,
    prepare_ours,
    prepare_plain,
)

#: (a nm, porosity, layer fraction): the middle of the published range, its finest and its thickest layer
USED_POINTS = [*PLAIN_POINTS, CORNERS[-1]]
#: what numerical libraries read to learn how many threads they may start
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

Call = Callable[[float, float, float], Any]


# --- contenders: each prepares a function of a point ------------------------------------------------------------------


def prepare_curves(shape: int, device: str) -> Call:
    return prepare_ours(shape, device)[0]


def prepare_plain_curves(shape: int, device: str) -> Call:
    return prepare_plain(shape, device)[0]


def prepare_curve(shape: int, device: str) -> Call:
    import pyfai_grf as grf

    return lambda a, porosity, _: grf.simulate(a, porosity, shape=shape, voxel_size=VOXEL_NM, device=device)


def prepare_pyirena(shape: int, device: str) -> Call:
    from pyirena.core.saxs_morph import alfa_threshold, generate_voxelgram, voxelgram_to_iq

    from pyfai_grf.core.published import PAPER_Q_NM1

    pitch = 10 * VOXEL_NM  # it works in Angstrom
    k = np.linspace(0.0, 1.05 * np.sqrt(3) * np.pi / pitch, max(1024, 2 * shape))  # as its own engine chooses

    def simulate(a: float, porosity: float, _: float) -> np.ndarray:
        density = (1 + (10 * a * k) ** 8) ** -2
        level = alfa_threshold(1 - porosity)
        voxels, _, _ = generate_voxelgram(k, density, shape, shape * pitch, level, rng_seed=1)
        return voxelgram_to_iq(voxels, pitch, PAPER_Q_NM1 / 10)

    return simulate


def prepare_structure(shape: int, device: str) -> Call:
    import pyfai_grf as grf

    def make(a: float, porosity: float, _: float) -> np.ndarray:
        return grf.make_structure(a, porosity, shape=shape, voxel_size=VOXEL_NM, device=device, smoothing=0.0)

    return make


def prepare_blobs(shape: int, device: str) -> Call:
    import porespy

    def make(a: float, porosity: float, _: float) -> np.ndarray:
        # noise blurred with sigma has <k^2> = 3/(2 sigma^2), the paper's field 3/(5 a^2); blobs takes N/(40 sigma)
        sigma = np.sqrt(2.5) * a / VOXEL_NM
        return porespy.generators.blobs([shape] * 3, porosity, blobiness=[shape / (40 * sigma)] * 3, seed=1)

    return make


def prepare_gstools(shape: int, device: str) -> Call:
    import gstools

    gstools.config.NUM_THREADS = count_cores()
    axis = (np.arange(shape) + 0.5) * VOXEL_NM

    def make(a: float, porosity: float, _: float) -> np.ndarray:
        # g = exp(-pi/4 (r/l)^2) has <k^2> = 3 pi/(2 l^2)
        model = gstools.Gaussian(dim=3, len_scale=a * np.sqrt(2.5 * np.pi))
        field = gstools.SRF(model, seed=1).structured([axis] * 3)
        return field > np.quantile(field, porosity)

    return make


@dataclass(frozen=True)
class Contender:
    """``kind`` is the work that it does, ``package`` what must be installed for it."""

    name: str
    kind: str
    prepare: Callable[[int, str], Call]
    package: str = "pyfai-grf"

    @property
    def is_ours(self) -> bool:
        return self.name == "ours"


THREE, TWO, ONLY = f"curves at {len(DENSITIES)} densities", "curve", "structure"
CONTENDERS = [
    Contender("ours", THREE, prepare_curves),
    Contender("plain transcription", THREE, prepare_plain_curves, "scipy"),
    Contender("ours", TWO, prepare_curve),
    Contender("pyirena", TWO, prepare_pyirena, "pyirena"),
    Contender("ours", ONLY, prepare_structure),
    Contender("PoreSpy blobs", ONLY, prepare_blobs, "porespy"),
    Contender("GSTools", ONLY, prepare_gstools, "gstools"),
]


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What one contender needed in one box; ``problem`` says why there is nothing else."""

    seconds: tuple[float, ...] = ()
    memory_gb: float = float("nan")
    problem: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def measure_here(number: int, shape: int, threads: int, device: str) -> Run:
    """Return what contender ``number`` needs in this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    call = CONTENDERS[number].prepare(shape, device)
    seconds = []
    for point in [USED_POINTS[0], *USED_POINTS]:
        start = time.perf_counter()
        call(*point)
        seconds.append(time.perf_counter() - start)
    return Run(tuple(seconds[1:]), read_peak_gb())


def read_peak_gb() -> float:
    """Return the most memory that this process held; on Linux without what it inherits from its parent's record."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure(number: int, shape: int, threads: int, device: str) -> Run:
    """Return what contender ``number`` needs in a process of its own."""
    given = ["--number", number, "--shapes", shape, "--threads", threads, "--device", device]
    command = [sys.executable, __file__, *map(str, given)]
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return Run(problem=f"failed: {reason}")
    found = json.loads(done.stdout.splitlines()[-1])  # a library may print before
    return Run(tuple(found["seconds"]), found["memory_gb"])


def foresee(last: Run, growth: float, limit: float) -> str:
    """Return why a box with ``growth`` times the voxels is not worth trying after ``last``, "" if it is."""
    if last.problem:
        return last.problem.partition(": about")[0]
    if last.median * growth > limit:
        return f"left out: about {last.median * growth:.0f} s"
    free = Path("/proc/meminfo")
    if free.exists():
        line = next(line for line in free.read_text().splitlines() if line.startswith("MemAvailable"))
        if last.memory_gb * growth > int(line.split()[1]) * 1024 / 1e9:
            return f"left out: about {last.memory_gb * growth:.0f} GB"
    return ""


def grow(number: int, shapes: Sequence[int], options: argparse.Namespace) -> list[Run]:
    """Return the runs of contender ``number`` in boxes of ``shapes``, as far as they are worth it."""
    runs: list[Run] = []
    for index, shape in enumerate(shapes):
        problem = foresee(runs[-1], (shape / shapes[index - 1]) ** 3, options.limit) if runs else ""
        runs.append(Run(problem=problem) if problem else measure(number, shape, options.threads, options.device))
        said = runs[-1].problem or f"{runs[-1].median:.3f} s, {runs[-1].memory_gb:.2f} GB"
        print(f"{CONTENDERS[number].kind}, {CONTENDERS[number].name}, {shape}^3: {said}", file=sys.stderr)
    return runs


# --- tables -----------------------------------------------------------------------------------------------------------


def find_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def format_number(value: float) -> str:
    return f"{value:.2g}" if value < 1 else f"{value:.1f}"


def format_seconds(run: Run, ours: Run | None) -> str:
    if run.problem:
        return run.problem.partition(": ")[0] if run.problem.startswith("failed") else run.problem
    ratio = "" if ours is None or ours.problem else f" ({run.median / ours.median:.1f} x)"
    return f"{format_number(run.median)}{ratio}"


def format_spread(run: Run) -> str:
    return "-" if run.problem else f"{format_number(min(run.seconds))} to {format_number(max(run.seconds))}"


def format_growth(runs: Sequence[Run]) -> str:
    """Return by what the time and the memory grew from the last box but one to the last that was run."""
    done = [run for run in runs if not run.problem]
    if len(done) < 2:
        return "-"
    return f"{done[-1].median / done[-2].median:.1f} x, {done[-1].memory_gb / done[-2].memory_gb:.1f} x"


def print_tables(results: dict[int, list[Run]], shapes: Sequence[int]) -> None:
    sizes = [f"{shape}^3" for shape in shapes]
    ours = {CONTENDERS[n].kind: runs for n, runs in results.items() if CONTENDERS[n].is_ours}
    print("\nSeconds for one structure, median over the points (times ours of the same kind):\n")
    print(format_row(["makes", "contender", *sizes, "at the points, largest box"]))
    print(format_row(["---"] * (len(sizes) + 3)))
    for number, runs in results.items():
        it = CONTENDERS[number]
        beside = [None] * len(runs) if it.is_ours else ours.get(it.kind, [None] * len(runs))
        cells = [format_seconds(run, other) for run, other in zip(runs, beside, strict=True)]
        largest = next((run for run in reversed(runs) if not run.problem), Run(problem="none"))
        print(format_row([it.kind, it.name, *cells, format_spread(largest)]))
    print("\nPeak memory of the process in GB, and growth of time and memory with the last step of the box:\n")
    print(format_row(["makes", "contender", *sizes, "last step"]))
    print(format_row(["---"] * (len(sizes) + 3)))
    for number, runs in results.items():
        cells = ["-" if run.problem else f"{run.memory_gb:.2f}" for run in runs]
        print(format_row([CONTENDERS[number].kind, CONTENDERS[number].name, *cells, format_growth(runs)]))
    for number, runs in results.items():
        for problem in dict.fromkeys(run.problem for run in runs if run.problem.startswith("failed")):
            print(f"\n{CONTENDERS[number].name} ({CONTENDERS[number].kind}) {problem}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=int, nargs="+", default=[64, 128, 256, 512], help="edges of the boxes")
    parser.add_argument("--threads", type=int, default=count_cores(), help="cores for every contender")
    parser.add_argument("--device", default="cpu", help="where ours runs; the others run on the CPU")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that one structure may take")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="contenders whose name or kind has one of these")
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.number is not None:
        print(json.dumps(vars(measure_here(options.number, options.shapes[0], options.threads, options.device))))
        return
    wanted = [
        number
        for number, it in enumerate(CONTENDERS)
        if not options.only or any(word in f"{it.name} {it.kind}" for word in options.only)
    ]
    versions = {CONTENDERS[number].package: find_version(CONTENDERS[number].package) for number in wanted}
    shapes = sorted(options.shapes)
    machine = describe_machine()
    results = {n: grow(n, shapes, options) for n in wanted if versions[CONTENDERS[n].package]}
    print(f"{machine}; {', '.join(f'{name} {version}' for name, version in versions.items() if version)}.")
    print(f"{options.threads} cores for each contender, ours on {options.device}; voxels of {VOXEL_NM} nm; points")
    print(f"(a nm, porosity, layer fraction): {', '.join(map(str, USED_POINTS))}; two phases leave the layer out.")
    print_tables(results, shapes)
    for package, version in versions.items():
        if version is None:
            print(f"\n{package} is not installed (pip install {package}): left out.")


if __name__ == "__main__":
    main()

"""Grow a structure library to COUNT structures. Stopped at any moment, the same command goes on where it was."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from collections import deque

from pyfai_grf.cli.arguments import parse_seed, reject_usage

_EPILOG = """
Ctrl-C saves what was made. A kill costs what was made since the last save: two seconds of work, 5 s in a library of
10,000, 50 s in one of 100,000. Whoever makes a structure, it is the same: it depends on the library's seed and on its
number in it.

several processes or GPUs of this machine:
  pyfai-grf generate library-1.h5 --count 5000 --workers 4
  On the CPU each has its share of the cores, and needs 3 GB for a box of 512 voxels. With --device cuda the
  first works on the first GPU, the second on the second, and so on.

a cluster, through Dask (pip install pyfai-grf[cluster], on every machine the same version):
  dask scheduler --scheduler-file cluster.json &
  dask worker --scheduler-file cluster.json --nworkers 4 --nthreads 2 --memory-limit 0 &    on each machine
  pyfai-grf generate library-1.h5 --count 100000 --scheduler cluster.json
  Workers may come and go. Each makes one structure at a time, on --nthreads cores, or on the GPU that its
  CUDA_VISIBLE_DEVICES names (one worker a GPU).

SLURM: scheduler and jobs from Python, by dask-jobqueue, in a session that stays open:
  from dask_jobqueue import SLURMCluster
  cluster = SLURMCluster(queue="normal", cores=16, processes=8, memory="64GB", walltime="08:00:00")
  cluster.adapt(maximum_jobs=20)      # or cluster.scale(jobs=20)
  print(cluster.scheduler_address)    # pyfai-grf generate library-1.h5 --count 100000 --scheduler ADDRESS
  That is two threads and 8 GB for each of eight workers a job; a worker that needs more than it may is ended by Dask.
  With GPUs: cores=1, processes=1, job_extra_directives=["--gres=gpu:1"], one job a GPU.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("library", metavar="LIBRARY.h5", help="the file; by custom library-SEED.h5")
    parser.add_argument("--count", type=int, required=True, metavar="TOTAL", help="structures it shall hold")
    parser.add_argument(
        "--seed",
        type=parse_seed,
        help="seed of the library: another seed, another library (default: the file's own, or 1)",
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to compute (auto)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes of this machine (default: this one alone)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler: tcp://HOST:8786, or its FILE.json")
    parser.add_argument(
        "--spectrum",
        metavar="TEXT",
        help="kind of material, such as power:n=6 (default: the file's own, or roding2022)",
    )
    parser.add_argument("--shape", type=int, help="edge of the box in voxels (default: the file's own, or 512)")
    parser.add_argument("--voxel-size", type=float, metavar="NM", help="edge of a voxel in nm (the file's own, or 0.5)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from dataclasses import replace
    from pathlib import Path

    from pyfai_grf.core.published import GENERATOR_VERSION
    from pyfai_grf.library.generate import generate_library
    from pyfai_grf.library.shard import read_setting
    from pyfai_grf.library.structures import Setting
    from pyfai_grf.workers.crew import Crew

    if options.workers is not None and (options.workers < 1 or options.scheduler):
        reject_usage(f"--workers is {options.workers}: give 1 or more, and not together with --scheduler")
    path = Path(options.library)
    setting = read_setting(path) if path.exists() else Setting(1)
    given = {
        "library_seed": options.seed,
        "shape": options.shape,
        "voxel_size_nm": options.voxel_size,
        "spectrum": options.spectrum,
        "generator_version": GENERATOR_VERSION,
    }
    setting = replace(setting, **{name: value for name, value in given.items() if value is not None})
    crew = Crew(options.device, options.workers or 1, options.scheduler)
    with contextlib.closing(Progress(is_shown=not options.quiet and sys.stderr.isatty())) as progress:
        shard = generate_library(path, options.count, setting, crew, progress.show)
    if not options.quiet:
        print(f"{path}: {len(shard.structures)} structures")
    return 0


class Progress:
    """A line on a terminal: how far, how fast in the last minute, how long still, and by how many workers."""

    _RECENT_S = 60.0
    _REDRAW_S = 0.2

    def __init__(self, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._drawn = -self._REDRAW_S
        self._history: deque[tuple[float, int]] = deque()

    def show(self, done: int, total: int, workers: int) -> None:
        """Draw the line, unless it has just been drawn."""
        now = time.monotonic()
        if not self._is_shown or (now - self._drawn < self._REDRAW_S and done < total):
            return
        self._drawn = now
        self._history.append((now, done))
        while len(self._history) > 2 and now - self._history[1][0] > self._RECENT_S:
            self._history.popleft()
        text = format_progress(done, total, workers, self._measure_rate())
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]:<{width}}", end="", file=sys.stderr, flush=True)

    def _measure_rate(self) -> float:
        """Return structures a second; 0 while nothing is known."""
        (start, first), (end, last) = self._history[0], self._history[-1]
        return (last - first) / (end - start) if end > start else 0.0

    def close(self) -> None:
        """End the line, so that what follows has its own."""
        if self._history:
            print(file=sys.stderr)


def format_progress(done: int, total: int, workers: int, rate: float) -> str:
    """Return the line; ``rate`` in structures a second, 0 while it is not known."""
    parts = [f"{done}/{total} structures"]
    if rate > 0:
        parts.append(f"{rate:.3g} a second" if rate >= 1 else f"{1 / rate:.3g} s each")
        parts.append(f"{_format_duration((total - done) / rate)} left")
    parts.append("waiting for workers" if not workers else f"{workers} worker{'s' * (workers > 1)}")
    return ", ".join(parts)


def _format_duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.0f} s"

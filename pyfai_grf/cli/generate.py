"""Grow a structure library to TOTAL structures. Stopped at any moment, the same command continues where it was."""

from __future__ import annotations

import argparse
import contextlib

from pyfai_grf.cli.arguments import (
    LENGTH_NM,
    SHAPE,
    add_crew_arguments,
    parse_count,
    parse_number,
    parse_seed,
    read_crew,
)
from pyfai_grf.cli.printing import print_line
from pyfai_grf.cli.progress import Progress
from pyfai_grf.core.backend import DEVICES
from pyfai_grf.core.published import PAPER_SHAPE, PAPER_SPECTRUM, PAPER_VOXEL_SIZE_NM

_FIRST_SEED = 1
_EPILOG = f"""
Ctrl-C saves what was made. A kill loses what was made since the last save: two seconds of work, 5 s in a library of
10,000, 50 s in one of 100,000. A structure depends only on the library's seed and on its number in the library, not on
who makes it.

several processes or GPUs of this machine:
  pyfai-grf generate library-1.h5 --count 5000 --workers 4
  On the CPU each process has its share of the cores, and needs 3 GB for a box of {PAPER_SHAPE} voxels. With
  --device cuda the first works on the first GPU, the second on the second, and so on.

a cluster, through Dask (pip install 'pyfai-grf[cluster]', the same version on every machine):
  dask scheduler --scheduler-file cluster.json &
  dask worker --scheduler-file cluster.json --nworkers 4 --nthreads 2 --memory-limit 0 &    on each machine
  pyfai-grf generate library-1.h5 --count 100000 --scheduler cluster.json
  Workers may come and go. Each makes one structure at a time, on --nthreads cores, or on the GPU that its
  CUDA_VISIBLE_DEVICES names (one worker per GPU).

SLURM: scheduler and jobs from Python, by dask-jobqueue, in a session that stays open:
  from dask_jobqueue import SLURMCluster
  cluster = SLURMCluster(queue="normal", cores=16, processes=8, memory="64GB", walltime="08:00:00")
  cluster.adapt(maximum_jobs=20)      # or cluster.scale(jobs=20)
  print(cluster.scheduler_address)    # pyfai-grf generate library-1.h5 --count 100000 --scheduler ADDRESS
  Each of the eight workers of a job has two threads and 8 GB; Dask ends a worker that needs more memory than that.
  With GPUs: cores=1, processes=1, job_extra_directives=["--gres=gpu:1"], one job per GPU.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("library", metavar="LIBRARY.h5", help="the file, usually named library-SEED.h5")
    parser.add_argument(
        "--count", type=parse_count(0, 10**7), required=True, metavar="TOTAL", help="structures that it is to hold"
    )
    parser.add_argument(
        "--seed",
        type=parse_seed,
        help=f"seed of the library: another seed gives another library (the file's own, or {_FIRST_SEED})",
    )
    parser.add_argument("--device", default="auto", choices=DEVICES, help="where to compute (%(default)s)")
    add_crew_arguments(parser)
    parser.add_argument(
        "--spectrum",
        metavar="TEXT",
        help=f"kind of material, such as power:n=6 (the file's own, or {PAPER_SPECTRUM})",
    )
    parser.add_argument(
        "--shape",
        type=parse_count(*SHAPE),
        metavar="N",
        help=f"edge of the box in voxels (the file's own, or {PAPER_SHAPE})",
    )
    parser.add_argument(
        "--voxel-size",
        type=parse_number(*LENGTH_NM),
        metavar="NM",
        help=f"edge of a voxel in nm (the file's own, or {PAPER_VOXEL_SIZE_NM})",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from dataclasses import replace
    from pathlib import Path

    from pyfai_grf.core.versions import GENERATOR_VERSION
    from pyfai_grf.library.contents import Setting
    from pyfai_grf.library.generate import generate_library
    from pyfai_grf.library.shard import read_setting

    crew = read_crew(options, options.device)
    path = Path(options.library)
    setting = read_setting(path) if path.exists() else Setting(_FIRST_SEED)
    given = {
        "library_seed": options.seed,
        "shape": options.shape,
        "voxel_size_nm": options.voxel_size,
        "spectrum": options.spectrum,
        "generator_version": GENERATOR_VERSION,
    }
    setting = replace(setting, **{name: value for name, value in given.items() if value is not None})
    with contextlib.closing(Progress("structures", options.quiet)) as progress:
        shard = generate_library(path, options.count, setting, crew, progress.show)
    if not options.quiet:
        print_line(f"{path}: {len(shard.structures)} structures")
    return 0

"""What would help, in flags and commands: the hints that errors carry (``pyfai_grf.core.errors``), worded."""

from __future__ import annotations

from pyfai_grf.core.errors import GrfError

#: hint -> how the command line says it; names in braces are facts of the error
HINTS = {
    "cluster": "pip install 'pyfai-grf[cluster]'",
    "device": "--device cpu",
    "device of all workers": "--device cpu or --device cuda",
    "fewer workers": "--workers N",
    "length scale": "--length-scale S",
    "library of a spectrum": "'pyfai-grf generate LIBRARY.h5 --spectrum {spectrum} --count N' makes one",
    "overwrite": "or --overwrite",
    "library": "'pyfai-grf generate {path} --count N' makes one",
    "seed": "--seed N",
    "table": "'pyfai-grf tabulate BOXES --count 60 --spectrum {spectrum} -o TABLE.npz' makes one",
    "scheduler file": "'dask scheduler --scheduler-file {path}' writes one",
}


def word_problem(problem: GrfError) -> str:
    """Return the message of ``problem``, followed by its hint in flags and commands where it has one."""
    hint = HINTS.get(problem.hint, "").format_map(problem.facts)
    return f"{problem} ({hint})" if hint else str(problem)

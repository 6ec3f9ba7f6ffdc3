"""What would help, in flags and commands: the hints that errors carry (``pyfai_grf.core.errors``), worded."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from pyfai_grf.core.errors import GrfError

#: hint -> how the command line says it; names in braces are facts of the error, what stands in brackets with one is
#: left out where that fact is empty
HINTS = {
    "bundle": "'pyfai-grf train' makes one",
    "cluster": "pip install 'pyfai-grf[cluster]'",
    "columns": "--columns {columns}",
    "device": "--device cpu",
    "device of all workers": "--device cpu or --device cuda",
    "export": "pyfai-grf export {path}",
    "export elsewhere": "pyfai-grf export {path} -o OTHER.h5",
    "fewer workers": "--workers N",
    "frame": "that is for pyfai-grf analyze",
    "length scale": "--length-scale S",
    "library of a spectrum": "'pyfai-grf generate LIBRARY.h5 --spectrum {spectrum} --count N' makes one",
    "model for a curve": "pyfai-grf train --material {material}[ --spectrum {spectrum}] --q-min {q_min} "
    "--q-max {q_max} --q-points {points}[ --length-scale {scale}] -o my-model",
    "more structures": "pyfai-grf generate LIBRARY.h5 --count {count}",
    "overwrite": "or --overwrite",
    "own unit": "without --unit",
    "library": "'pyfai-grf generate {path} --count N' makes one",
    "seed": "--seed N",
    "table": "'pyfai-grf tabulate BOXES --count 60 --spectrum {spectrum} -o TABLE.npz' makes one",
    "scheduler file": "'dask scheduler --scheduler-file {path}' writes one",
    "unit": "--unit nm or --unit A",
}
_OPTIONAL = re.compile(r"\[([^]{]*\{(\w+)\}[^]]*)\]")


def word_problem(problem: GrfError) -> str:
    """Return the message of ``problem``, followed by its hint in flags and commands where it has one."""
    return f"{problem}{word_hint(problem.hint, problem.facts)}"


def word_hint(hint: str, facts: Mapping[str, object]) -> str:
    """Return " (the hint in flags and commands)", "" where there is none."""
    if not hint:
        return ""
    text = _OPTIONAL.sub(lambda part: part[1] if facts[part[2]] else "", HINTS[hint])
    return f" ({text.format_map({name: shlex.quote(str(fact)) for name, fact in facts.items()})})"

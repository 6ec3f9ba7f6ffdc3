"""What the fit reaches on simulated frames, as it was measured when the package was made."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyfai_grf.core.atomic import replace_file
from pyfai_grf.core.errors import InputError

_FORMAT, _FILE = "pyfai-grf fit performance 1", "fit-performance.json"


@dataclass(frozen=True)
class Performance:
    """``rows`` of figures: "spectrum" ("unknown", "known"), "photons" (lowest, highest), "frames", "refused" (a part).

    Of accepted frames: "a_percent" and "porosity", both (median, 90 %) of the absolute errors, and "a_inside" and
    "porosity_inside", the parts of the 90 % intervals that hold the truth. ``population`` in words.
    """

    rows: Sequence[Mapping[str, Any]]
    population: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def format_table(self) -> str:
        """Return the figures as a Markdown table."""
        lines = [
            "| spectrum | photons | frames | refused | a, %: median error | 90 % below | inside "
            "| porosity: median error | 90 % below | inside |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in self.rows:
            low, high = row["photons"]
            cells = [
                row["spectrum"],
                f"{low:.0e} to {high:.0e}".replace("e+0", "e"),
                str(row["frames"]),
                f"{row['refused']:.1%}",
                *(f"{value:.2g}" for value in row["a_percent"]),
                f"{row['a_inside']:.2f}",
                *(f"{value:.2g}" for value in row["porosity"]),
                f"{row['porosity_inside']:.2f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def save(self, path: Path) -> None:
        """Write the figures; raises InputError if that cannot be done."""
        text = json.dumps({"format": _FORMAT, **vars(self)}, indent=1)
        with replace_file(path) as draft:
            draft.write_text(text + "\n", encoding="utf-8")


@functools.lru_cache(maxsize=1)
def load_performance() -> Performance:
    """Return the bundled figures.

    Raises
    ------
    InputError
        If they are missing or damaged.
    """
    path = Path(str(importlib.resources.files("pyfai_grf_models"))) / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise ValueError("another format")
        return Performance(**content)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InputError(
            f"{path} is not a record of what the fit reaches ({problem}): install pyfai-grf again"
        ) from None

"""A folder of boxes for the three-phase table, one file per box, to which any number of runs may add.

``setting.json`` holds what all boxes share; ``coarse-000012.npz`` and ``fine-000012.npz`` hold the sums of box 12. Each
file is written whole. A run that is stopped loses only the boxes in progress, and the same call continues. The files of
several machines may be copied into one folder.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyfai_grf.core.atomic import write_bytes, write_text
from pyfai_grf.core.backend import Backend, get_backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation.boxes import choose_thicknesses, measure_box
from pyfai_grf.tabulation.grids import BoxSetting
from pyfai_grf.workers.crew import Crew, open_workers

FORMAT = "pyfai-grf three-phase boxes"
#: this process does everything
ALONE = Crew("cpu")
#: number of a box, and the kinds of sums to make of it
Box = tuple[int, tuple[str, ...]]


@dataclass(frozen=True)
class BoxFolder:
    """A folder of boxes: where it is, what the boxes share, and the thicknesses of the films.

    ``thicknesses`` is (porosities, layer fractions), in units of a.
    """

    path: Path
    setting: BoxSetting
    thicknesses: np.ndarray

    def find(self, index: int, kind: str) -> Path:
        """Return the file of box ``index``, of one of the ``KINDS``."""
        return self.path / f"{kind}-{index:06d}.npz"

    def list_boxes(self, kind: str) -> list[int]:
        """Return the indices of the finished boxes of ``kind``, in order."""
        return sorted(int(file.stem.rpartition("-")[2]) for file in self.path.glob(f"{kind}-*.npz"))

    def read(self, kind: str) -> Iterator[dict[str, np.ndarray]]:
        """Yield the sums of all boxes of ``kind``, by index."""
        for index in self.list_boxes(kind):
            try:
                with np.load(self.find(index, kind)) as file:
                    yield dict(file)
            except (OSError, ValueError) as problem:
                raise InputError(
                    f"cannot read {self.find(index, kind)}: {problem}; delete it, and it is made again"
                ) from None


def open_boxes(path: Path, setting: BoxSetting) -> BoxFolder:
    """Open the folder, or make it for ``setting`` if it does not exist.

    Raises
    ------
    InputError
        If it was made for another setting, or cannot be read or written.
    """
    description = path / "setting.json"
    if description.exists():
        found = read_boxes(path)
        if found.setting != setting:
            raise InputError(f"{path} holds boxes of {found.setting}, not of {setting}: choose another folder")
        return found
    thicknesses = choose_thicknesses(get_backend("cpu"), setting)
    content = {"format": FORMAT, **asdict(setting), "thicknesses_a": thicknesses.tolist()}
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(f"cannot write {path}: {problem.strerror}") from None
    write_text(description, json.dumps(content, indent=1))
    return BoxFolder(path, setting, thicknesses)


def read_boxes(path: Path) -> BoxFolder:
    """Open an existing folder of boxes.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        content = json.loads((path / "setting.json").read_text())
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        thicknesses = np.array(content.pop("thicknesses_a"), dtype=np.float64)
        return BoxFolder(path, BoxSetting(**content), thicknesses)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(f"{path} is not a folder of three-phase boxes ({problem})") from None


@dataclass(frozen=True)
class Plan:
    """How many boxes of each kind a folder is to hold, and which part of them to make: every ``parts``-th.

    The fine boxes and the pairs belong to the first of the coarse boxes.
    """

    coarse: int
    fine: int
    wide: int
    pair: int
    part: int = 1
    parts: int = 1

    def list_boxes(self, folder: BoxFolder) -> list[Box]:
        """Return the boxes of this part that are missing in ``folder``, with the kinds to make of each."""
        boxes: list[Box] = []
        total = max(self.coarse, self.fine, self.pair)
        counts = {"fine": self.fine, "coarse": total, "pair": self.pair}
        for index in range(total):
            missing = [k for k, count in counts.items() if index < count and not folder.find(index, k).exists()]
            if missing:
                boxes.append((index, tuple(missing)))
        wide = [i for i in range(self.wide) if not folder.find(i, "wide").exists()]
        boxes += [(index, ("wide",)) for index in wide]
        return [box for box in boxes if box[0] % self.parts == self.part - 1]


def add_boxes(
    folder: BoxFolder,
    plan: Plan,
    crew: Crew = ALONE,
    report: Callable[[int, int, int], None] = lambda done, total, workers: None,
) -> None:
    """Make the boxes of ``plan`` that are missing.

    ``crew`` says who simulates, by default this process; it uses CPUs, whatever its device. Only this process writes
    files, each as soon as its box is done. ``report`` is called with (boxes made, boxes to make, workers) when boxes
    have come in, and about once a second while none do.

    Raises
    ------
    InputError
        If a box cannot be written.
    GrfError
        If the workers cannot be used, or one of them reports an error.
    """
    task = BoxTask(folder.setting, folder.thicknesses, tuple(plan.list_boxes(folder)))
    total, done = len(task.boxes), 0
    if not total:
        return
    with open_workers(replace(crew, device="cpu"), task) as measure:
        for boxes, workers in measure(range(total)):
            for number, results in boxes:
                for kind, sums in results.items():
                    _save(folder.find(number, kind), sums)
            done += len(boxes)
            report(done, total, workers)


@dataclass(frozen=True)
class BoxTask:
    """The simulation of the missing ``boxes`` of one folder, for the workers; indices count within ``boxes``."""

    setting: BoxSetting
    thicknesses: np.ndarray
    boxes: tuple[Box, ...]

    def run(self, backend: Backend, index: int) -> tuple[int, dict[str, dict[str, np.ndarray]]]:
        """Return the number of the box, and its sums by kind."""
        number, kinds = self.boxes[index]
        return number, measure_box(backend, self.setting, self.thicknesses, number, kinds)

    def describe(self, index: int) -> str:
        """Return "box", its number and what is made of it."""
        number, kinds = self.boxes[index]
        return f"box {number} ({', '.join(kinds)})"


def _save(path: Path, sums: dict[str, np.ndarray]) -> None:
    stream = io.BytesIO()
    arrays: dict[str, Any] = {name: values.astype(np.float32) for name, values in sums.items()}
    np.savez(stream, **arrays)
    write_bytes(path, stream.getvalue(), "; run again, finished boxes are kept")

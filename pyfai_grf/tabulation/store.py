"""A folder of boxes for the three-phase table: a file a box, each written whole, so that any number of runs add to it.

``setting.json`` says what all boxes share; ``coarse-000012.npz`` and ``fine-000012.npz`` hold the sums of box 12. A run
stopped at any moment loses the box in work; the same command goes on. Copy folders together to pool machines.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.tabulation.boxes import choose_thicknesses, measure_box
from pyfai_grf.tabulation.setting import BoxSetting

FORMAT = "pyfai-grf three-phase boxes"


@dataclass(frozen=True)
class BoxFolder:
    """A folder of boxes: where, their setting, and the film thicknesses (porosities, layer fractions) in units of a."""

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
    """Open the folder, or make it for ``setting``.

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
        _write_whole(description, json.dumps(content, indent=1).encode())
    except OSError as problem:
        raise InputError(f"cannot write {path}: {problem.strerror}") from None
    return BoxFolder(path, setting, thicknesses)


def read_boxes(path: Path) -> BoxFolder:
    """Open a folder of boxes that exists.

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
        raise InputError(f"{path} is no folder of three-phase boxes ({problem})") from None


@dataclass(frozen=True)
class Plan:
    """How many boxes a folder shall hold of each kind, and which part of them to make: every ``parts``-th.

    The fine boxes and those with pairs are the first of the coarse ones.
    """

    coarse: int
    fine: int
    wide: int
    pair: int
    part: int = 1
    parts: int = 1

    def list_tasks(self, folder: BoxFolder) -> list[tuple[int, tuple[str, ...]]]:
        """Return the boxes that are missing: index, and what is to be made of it."""
        tasks: list[tuple[int, tuple[str, ...]]] = []
        total = max(self.coarse, self.fine, self.pair)
        counts = {"fine": self.fine, "coarse": total, "pair": self.pair}
        for index in range(total):
            missing = [k for k, count in counts.items() if index < count and not folder.find(index, k).exists()]
            if missing:
                tasks.append((index, tuple(missing)))
        wide = [i for i in range(self.wide) if not folder.find(i, "wide").exists()]
        tasks += [(index, ("wide",)) for index in wide]
        return [task for task in tasks if task[0] % self.parts == self.part - 1]


def add_boxes(folder: BoxFolder, plan: Plan, report: Callable[[int, int], None]) -> None:
    """Make the boxes of ``plan`` that are missing.

    ``report`` is called with the number of boxes made and that of those to make.

    Raises
    ------
    InputError
        If a box cannot be written.
    """
    backend = get_backend("cpu")
    tasks = plan.list_tasks(folder)
    report(0, len(tasks))
    for done, (index, kinds) in enumerate(tasks):
        for kind, sums in measure_box(backend, folder.setting, folder.thicknesses, index, kinds).items():
            _save(folder.find(index, kind), sums)
        report(done + 1, len(tasks))


def _save(path: Path, sums: dict[str, np.ndarray]) -> None:
    stream = io.BytesIO()
    arrays: dict[str, Any] = {name: values.astype(np.float32) for name, values in sums.items()}
    np.savez(stream, **arrays)
    try:
        _write_whole(path, stream.getvalue())
    except OSError as problem:
        raise InputError(f"cannot write {path}: {problem.strerror}; run again, finished boxes are kept") from None


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(draft, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)

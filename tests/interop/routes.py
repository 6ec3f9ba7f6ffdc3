"""Every route from the frames of a scan to answers, the peer's part done by the peer itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyFAI.io.nexus import save_NXcansas, save_NXmonpd
from pyfai_grf_ewoks.tasks import PredictStructure
from pyfai_grf_pyfai.observer import PredictionObserver

from . import peers
from .answers import MATERIAL, Answer, ask, make_answer, refuse
from .scans import SPLIT, SPLIT_BARE, WHOLE, WHOLE_BARE, Scan, Setting

Answers = list[Answer]


@dataclass(frozen=True)
class Route:
    """A way from frames to answers: ``follow(scan, setting, folder)``, with the settings of pyFAI worth trying."""

    name: str
    follow: Callable[[Scan, Setting, Path], Answers]
    settings: tuple[Setting, ...]


def analyze(scan: Scan, folder: Path) -> Answers:
    """Return the answers of ``pyfai-grf analyze``, which all others are compared with."""
    link = folder / "scan.h5"
    link.symlink_to(scan.path)
    source = scan.url.replace(str(scan.path), str(link))
    return ask("analyze", [source], scan.frames, "--poni", str(scan.poni), "--mask", str(scan.mask))


def _observe(scan: Scan, setting: Setting, folder: Path) -> Answers:
    observer = PredictionObserver(MATERIAL)
    peers.integrate(scan, setting, folder / "integrated.h5", observer)
    found = {
        row.frame: make_answer(said.values, said.lower, said.upper, said.is_applicable, said.reason)
        for row in observer.results
        for said in (row.prediction,)
    }
    problems = observer.problems or ["no result and no problem"]
    return [found.get(index) or refuse(problems[0]) for index in range(scan.frames)]


def _chain_patterns(scan: Scan, setting: Setting, folder: Path) -> Answers:
    names = ("radial", "intensity", "intensity_error", "radial_units")
    patterns = peers.integrate_patterns(scan, setting)
    return [_run_task({name: pattern[name] for name in names}) for pattern in patterns]


def _run_task(inputs: dict[str, Any]) -> Answer:
    task = PredictStructure(inputs={"material": MATERIAL, **inputs})
    try:
        with peers.keep_quiet():
            task.execute()
    except Exception as problem:  # ewoks wraps whatever it was
        return refuse(str(problem.__cause__ or problem))
    found = task.get_output_values()
    return make_answer(*(found[name] for name in ("values", "lower", "upper", "is_applicable", "reason")))


def _read_list(scan: Scan, setting: Setting, folder: Path) -> Answers:
    return ask("predict", [peers.integrate_list(scan, setting, folder / "list.h5")], scan.frames)


def _read_bliss_scan(scan: Scan, setting: Setting, folder: Path) -> Answers:
    return ask("predict", [peers.integrate_bliss_scan(scan, setting, folder / "processed.h5")], scan.frames)


def _read_hdf5(scan: Scan, setting: Setting, folder: Path) -> Answers:
    return ask("predict", [str(peers.integrate(scan, setting, folder / "integrated.h5"))], scan.frames)


def _read_text(scan: Scan, setting: Setting, folder: Path) -> Answers:
    curves = sorted(map(str, peers.integrate(scan, setting, folder / "curves").iterdir()))
    return ask("predict", curves, scan.frames, "--unit", "nm")


def _read_nxcansas(scan: Scan, setting: Setting, folder: Path) -> Answers:
    curves = peers.save_curves(scan, setting, folder / "curves", save_NXcansas)
    return ask("predict", list(map(str, curves)), scan.frames)


def _read_nxmonopd(scan: Scan, setting: Setting, folder: Path) -> Answers:
    curves = peers.save_curves(scan, setting, folder / "curves", save_NXmonpd)
    return ask("predict", list(map(str, curves)), scan.frames)


def _read_map(scan: Scan, setting: Setting, folder: Path) -> Answers:
    return ask("predict", [str(peers.map_scan(scan, setting, folder / "map.h5"))], scan.frames)


ROUTES = (
    Route("observer in pyFAI-integrate", _observe, (SPLIT, WHOLE_BARE)),
    Route("IntegrateSinglePattern, task", _chain_patterns, (SPLIT, SPLIT_BARE, WHOLE, WHOLE_BARE)),
    Route("Integrate1DList, predict", _read_list, (SPLIT, WHOLE_BARE)),
    Route("IntegrateBlissScan, predict", _read_bliss_scan, (SPLIT_BARE, WHOLE)),
    Route(
        "pyFAI-integrate HDF5, predict",
        _read_hdf5,
        (SPLIT, SPLIT_BARE, WHOLE, WHOLE_BARE, Setting(unit="q_A^-1")),
    ),
    Route("pyFAI-integrate .dat, predict --unit", _read_text, (SPLIT, SPLIT_BARE, WHOLE)),
    Route("save_NXcansas, predict", _read_nxcansas, (SPLIT, WHOLE_BARE)),
    Route("save_NXmonpd, predict", _read_nxmonopd, (SPLIT,)),
    Route("pyFAI-diffmap, predict", _read_map, (SPLIT, WHOLE_BARE)),
)

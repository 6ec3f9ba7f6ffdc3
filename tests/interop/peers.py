"""Other people's programs, each called as its users call it, on a scan of simulated frames."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .scans import DETECTOR, Scan, Setting

TASKS = "ewoksxrpd.tasks"


@contextlib.contextmanager
def keep_quiet() -> Iterator[None]:
    """Keep what the programs print and log off the screen, and their handlers off the log of this process."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


# --- pyFAI ----------------------------------------------------------------------------------------------------------


def integrate(scan: Scan, setting: Setting, output: Path, observer: Any = None) -> Path:
    """Run ``pyFAI-integrate``: one HDF5 file where ``output`` ends so, else a ``.dat`` a frame in that folder."""
    with keep_quiet():
        from pyFAI.app import integrate as application
        from pyFAI.io.integration_config import WorkerConfig

        logging.captureWarnings(False)  # importing it sends warnings to the log
        if not output.suffix:
            output.mkdir()
        config = WorkerConfig.from_file(str(scan.save_config(setting)))
        code = application.process([scan.url], str(output), config, observer)
    if code:
        raise RuntimeError(f"pyFAI-integrate returned {code} for {scan.url}")
    return output


def save_curves(scan: Scan, setting: Setting, folder: Path, save: Callable[[str, Any], None]) -> list[Path]:
    """Integrate as in a notebook and ``save(path, result)`` frame by frame; pyFAI has save_NXcansas, save_NXmonpd."""
    from pyFAI.worker import Worker

    folder.mkdir()
    paths = []
    with keep_quiet():
        worker = Worker()
        worker.set_config(scan.make_config(setting))
        worker.output = "raw"
        for index, image in enumerate(scan.read_images()):
            paths.append(folder / f"curve_{index:04d}.h5")
            save(str(paths[-1]), worker.process(image))
    return paths


def map_scan(scan: Scan, setting: Setting, output: Path) -> Path:
    """Run ``pyFAI-diffmap --no-gui``: one line of a map, an EDF file a point (it cannot take a stack)."""
    from fabio.edfimage import EdfImage

    frames = []
    for index, image in enumerate(scan.read_images()):
        frames.append(output.parent / f"{output.stem}_{index:04d}.edf")
        EdfImage(data=image).write(str(frames[-1]))
    with keep_quiet():
        from pyFAI.app import diff_map
        from pyFAI.io.diffmap_config import DiffmapConfig

        logging.captureWarnings(False)
        config, path = DiffmapConfig(ai=scan.make_config(setting)), output.with_suffix(".json")
        config.save(str(path))
        shape = ["-t", str(scan.frames), "-r", "1", "-c", str(setting.bins)]
        diff_map.main(["--no-gui", "--config", str(path), *shape, "-o", str(output), *map(str, frames)])
    for frame in frames:
        frame.unlink()
    return output


# --- ewoksxrpd --------------------------------------------------------------------------------------------------------


def run_task(module: str, name: str, **inputs: Any) -> dict[str, Any]:
    """Run one task of ewoksxrpd in this process; return its outputs."""
    task = getattr(__import__(f"{TASKS}.{module}", fromlist=[name]), name)(inputs=inputs)
    task.execute()
    return dict(task.get_output_values())


def configure(scan: Scan, setting: Setting) -> dict[str, Any]:
    """Return what PyFaiConfig hands to the integrating tasks, read from the JSON that pyFAI-integrate saves."""
    found = run_task("pyfaiconfig", "PyFaiConfig", filename=str(scan.save_config(setting)), mask=str(scan.mask))
    names = ("energy", "geometry", "detector", "detector_config", "mask", "integration_options")
    return {name: found[name] for name in names}


def integrate_patterns(scan: Scan, setting: Setting) -> Iterator[dict[str, Any]]:
    """Yield the outputs of IntegrateSinglePattern, frame by frame."""
    with keep_quiet():
        config = configure(scan, setting)
        for image in scan.read_images():
            yield run_task("integrate", "IntegrateSinglePattern", image=np.asarray(image), **config)


def integrate_list(scan: Scan, setting: Setting, output: Path) -> str:
    """Run Integrate1DList; return its ``output_uri``."""
    with keep_quiet():
        config = configure(scan, setting)
        found = run_task("integrate", "Integrate1DList", images=scan.list_images(), output_file=str(output), **config)
    return str(found["output_uri"])


def integrate_bliss_scan(scan: Scan, setting: Setting, output: Path) -> str:
    """Run IntegrateBlissScan; return its ``nxdata_url``."""
    with keep_quiet():
        config = configure(scan, setting)
        where = {"filename": str(scan.path), "scan": 1, "detector_name": DETECTOR, "output_filename": str(output)}
        found = run_task("integrate", "IntegrateBlissScan", **where, **config)
    return str(found["nxdata_url"])

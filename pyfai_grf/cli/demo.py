"""Simulate frames of a known material, analyze them like any others, and show truth beside prediction."""

from __future__ import annotations

import argparse
import glob
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pyfai_grf.cli.arguments import LENGTH_NM, parse_count, parse_number, parse_seed
from pyfai_grf.cli.printing import print_line
from pyfai_grf.core.atomic import write_text
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.rounding import format_interval

if TYPE_CHECKING:
    from pyfai_grf.core.records import Result
    from pyfai_grf.learn.bundle import Model

#: what the demo writes beside its frames: name -> what it is, what opens it
_FILES = {
    "demo.poni": ("geometry, as pyFAI-calib2 saves it", "text editor"),
    "mask.edf": ("mask: beamstop with its arm, hot pixels", "silx view, pyFAI-drawmask"),
    "demo.h5": ("results: a row and a curve for each frame (NXcanSAS)", "silx view, SasView"),
    "demo.csv": ("the rows as a table", "spreadsheet"),
    "demo-average.h5": ("results for the average of all frames", "silx view, SasView"),
    "demo.png": ("picture of that average, the truth marked", "image viewer"),
}
_README, _MARK = "README.txt", "pyfai-grf demo: simulated frames of a known material"
_MOST_FRAMES = 99999
#: the spectrum of Roeding et al. (2022)
_PUBLISHED = "roding2022"
_LABELS = {"a": "a (nm)", "porosity": "porosity", "spectrum_n": "spectrum n"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument(
        "-o", "--output", default="pyfai-grf-demo", metavar="DIR", help="folder for all files (pyfai-grf-demo)"
    )
    parser.add_argument("--a", type=parse_number(*LENGTH_NM), default=4.0, help="true length scale in nm (4)")
    parser.add_argument("--porosity", type=parse_number(), default=0.3, help="true porosity (0.3)")
    parser.add_argument(
        "--spectrum",
        type=_parse_spectrum,
        default=_PUBLISHED,
        metavar="NAME",
        help=f"true spectrum of the field, such as power:n=6 ({_PUBLISHED})",
    )
    parser.add_argument("--frames", type=parse_count(1, _MOST_FRAMES), default=5, help="number of frames (5)")
    parser.add_argument("--counts", type=parse_number(1, 1e12), default=1e7, help="photons in a frame (1e7)")
    parser.add_argument("--seed", type=parse_seed, default=1, help="the same seed gives the same frames (1)")


def _parse_spectrum(text: str) -> str:
    from pyfai_grf.theory.spectra import get_spectrum

    try:
        return get_spectrum(text).text
    except InputError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pyfai_grf.cli import main
    from pyfai_grf.learn.bundle import load_model

    say = (lambda *lines: None) if options.quiet else print_line
    # a two-phase curve is the same for p and 1 - p: which side it is must be known, and here it is
    material = "two-phase-low-porosity" if options.porosity <= 0.5 else "two-phase-high-porosity"
    model, folder = load_model(material), Path(options.output)
    _write_inputs(options, folder, material)
    number = f"{options.frames} frame{'s' * (options.frames > 1)}"
    say(f"simulated: {number} of a Pilatus 1M, {_describe_counts(options)} photons each, in {folder}")
    say(f"           two phases, {_describe_truth(options)}, on a flat background")
    flags = ["--quiet"] * options.quiet + ["--verbose"] * options.verbose
    worst = 0
    for arguments in _make_commands(folder, material):
        say("")
        say(f"$ pyfai-grf {_join(arguments)}")
        status = main([arguments[0], *flags, *arguments[1:]])
        if status > 1:
            return status
        worst = max(worst, status)
    for line in _conclude(options, folder, model):
        say(line)
    return worst


def _write_inputs(options: argparse.Namespace, folder: Path, material: str) -> None:
    """Write frames, geometry, mask and README.txt."""
    from pyfai_grf.virtual_instrument.exposure import write_frame, write_geometry, write_mask
    from pyfai_grf.virtual_instrument.sample import simulate_frames

    truth = _get_truth(options)
    instrument, frames = simulate_frames(
        **truth, counts=options.counts, frames=options.frames, seed=options.seed, spectrum=options.spectrum
    )
    names = [f"demo_{number:05d}.cbf" for number in range(1, options.frames + 1)]
    _claim_folder(folder, names, _write_readme(options, material))
    write_geometry(folder / "demo.poni", instrument.integrator)
    write_mask(folder / "mask.edf", instrument.mask)
    for name, frame in zip(names, frames, strict=True):
        write_frame(folder / name, frame, instrument)


def _claim_folder(folder: Path, frames: Sequence[str], readme: str) -> None:
    """Take the files of an earlier demo out of ``folder`` and write README.txt, by which the next one knows them.

    Raises
    ------
    InputError
        If a file of somebody else's has a name that is needed, or nothing can be written.
    """
    path = folder / _README
    try:
        own = _list_own(path)
        found = {name for name in os.listdir(folder) if name in _FILES or name == _README} if folder.is_dir() else set()
        found |= {os.path.basename(name) for name in glob.glob(os.path.join(glob.escape(str(folder)), "demo_*.cbf"))}
        if foreign := sorted(found - own):
            raise InputError(f"{folder / foreign[0]} is not of an earlier demo: choose another folder with -o")
        folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(own):
            if name != _README:  # it goes last: whatever happens, it names what is left
                (folder / name).unlink(missing_ok=True)
        write_text(path, readme)
    except OSError as problem:
        reason = problem.strerror or problem
        raise InputError(f"cannot write into {folder}: {reason}: choose another folder with -o") from None


def _list_own(readme: Path) -> set[str]:
    """Return the names of the files of the demo that wrote ``readme``; none if it is no such file."""
    if not readme.is_file():
        return set()
    text = readme.read_text(encoding="utf-8", errors="replace")
    if not text.startswith(_MARK):
        return set()
    last = max((int(number) for number in re.findall(r"(?:demo_| \.\.\. )(\d{5})\.cbf", text)), default=0)
    return {_README, *_FILES, *(f"demo_{number:05d}.cbf" for number in range(1, last + 1))}


def _make_commands(folder: Path, material: str) -> list[list[str]]:
    """Return the arguments of the two analyses: frame by frame, and of the average."""
    parent = "" if folder == Path() else glob.escape(str(folder))
    frames, common = os.path.join(parent, "demo_*.cbf"), ["--poni", str(folder / "demo.poni")]
    common += ["--mask", str(folder / "mask.edf"), "--material", material]
    single = ["-o", str(folder / "demo.h5"), "--csv", str(folder / "demo.csv")]
    average = ["--average", "all", "-o", str(folder / "demo-average.h5"), "--plot", str(folder / "demo.png")]
    return [["analyze", frames, *common, *output, "--overwrite"] for output in (single, average)]


def _join(arguments: Sequence[str]) -> str:
    """Return a command line; a plain pattern stays unquoted, the shell may expand it."""
    return " ".join(part if re.fullmatch(r"[\w./*-]+", part) else shlex.quote(part) for part in arguments)


def _get_truth(options: argparse.Namespace) -> dict[str, float]:
    return {"a": options.a, "porosity": options.porosity}


def _get_whole_truth(options: argparse.Namespace) -> dict[str, float]:
    """Return the truth with the exponent of the spectrum, where it has one: what a fit finds too."""
    from pyfai_grf.theory.spectra import get_spectrum
    from pyfai_grf.theory.spectral_shapes import PowerSpectrum

    spectrum = get_spectrum(options.spectrum)
    return _get_truth(options) | ({"spectrum_n": spectrum.n} if isinstance(spectrum, PowerSpectrum) else {})


def _describe_truth(options: argparse.Namespace) -> str:
    material = f"a = {options.a:g} nm, porosity {options.porosity:g}"
    return material if options.spectrum == _PUBLISHED else f"{material}, spectrum {options.spectrum}"


def _describe_counts(options: argparse.Namespace) -> str:
    return re.sub(r"e\+0*", "e", f"{options.counts:.3g}")


def _list_files(frames: int) -> list[str]:
    """Return one line a file: name, what it is, what opens it."""
    named = "demo_00001.cbf" + (f" ... {frames:05d}.cbf" if frames > 1 else "")
    files = {named: ("frames, as the detector writes them", "silx view"), **_FILES}
    width = max(map(len, files))
    return [f"  {name.ljust(width)}  {what} [{opener}]" for name, (what, opener) in files.items()]


def _write_readme(options: argparse.Namespace, material: str) -> str:
    """Return the text of README.txt."""
    files = "\n".join(_list_files(options.frames))
    commands = "\n".join(f"  pyfai-grf {_join(arguments)}" for arguments in _make_commands(Path(), material))
    return f"""{_MARK}

Nothing here was measured: the frames are computed, so the truth is known.
  two phases, {_describe_truth(options)}; infinite sample,
  spectrum {options.spectrum} (roding2022: that of Roeding et al. 2022, n = 8),
  flat background of 5 % of the intensity at 3 per nm, {_describe_counts(options)} photons a frame, seed {options.seed}.
  Pilatus 1M at 3.1 m, 0.1 nm (12.4 keV), beamstop of 3 mm on an arm. Solid angle and counting noise are in the
  frames; polarization, absorption, smearing and multiple scattering are not.
  In the frames -1 marks gaps between modules, -2 dead pixels. Some pixels are hot: only mask.edf knows them.

{files}

To repeat the analysis, in this folder:
{commands}
(The demo marks the truth in demo.png afterwards.)

Further 'pyfai-grf demo' runs into this folder replace these files, and no others.
"""


def _conclude(options: argparse.Namespace, folder: Path, model: Model) -> list[str]:
    """Draw the average with the truth, and return the lines that compare truth and prediction."""
    from pyfai_grf.frames.images import read_frames, read_mask
    from pyfai_grf.io.results import read_results
    from pyfai_grf.workflows import draw_results

    truth = _get_truth(options)
    files = (folder / "demo.h5", folder / "demo-average.h5")
    if not all(file.is_file() for file in files):  # without a result there is none
        return ["", "no frame could be analyzed: see the lines above"]
    single, average = (read_results(file)[1] for file in files)
    frame = next(read_frames(folder / "demo_00001.cbf"))
    image = np.ma.masked_array(frame.data, frame.bad | read_mask(folder / "mask.edf"))
    title = f"simulated: {_describe_truth(options)}" + f"; {options.frames} frames averaged" * (options.frames > 1)
    rows = [result.prediction for result in average]
    draw_results(folder / "demo.png", model, rows, {0: average[0].curve}, frame=image, truth=truth, title=title)
    return [
        "",
        "The truth is known, for the frames are simulated:",
        *format_table(
            _get_whole_truth(options), average[0], f"average of {options.frames}" if options.frames > 1 else "one frame"
        ),
        *_count_inside(truth, single),
        "",
        f"Files in {folder}, which {_README} explains:",
        *_list_files(options.frames),
        f"Look at the results: silx view {_join([str(folder / 'demo.h5')])}",
    ]


def format_table(truth: Mapping[str, float], result: Result, name: str) -> list[str]:
    """Return an aligned table of truth, prediction and 90 % interval."""
    said = result.prediction
    fit = said if said.fit is None else said.fit
    rows = [(name, "truth", "prediction", "90 % interval", "truth inside?")]
    for key, true in truth.items():
        source = said if key in said.values else fit
        if key not in source.values:
            continue
        value, lower, upper = (part[key] for part in (source.values, source.lower, source.upper))
        if not np.isfinite([value, lower, upper]).all():
            rows.append((_LABELS[key], f"{true:g}", "none", "", ""))
            continue
        text, low, high = format_interval(value, lower, upper)
        rows.append((_LABELS[key], f"{true:g}", text, f"{low} to {high}", _judge(true, lower, upper)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  " + "   ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return lines if said.is_applicable else [f"  NOT APPLICABLE: {said.reason}", *lines]


def _judge(true: float, lower: float, upper: float) -> str:
    return "yes" if lower <= true <= upper else "NO"


def _count_inside(truth: Mapping[str, float], results: Sequence[Result]) -> list[str]:
    """Return how often the intervals of single frames hold the truth."""
    if len(results) < 2:
        return []
    rows = [result.prediction for result in results]
    counts = {key: sum(r.lower[key] <= true <= r.upper[key] for r in rows) for key, true in truth.items()}
    held = ", ".join(f"the true {key} {count} times of {len(results)}" for key, count in counts.items())
    applicable = sum(r.is_applicable for r in rows)
    where = "" if applicable == len(results) else f" where the model applies, which it does to {applicable}"
    return [f"  single frames: the interval holds {held} (expected: 90 %{where})"]

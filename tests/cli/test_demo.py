"""The demo tells the truth, leaves files that repeat it, and keeps its hands off other people's."""

from __future__ import annotations

import contextlib
import csv
import io
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import silx.io
import silx.io.nxdata

from pyfai_grf.cli import main
from pyfai_grf.cli.demo import format_table
from pyfai_grf.core.records import Curve, PredictionRow, Result
from pyfai_grf.io.results import read_results

FRAMES = ["demo_00001.cbf", "demo_00002.cbf"]
OTHERS = {"README.txt", "demo.poni", "mask.edf", "demo.h5", "demo.csv", "demo-average.h5", "demo.png"}


@dataclass
class Done:
    folder: Path
    status: int
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """What the demo says that it calls."""
        return [shlex.split(line)[2:] for line in self.text.splitlines() if line.startswith("$ pyfai-grf ")]


def run_demo(folder: Path, *more: str) -> Done:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        status = main(["demo", "-o", str(folder), *more])
    return Done(folder, status, stream.getvalue())


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    return run_demo(tmp_path_factory.mktemp("demo") / "here", "--frames", "2")


def list_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_demo_leaves_what_it_names(done: Done) -> None:
    assert done.status == 0
    assert list_names(done.folder) == OTHERS | set(FRAMES)
    readme = (done.folder / "README.txt").read_text()
    for name in OTHERS - {"README.txt"} | {FRAMES[0]}:
        assert name in done.text
        assert name in readme
    assert "simulated" in done.text
    assert "a = 4 nm, porosity 0.3" in readme
    assert (done.folder / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_prediction_is_near_the_truth(done: Done) -> None:
    """10^7 photons fix a to 0.1 % and porosity to 0.01: ten times that is no bad luck any more."""
    _, results = read_results(done.folder / "demo.h5")
    _, averages = read_results(done.folder / "demo-average.h5")
    assert [Path(result.source).name for result in results] == FRAMES
    assert averages[0].extras["frames_averaged"] == 2
    assert averages[0].extras["counts"] == pytest.approx(2e7, rel=5 / np.sqrt(2e7))
    for result in (*results, *averages):
        assert result.prediction.is_applicable, result.prediction.reason
        assert result.prediction.values["a"] == pytest.approx(4.0, rel=0.01)
        assert result.prediction.values["porosity"] == pytest.approx(0.3, abs=0.1)
        assert result.extras["warnings"] == ""


def test_table_shows_what_the_files_hold(done: Done) -> None:
    _, (average,) = read_results(done.folder / "demo-average.h5")
    rows = {line.split()[0]: line for line in done.text.splitlines() if line.startswith(("  a (nm)", "  porosity"))}
    for name, true in (("a", 4.0), ("porosity", 0.3)):
        numbers = [float(word) for word in rows[name].split() if word[0].isdigit()]
        shown = [true, average.prediction.values[name], average.prediction.lower[name], average.prediction.upper[name]]
        # two digits of the interval's width are shown
        assert numbers == pytest.approx(
            shown, abs=0.06 * (average.prediction.upper[name] - average.prediction.lower[name])
        )
        is_inside = average.prediction.lower[name] <= true <= average.prediction.upper[name]
        assert rows[name].endswith("yes" if is_inside else "NO")
    with (done.folder / "demo.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    inside = sum(float(row["a_nm_lower"]) <= 4 <= float(row["a_nm_upper"]) for row in table)
    assert f"the true a {inside} times of 2" in done.text


def test_printed_commands_repeat_the_analysis(done: Done, tmp_path: Path) -> None:
    assert len(done.commands) == 2
    for command, name in zip(done.commands, ("demo.h5", "demo-average.h5"), strict=True):
        before = read_results(done.folder / name)[1]
        written = [word for word in command if Path(word).suffix in (".h5", ".csv", ".png")]
        outputs = {word: str(tmp_path / Path(word).name) for word in written}
        again = [outputs.get(word, word) for word in command]
        assert main(["analyze", "--quiet", *again[1:]]) == 0
        after = read_results(tmp_path / name)[1]
        assert [result.prediction.values for result in after] == [result.prediction.values for result in before]
        assert [result.prediction.lower for result in after] == [result.prediction.lower for result in before]


def test_readme_commands_run_in_the_folder(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done.folder)
    readme = (done.folder / "README.txt").read_text()
    commands = [shlex.split(line)[1:] for line in readme.splitlines() if line.startswith("  pyfai-grf analyze")]
    assert len(commands) == 2
    before = read_results("demo-average.h5")[1]
    assert main([*commands[1], "--quiet"]) == 0
    assert read_results("demo-average.h5")[1][0].prediction.values == before[0].prediction.values


@pytest.mark.parametrize("name", ["demo.h5", "demo-average.h5"])
def test_silx_shows_a_curve_at_once(done: Done, name: str) -> None:
    with silx.io.open(str(done.folder / name)) as h5:
        default = silx.io.nxdata.get_default(h5)
        assert default is not None
        assert default.is_curve
        assert default.errors is not None
        assert default.signal.shape[0] >= 500


def test_another_run_replaces_its_own_files_only(done: Done, tmp_path: Path) -> None:
    folder = tmp_path / "shared [1]"  # a pattern must not read the brackets
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    first = run_demo(folder, "--frames", "2", "--counts", "1e6", "--quiet")
    assert (first.status, first.text) == (0, "")
    assert list_names(folder) == OTHERS | {*FRAMES, "notes.txt"}
    second = run_demo(folder, "--frames", "1")
    assert second.status == 0
    assert list_names(folder) == OTHERS | {FRAMES[0], "notes.txt"}
    assert (folder / "notes.txt").read_text() == "mine"
    # the same seed gives the same frame, wherever and however many
    assert (folder / FRAMES[0]).read_bytes() == (done.folder / FRAMES[0]).read_bytes()


@pytest.mark.parametrize("name", ["mask.edf", "README.txt", "demo_00009.cbf"])
def test_foreign_files_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / name).write_text("mine")
    assert main(["demo", "-o", str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert f"{name} is not of an earlier demo" in message
    assert list_names(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "mine"


def test_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert main(["demo", "-o", str(folder)]) == 1
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        assert f"cannot write into {folder}" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frames", "0"], "'0' is not a whole number from 1 to 99999"),
        (["--seed", "-1"], "'-1' is not a seed"),
        (["--seed", str(2**64)], "is not a seed"),
        (["--a", "-4"], "'-4' is not a number from 0.001 to 1e+06"),
        (["--porosity", "inf"], "'inf' is not a number"),
        (["--counts", "0"], "'0' is not a number from 1 to 1e+12"),
    ],
)
def test_impossible_material_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "-o", str(tmp_path / "new"), *arguments])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert words in message
    assert not (tmp_path / "new").exists()


def make_result(a: tuple[float, float, float], reason: str = "") -> Result:
    curve = Curve(np.array([0.1, 0.2]), np.array([1.0, 0.5]))
    (value, lower, upper) = ({"a": number} for number in a)
    return Result("x", 0, curve, PredictionRow(value, lower, upper, not reason, reason))


def test_table_is_honest() -> None:
    head, row = format_table({"a": 4.0}, make_result((4.1234, 4.11, 4.13)), "one frame")
    assert row.split() == ["a", "(nm)", "4", "4.123", "4.110", "to", "4.130", "NO"]
    assert head.index("prediction") == row.index("4.123")
    assert format_table({"a": 4.0}, make_result((4.0, 3.9, 4.1)), "")[1].endswith("yes")
    (note, _, row) = format_table({"a": 4.0}, make_result((np.nan, np.nan, np.nan), "too noisy"), "")
    assert row.split() == ["a", "(nm)", "4", "none"]
    assert note.strip() == "NOT APPLICABLE: too noisy"

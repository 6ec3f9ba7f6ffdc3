"""A report is two files, of a model and not in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pyfai_grf.cli import main
from pyfai_grf.learn.bundle import Model, load_model
from pyfai_grf.learn.evaluate import Evaluation, evaluate_model, format_table
from pyfai_grf.library.shard import Shard

#: ``run`` of conftest.py
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def evaluation(small_bundle: Path) -> Evaluation:
    return evaluate_model(load_model(small_bundle), [], 2)


@pytest.fixture
def measured_once(evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Models are not measured again; the seeds that were asked for."""
    seeds: list[int] = []

    def measure(model: Model, shards: Sequence[Shard], seed: int) -> Evaluation:
        seeds.append(seed)
        return evaluation

    monkeypatch.setattr("pyfai_grf.learn.evaluate.evaluate_model", measure)
    return seeds


def test_libraries_are_no_use_to_a_measured_model(run: Run, small_bundle: Path) -> None:
    done = run("evaluate", small_bundle, "library.h5")
    assert done.status == 2
    assert "@paper" in done.err


@pytest.mark.usefixtures("measured_once")
def test_a_report_is_two_files_however_it_is_named(small_bundle: Path, tmp_path: Path) -> None:
    for name in ("one", "two.md", "three.PNG"):
        assert main(["evaluate", str(small_bundle), "-o", str(tmp_path / name), "--quiet"]) == 0
    expected = {f"{base}{end}" for base in ("one", "two", "three") for end in (".md", ".png")}
    assert {path.name for path in tmp_path.iterdir()} == expected


@pytest.mark.parametrize("name", ["REPORT", "model.json", "more/x.md"])
def test_a_report_is_not_written_into_the_bundle(
    small_bundle: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in small_bundle.iterdir()}
    assert main(["evaluate", str(small_bundle), "-o", str(small_bundle / name)]) == 1
    assert "which is an input" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in small_bundle.iterdir()} == before


def test_evaluate_prints_the_table_and_writes_a_report(
    run: Run, small_bundle: Path, evaluation: Evaluation, tmp_path: Path
) -> None:
    """The same seed, in another call: the same figures to the last digit shown."""
    done = run("evaluate", small_bundle, "-o", tmp_path / "report")
    assert (done.status, done.err) == (0, "")
    table = format_table(load_model(small_bundle), evaluation.errors)
    assert done.out.rstrip() == table
    assert table in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_seed_is_handed_on(run: Run, small_bundle: Path, measured_once: list[int]) -> None:
    assert run("evaluate", small_bundle).status == 0
    assert run("evaluate", small_bundle, "--seed", 17, "--quiet") == (0, "", "")
    assert measured_once == [2, 17]


@pytest.mark.usefixtures("measured_once")
def test_a_report_replaces_the_last_one(run: Run, small_bundle: Path, tmp_path: Path) -> None:
    for end in ("md", "png"):
        (tmp_path / f"report.{end}").write_text("the last one")
    assert run("evaluate", small_bundle, "-o", tmp_path / "report", "--quiet").status == 0
    assert "| a |" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("two-phase-low-porosity@paper", "gone.h5"), "gone.h5"),
        (("wood",), "'wood'"),
        (("BUNDLE", "-o", "nowhere/report"), "no folder"),
    ],
)
def test_what_cannot_be_measured_is_said_before_the_work(
    run: Run,
    small_bundle: Path,
    measured_once: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("evaluate", *(small_bundle if word == "BUNDLE" else word for word in arguments))
    assert (done.status, done.out, len(done.complaints)) == (1, "", 1)
    assert said in done.err
    assert measured_once == []
    assert not list(tmp_path.iterdir())

"""A line is a line, and tells the terminal nothing, whatever the files are called and hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyfai_grf.cli import main
from pyfai_grf.core.spelling import spell_out
from pyfai_grf.theory.closed_form import expected_intensity

#: a bell, a colour, a title for the window, a line feed, a way back, and a mark that turns the direction
EVIL = "\x07\x1b[31m\x1b]0;owned\x07\nroot\r\x9b2J\u202egnp.dat"


def _write_curve(path: Path) -> None:
    q = [0.05 + 0.0123 * n for n in range(200)]
    values = expected_intensity(q, 3.0, 0.3)
    path.write_text("# q(1/nm) I\n" + "".join(f"{a} {b}\n" for a, b in zip(q, values, strict=True)))


@pytest.mark.skipif(os.name == "nt", reason="names there are tamer")
@pytest.mark.parametrize("options", [[], ["--json"], ["--verbose"]])
def test_names_do_nothing_to_the_terminal(small_bundle: Path, tmp_path: Path, options: list[str]) -> None:
    """A good curve and bad ones of such a name, and a command line with it; in a process of its own."""
    _write_curve(tmp_path / EVIL)
    (tmp_path / f"empty{EVIL}").touch()
    names = [str(tmp_path / name) for name in (EVIL, f"empty{EVIL}", f"missing{EVIL}")]
    command = [sys.executable, "-m", "pyfai_grf", "predict", *names, "--material", str(small_bundle), *options]
    done = subprocess.run([*command, "-o", str(tmp_path / f"out{EVIL}.h5")], capture_output=True, check=False)
    assert done.returncode == 1
    for stream in (done.stdout, done.stderr):
        assert spell_out(stream.decode().replace("\n", "")) == stream.decode().replace("\n", "")
    assert done.stderr.count(b"/empty") == done.stderr.count(b"/missing") == 1
    if options == ["--json"]:
        assert json.loads(done.stdout)["source"] == str(tmp_path / EVIL)
    elif not options:
        assert sum(b"root" in line for line in done.stdout.splitlines()) == 1
    again = subprocess.run(
        [*command[:4], str(tmp_path / f"out{EVIL}.h5"), "--material", f"no{EVIL}"], capture_output=True, check=False
    )
    assert again.returncode == 2
    assert again.stderr.count(b"\n") == 1
    assert b"\x1b" not in again.stderr


def test_texts_out_of_a_bundle_do_nothing_to_the_terminal(
    small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from pyfai_grf.learn.bundle import load_model, save_model

    model = load_model(small_bundle)
    save_model(replace(model, name=EVIL), tmp_path / "bundle")
    for command in (["models"], ["models", "--json"], ["evaluate"]):
        assert main([command[0], str(tmp_path / "bundle"), *command[1:]]) == 0
        out = capsys.readouterr().out
        assert spell_out(out.replace("\n", "")) == out.replace("\n", "")

"""Ctrl-C at any moment: one line, status 130, and what is on the disk is whole; a kill leaves nothing half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.io.results import export, read_results
from pyfai_grf.theory.closed_form import expected_intensity

pytestmark = [
    pytest.mark.kills,
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]

#: starts the command as the installed one does, and says when it has been reached: until then Python itself answers
START = "import sys; from pyfai_grf.__main__ import main; sys.stderr.write('@'); sys.stderr.flush(); sys.exit(main())"


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("curves")
    q = np.linspace(0.05, 2.5, 200)
    np.savetxt(folder / "curve.dat", np.column_stack([q, expected_intensity(q, 3.0, 0.3)]), header="q(1/nm) I")
    for number in range(40):
        os.link(folder / "curve.dat", folder / f"curve_{number:02d}.dat")
    (folder / "curve.dat").unlink()
    return folder


def _start(*arguments: object) -> subprocess.Popen[bytes]:
    """Start a command and return when its first line runs."""
    command = [sys.executable, "-c", START, *map(str, arguments)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stderr
    assert run.stderr.read(1) == b"@"
    return run


def _check_end(run: subprocess.Popen[bytes]) -> int:
    """Check what a run that got one Ctrl-C says, and return its status: 130, or what it had come to by then."""
    _, err = run.communicate(timeout=120)
    text = err.decode()
    assert "Traceback" not in text, text
    assert "ignored" not in text, text
    lines = [line for line in text.splitlines() if "warning" not in line]
    if run.returncode == 130:
        assert len(lines) == 1, text
        assert lines[0].startswith("pyfai-grf")
        assert "stopped" in lines[0]
    else:
        assert (run.returncode, lines) == (0, [])
    return run.returncode


@pytest.mark.parametrize("delay_ms", [0, 1, 3, 10, 30, 60, 100, 200, 400, 800])
def test_ctrl_c_while_modules_are_loaded(small_bundle: Path, curves: Path, tmp_path: Path, delay_ms: int) -> None:
    output = tmp_path / "out.h5"
    run = _start("predict", *sorted(curves.iterdir()), "--material", small_bundle, "-o", output, "--quiet")
    time.sleep(delay_ms / 1000)
    run.send_signal(signal.SIGINT)
    _check_end(run)
    names = {path.name for path in tmp_path.iterdir()}
    assert names <= {"out.h5"}
    if names:
        assert export(output) == len(read_results(output)[1])


@pytest.mark.parametrize("where", ["a destructor", "a compiled function"])
def test_ctrl_c_where_nothing_can_be_raised_is_not_lost(where: str) -> None:
    """Python drops it in a destructor; compiled code prints it, too, and goes on."""
    code = f"""
        import signal, sys, pyfai_grf.cli, pyfai_grf.__main__ as command
        class Dropped:
            def __del__(self):
                signal.raise_signal(signal.SIGINT)
        def run():
            if {where!r} == "a compiled function":
                sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
            Dropped()
            for _ in range(10**9):
                pass
        pyfai_grf.cli.main = run
        sys.exit(command.main())
    """
    # a shell starts what runs in the background deaf to Ctrl-C, and its children with it
    wake = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-c", wake + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "pyfai-grf: stopped\n")


def test_no_alarm_outlives_the_command() -> None:
    """Asked for again while a module is loaded, and the run ended before: a second later all is as it was."""
    code = """
        import signal, sys, time, pyfai_grf.cli, pyfai_grf.__main__ as command
        def run():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            command._ask_again()
            return 0
        pyfai_grf.cli.main = run
        status = command.main()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        time.sleep(0.2)
        sys.exit(status)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("count", [1, 3, 20])
def test_ctrl_c_in_a_run_leaves_complete_files(small_bundle: Path, curves: Path, tmp_path: Path, count: int) -> None:
    """Sent when that many lines have been printed: the rows are in both files, and the results file is complete."""
    output, table = tmp_path / "out.h5", tmp_path / "out.csv"
    run = _start("predict", *sorted(curves.iterdir()), "--material", small_bundle, "-o", output, "--csv", table)
    while not table.exists() or table.read_text().count("\n") <= count:
        time.sleep(0.005)
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    _check_end(run)
    rows = read_results(output)[1]
    assert len(rows) >= count
    before = output.read_bytes()
    assert export(output) == len(rows)
    assert output.read_bytes() == before  # nothing was left to do
    assert {path.name for path in tmp_path.iterdir()} == {"out.h5", "out.csv"}


@pytest.mark.parametrize("delay_ms", [0, 10, 20, 30, 50, 100])
def test_a_kill_in_the_first_moments_leaves_nothing_half(
    small_bundle: Path, curves: Path, tmp_path: Path, delay_ms: int
) -> None:
    """From the moment that something is written: the file is not there, or it can be read and completed."""
    output = tmp_path / "out.h5"
    run = _start("predict", *sorted(curves.iterdir()), "--material", small_bundle, "-o", output, "--quiet")
    while not list(tmp_path.iterdir()):
        time.sleep(0.001)
        assert run.poll() is None
    time.sleep(delay_ms / 1000)
    run.kill()
    run.communicate()
    if output.exists():
        count = len(read_results(output)[1])
        assert export(output) == count
    again = _start("predict", *sorted(curves.iterdir()), "--material", small_bundle, "-o", output, "--overwrite")
    assert again.communicate()[1] == b""
    assert len(read_results(output)[1]) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]


def test_ctrl_c_that_nobody_wants_to_hear(small_bundle: Path, curves: Path) -> None:
    """A shell starts what runs in the background so that Ctrl-C does not reach it."""
    code = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {START}"
    command = [sys.executable, "-c", code, "predict", str(curves / "curve_00.dat"), "--material", str(small_bundle)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stderr
        run.stderr.read(1)
        for _ in range(10):
            run.send_signal(signal.SIGINT)
            time.sleep(0.05)
        assert run.wait() in (0, 1)  # it ends by itself; whether the model applies is another matter


def test_two_runs_do_not_write_one_file(small_bundle: Path, curves: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.h5"
    command = ("predict", *sorted(curves.iterdir()), "--material", small_bundle, "-o", output, "--quiet", "--overwrite")
    first = _start(*command)
    while not output.exists():
        time.sleep(0.005)
        assert first.poll() is None
    first.send_signal(signal.SIGSTOP)
    second = _start(*command)
    _, err = second.communicate(timeout=120)
    assert second.returncode == 1
    assert err.decode().startswith(f"pyfai-grf predict: {output} is being written by process {first.pid} on ")
    assert err.count(b"\n") == 1
    first.send_signal(signal.SIGCONT)
    assert first.communicate()[1] == b""
    assert len(read_results(output)[1]) == 40

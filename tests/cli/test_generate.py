"""pyfai-grf generate: its line of progress, its one line on what goes wrong, and what a stop leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from pyfai_grf.cli import main
from pyfai_grf.core.versions import GENERATOR_VERSION
from pyfai_grf.library.shard import Setting, Shard, open_shard

SMALL = ("--shape", "32", "--device", "cpu")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "library-1.h5"


def test_workers_and_spectrum(path, capsys):
    command = ["generate", str(path), "--count"]
    assert main([*command, "4", *SMALL, "--spectrum", "power:n=6", "--workers", "2"]) == 0
    assert open_shard(path).setting == Setting(1, shape=32, spectrum="power:n=6")
    assert main([*command, "6", "--device", "cpu"]) == 0  # the file knows the rest
    assert capsys.readouterr().out == f"{path}: 4 structures\n{path}: 6 structures\n"
    assert main([*command, "7", "--device", "cpu", "--spectrum", "roding2022"]) == 1
    assert "made with spectrum power:n=6, not roding2022: use another file" in capsys.readouterr().err
    assert len(open_shard(path).structures) == 6


def test_a_library_of_an_older_generator(path, capsys):
    Shard(path, Setting(1, shape=32, generator_version=0)).save()
    assert main(["generate", str(path), "--count", "3", "--device", "cpu"]) == 1
    said = capsys.readouterr().err
    assert f"made by generator version 0, this is version {GENERATOR_VERSION}: it can be used as it is but not" in said
    assert "start another file with another seed (--seed N)" in said


@pytest.mark.parametrize("options", [["--workers", "0"], ["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"]])
def test_wrong_usage(path, options, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["generate", str(path), "--count", "3", *SMALL, *options])
    assert stop.value.code == 2
    assert "--workers" in capsys.readouterr().err
    assert not path.exists()


def test_the_help_has_the_recipes(capsys):
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    text = capsys.readouterr().out
    for line in ("dask worker --scheduler-file cluster.json --nworkers", "from dask_jobqueue import SLURMCluster"):
        assert line in text


def test_quiet_is_quiet(path, capsys):
    assert main(["generate", str(path), "--count", "2", *SMALL, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


# --- stopped ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_on_a_terminal(path, workers):
    """Every process of the terminal gets it: one line, status 130, and what was made is saved."""
    pty = pytest.importorskip("pty", reason="no terminals on this system")
    client, terminal = pty.openpty()
    command = [sys.executable, "-m", "pyfai_grf", "generate", str(path), "--count", "100000", *SMALL]
    process = subprocess.Popen(
        [*command, "--workers", workers], stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=_own_terminal
    )
    os.close(terminal)
    shown = b""
    while b" left, " not in shown:  # structures have come in, and the line has been drawn a few times
        shown += os.read(client, 4096)
        assert process.poll() is None
    os.write(client, b"\x03")
    shown += _read_all(client)
    assert process.wait(timeout=60) == 130
    *_, last = shown.decode().split("\n")[:-1]
    assert last.strip() == "pyfai-grf generate: stopped; what was written is kept"
    assert b"Traceback" not in shown
    assert b" structures, " in shown
    assert b" left, " + workers.encode() + b" worker" in shown
    assert len(open_shard(path).structures) > 0


def _own_terminal():
    """Make the terminal on standard input the controlling one, so that Ctrl-C reaches its processes."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_all(descriptor):
    found = b""
    try:
        while part := os.read(descriptor, 4096):
            found += part
    except OSError:  # the other side is closed
        pass
    os.close(descriptor)
    return found


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk(path, workers):
    """Files may not grow beyond 12 kB: one line, status 1, and the file of the last save."""
    pytest.importorskip("resource", reason="no file size limits on this system")
    program = f"""
        import resource, sys
        from pyfai_grf.cli import main
        from pyfai_grf.library import generate
        generate._SAVE_EVERY_S, generate._SAVE_SHARE = -1.0, 1.0
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, resource.RLIM_INFINITY))
        sys.exit(main(["generate", {str(path)!r}, "--count", "1000", "--workers", {workers!r}, *{SMALL!r}]))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"pyfai-grf generate: cannot write {path}: ")
    assert "what was saved before is intact, free some space and run again" in line
    held = len(open_shard(path).structures)
    assert 0 < path.stat().st_size <= 12_000
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert main(["generate", str(path), "--count", str(held + 20), *SMALL, "--quiet"]) == 0
    assert len(open_shard(path).structures) == held + 20


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP on this system")
def test_a_stopped_run_continues(path):
    """Ctrl-Z and fg: nothing is lost."""
    command = [sys.executable, "-m", "pyfai_grf", "generate", str(path), "--count", "400", *SMALL, "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not path.exists():
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=120) == (f"{path}: 400 structures\n", "")

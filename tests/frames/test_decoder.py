"""Damaged files end or hang the process that decodes frames: that costs a frame, or the file, and no more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fabio.edfimage
import h5py
import hdf5plugin
import numpy as np
import pytest

from pyfai_grf.core import messages
from pyfai_grf.core.errors import InputError
from pyfai_grf.frames import decoder
from pyfai_grf.frames.frame import Frame
from pyfai_grf.frames.images import announce_source, read_frames, read_mean, read_series

pytestmark = pytest.mark.kills

IMAGE = np.random.default_rng(3).poisson(5.0, (60, 70)).astype(np.int32)


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> float:
    """The seconds that a frame may take in a test that waits for their end."""
    monkeypatch.setattr(decoder, "TIME_LIMIT_S", 1.0)
    return 1.0


@pytest.fixture
def own_decoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[decoder.Decoder]:
    """A decoder for one test, whose process has not been started."""
    one = decoder.Decoder()
    monkeypatch.setattr(decoder, "_decoder", one)
    yield one
    one.stop()


@pytest.fixture
def write_crashing(tmp_path: Path) -> Callable[..., str]:
    """A function that writes a stack of frames, of which those at ``damaged`` end whoever decodes them."""

    def write(frames: int, damaged: tuple[int, ...]) -> str:
        path = tmp_path / "crash.h5"
        with h5py.File(path, "w") as file:
            stack = np.stack([IMAGE + index for index in range(frames)]).astype(np.uint32)
            data = file.create_dataset("data", data=stack, chunks=(1, *IMAGE.shape), **hdf5plugin.Bitshuffle())
            for index in damaged:
                _, chunk = data.id.read_direct_chunk((index, 0, 0))
                # bytes 12 to 16: the size of the first LZ4 block; the filter believes it and reads beyond its memory
                data.id.write_direct_chunk((index, 0, 0), chunk[:12] + (2**31 - 1).to_bytes(4, "big") + chunk[16:])
        return str(path)

    return write


@pytest.fixture
def endless_edf(tmp_path: Path) -> str:
    """An EDF file over whose header fabio counts to 10^20."""
    path = tmp_path / "endless.edf"
    fabio.edfimage.EdfImage(data=IMAGE).write(str(path))
    path.write_bytes(path.read_bytes().replace(b"Dim_1 ", b"Dim_99999999999999999999 "))
    return str(path)


def collect(frames: Iterator[Frame]) -> tuple[list[int], list[str]]:
    """Return the numbers of the frames that can be read, and what is said of the others."""
    numbers: list[int] = []
    problems: list[str] = []
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return numbers, problems
        except InputError as problem:
            problems.append(str(problem))
        else:
            np.testing.assert_array_equal(frame.data, IMAGE + frame.index)
            numbers.append(frame.index)


def get_process(one: decoder.Decoder) -> subprocess.Popen[bytes]:
    assert one._process is not None
    return one._process


def test_a_chunk_that_crashes_its_filter_costs_one_frame(write_crashing: Callable[..., str]) -> None:
    numbers, problems = collect(read_frames(write_crashing(5, (2,))))
    assert numbers == [0, 1, 3, 4]
    assert len(problems) == 1
    if os.name == "posix":
        assert "crash.h5: frame 2 cannot be read: decoding it ended in SIG" in problems[0]


def test_a_file_that_crashes_again_and_again_is_given_up(write_crashing: Callable[..., str]) -> None:
    numbers, problems = collect(read_frames(write_crashing(9, tuple(range(1, 9)))))
    assert numbers == [0]
    assert len(problems) == 3
    assert problems[-1].endswith("the rest of the file is left out")


def test_start_does_not_decode_the_frames_before(
    own_decoder: decoder.Decoder, write_crashing: Callable[..., str]
) -> None:
    frames = read_frames(write_crashing(4, (0, 1)), start=2)
    assert next(frames).index == 2
    first = get_process(own_decoder)
    assert collect(frames) == ([3], [])
    assert get_process(own_decoder) is first


def test_a_dark_with_a_crashing_frame_is_an_error(write_crashing: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="frame 1 cannot be read"):
        read_mean([write_crashing(2, (1,))])


def test_a_header_without_end_costs_its_file_and_the_message_names_the_limit(
    endless_edf: str, short_limit: float, tmp_path: Path
) -> None:
    fabio.edfimage.EdfImage(data=IMAGE).write(str(tmp_path / "good.edf"))
    problems: list[InputError] = []
    frames = list(read_series([endless_edf, str(tmp_path / "good.edf")], problems.append))
    np.testing.assert_array_equal([frame.data for frame in frames], [IMAGE])
    (problem,) = problems
    assert f"endless.edf: frame 0 was not read within {short_limit:.0f} s" in str(problem)


def test_a_file_read_ahead_does_not_spoil_the_one_before(
    endless_edf: str, write_crashing: Callable[..., str], short_limit: float
) -> None:
    announce_source(endless_edf)  # the process is lost over it while something else is asked for
    assert collect(read_frames(write_crashing(2, ()))) == ([0, 1], [])


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_process_that_somebody_ends_is_replaced(
    own_decoder: decoder.Decoder, write_crashing: Callable[..., str]
) -> None:
    frames = read_frames(write_crashing(4, ()))
    first = next(frames)
    get_process(own_decoder).send_signal(signal.SIGKILL)
    assert collect(frames) == ([1, 2, 3], [])
    assert first.index == 0


def test_an_interrupt_in_the_middle_of_a_frame_leaves_nothing_behind(
    own_decoder: decoder.Decoder, write_crashing: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = read_frames(write_crashing(3, ()))
    next(frames)
    with monkeypatch.context() as patch:

        def interrupt(stream: Any, buffer: Any) -> Any:
            raise KeyboardInterrupt

        patch.setattr(messages, "_fill", interrupt)
        with pytest.raises(KeyboardInterrupt):
            next(frames)
    assert collect(frames) == ([1, 2], [])


@pytest.mark.parametrize("program", ["", "false"])
def test_without_a_process_frames_are_decoded_here(
    program: str,
    own_decoder: decoder.Decoder,
    write_crashing: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    if program:  # one that ends at once
        (tmp_path / program).write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / program) if program else "")
    path = write_crashing(3, ())
    for start in (0, 1):
        assert collect(read_frames(path, start)) == ([*range(start, 3)], [])
    assert own_decoder._process is None
    (record,) = (r for r in caplog.records if "decoded in this process" in r.getMessage())
    assert ("no such module" if program and os.name == "posix" else "") in record.getMessage()


_SCRIPT = """
import sys
sys.stdout.write("started ")
from pyfai_grf.frames.images import read_frames
sys.stdout.write(",".join(str(frame.index) for frame in read_frames(sys.argv[1])))
"""


@pytest.mark.parametrize("how", ["script", "code", "input"])
def test_a_main_module_without_a_guard_runs_once(how: str, write_crashing: Callable[..., str], tmp_path: Path) -> None:
    """As a script, in ``python -c``, and as a notebook does it, in a main module that has no file."""
    path, script = write_crashing(3, ()), tmp_path / "script.py"
    script.write_text(_SCRIPT)
    arguments = {"script": [str(script)], "code": ["-c", _SCRIPT], "input": ["-"]}[how]
    done = subprocess.run(
        [sys.executable, *arguments, path], input=_SCRIPT, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "started 0,1,2"
    assert done.stderr == ""


_FORKING = """
import os, sys
from pyfai_grf.frames.images import read_frames
frames = read_frames(sys.argv[1])
next(frames)
child = os.fork()
found = [frame.index for frame in frames]  # in both, at the same time
if child == 0:
    os._exit(0 if found == [1, 2, 3] else 1)
sys.exit(os.waitpid(child, 0)[1] or found != [1, 2, 3])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_decodes_on_its_own(write_crashing: Callable[..., str]) -> None:
    done = subprocess.run([sys.executable, "-c", _FORKING, write_crashing(4, ())], check=False, timeout=120)
    assert done.returncode == 0


_KILLED = """
import os, signal, sys
from pyfai_grf.frames import decoder
from pyfai_grf.frames.images import read_frames
next(read_frames(sys.argv[1]))
print(decoder.get_decoder()._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="asks for a process by a signal")
def test_nothing_is_left_running_after_a_killed_run(write_crashing: Callable[..., str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, write_crashing(2, ())], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    end = time.monotonic() + 30
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < end and not is_zombie(int(done.stdout)):
            os.kill(int(done.stdout), 0)
            time.sleep(0.05)
    assert time.monotonic() < end


def is_zombie(process: int) -> bool:
    """Return whether the process has ended and only nobody has asked for its status, as in some containers."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False

"""What the decoding process says to requests, and what it does before the next one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pyfai_grf.core.child_process import PATIENCE_S, end_child, start_child
from pyfai_grf.frames import wire
from pyfai_grf.frames.frame import Frame

IMAGE = np.random.default_rng(3).poisson(5.0, (30, 40)).astype(np.int32)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    child = start_child("from pyfai_grf.frames.decoder_process import serve; serve()", errors=subprocess.DEVNULL)
    yield child
    assert end_child(child, PATIENCE_S) in (0, -9)


@pytest.fixture
def path(tmp_path: Path) -> str:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["data"] = np.stack([IMAGE, IMAGE + 1, IMAGE + 2])
    return str(tmp_path / "s.h5")


def send(process: subprocess.Popen[bytes], **request: Any) -> None:
    assert process.stdin is not None
    wire.send(process.stdin, {"inner": "", "limit_s": 60.0, "name": "s.h5", **request})


def receive(process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], Frame | None]:
    assert process.stdout is not None
    return wire.receive(process.stdout)


def test_each_frame_is_announced_and_the_next_is_decoded_before_it_is_asked_for(
    process: subprocess.Popen[bytes], path: str
) -> None:
    assert receive(process)[0] == {"ready": True}
    send(process, do="read", number=5, path=path, index=1)
    assert receive(process)[0] == {"begin": [5, 1]}  # opening the file
    assert receive(process)[0] == {"count": 3, "number": 5}
    assert receive(process)[0] == {"begin": [5, 1]}
    head, frame = receive(process)
    assert head == {"number": 5, "count": 3, "problem": "", "log": []}
    assert frame is not None
    np.testing.assert_array_equal(frame.data, IMAGE + 1)
    assert receive(process)[0] == {"begin": [5, 2]}  # nobody has asked for it
    send(process, do="read", number=5, path=path, index=2)
    assert receive(process)[0] == {"count": 3, "number": 5}
    assert receive(process)[1] is not None
    send(process, do="read", number=5, path=path, index=3)  # past the end, of a file that was closed meanwhile
    heads = [receive(process)[0] for _ in range(3)]
    assert heads[-1] == {"number": 5, "count": 3, "problem": "", "log": []}


def test_an_announced_source_is_ready_and_a_closed_one_is_forgotten(
    process: subprocess.Popen[bytes], path: str
) -> None:
    assert receive(process)[0] == {"ready": True}
    send(process, do="prepare", number=1, path=path)
    heads = [receive(process)[0] for _ in range(3)]
    assert heads == [{"begin": [1, 0]}, {"count": 3, "number": 1}, {"begin": [1, 0]}]
    send(process, do="read", number=1, path=path, index=0)
    assert receive(process)[0] == {"count": 3, "number": 1}
    assert receive(process)[1] is not None  # without beginning again
    assert receive(process)[0] == {"begin": [1, 1]}
    send(process, do="close", number=1)
    send(process, do="read", number=1, path=path, index=0)
    assert receive(process)[0] == {"begin": [1, 0]}


def test_what_is_wrong_and_what_libraries_log_comes_with_the_answer(
    process: subprocess.Popen[bytes], path: str, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for number, name in enumerate(("s.h5", "missing.h5"), 1):
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "/data")
    assert receive(process)[0] == {"ready": True}
    send(process, do="read", number=1, path=str(tmp_path / "master.h5"), inner="/entry/data", index=0)
    while "problem" not in (answer := receive(process))[0]:
        pass
    (log,) = answer[0]["log"]
    assert "1 of 2 linked data files are missing" in log[2]
    send(process, do="read", number=2, path=str(tmp_path / "none.h5"), index=0)
    while (head := receive(process)[0]).get("number") != 2:
        pass
    assert head["count"] == 0
    assert "no such file" in head["problem"]


def test_it_ends_with_its_client(process: subprocess.Popen[bytes]) -> None:
    assert receive(process)[0] == {"ready": True}
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0

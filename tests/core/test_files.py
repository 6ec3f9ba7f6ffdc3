"""Only regular files are opened: what may block or never end is refused before."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.files import check_regular_file

POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes, sockets and devices with a path")


def test_a_file_and_a_link_to_one_pass(tmp_path: Path) -> None:
    (tmp_path / "a.edf").touch()
    check_regular_file(tmp_path / "a.edf")
    if os.name == "posix":
        (tmp_path / "link").symlink_to("a.edf")
        check_regular_file(str(tmp_path / "link"))


@pytest.mark.parametrize(
    ("name", "words"), [("none.edf", "no such file: .*none.edf"), ("", "is a folder"), ("a\0b", "not the name")]
)
def test_what_is_not_there_or_a_folder_is_named(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_regular_file(f"{tmp_path}/{name}")


@POSIX
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.cbf")
    with pytest.raises(InputError, match=r"pipe\.cbf is a pipe: save what it gives"):
        check_regular_file(tmp_path / "pipe.cbf")


@POSIX
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket may have 100 characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(InputError, match="s is a socket"):
            check_regular_file("s")


@POSIX
@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is a device"):
        check_regular_file(name)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/fd is a link into /proc on Linux")
def test_a_file_that_is_open_already_is_to_be_named_itself(tmp_path: Path) -> None:
    with open(tmp_path / "a.edf", "w") as file, pytest.raises(InputError, match="name the file itself"):
        check_regular_file(f"/dev/fd/{file.fileno()}")


@POSIX
def test_a_link_that_leads_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"cannot read .*loop: "):
        check_regular_file(tmp_path / "loop")

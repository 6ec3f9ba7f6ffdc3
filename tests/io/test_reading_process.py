"""What two processes send each other arrives as it was, and nonsense is an error and no more."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pyfai_grf.core.child_process import end_child, start_child
from pyfai_grf.core.messages import send_message
from pyfai_grf.io.columns import Columns
from pyfai_grf.io.reading_process import receive, send

Q = np.linspace(0.05, 3.0, 40)


def make_columns(**more: Any) -> Columns:
    given = {"q": Q, "intensity": Q**-4.0, "sigma": None, "weight": None, "unit": "1/Å", "axis": "q", "where": "c.h5"}
    return Columns(**{**given, **more})


def pass_on(head: dict[str, Any], columns: Columns | None) -> tuple[dict[str, Any], Columns | None]:
    """Return what arrives of a message, and hold that nothing is left behind it."""
    pipe = io.BytesIO()
    send(pipe, head, columns)
    pipe.seek(0)
    found = receive(pipe)
    assert pipe.read() == b""
    return found


@pytest.mark.parametrize("head", [{}, {"end": "Å\n\udce9"}, {"problem": "one line", "limit_s": 1.5}])
def test_head_arrives_without_columns(head: dict[str, Any]) -> None:
    assert pass_on(head, None) == (head, None)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"sigma": np.where(Q > 1, np.nan, 0.1), "weight": np.full(40, np.inf)},
        {"q": np.zeros(0), "intensity": np.zeros(0)},
        {"q": Q.astype(">f4"), "intensity": np.arange(40)},
        {"q": Q[::-1], "intensity": np.tile(Q, (3, 1)).T[:, 1]},  # not one after the other in memory
        {"metadata": {"source": "c.h5::/é", "frame": 3, "warnings": ["w"], "position": {"slow": 1}}, "slit": "dQl"},
        {"q": Q[:3]},  # columns that do not fit together are for others to refuse
    ],
)
def test_columns_arrive_as_they_were(more: dict[str, Any]) -> None:
    sent = make_columns(**more)
    head, found = pass_on({"answer": 1}, sent)
    assert head == {"answer": 1}
    for name in ("q", "intensity", "sigma", "weight"):
        np.testing.assert_equal(getattr(found, name), getattr(sent, name))
    for name in ("unit", "axis", "where", "metadata", "slit"):
        assert getattr(found, name) == getattr(sent, name)
    assert found.q.dtype == np.dtype("f8")
    found.q[:] = 0  # one's own, to be changed


def test_messages_arrive_one_by_one() -> None:
    pipe = io.BytesIO()
    for number in range(3):
        send(pipe, {"number": number}, make_columns(q=Q + number) if number != 1 else None)
    pipe.seek(0)
    found = [receive(pipe) for _ in range(3)]
    assert [head["number"] for head, _ in found] == [0, 1, 2]
    assert found[1][1] is None
    np.testing.assert_array_equal(found[2][1].q, Q + 2)
    with pytest.raises(EOFError):
        receive(pipe)


ABOUT = {"unit": "", "axis": "", "where": ""}


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ({"columns": ABOUT}, KeyError),  # without sizes
        ({"columns": ABOUT, "sizes": {"q": -1}}, ValueError),
        ({"columns": ABOUT, "sizes": {"q": 2**23 + 1}}, ValueError),
        ({"columns": ABOUT, "sizes": {"q": 10**30}}, ValueError),
        ({"columns": ABOUT, "sizes": {"q": "many"}}, ValueError),
        ({"columns": ABOUT, "sizes": {"q": None}}, TypeError),
        ({"columns": ABOUT, "sizes": {"q": 3}}, EOFError),  # and then they do not come
        ({"columns": {"unit": ""}, "sizes": {}}, TypeError),
        ({"columns": {**ABOUT, "evil": 1}, "sizes": {}}, TypeError),
        ({"columns": ABOUT, "sizes": {"evil": 0}}, TypeError),
    ],
)
def test_nonsense_is_an_error_that_the_reader_expects(head: dict[str, Any], problem: type[Exception]) -> None:
    """None of these makes memory for what is only claimed."""
    pipe = io.BytesIO()
    send_message(pipe, head)
    pipe.seek(0)
    with pytest.raises(problem):
        receive(pipe)


def test_the_process_answers_until_nobody_asks(tmp_path: Path) -> None:
    """A name relative to a folder, one that is not there, and a file of which a part is refused; then it ends."""
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        group = file.create_group("stack")
        group.attrs.update({"NX_class": "NXdata", "signal": "I", "axes": [".", "Q"]})
        group.update({"Q": Q, "I": np.stack([Q, np.full(40, np.nan), 2 * Q])})
        group["Q"].attrs["units"] = "1/nm"
    process = start_child("from pyfai_grf.io.reading_process import serve; serve()", errors=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(path: str, inner: str) -> list[tuple[dict[str, Any], Columns | None]]:
        send(process.stdin, {"folder": str(tmp_path), "path": path, "inner": inner, "limit_s": 60.0})
        found = [receive(process.stdout)]
        while "end" not in found[-1][0]:
            found.append(receive(process.stdout))
        return found

    try:
        first, second, problem, end = ask("stack.h5", "")
        np.testing.assert_array_equal([first[1].intensity, second[1].intensity], [Q, 2 * Q])
        assert second[1].where == "stack.h5::/stack frame 2"
        assert "1 of 3 frames" in problem[0]["problem"]
        assert end == ({"end": ""}, None)
        ((refused, _),) = ask("stack.h5", "gone")
        assert "stack.h5::gone" in refused["end"]
        assert len(ask("stack.h5", "/stack")) == 4
        process.stdin.close()
        assert process.wait(30) == 0
    finally:
        end_child(process)

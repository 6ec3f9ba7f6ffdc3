"""One task done here: its result, or one line on what went wrong."""

from __future__ import annotations

import pytest

from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import GrfError, InputError
from pyfai_grf.workers.work import attempt_group, attempt_task


def test_a_group_is_done_in_order(chores):
    results, seconds = attempt_group(chores.Square(), get_backend("cpu"), (3, 1, 2))
    assert results == [9, 1, 4]
    assert seconds > 0


def test_what_goes_wrong_is_one_line_with_a_hint(chores):
    with pytest.raises(
        GrfError, match=r"^square 3 failed \(MemoryError: Unable to allocate 9 GB\): use fewer"
    ) as found:
        attempt_task(chores.Fail(), get_backend("cpu"), 3)
    assert found.value.hint == "fewer workers"
    assert isinstance(found.value.__cause__, MemoryError)


@pytest.mark.parametrize(
    ("problem", "text"),
    [(ValueError("a\n  b"), "ValueError: a b"), (KeyError(), "KeyError: no further text")],
)
def test_other_problems_have_no_advice(chores, problem, text):
    with pytest.raises(GrfError) as found:
        attempt_task(chores.Raise(problem), get_backend("cpu"), 7)
    assert str(found.value) == f"square 7 failed ({text})"
    assert found.value.hint == ""


def test_an_error_of_our_own_stays_as_it_is(chores):
    own = InputError("the porosity is 2")
    with pytest.raises(InputError) as found:
        attempt_task(chores.Raise(own), get_backend("cpu"), 7)
    assert found.value is own

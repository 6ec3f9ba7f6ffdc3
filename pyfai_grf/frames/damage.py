"""What a library says over a damaged file, in one line that can be printed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pyfai_grf.core.errors import InputError, describe_problem

#: characters of a library's message that are passed on: some repeat what they found in the file
_MOST_CHARACTERS = 300


@contextlib.contextmanager
def explain_damage(
    what: str, advice: str, advice_for: tuple[tuple[str, str], ...] = (), inside: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Raise InputError, one line, for whatever goes wrong with ``what``.

    ``advice`` ends the line, or that of the first (word, advice) in ``advice_for`` whose word the library says.
    What errors of the kinds ``inside`` say is about the library, and not passed on.
    """
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"cannot read {what}: it would take more memory than there is: is it damaged?") from None
    except Exception as problem:  # h5py and each of fabio's forty readers fail in their own ways
        is_quoted = isinstance(problem, KeyError) and problem.args
        text = str(problem.args[0]) if is_quoted else describe_problem(problem)
        for word, other in reversed(advice_for):
            advice = other if word in text else advice
        if isinstance(problem, inside):
            text = "it is no readable image"
        text = "".join(letter if letter.isprintable() else "?" for letter in text[:_MOST_CHARACTERS])
        raise InputError(f"cannot read {what}: {text}: {advice}") from problem

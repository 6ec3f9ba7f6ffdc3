"""The pieces in which a column of q runs on: those of several detectors are one curve, those of several curves not."""

from __future__ import annotations

import numpy as np

from pyfai_grf.core.arrays import FloatArray
from pyfai_grf.core.errors import InputError

#: a shorter piece is disorder, as in a merge that a program did not sort
_SHORTEST = 5
#: part of the rows that must stand in such pieces: rows in no order are sorted, and no curves are seen in them
_MOST = 0.9
#: of the rows of a piece, this part lies within what another covers if both are curves of their own; detectors are
#: put together since each reaches beyond the others
_WITHIN = 0.8


def check_single(q: FloatArray, where: str) -> None:
    """Return silently if ``q`` (Q,), in the order of a file, runs once over its range, up or down.

    Pieces that overlap in part, as those of several detectors do, and disorder in few rows are one curve.

    Raises
    ------
    InputError
        If q begins again, as it does where two curves stand one below the other.
    """
    rows = np.flatnonzero(np.isfinite(q))
    steps = np.diff(q[rows])
    is_falling = np.count_nonzero(steps < 0) > np.count_nonzero(steps > 0)
    breaks = np.flatnonzero(steps > 0 if is_falling else steps < 0) + 1
    pieces = [piece for piece in np.split(rows, breaks) if piece.size >= _SHORTEST]
    if len(pieces) < 2 or sum(piece.size for piece in pieces) < _MOST * rows.size:
        return
    before = pieces[0]
    for piece in pieces[1:]:
        if _is_within(q[piece], q[before]) or _is_within(q[before], q[piece]):
            start, previous = int(piece[0]), int(before[-1])
            raise InputError(
                f"{where}: q begins again at row {start + 1} of the table: it ran from {q[before[0]]:.6g} to "
                f"{q[previous]:.6g}, and goes on at {q[start]:.6g} to {q[piece[-1]]:.6g}: two curves, or "
                "one that is not sorted: give a file for each curve"
            )
        before = np.concatenate([before, piece])


def _is_within(part: FloatArray, whole: FloatArray) -> bool:
    """Return whether most of ``part`` lies where ``whole`` has values."""
    return float(np.mean((part >= whole.min()) & (part <= whole.max()))) >= _WITHIN

"""Which column of a table is q, which the intensity, which its error: as a header names them, or as the user does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyfai_grf.core.errors import InputError

#: a column that does not count; "-" and nothing at all are understood too
SKIPPED = "_"
#: what a user may call a column
COLUMN_NAMES = ("q", "I", "sigma", "dq", SKIPPED)

_START = r"^[\s<(\[{\"'#]*"
#: a prefix that programs put before the names of columns (Irena, GRASP, ATSAS), or none
_PREFIX = r"(?:(?:m_)?(?:dsm|smr)_|mod_|s?exp_?)?"
_Q = re.compile(rf"{_START}{_PREFIX}(?:q(?![a-z])|q_?vec|x\b|radial|scattering[ _]vector|s(?:exp)?\b)", re.IGNORECASE)
_INTENSITY = re.compile(
    rf"{_START}{_PREFIX}(?:i(?![a-z])|i_?exp|iq\b|i_?fit|int|y\b|r_|counts?\b|cross[ _-]?section|j\b)", re.IGNORECASE
)
_RESOLUTION = re.compile(
    rf"{_START}{_PREFIX}(?:d_?q(?![a-z])|d_?x\b|d?_?sig(?:ma)?_?q|delta_?q|q[ _]?(?:dev|err|sig)|q_?res|resolution"
    r"|mean_?q|q_?mean|[δσ]_?q|(?:sig(?:ma)?|err(?:or)?|std|unc(?:ertainty)?)[ _]*\(?q\b)",
    re.IGNORECASE,
)
_ERROR = re.compile(
    rf"{_START}{_PREFIX}(?:sig|err|std|stand|unc|d_?i(?![a-z])|d_?y\b|i_?(?:dev|err|unc|sig)|i\(q\)_?err|delta_?i|e\b|s_|[δσ]_?i?(?![a-z]))",
    re.IGNORECASE,
)
#: what a third column may be called that is no error of the second
_OTHER = re.compile(
    rf"{_START}{_PREFIX}(?:b(?:ac)?kg|back|blank|weight|norm|mon|trans|n?_?pix|n_|fit|model|calc|mask|flag)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Roles:
    """The indices of the columns, None where there is none, and the columns' names, () where they have none."""

    q: int
    intensity: int
    sigma: int | None = None
    resolution: int | None = None
    names: tuple[str, ...] = ()


def parse_columns(text: str) -> tuple[str, ...]:
    """Return the columns that ``text`` names, as in "q,I,sigma" or "_,q,I".

    Raises
    ------
    InputError
        If a name is not one of q, I, sigma, dq and _ (or -, or nothing), is given twice, or q or I is missing.
    """
    names = tuple(name.strip() for name in text.split(","))
    known = {**{name.lower(): name for name in COLUMN_NAMES}, "-": SKIPPED, "": SKIPPED}
    strange = [name for name in names if name.lower() not in known]
    if strange:
        raise InputError(f"no column is called {strange[0]!r}: give names in order out of q, I, sigma, dq and _ (skip)")
    names = tuple(known[name.lower()] for name in names)
    repeated = [name for name in COLUMN_NAMES if name != SKIPPED and names.count(name) > 1]
    if repeated:
        raise InputError(f"{text!r} names {repeated[0]} twice")
    if "q" not in names or "I" not in names:
        raise InputError(f"{text!r} does not say which columns are q and I: give for example q,I,sigma")
    return names


def assign_columns(columns: Sequence[str], width: int, where: str) -> Roles:
    """Return the roles that the user gave to the columns of a table of ``width``; further columns do not count.

    Raises
    ------
    InputError
        If the table has fewer columns than names were given.
    """
    if len(columns) > width:
        raise InputError(f"{where}: {len(columns)} columns are named, {','.join(columns)}, and the table has {width}")
    place = {name: columns.index(name) for name in columns if name not in (SKIPPED, "-", "")}
    return Roles(place["q"], place["I"], place.get("sigma"), place.get("dq"))


def find_kind(name: str) -> str:
    """Return what a column of that name holds: "q", "I", "sigma" or "dq"; "" where the name does not say."""
    for kind, pattern in (("dq", _RESOLUTION), ("sigma", _ERROR), ("q", _Q), ("I", _INTENSITY)):
        if pattern.search(name):
            return kind
    return ""


def assign_roles(names: tuple[str, ...], width: int, where: str, doubtful: tuple[str, ...] = ()) -> Roles:
    """Return the roles of the columns of a table as its header names them; without names q, I and sigma, in order.

    ``doubtful`` are words that may be the names where there are none: the order is asked for then.

    Raises
    ------
    InputError
        If it is not certain which column is the error of the intensity.
    """
    if not (names or doubtful) and width in (2, 3):
        return Roles(0, 1) if width == 2 else Roles(0, 1, 2)
    if not names:
        raise _make_doubt(doubtful, width, where)
    errors = [i for i, name in enumerate(names) if _ERROR.search(name) and not _RESOLUTION.search(name)]
    widths = [i for i, name in enumerate(names) if _RESOLUTION.search(name)]
    others = [i for i in range(len(names)) if i not in errors and i not in widths]
    found_q = [i for i in others if _Q.search(names[i])]
    found_i = [i for i in others if _INTENSITY.search(names[i])]
    q = found_q[0] if found_q else 0
    intensity = next((i for i in found_i if i != q), 1 if q == 0 else 0)
    resolution = widths[0] if widths else None
    is_told = bool(found_q or found_i)
    if len(errors) == 1 and (is_told or width == 3) and errors[0] not in (q, intensity):
        return Roles(q, intensity, errors[0], resolution, names)
    if width == 2 and not (is_told and (errors or widths)):
        return Roles(q, intensity, None, None, names)
    if width == 3 and not errors and (resolution == 2 or {q, intensity, resolution} == {0, 1, 2}):
        return Roles(q, intensity, None, resolution, names)
    is_third_open = width == 3 and (q, intensity) == (0, 1) and not errors and not widths and 2 not in found_i
    if is_third_open and not (is_told and _OTHER.search(names[2])):  # its name says nothing
        return Roles(0, 1, 2, None, names)
    raise _make_doubt(names, width, where)


def _make_doubt(names: tuple[str, ...], width: int, where: str) -> InputError:
    what = f" ({', '.join(names)})" if names else ""
    return InputError(
        f"{where}: {width} columns{what}, and no header that says which one is the error of the intensity: "
        f"name them, for example {_suggest(width)}",
        "columns",
        columns=_suggest(width),
    )


def _suggest(width: int) -> str:
    return ",".join(COLUMN_NAMES[: min(width, 4)])

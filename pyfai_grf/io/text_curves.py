"""Curves in text: q, intensity, its error and more, with the headers and footers that programs write around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.column_names import find_doubtful, find_names, find_units
from pyfai_grf.io.column_roles import Roles, assign_columns, assign_roles
from pyfai_grf.io.columns import Columns, find_factor, is_ambiguous, is_angle
from pyfai_grf.io.pdh_footer import is_pdh_footer, read_pdh_footer
from pyfai_grf.io.slit import describe_width, find_in_header, is_smeared_name
from pyfai_grf.io.text_table import TextTable, has_numbers, read_lines, split_table

#: how many lines above the numbers may name the columns (the four of a Fit2D .chi file, or names over units)
_HEADER_LINES = 4
#: longer lines are not read for words
_MAX_WORDS = 500
#: so many lines at the start say what kind of text it is
_KIND_LINES = 100

_UNIT = (
    r"(?:1\s*/\s*(?:[nuµμ]m|Å|A|Ang(?:strom)?s?)\b|(?:[nuµμ]m|Å|A|Ang(?:strom)?)\s*(?:\^|\*\*)?\s*[{(]?\s*(?:-|−)\s*1\s*[})]?"
    r"|(?:[nuµμ]m|Å|A)⁻¹|(?:inverse|reciprocal)\s+(?:nanomet(?:er|re)|[ÅA]ngstr[oö]m)s?)"
)
# "s" is left out on purpose: it is q for some programs and q / 2 pi for others
_Q_WITH_UNIT = re.compile(
    rf"(?:\b|_)(?:q|radial|scattering[ _]vector)[\w ]{{0,12}}?[\s_,:=\[({{<|/]*({_UNIT})", re.IGNORECASE
)
# a unit that is seldom or not known: the file says one all the same
_Q_WITH_OTHER_UNIT = re.compile(
    r"(?:\b|_)q[\s_,:=\[({<|]*(1\s*/\s*[a-zµμ]+|[a-zµμ]+\s*(?:\^|\*\*)\s*(?:-1|\(-1\)|\{-1\}))", re.IGNORECASE
)
_UNIT_LINE = re.compile(
    rf"(?:(?:\b|_)(?:q|x|radial|dim1)[ _]?units?|\bunits?[ _]q)\W+(?:q_)?({_UNIT}|nm\b|A\b)", re.IGNORECASE
)
# lines of pyFAI's header that say nothing of the columns: the file's name (it may contain anything), the frame's own
# header in JSON, and the unfilled template that stands for the column names where errors are written too
_FOREIGN = re.compile(r'-->|"[^"]*"\s*:|\{str\(')
# a line of units under the names; the sign is asked for, since "A-1" may begin the name of a sample
_ONLY_UNIT = re.compile(rf"^\W*(?=1\s*/|nm\s*[\^⁻]|[AÅ]\s*[\^⁻])({_UNIT})", re.IGNORECASE)

#: what a text that is not a curve says of itself -> what it is, and what to give instead
_KINDS = {
    r"\bG\s?N\s?O\s?M\b": "the output of GNOM (a distance distribution and its fit): give the curve that GNOM read",
    r"^#?\s*BIFT\b|\bP\(R\)": "a pair distance distribution P(r): give the curve that it was computed from",
    r"\bQx\b.*\bQy\b|I\(Qx\s*,\s*Qy\)|^\s*6 q \(.*\)\s*\n\s*6 q \(": "a two-dimensional map over Qx and Qy: "
    "average it over the azimuth first",
    r"^\s*SIZE_[XY]\s*:": "a detector image: reduce it first",
    r"\bspin[ -]?echo": "a spin-echo measurement (SESANS) in real space, not intensity over q",
    r"^(?:\s+\d+){10}\s*\n\s*[A-Z]\d{5}\.\w{3}\s*$": "the header of an OTOKO/BSL data set, whose numbers are in "
    "other files: convert it to text or CanSAS XML",
}


def read_text_columns(path: Path, columns: Sequence[str] | None = None) -> Columns:
    """Return the columns of the text table at ``path``, with the q unit as its header says it ("" if it does not).

    Comments begin with ``#`` or ``;``, other lines above the numbers are a header, text below them a footer; commas,
    semicolons, tabs and blanks separate. A line that breaks the table is an error: nothing is left out silently.

    Parameters
    ----------
    columns : names of the columns in order ("q", "I", "sigma", "dq", "_" for one that does not count), for a table
        whose header does not settle it; further columns do not count.

    Raises
    ------
    InputError
        If the file cannot be read, is not text, holds no table, is known to be something else than a curve, or if it
        is not certain which column is what.
    """
    lines = read_lines(path)
    if has_numbers(lines[:_KIND_LINES]) and (kind := _find_kind(lines[:_KIND_LINES])):
        raise InputError(f"{path}: {kind}")
    table = split_table(lines, path)
    width = table.rows.shape[1]
    near = _find_near(table.header)
    if columns is not None:
        roles = assign_columns(columns, width, str(path))
    else:
        _check_map(table, path)
        roles = assign_roles(find_names(near, width), width, str(path), find_doubtful(near, width))
    # names may stand above a line of units
    names = find_names([line for line in near if not _ONLY_UNIT.search(line)], width) or roles.names
    name = names[roles.q] if names and columns is None else ""
    unit, axis = _find_unit(table.header, near, roles, path, is_ambiguous(name))
    axis = name if is_ambiguous(name) else axis
    slit = _find_slit(table, roles, unit)
    if is_pdh_footer(table.footer):
        footer = read_pdh_footer(table.footer, str(path))
        unit, slit = footer.q_unit or unit, footer.slit or slit
    q, intensity = table.rows[:, roles.q], table.rows[:, roles.intensity]
    sigma = None if roles.sigma is None else table.rows[:, roles.sigma]
    metadata = {"source": str(path), "frame": 0, "title": path.stem}
    return Columns(q, intensity, sigma, None, unit, axis, str(path), metadata, slit)


def _find_kind(lines: list[str]) -> str:
    """Return what the text is, if it says that it is something else than a curve."""
    text = "\n".join(line[:_MAX_WORDS] for line in lines)
    flags = re.IGNORECASE | re.MULTILINE
    return next((kind for words, kind in _KINDS.items() if re.search(words, text, flags)), "")


def _check_map(table: TextTable, path: Path) -> None:
    """Refuse a table whose first two columns both run from negative to positive."""
    if table.rows.shape[1] < 3:
        return
    negative, positive = (table.rows[:, :2] < 0).mean(axis=0), (table.rows[:, :2] > 0).mean(axis=0)
    if (negative > 0.1).all() and (positive > 0.1).all():
        raise InputError(
            f"{path}: the first two columns both run from negative to positive: a two-dimensional map, not a curve "
            "(if they are q and I nevertheless, name the columns)",
            "columns",
            columns="q,I",
        )


def _find_near(header: list[str]) -> list[str]:
    """Return the few lines just above the table, without comment signs."""
    lines = [line[:_MAX_WORDS].strip().lstrip("#;").strip() for line in header]
    return [line for line in lines if line and not _FOREIGN.match(line)][-_HEADER_LINES:]


def _find_unit(header: list[str], near: list[str], roles: Roles, path: Path, is_of_s: bool = False) -> tuple[str, str]:
    """Return the q unit in the header's own words ("" if none) and what it calls the abscissa.

    ``is_of_s``: the abscissa is called s, so that a unit counts only where it is said to be that of q.
    """
    axis = roles.names[roles.q] if roles.names else next((line for line in near if _is_axis_line(line)), "")
    own = [_spell_plainly(line[:_MAX_WORDS]) for line in header if not _FOREIGN.match(line.strip(" \t#;"))]
    matches = [_UNIT_LINE.search(line) for line in own]
    matches += [_Q_WITH_UNIT.search(line) or _ONLY_UNIT.search(line) for line in map(_spell_plainly, near)]
    found = [m.group(1) for m in matches if m and not (is_of_s and "q" not in m.group().lower())]
    if roles.names and not is_of_s and (units := find_units(near, len(roles.names))):
        found.append(_spell_plainly(units[roles.q]).strip("()[]{} "))
    found = [_close_brackets(unit) for unit in found if find_factor(unit) is not None]
    if len({find_factor(unit) for unit in found}) > 1:
        words = [repr(unit) for unit in dict.fromkeys(found)]
        raise InputError(f"{path}: the header says two q units, {' and '.join(words)}: correct it")
    if not found and not is_of_s:
        found = [_close_brackets(m.group(1)) for line in near if (m := _Q_WITH_OTHER_UNIT.search(line))]
    return (found[0] if found else ""), axis


def _spell_plainly(line: str) -> str:
    """Return the line with the unit of TeX, "$\\AA^{-1}$", as others write it."""
    return line.replace("$", "").replace("\\AA", "A").replace("\\mathring{A}", "A")


def _close_brackets(unit: str) -> str:
    """Return the unit without the bracket that closes what was opened before it."""
    for opening, closing in ("()", "{}"):
        unit = unit.strip() if opening in unit else unit.strip().rstrip(closing).strip()
    return unit


def _is_axis_line(line: str) -> bool:
    """Return whether a header line without one word per column still names an angle (Fit2D .chi)."""
    return is_angle(line) and len(line.split()) <= 8


def _find_slit(table: TextTable, roles: Roles, unit: str) -> str:
    """Return what says that the curve is slit-smeared, "" if nothing does."""
    smeared = [name for name in roles.names if is_smeared_name(name)]
    if smeared:
        return f"column {smeared[0]}"
    if roles.resolution is not None:
        name = roles.names[roles.resolution] if roles.names else "dq"
        q = table.rows[:, roles.q]
        if found := describe_width(table.rows[:, roles.resolution], q[np.isfinite(q)], name, unit):
            return found
    return find_in_header(line[:_MAX_WORDS] for line in table.header)

"""The names that a header gives to the columns of a table, also where units stand apart from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pyfai_grf.io.column_roles import find_kind

_BRACKETED = re.compile(r"[(\[{][^()\[\]{}]*[)\]}]")
_LENGTH = r"(?:nm|[cmuµ]?m|aa?|å|ang(?:str(?:o|ö)e?ms?)?|sr|s|g)"
_UNIT = re.compile(rf"(?:1/)?(?:{_LENGTH}(?:\^|\*\*)?\(?(?:[-−]?\d|⁻¹)?\)?[/*·.]?)+", re.IGNORECASE)
_RECIPROCAL = re.compile(r"1/|[-−⁻]")
_UNIT_WORDS = {"a.u.", "a.u", "au", "arb.", "arb", "arb.u.", "arbitrary", "unit", "units", "cps"}
#: what stands between a name and its unit
_LINKS = {"/", "in", ","}
#: names of several words
_PHRASE = re.compile(
    r"\b(scattering|wave|momentum|cross|std\.?|standard)[ -](vector|transfer|section|dev\.?|deviation|error)(?!\w)",
    re.IGNORECASE,
)
#: words of a sentence
_PROSE = {
    "a",
    "an",
    "and",
    "are",
    "at",
    "by",
    "for",
    "from",
    "in",
    "is",
    "of",
    "on",
    "the",
    "to",
    "versus",
    "vs",
    "with",
}
#: stands for a blank that separates nothing
_GLUE = "\ue000"


def find_names(lines: Sequence[str], width: int) -> tuple[str, ...]:
    """Return the names of the ``width`` columns of a table, out of the last of ``lines`` that names them; else ().

    A unit beside a name ("q [1/A]", "q / nm^-1") belongs to it, and a line of units alone names nothing. Where single
    blanks separate names, a line counts only if there is no doubt: none occurs twice, and none but the first, where q
    is not among them, says nothing and stands before one that does.
    """
    for line in reversed(lines):
        text = re.sub(r"^.*?\bcolumns?\b(?: are)?\s*[:=|]\s*", "", line, flags=re.IGNORECASE)
        for words in _split_apart(text):
            if len(words) == width and _are_names(words):
                return words
        words = _join_units(_split_at_blanks(text))
        if len(words) == width and _are_names(words) and _are_certain(words):
            return words
    return ()


def find_doubtful(lines: Sequence[str], width: int) -> tuple[str, ...]:
    """Return the last words for ``width`` columns that may be their names, in another order than q, I, sigma; else ().

    Such a line is not certain enough to be a header, and enough to doubt that there is none.
    """
    for line in reversed(lines):
        words = _join_units(_split_at_blanks(line))
        is_prose = ":" in line or _PROSE & {word.lower() for word in words}
        if len(words) != width or not _are_names(words) or is_prose:
            continue
        pairs = zip(map(find_kind, words), ("q", "I", "sigma", "dq"), strict=False)
        if any(kind and kind != usual for kind, usual in pairs):
            return words
    return ()


def find_units(lines: Sequence[str], width: int) -> tuple[str, ...]:
    """Return the units of the ``width`` columns, out of the last of ``lines`` that holds a unit for each; else ()."""
    for line in reversed(lines):
        for words in (re.split(r"\s*[|,;\t]\s*", line.strip("| ")), _split_at_blanks(line)):
            if len(words) == width and all(map(_is_unit, words)):
                return tuple(words)
    return ()


def _split_apart(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a line as bars, as commas, semicolons and tabs, and as two blanks and more separate them."""
    for words in (text.strip("| ").split("|"), re.split(r"\s*[,;\t]\s*", text), re.split(r"\s{2,}", text)):
        if len(words) > 1:
            yield _join_units(words)


def _split_at_blanks(text: str) -> list[str]:
    """Return the words of a line; blanks in brackets and within names of several words separate nothing."""
    glued = _BRACKETED.sub(lambda part: re.sub(r"\s+", _GLUE, part[0]), text)
    glued = _PHRASE.sub(lambda part: f"{part[1]}{_GLUE}{part[2]}", glued)
    return [word.replace(_GLUE, " ") for word in glued.split()]


def _join_units(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words with each unit, and what links it, joined to the name before it; empty ones are left out."""
    words = [word for word in (word.strip(" \"'<>") for word in words) if word]
    is_named = not all(map(_is_bracketed, words))  # "[q] [I]" has names in brackets, "q [1/A]" a unit
    joined: list[str] = []
    for place, word in enumerate(words):
        is_link = word in _LINKS and place + 1 < len(words) and _is_unit(words[place + 1])
        if joined and (is_link or _is_unit(word) or (is_named and _is_bracketed(word))):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    return tuple(joined)


def _is_bracketed(word: str) -> bool:
    return _BRACKETED.fullmatch(word) is not None


def _is_unit(word: str) -> bool:
    """Return whether a word is a unit and nothing else, such as "[1 / nm]", "cm-1", "a.u."."""
    text = re.sub(r"[\s$\\{}\[\]]", "", word).lower()
    text = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    if text.startswith("s("):  # the abscissa s with its unit, no second
        return False
    return text in _UNIT_WORDS or (_UNIT.fullmatch(text) is not None and _RECIPROCAL.search(text) is not None)


def _are_names(words: Sequence[str]) -> bool:
    """Return whether the words can be names: no number, no unit, and not the letters of a spreadsheet."""
    codes = [ord(word) for word in words if len(word) == 1]
    are_letters = len(codes) == len(words) and codes == list(range(codes[0], codes[0] + len(codes)))
    return not are_letters and not any(_is_number(word) or _is_unit(word.split()[0]) for word in words)


def _are_certain(words: Sequence[str]) -> bool:
    """Return whether words that only blanks separate are names without doubt, and no sentence."""
    lower = {word.lower() for word in words}
    kinds = [find_kind(word) for word in words]
    if "q" not in kinds:
        kinds[0] = "another axis"
    last = max(place for place, kind in enumerate(kinds) if kind)
    return "I" in kinds and all(kinds[:last]) and len(lower) == len(words) and not _PROSE & lower


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True

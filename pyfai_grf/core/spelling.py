"""Texts that come from outside (names of files, titles in them) where control characters would do harm."""

from __future__ import annotations

import re

#: control characters, line and paragraph separators, and the marks that turn the direction of what follows
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def spell_out(text: str, kept: str = "") -> str:
    """Return ``text`` with everything spelled out that would end a line or tell a terminal what to do.

    The spelling is that of JSON, so that JSON stays what it was. The characters in ``kept`` stay.
    """
    return _UNSAFE.sub(lambda found: found[0] if found[0] in kept else _spell(found[0]), text)


def _spell(character: str) -> str:
    return _SHORT.get(character, f"\\u{ord(character):04x}")

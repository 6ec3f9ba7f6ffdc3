"""What is spelled out moves no terminal, and JSON stays what it was."""

from __future__ import annotations

import json

import pytest

from pyfai_grf.core.spelling import spell_out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("données/Å \u65e5\u672c.edf", "données/Å \u65e5\u672c.edf"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[2J\x7f\x9b\0", "\\u001b[2J\\u007f\\u009b\\u0000"),
        ("\u202eabc\u2028", "\\u202eabc\\u2028"),
        ("\udcff", "\udcff"),  # a byte that is not UTF-8: the stream spells it out
    ],
)
def test_what_moves_a_terminal_is_spelled_out(text: str, expected: str) -> None:
    assert spell_out(text) == expected
    assert spell_out(text, kept=text) == text


def test_json_stays_json() -> None:
    text = "".join(map(chr, range(0x3000)))
    assert json.loads(spell_out(json.dumps(text, ensure_ascii=False))) == text

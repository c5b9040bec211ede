"""Texts from outside do nothing to a terminal."""

import sys

import pytest

from control.terminal.show import say, table
from control.values.inert import inert


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("a\rb", r"a\x0db"),
        ("gmail\u202emoc", r"gmail\u202emoc"),
        ("\u2066x\u2069\u061c\ufeff\u2028", r"\u2066x\u2069\u061c\ufeff\u2028"),
        ("Zoë שלום مرحبا می\u200cخواهم\u200f", "Zoë שלום مرحبا می\u200cخواهم\u200f"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_what_is_active_is_shown_by_its_number(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_no_control_or_turning_character_is_left() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {c for c in inert(every) if not c.isprintable() and ord(c) < 0x3000}
    assert {c for c in left if ord(c) < 0xA0} == {"\n", "\t"}
    assert not left & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_tables_and_lines_are_inert(capsys: pytest.CaptureFixture[str]) -> None:
    table(("reply",), [["550 \x1b[2Jno\u202e"]])
    say("550 \x1b[2Jno\u202e")
    out = capsys.readouterr().out
    assert out.count(r"550 \x1b[2Jno\u202e") == 2
    assert "\x1b" not in out

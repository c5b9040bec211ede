"""Texts as pages write them."""

import re
from pathlib import Path

import pytest

import control.console
from control.console.files import Files
from control.console.template import (
    SHORT,
    WHOLE,
    brief,
    environment,
    moment,
    number,
    outside,
    share,
    size,
)

TEMPLATES = Path(control.console.__file__).parent / "templates"


def test_text_from_outside_is_marked_and_inert() -> None:
    hostile = "<script>alert(1)</script>\x1b[2J\u202egnp.exe\u2066\r\n\0"
    shown = str(outside(hostile))
    assert shown.startswith('<bdi class="outside">&lt;script&gt;')
    assert "\\x1b[2J\\u202egnp.exe\\u2066\\x0d" in shown
    assert not {"\x1b", "\u202e", "\u2066", "\0", "\r"} & set(shown)


def test_text_from_outside_has_a_bound_and_says_what_it_left_out() -> None:
    shown = str(brief("x" * 1_000_000, 100))
    assert len(shown) < 250
    assert "x" * 100 + '<span class="cut">… 999,900 characters more</span>' in shown


def test_what_is_behind_its_end_can_be_unfolded_with_a_bound_of_its_own() -> None:
    shown = str(outside("x" * 100 + "\u202e" + "y" * 1_000_000, 100))
    assert len(shown) < WHOLE + 500
    assert "x" * 100 + '<label class="more"><input type="checkbox"> … 1,000,001 char' in shown
    assert f'<span class="rest">\\u202e{"y" * (WHOLE - 1)}<span class="cut">… 996,001 ' in shown
    assert "<label" not in str(outside("x" * 100, 100))


def test_short_ones_are_told_from_long_ones() -> None:
    assert str(outside("spring-sale")).startswith('<bdi class="outside short">')
    assert str(outside("s" * (SHORT + 1))).startswith('<bdi class="outside">')


def test_what_cannot_be_sent_is_replaced() -> None:
    outside("\udc80 of a broken address").encode()


def test_nothing_is_an_empty_text() -> None:
    assert str(outside(None)) == str(outside("")) == '<bdi class="outside"></bdi>'


def test_moments_are_in_utc_and_say_so() -> None:
    assert str(moment("2026-11-30T12:00:00Z")) == (
        '<time datetime="2026-11-30T12:00:00Z" title="2026-11-30 12:00:00 UTC">'
        "2026-11-30 12:00:00 UTC</time>"
    )
    assert str(moment(None)) == str(moment("")) == '<span class="none">–</span>'


@pytest.mark.parametrize(
    ("value", "said"),
    [(1234567, "1,234,567"), (0.25, "0.25"), (3.0, "3"), (None, "–"), ("unlimited", "unlimited")],
)
def test_numbers(value: object, said: str) -> None:
    assert number(value) == said


def test_sizes_and_shares() -> None:
    assert [size(0), size(1023), size(1536), size(5 << 30)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
    ]
    assert [share(1, 4), share(9, 4), share(1, 0), share(1, "unlimited")] == [25, 100, 0, 0]


@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_every_template_is_one_and_has_nothing_inline(name: str) -> None:
    environment(Files().url).get_template(name)
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|\|\s*safe\b|hx-on|js:", text)
    assert not re.findall(r"<script(?![^>]*\ssrc=)", text)
    assert "autoescape" not in text

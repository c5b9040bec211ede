"""Mailbox identities from From: fields, in every shape real mailers write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.address import (
    FromProblem,
    _any_mailbox,
    from_mailbox,
    mailbox_of,
    normal_domain,
    recipient_spellings,
    split_address,
)


@pytest.mark.parametrize(
    ("value", "mailbox"),
    [
        ("a@x.test", "a@x.test"),
        (" <A@X.Test>", "a@x.test"),
        ("Anna <anna@x.test>", "anna@x.test"),
        ('"Doe, Jane" <jane@x.test>', "jane@x.test"),
        ('"a@b.test, c@d.test" <jane@x.test>', "jane@x.test"),
        ("=?utf-8?q?J=C3=A9r=C3=B4me?= <j@x.test>", "j@x.test"),
        ("مرحبا <j@x.test>", "j@x.test"),
        ("Jane (the, one) <jane@x.test>", "jane@x.test"),
        ("jane@x.test (Jane)", "jane@x.test"),
        ("Jane\r\n <jane@x.test>", "jane@x.test"),
        ("<jane@bücher.test>", "jane@xn--bcher-kva.test"),
        ("<用户@例え.テスト>", "用户@xn--r8jz45g.xn--zckzah"),
        ("jane+tag@x.test", "jane+tag@x.test"),
    ],
)
def test_one_sender_is_found(value: str, mailbox: str) -> None:
    assert from_mailbox(value) == mailbox


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("a@x.test, b@x.test", FromProblem.SEVERAL),
        ("<a@x.test>, <b@x.test>", FromProblem.SEVERAL),
        ("A <a@x.test>, B <b@x.test>", FromProblem.SEVERAL),
        ("A, B <b@x.test>", FromProblem.SEVERAL),
        ("group: a@x.test;", FromProblem.UNREADABLE),
        ("group: A <a@x.test>, b@x.test;", FromProblem.SEVERAL),
        ("", FromProblem.UNREADABLE),
        ("nobody", FromProblem.UNREADABLE),
        ("<@x.test>", FromProblem.UNREADABLE),
        ("<a@>", FromProblem.UNREADABLE),
        ("a b@x.test", FromProblem.UNREADABLE),
        ("a@x.test b@x.test", FromProblem.UNREADABLE),
        ("Jane (open <jane@x.test>", FromProblem.UNREADABLE),
        ("x" * 9000 + "@x.test", FromProblem.UNREADABLE),
    ],
)
def test_what_names_no_single_sender_is_refused(value: str, problem: FromProblem) -> None:
    assert from_mailbox(value) is problem


@given(st.text(max_size=200))
def test_any_text_gives_a_mailbox_or_a_problem(value: str) -> None:
    found = from_mailbox(value)
    if not isinstance(found, FromProblem):
        assert found.count("@") >= 1
        assert not any(c in found for c in "\r\n<> ")


_PIECES = [
    "<",
    ">",
    "a@x.test",
    "@",
    ".",
    "..",
    "-",
    "A",
    "_",
    " ",
    "\t",
    ",",
    ";",
    '"',
    "(",
    "é",
    "%",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=9).map("".join))
def test_usual_mail_is_read_as_by_the_whole_grammar(value: str) -> None:
    for text in (value, f"Anna <{value}>", f"{value}<a@x.test>"):
        assert from_mailbox(text) == _any_mailbox(text)


def test_domains_are_compared_in_one_form() -> None:
    assert normal_domain("Example.TEST.") == "example.test"
    assert normal_domain("BÜCHER.test") == "xn--bcher-kva.test"
    assert normal_domain("[192.0.2.1]") == "[192.0.2.1]"
    for wrong in ("", ".", "a..b", "-a.test", "a b.test", "a" * 64 + ".test", "exa_mple..x"):
        assert normal_domain(wrong) is None


def test_a_mailbox_needs_both_halves() -> None:
    assert split_address("a@b@x.test") == ("a@b", "x.test")
    assert mailbox_of("Anna@X.test") == "anna@x.test"
    assert mailbox_of("anna") is None
    assert mailbox_of("@x.test") is None


def test_a_recipient_is_looked_for_in_both_spellings_of_its_domain() -> None:
    assert recipient_spellings("Anna@X.Test") == (b"Anna@", (b"x.test",))
    both = (b"xn--bcher-kva.test", "bücher.test".encode())
    for spelt in ("jürgen@Bücher.test", "jürgen@xn--bcher-kva.test"):
        assert recipient_spellings(spelt) == ("jürgen@".encode(), both)
    assert recipient_spellings("a@xn--a.test") == (b"a@", (b"xn--a.test",)), "no U-label has that"
    for wrong in ("anna", "@x.test", "a@", "\udcff@x.test"):
        assert recipient_spellings(wrong) is None

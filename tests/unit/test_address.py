"""Domains and addresses in one form each."""

import pytest

from policy.address import mailbox_of, normal_domain, recipient_spellings, split_address


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


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ('"Anna"@x.test', "anna@x.test"),
        ('"an\\na"@X.test', "anna@x.test"),
        ('"Anna B"@x.test', '"anna b"@x.test'),
        ('"a\\"b"@x.test', '"a\\"b"@x.test'),
        ("jose\u0301@x.test", "jos\u00e9@x.test"),
        ("\u212aim@x.test", "kim@x.test"),
        ("anna@[IPv6:0::1]", "anna@[ipv6:::1]"),
        ("anna@[192.0.2.1]", "anna@[192.0.2.1]"),
    ],
)
def test_an_address_is_one_mailbox_however_it_is_spelt(address: str, mailbox: str) -> None:
    assert mailbox_of(address) == mailbox
    assert mailbox_of(mailbox) == mailbox


@pytest.mark.parametrize(
    "address",
    ["[a@x.test", "mailto:a@x.test", "a@b@x.test", "a b@x.test", '"a"b@x.test', '" a"@x.test',
     '""@x.test', "a\u200b@x.test", "a\xa0@x.test", "a\\b@x.test", "a\0@x.test", '"a\0"@x.test',
     "a@[x]", "a@[999.0.2.1]", "a@[ipv6:x]", "<a@x.test", '"a@x.test', "a(b)@x.test"],
)  # fmt: skip
def test_what_looks_like_another_address_is_none(address: str) -> None:
    assert mailbox_of(address) is None


def test_a_recipient_is_looked_for_in_both_spellings_of_its_domain() -> None:
    assert recipient_spellings("Anna@X.Test") == (b"Anna@", (b"x.test",))
    both = (b"xn--bcher-kva.test", "bücher.test".encode())
    for spelt in ("jürgen@Bücher.test", "jürgen@xn--bcher-kva.test"):
        assert recipient_spellings(spelt) == ("jürgen@".encode(), both)
    assert recipient_spellings("a@xn--a.test") == (b"a@", (b"xn--a.test",)), "no U-label has that"
    for wrong in ("anna", "@x.test", "a@", "\udcff@x.test"):
        assert recipient_spellings(wrong) is None

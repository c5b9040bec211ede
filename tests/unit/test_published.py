"""Texts that anybody may publish are read or refused, never anything else."""

import ipaddress
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.published import dmarc
from control.published.asking import Answer
from control.published.dkim import judge
from control.published.spfmacro import Sender, expand
from control.published.spfrecord import SpfSyntaxError, parse
from control.published.taglist import TagListError, tags_of

V4 = Sender(ipaddress.ip_address("192.0.2.3"), "strong-bad", "email.example.com", "mx.example.org")
V6 = V4._replace(ip=ipaddress.ip_address("2001:db8::cb01"))
WORDS = (
    "v=spf1 a +mx -all ~all ip4:192.0.2.1 ip6:2001:db8::/32 a/24//64 include:x.example "
    "exists:%{ir}.%{v}.x redirect=x exp=x ptr: % mx:/33"
)
TERMS = st.lists(
    st.sampled_from(WORDS.split()) | st.text(st.characters(max_codepoint=300), max_size=12)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # RFC 7208 section 7.4
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
    ],
)
def test_macros_are_those_of_the_rfc(text: str, expected: str) -> None:
    assert expand(text, V4, "email.example.com") == expected


def test_macros_of_an_ipv6_address_are_its_nibbles() -> None:
    expected = "1.0.b.c." + "0." * 20 + "8.b.d.0.1.0.0.2.ip6._spf.example.com"
    assert expand("%{ir}.%{v}._spf.%{d2}", V6, "email.example.com") == expected


@pytest.mark.parametrize(
    "text",
    [
        *("a:", "include", "ip4:192.0.2.0/33", "ip4:2001:db8::1", "mx/33", "all:x", "spam"),
        *("exists", "redirect=", "ip6:fe80::1%eth0", "a//129", "-", "exp="),
    ],
)
def test_what_is_no_spf_is_refused_with_its_term(text: str) -> None:
    with pytest.raises(SpfSyntaxError, match=re.escape(text)):
        parse(f"v=spf1 {text}")


def test_a_modifier_that_nobody_knows_is_ignored_and_one_twice_is_not() -> None:
    assert parse("v=spf1 include= x=y").directives == ()
    with pytest.raises(SpfSyntaxError, match="redirect=b"):
        parse("v=spf1 redirect=a redirect=b")


@given(TERMS)
def test_any_spf_text_is_read_or_refused(terms: list[str]) -> None:
    with suppress(SpfSyntaxError):
        record = parse(" ".join(["v=spf1", *terms]))
        names = [d.domain for d in record.directives if d.domain]
        for name in (*names, record.redirect):
            assert len(expand(name, V4, "x.example")) <= 253 or "." not in name
            expand(name, V6, "x.example")


@given(
    st.text(st.characters(max_codepoint=300))
    | st.from_regex(r"(v=DKIM1; )?[kpths]=.*", fullmatch=True)
)
def test_any_text_of_a_key_or_a_policy_is_judged(text: str) -> None:
    verdict = judge(Answer("found", (text,)), "AAAA").verdict
    assert verdict in ("ok", "error", "warning")
    assert dmarc.judge([text])[0] in ("ok", "error")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True),
        st.from_regex(r"[!-:<-~]{0,9}", fullmatch=True),
    )
)
def test_tags_come_back_as_they_were_written(tags: dict[str, str]) -> None:
    assert tags_of("; ".join(f"{name}={value}" for name, value in tags.items())) == tags
    if tags:
        name = next(iter(tags))
        with pytest.raises(TagListError, match="twice"):
            tags_of("; ".join([*(f"{n}={v}" for n, v in tags.items()), f"{name}=x"]))

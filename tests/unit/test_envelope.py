"""MAIL and RCPT arguments: what is accepted, what is told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.hop import parcel
from gateway.message.message import Message, Recipient, Sender
from gateway.session import envelope
from gateway.session.envelope import parse_mail, parse_rcpt
from policy.reply import Reply


def mail(argument: bytes, *, esmtp: bool = True) -> Sender | Reply:
    return parse_mail(argument, esmtp=esmtp, max_size=1000)


def rcpt(argument: bytes, *, utf8: bool = False) -> Recipient | Reply:
    return parse_rcpt(argument, esmtp=True, utf8=utf8)


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        (b"FROM:<a@x.test>", b"a@x.test"),
        (b"from:<A@X.test>", b"A@X.test"),
        (b"FROM: <a@x.test>", b"a@x.test"),
        (b"FROM:<>", b""),
        (b'FROM:<"a b"@x.test>', b'"a b"@x.test'),
        (b'FROM:<"a\\"b>"@x.test>', b'"a\\"b>"@x.test'),
        (b"FROM:<a+b=c@x.test>", b"a+b=c@x.test"),
        (b"FROM:<a@[192.0.2.1]>", b"a@[192.0.2.1]"),
        (b"FROM:<a@x.test> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=abc AUTH=<>", b"a@x.test"),
    ],
)
def test_senders_are_taken_as_they_came(argument: bytes, address: bytes) -> None:
    found = mail(argument)
    assert isinstance(found, Sender), found
    assert found.address == address


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        (b"", 501), (b"FROM", 501), (b"FROM:", 501), (b"FROM:a@x.test", 501),
        (b"TO:<a@x.test>", 501),
        (b"FROM:<a@x.test", 501), (b"FROM:<a@x.test>x", 501), (b"FROM:<a b@x.test>", 501),
        (b"FROM:<a@@x.test>", 501), (b"FROM:<@y.test:a@x.test>", 501), (b"FROM:<a>", 501),
        (b"FROM:<a@-x.test>", 553), (b"FROM:<a@x..test>", 553),
        (b"FROM:<" + b"a" * 300 + b"@x.test>", 501),
        (b"FROM:<\xff\xfe@x.test> SMTPUTF8", 501), ("FROM:<é@x.test>".encode(), 553),
        (b"FROM:<a@x.test> SIZE=1001", 552), (b"FROM:<a@x.test> SIZE=x", 501),
        (b"FROM:<a@x.test> SIZE=1 SIZE=2", 501), (b"FROM:<a@x.test> BODY=BINARYMIME", 501),
        (b"FROM:<a@x.test> FOO=bar", 555), (b"FROM:<a@x.test> =x", 501),
        (b"FROM:<a@x.test> RET=NO", 501),
    ],
)  # fmt: skip
def test_wrong_senders_get_one_clear_reply(argument: bytes, code: int) -> None:
    found = mail(argument)
    assert isinstance(found, Reply), found
    assert found.code == code


def test_parameters_need_ehlo() -> None:
    assert isinstance(mail(b"FROM:<a@x.test> SIZE=1", esmtp=False), Reply)


def test_internationalized_addresses_need_smtputf8() -> None:
    sender = mail("FROM:<josé@bücher.test> SMTPUTF8".encode())
    assert isinstance(sender, Sender)
    assert sender.utf8
    address = "TO:<مرحبا@例え.テスト>".encode()
    assert isinstance(rcpt(address), Reply)
    found = rcpt(address, utf8=True)
    assert isinstance(found, Recipient)
    assert found.domain == "xn--r8jz45g.xn--zckzah"


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        (b"TO:<>", 501), (b"TO:a@x.test", 501), (b"TO:<a>", 501), (b"FROM:<a@x.test>", 501),
        (b"TO:<a@x.test> NOTIFY=SOMETIMES", 501), (b"TO:<a@x.test> FOO", 555),
        (b"TO:<a@x.test> NOTIFY=NEVER,DELAY", 501), (b"TO:<a@x.test\x00>", 501),
    ],
)  # fmt: skip
def test_wrong_recipients_get_one_clear_reply(argument: bytes, code: int) -> None:
    found = rcpt(argument)
    assert isinstance(found, Reply), found
    assert found.code == code


def test_dsn_parameters_of_a_recipient_are_kept() -> None:
    found = rcpt(b"TO:<A@Gmail.com> NOTIFY=failure,delay ORCPT=rfc822;a@gmail.com")
    assert found == Recipient(b"A@Gmail.com", "gmail.com", b"FAILURE,DELAY", b"rfc822;a@gmail.com")


def test_an_original_recipient_is_any_xtext_without_control_characters() -> None:
    original = b"TO:<a@x.test> ORCPT="
    for value in (b"rfc822;a+2Bb@x.test", b"rfc822;+7E", b"unknown;a"):
        assert isinstance(rcpt(original + value), Recipient), value
    for octet in (*range(0x20, 0x7F), *range(0x80, 0x100)):
        value = b"rfc822;j+%02X@x.test" % octet
        found = rcpt(original + value)
        assert isinstance(found, Recipient), value
        assert found.orcpt == value
    for octet in (*range(0x20), 0x7F):
        assert isinstance(rcpt(original + b"rfc822;j+%02X@x.test" % octet), Reply), octet
    for value in (b"rfc822;j+c3+bc@x.test", b"rfc822;j+C3+B@x.test", b"rfc822;", b"a+b"):
        assert isinstance(rcpt(original + value), Reply), value
    international = original + "utf-8;é@x.test".encode()
    assert isinstance(rcpt(international, utf8=True), Recipient)
    assert isinstance(rcpt(international), Reply)
    assert isinstance(rcpt(original + b"utf-8;\xff", utf8=True), Reply)


def test_an_original_recipient_goes_to_powermta_as_it_came_where_dsn_is_offered() -> None:
    original = b"rfc822;j+C3+BCrgen+2Bx@x.test"
    found = rcpt(b"TO:<a@x.test> ORCPT=" + original)
    assert isinstance(found, Recipient)
    message = Message("m", "acme", Sender(b"s@acme.test", 0, False), (found,), b"", b"", "")
    for offered, ending in ((frozenset({"DSN"}), b" ORCPT=" + original), (frozenset(), b"")):
        [line] = parcel(message, b"", "e", offered).rcpts
        assert line == b"RCPT TO:<a@x.test>" + ending + b"\r\n"


@given(st.binary(max_size=80))
def test_any_bytes_give_a_safe_address_or_a_reply(tail: bytes) -> None:
    for found in (mail(b"FROM:<" + tail), rcpt(b"TO:<" + tail, utf8=True)):
        if isinstance(found, Sender | Recipient):
            assert not set(found.address) & set(range(32)), found


_octets = st.sampled_from(
    [b"a", b"B7", b".", b"-", b"_", b"+", b"@", b"x.test", b"A.TEST", b" ", b"<", b">", b"\\", b'"',
     b"\xc3\xa9", b"\x80", b"\0", b"\r\n", b"[192.0.2.1]", b"b" * 250, b"c" * 64]
)  # fmt: skip
_near = st.one_of(
    st.builds(
        lambda local, at, domain: b"<" + local + at + domain + b">",
        st.lists(_octets, max_size=3).map(b"".join),
        st.sampled_from([b"@", b"@", b""]),
        st.one_of(st.sampled_from([b"x.test", b"X.Test.", b"-x.test"]), _octets),
    ),
    st.lists(_octets, max_size=6).map(b"".join),
)
_words = st.lists(
    st.sampled_from(
        [b" SIZE=1", b" SIZE=1000", b" SIZE=1001", b" SIZE=" + b"0" * 21, b" SIZE=x", b" size=5",
         b" BODY=8BITMIME", b" BODY=7BIT", b" BODY=x", b" SMTPUTF8", b" ", b" RET=FULL", b"\n"]
    ),
    max_size=3,
).map(b"".join)  # fmt: skip


@settings(max_examples=1000)
@given(st.sampled_from([b"FROM:", b"from:", b"TO:", b"FROM"]), _near, _words, st.booleans())
def test_the_short_way_says_what_the_whole_grammar_says(
    verb: bytes, path: bytes, words: bytes, flag: bool
) -> None:
    said = verb + path + words
    assert parse_mail(said, esmtp=flag, max_size=1000) == envelope._any_mail(
        said, esmtp=flag, max_size=1000
    )
    said = verb.replace(b"FROM", b"TO") + path + words
    for utf8 in (False, True):
        assert parse_rcpt(said, esmtp=flag, utf8=utf8) == envelope._any_rcpt(
            said, esmtp=flag, utf8=utf8
        )

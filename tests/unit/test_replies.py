"""Replies from bytes: whole, byte by byte, with trailing data; anything else is malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.relay.replies import MAX_LINE, MAX_REPLY, MalformedReplyError, ReplyParser
from policy.reply import Reply


def feed(data: bytes, step: int) -> tuple[list[Reply], ReplyParser]:
    parser, replies = ReplyParser(), []
    for start in range(0, len(data), step):
        replies += parser.feed(data[start : start + step])
    return replies, parser


@pytest.mark.parametrize("step", [1, 3, 10_000])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"250 2.1.0 sender OK\r\n", Reply(250, "2.1.0", "sender OK")),
        (b"250 OK\r\n", Reply(250, "", "OK")),
        (b"354\r\n", Reply(354, "", "")),
        (b"250\n", Reply(250, "", "")),
        (b"250-one\r\n250 two\r\n", Reply(250, "", "one\ntwo")),
        (b"550-5.1.1 no\r\n550 5.1.1 such\r\n", Reply(550, "5.1.1", "no\nsuch")),
        (b"550 5.7.1\r\n", Reply(550, "5.7.1", "")),
        ("250 2.0.0 d\u00e9j\u00e0\r\n".encode(), Reply(250, "2.0.0", "d\u00e9j\u00e0")),
    ],
)
def test_a_reply_is_read_in_any_slices(data: bytes, expected: Reply, step: int) -> None:
    replies, parser = feed(data, step)
    assert replies == [expected]
    assert parser.empty
    more, parser = feed(data + data + b"250 par", step)
    assert more == [expected, expected]
    assert not parser.empty


@pytest.mark.parametrize("step", [1, 10_000])
@pytest.mark.parametrize(
    "data",
    [b"hello\r\n", b"150 x\r\n", b"650 x\r\n", b"25 x\r\n", b"2500 x\r\n", b"250x\r\n", b"\r\n",
     b"250-a\r\n550 b\r\n", b"x" * (MAX_LINE + 10), b"250-" + b"y" * 2000 + b"\r\n",
     b"\xff\xfe\r\n"],
)  # fmt: skip
def test_what_is_no_reply_is_malformed(data: bytes, step: int) -> None:
    with pytest.raises(MalformedReplyError):
        feed(data * 9, step)
    with pytest.raises(MalformedReplyError):
        feed((b"250-" + b"z" * 100 + b"\r\n") * (MAX_REPLY // 100), step)


@given(st.binary(max_size=300))
def test_any_bytes_give_replies_or_an_error_in_bounded_memory(data: bytes) -> None:
    parser = ReplyParser()
    try:
        for octet in data:
            parser.feed(bytes([octet]))
    except MalformedReplyError:
        return
    assert len(parser._rest) <= MAX_LINE


def test_a_reply_to_a_client_cannot_be_broken_by_its_text() -> None:
    line = Reply(550, "5.1.1", "no\r\n250 yes\x00\x7f" + "x" * 600).line
    assert line.count(b"\r\n") == 1
    assert line.endswith(b"\r\n")
    assert len(line) <= 512


_piece = st.sampled_from(
    [b"250", b"550", b"999", b" ", b"-", b"2.1.0 ", b"OK", b"\r\n", b"\r\n", b"\n", b"\r", b"\xe9",
     b"\t", b"250 fine\r\n", b"354 go\r\n", b"x" * 150]
)  # fmt: skip


@given(st.lists(_piece, max_size=8).map(b"".join))
def test_known_replies_are_what_octet_by_octet_gives(data: bytes) -> None:
    """Whole reads have a short way; single octets never take it."""

    def outcome(step: int) -> object:
        try:
            replies, parser = feed(data, step)
        except MalformedReplyError:
            return "malformed"
        return replies, parser.empty

    assert outcome(10_000) == outcome(1)

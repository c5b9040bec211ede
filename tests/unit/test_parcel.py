"""What a transaction towards PowerMTA says, for what a hop offers."""

from typing import Any

import pytest

from gateway.delivery.hop import parcel, unsendable
from gateway.message.message import Message, Recipient, Sender
from policy.address import normal_domain
from policy.outcome import Asked, Failed, Scope
from policy.reply import Reply

HEAD = b"From: a@x.test\r\n\r\n"
PIPELINING = frozenset({"PIPELINING", "8BITMIME"})
UTF8 = PIPELINING | {"SMTPUTF8"}


def message(
    *rcpts: str, sender: str = "a@x.test", body: bytes = b"hello\r\n", **more: Any
) -> Message:
    recipients = [
        Recipient(r.encode(), normal_domain(r.rpartition("@")[2]) or "", **more)
        for r in rcpts or ("b@y.test",)
    ]
    return Message(
        "m", "acme", Sender(sender.encode(), utf8=True), tuple(recipients), HEAD, body, "peer"
    )


def said(made: Message, extensions: frozenset[str]) -> list[str]:
    packed = parcel(made, HEAD, "1-m.1", extensions)
    return [line.decode().rstrip() for line in (packed.mail, *packed.rcpts)]


def test_the_flag_alone_goes_to_a_hop_without_smtputf8() -> None:
    made = message()
    assert unsendable(made, HEAD, PIPELINING) is None
    assert said(made, PIPELINING) == ["MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>"]
    assert said(made, UTF8)[0] == "MAIL FROM:<a@x.test> SMTPUTF8"


def test_a_domain_in_u_labels_goes_in_a_labels() -> None:
    made = message("b@bücher.test", '"b c"@例え.テスト', sender="a@Bücher.test")
    assert unsendable(made, HEAD, PIPELINING) is None
    assert said(made, PIPELINING) == [
        "MAIL FROM:<a@xn--bcher-kva.test>",
        "RCPT TO:<b@xn--bcher-kva.test>",
        'RCPT TO:<"b c"@xn--r8jz45g.xn--zckzah>',
    ]
    assert said(made, UTF8)[1] == "RCPT TO:<b@bücher.test>", "what can take it gets it as it came"


def test_an_orcpt_is_spelt_in_ascii_where_nothing_else_is_taken() -> None:
    made = message("b@bücher.test", orcpt="utf-8;jürgen@bücher.test".encode())
    dsn = PIPELINING | {"DSN"}
    assert said(made, dsn)[1] == (
        r"RCPT TO:<b@xn--bcher-kva.test> ORCPT=utf-8;j\x{FC}rgen@b\x{FC}cher.test"
    )
    assert said(made, dsn | {"SMTPUTF8"})[1].endswith(" ORCPT=utf-8;jürgen@bücher.test")


@pytest.mark.parametrize(
    ("made", "head"),
    [
        (message("josé@y.test"), HEAD),
        (message("b@y.test", "c@y.test", "josé@y.test"), HEAD),
        (message(sender="josé@x.test"), HEAD),
        (message(), "From: José <a@x.test>\r\n\r\n".encode()),
        (message(sender="a@bücher.test"), "From: a@bücher.test\r\n\r\n".encode()),
    ],
)
def test_internationalized_mail_is_refused_where_it_is_known_not_to_be_taken(
    made: Message, head: bytes
) -> None:
    assert unsendable(made, head, UTF8) is None
    refusal = unsendable(made, head, PIPELINING)
    assert isinstance(refusal, Reply)
    assert (refusal.code, refusal.status) == (550, "5.6.7")
    # A hop that knew HELO only offers nothing, and nobody knows for how long.
    waits = unsendable(made, head, frozenset())
    assert isinstance(waits, Failed)


@pytest.mark.parametrize("body", [b"caf\xe9\r\n", "café\r\n".encode()])
def test_eight_bit_content_waits_for_a_hop_that_takes_it(body: bytes) -> None:
    made = message(body=body)
    without = frozenset({"PIPELINING", "SMTPUTF8"})
    for offered in (without, frozenset({""})):
        waits = unsendable(made, HEAD, offered)
        assert isinstance(waits, Failed)
        # It is nobody's fault but the way's: no circuit opens, and no failure counts.
        assert (waits.scope, waits.asked) == (Scope.MESSAGE, Asked.SESSION)
    assert unsendable(made, HEAD, PIPELINING) is None
    assert unsendable(message(), HEAD, without) is None

"""Debian's Postfix as a client that queues by itself (profile `mta`)."""

import asyncio
import re
import smtplib
import socket

import pytest

from loadtest import postfix
from policy.model import Profile
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import gateway, holding, releaser
from tests.support.pmta.standin import StandIn

pytestmark = [
    pytest.mark.postfix,
    pytest.mark.skipif(bool(postfix.unable()), reason=postfix.unable() or "there"),
]

MESSAGE = (
    "From: Anna <anna@mail1.acme.test>\r\nTo: you@dest.example\r\n"
    "Message-ID: <1@acme.test>\r\nSubject: Bonjour\r\n\r\nhello\r\n"
)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _submit(port: int, *rcpts: str) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        assert client.sendmail("anna@mail1.acme.test", list(rcpts), MESSAGE) == {}


async def test_the_good_recipient_gets_it_and_the_refused_one_comes_back_by_our_report(
    valkey_url: str, hold_url: str
) -> None:
    settings = holding(valkey_url, hold_url)
    house = tenant(profile=Profile.MTA, networks=("127.0.0.0/8",), dsn=True)
    good, bad = "good@dest.example", "refuse@dest.example"
    async with StandIn.start() as pmta:
        plan = generation(vmta(1), port=pmta.smtp_port, tenants=(house,))
        async with gateway(settings, plan) as gate, releaser(settings):
            port = _free_port()
            with postfix.postfix(port, postfix.queueing(gate.port)) as root:
                await asyncio.to_thread(_submit, port, good, bad)
                await pmta.until_messages(2, timeout=30.0)
                log = (root / "log" / "maillog").read_text(errors="replace")
                assert postfix.undelivered(root) == 0
            sent, report = await pmta.messages()
            assert sent.rcpts == [good]
            assert sent.content is not None
            assert sent.content.endswith(b"\r\n\r\nhello\r\n")
            assert (report.mail_from, report.rcpts) == ("", ["anna@mail1.acme.test"])
            assert report.content is not None
            assert b"Final-Recipient: rfc822; refuse@dest.example\r\n" in report.content
            # Postfix was told that all of it is taken care of, and writes no bounce of its own.
            assert re.findall(r"to=<(\S+)>.* status=(\w+)", log) == [(good, "sent"), (bad, "sent")]

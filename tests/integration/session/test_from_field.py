"""A mailbox's daily maximum, however `From:` is spelt."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from policy.model import MailboxLimits
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

ONE = MailboxLimits(daily_max=1)


@contextlib.asynccontextmanager
async def house(valkey_url: str, **terms: Any) -> AsyncIterator[tuple[GatewayUnderTest, SmtpWire]]:
    async with StandIn.start() as pmta:
        tenants = (tenant(**{"mailbox_default": ONE, **terms}),)
        settings = settings_for(valkey_url, ledger={"denial_cache": 0.0})
        plan = generation(vmta(1), port=pmta.smtp_port, tenants=tenants)
        async with gateway(settings, plan) as gate:
            wire = await gate.wire()
            yield gate, wire
            await wire.close()


async def send(wire: SmtpWire, value: str, sender: str = "bounce@x.test") -> str:
    body = f"From: {value}\r\nSubject: x\r\n\r\nhello\r\n"
    return await wire.send("b@dest.test", body=body, sender=sender)


@pytest.mark.parametrize(
    "value",
    ['"a"@x.test', "Anna <A@X.test>", "Doe, Anna <a@x.test>", "a @ x.test", "mailto:a@x.test",
     "Undisclosed: a@x.test;", "<@h.test:a@x.test>", '12\" Anna\r\n <a@x.test.>', '<"\\a"@x.test>'],
)  # fmt: skip
async def test_another_spelling_is_no_other_mailbox(valkey_url: str, value: str) -> None:
    async with house(valkey_url) as (_, wire):
        assert (await send(wire, "a@x.test")).startswith("250")
        answer = await send(wire, value)
        assert answer.startswith("451 4.7.1"), answer
        assert "a@x.test" in answer


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("<a@x.test", "an angle bracket of the From: field has no counterpart"),
        ("x<a@x.test", "an angle bracket of the From: field has no counterpart"),
        ("[a@x.test", "a character before its @ that may not stand there unquoted"),
        ("<mailto:a@x.test>", "a character before its @ that may not stand there unquoted"),
        ("<=?utf-8?q?a?=@x.test>", "is an encoded word"),
    ],
)
async def test_what_cannot_be_read_is_refused_and_says_why(
    valkey_url: str, value: str, sentence: str
) -> None:
    async with house(valkey_url) as (gate, wire):
        answer = await send(wire, value)
        assert answer.startswith("550 5.6.0 "), answer
        assert sentence in answer
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 0}


async def test_or_counts_for_one_mailbox_that_all_such_mail_shares(valkey_url: str) -> None:
    async with house(valkey_url, unreadable_from="shared") as (_, wire):
        assert (await send(wire, "<a@x.test")).startswith("250")
        for value in ("[b@x.test", "nobody", "<c@x.test"):
            assert (await send(wire, value)).startswith("451 4.7.1")
        assert (await send(wire, "a@x.test")).startswith("250"), "its own maximum is untouched"
        # Two authors are read well enough to know that they are two.
        assert (await send(wire, "a@x.test, b@x.test")).startswith("550 5.6.0")


@pytest.mark.parametrize("terms", [{"senders": ("x.test",)}, {"strict": True}])
async def test_nobody_is_never_an_allowed_sender(valkey_url: str, terms: Any) -> None:
    async with house(valkey_url, unreadable_from="shared", **terms) as (_, wire):
        answer = await send(wire, "<a@x.test")
        assert answer.startswith("550 5.6.0 an angle bracket"), answer


async def test_mail_from_as_the_mailbox_is_read_alike(valkey_url: str) -> None:
    async with house(valkey_url, mailbox="envelope") as (_, wire):
        assert (await send(wire, "z@x.test", "a@x.test")).startswith("250")
        assert (await send(wire, "z@x.test", '"A"@X.test')).startswith("451 4.7.1")
        answer = await send(wire, "z@x.test", "[a@x.test")
        assert answer == "550 5.1.7 the sender in MAIL FROM cannot be read as one mailbox"


async def test_a_list_of_senders_knows_an_address_in_quotes(valkey_url: str) -> None:
    terms = {"senders": ("a@x.test",), "mailbox_default": MailboxLimits()}
    async with house(valkey_url, **terms) as (_, wire):
        assert (await send(wire, '"a"@x.test', '"a"@x.test')).startswith("250")
        assert (await send(wire, '"b"@x.test', "a@x.test")).startswith("550 5.7.1")

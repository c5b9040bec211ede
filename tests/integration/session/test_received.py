"""Received fields: how many are a loop, and our own for those who get one (RFC 5321 4.4, 6.3)."""

import asyncio
import base64
import re
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import pytest

from policy.model import Profile
from settings.model import Listener
from tests.integration.hold.test_keeping_and_releasing import next_day
from tests.support.certificates import Certificate
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import gateway, holding, releaser, settings_for
from tests.support.pmta.standin import Received, StandIn
from tests.support.session.smtpwire import SmtpWire

MESSAGE = (
    b"Received: from a.test by b.test; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    b"DKIM-Signature: v=1; d=acme.test;\r\n\th=from:received;  b=abc\r\n"
    b"From: Anna <news@acme.test>\r\n\r\nhello\r\n..dot\r\n"
)
OURS = re.compile(
    rb"Received: from (?P<client>[^\r\n]+)\r\n\tby gateway\.test with (?P<with>\w+) "
    rb"id (?P<id>[^ ;]+);\r\n\t(?P<date>[^\r\n]+)\r\n"
)


def ours(received: Received) -> re.Match[bytes]:
    """Our field, on top of the message as it came."""
    assert received.content is not None
    found = OURS.match(received.content)
    assert found is not None, received.content
    assert received.content[found.end() :] == MESSAGE.replace(b"\r\n..", b"\r\n.")
    return found


def mta(**changes: Any) -> Any:
    return tenant(profile=Profile.MTA, **changes)


@pytest.mark.parametrize(
    ("fields", "profile", "stamped"),
    [
        ({}, Profile.MTA, True),
        ({}, Profile.MAILWIZZ, False),
        ({"received": ()}, Profile.MTA, False),
        ({"received": ("mailwizz",)}, Profile.MAILWIZZ, True),
    ],
)
async def test_profiles_that_are_named_get_a_field(
    valkey_url: str, fields: dict[str, Any], profile: Profile, stamped: bool
) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(
            settings_for(valkey_url, gateway=fields),
            generation(port=pmta.smtp_port, tenants=(tenant(profile=profile),)),
        ) as gate,
    ):
        wire = await gate.wire()
        answer = await wire.send("b@dest.test", body=MESSAGE, sender="a@acme.test")
        assert answer.startswith("250 "), answer
        [received] = await pmta.messages()
        if stamped:
            found = ours(received)
            assert (found["client"], found["with"]) == (b"unknown", b"ESMTPA")
            assert found["id"].decode() == gate.log_lines("message")[-1]["message"]
            assert found["id"].decode() in received.envid
            assert abs(parsedate_to_datetime(found["date"].decode()).timestamp() - time()) < 60
            assert received.raw is not None
            assert b"127.0.0.1" not in received.raw
            assert b"client.test" not in received.raw
        else:
            assert received.content == MESSAGE.replace(b"\r\n..", b"\r\n.")
        await wire.close()


@pytest.mark.parametrize(
    ("hello", "client"),
    [
        ("mail.client.test", b"mail.client.test ([127.0.0.1])"),
        ("[10.0.0.5]", b"[10.0.0.5] ([127.0.0.1])"),
        ("a b; evil (x", b"unknown ([127.0.0.1])"),
        ("é.test", b"unknown ([127.0.0.1])"),
    ],
)
async def test_the_client_is_named_where_that_was_asked_for(
    valkey_url: str, hello: str, client: bytes
) -> None:
    settings = settings_for(valkey_url, gateway={"received_client": True})
    tenants = (mta(networks=("127.0.0.0/8",)),)
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port, tenants=tenants)) as gate,
    ):
        wire = await SmtpWire.open(gate.port, ehlo=False)
        await wire.reply()
        assert (await wire.ask(f"HELO {hello}")).startswith("250 ")
        assert (await wire.send("b@dest.test", body=MESSAGE)).startswith("250 ")
        await wire.ask(f"EHLO {hello}")
        parameters = " SMTPUTF8"
        answer = await wire.send("b@dest.test", body=MESSAGE, parameters=parameters)
        assert answer.startswith("250 "), answer
        found = [ours(message) for message in await pmta.messages()]
        assert [match["client"] for match in found] == [client] * 2
        assert [match["with"] for match in found] == [b"SMTP", b"UTF8SMTP"]
        await wire.close()


async def test_tls_and_the_login_are_named(valkey_url: str, certificate: Certificate) -> None:
    listeners = (Listener(port=0, tls="starttls"), Listener(port=0, tls="implicit"))
    files = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    settings = settings_for(valkey_url, gateway={"listeners": listeners, **files})
    login = base64.b64encode(b"\0acme\0secret").decode()
    context = certificate.client_context()
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port, tenants=(mta(),))) as gate,
    ):
        wire = await SmtpWire.open(gate.ports[0])
        await wire.ask("STARTTLS")
        await wire.writer.start_tls(context, server_hostname="localhost")
        secure = SmtpWire(
            *await asyncio.open_connection(
                "127.0.0.1", gate.ports[1], ssl=context, server_hostname="localhost"
            )
        )
        await secure.reply()
        for each in (wire, secure):
            await each.ask("EHLO client.test")
            assert (await each.ask("AUTH PLAIN " + login)).startswith("235 ")
            assert (await each.send("b@dest.test", body=MESSAGE)).startswith("250 ")
            await each.close()
        assert [ours(m)["with"] for m in await pmta.messages()] == [b"ESMTPSA"] * 2


async def test_a_held_message_keeps_the_field_of_its_arrival(
    valkey_url: str, hold_url: str
) -> None:
    settings = holding(valkey_url, hold_url, gateway={"received": ("mailwizz",)})
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(vmta(1, daily=1), port=pmta.smtp_port)) as gate,
        releaser(settings),
    ):
        wire = await gate.wire()
        await wire.send("b@dest.test", body=MESSAGE)
        answer = await wire.send("c@dest.test", body=MESSAGE)
        assert answer.endswith(" queued")
        await next_day(gate)
        async with asyncio.timeout(15):
            while len(await pmta.messages()) < 2:
                await asyncio.sleep(0.05)
        found = ours((await pmta.messages())[1])
        assert found["id"].decode() == answer.split()[3]
        assert abs(parsedate_to_datetime(found["date"].decode()).timestamp() - time()) < 60
        await wire.close()


HOP = b"Received: from a.test by b.test; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
SPELT = b"RECEIVED : from a.test\r\n\tby b.test; Mon, 1 Jan 2024 00:00:00 +0000\r\n"


@pytest.mark.parametrize(
    ("fields", "hops", "reply"),
    [
        ({}, HOP * 99, "250 2.0.0 OK"),
        ({}, HOP * 100, "554 5.4.6 the message goes in circles (100 Received:)"),
        ({}, (HOP + SPELT) * 50, "554 5.4.6"),
        ({}, HOP * 98 + b"X-Received: x\r\nReceived-SPF: pass\r\n", "250 2.0.0 OK"),
        ({"max_hops": 3}, HOP * 2, "250 2.0.0 OK"),
        ({"max_hops": 3}, HOP * 3, "554 5.4.6"),
    ],
)
async def test_a_message_that_goes_in_circles_is_refused(
    valkey_url: str, fields: dict[str, Any], hops: bytes, reply: str
) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url, gateway=fields), generation(port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        body = hops + b"From: Anna <news@acme.test>\r\n\r\n" + HOP * 200
        assert (await wire.send("b@dest.test", body=body)).startswith(reply)
        assert len(await pmta.messages()) == reply.startswith("250")
        assert gate.log_lines("message")[-1]["outcome"] in ("relayed", "rejected")
        await wire.close()

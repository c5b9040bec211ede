"""STARTTLS under attack: nothing said in plain text survives it, and no handshake costs more
than its own session."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest

from settings.model import Listener
from tests.support.certificates import Certificate
from tests.support.gateway.generations import generation
from tests.support.gateway.house import nothing_happened, sessions, until_gone
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

LOGIN = b"AUTH PLAIN " + base64.b64encode(b"\0acme\0secret") + b"\r\n"
ENVELOPE = b"MAIL FROM:<evil@acme.test>\r\nRCPT TO:<victim@dest.test>\r\n"
TRANSACTION = ENVELOPE + b"DATA\r\nFrom: evil@acme.test\r\n\r\ninjected\r\n.\r\n"


@contextlib.asynccontextmanager
async def secured(
    valkey_url: str, certificate: Certificate, **changes: object
) -> AsyncIterator[tuple[GatewayUnderTest, StandIn]]:
    """A listener with STARTTLS and one that requires it; a login is needed."""
    fields = {
        "listeners": (
            Listener(port=0, tls="starttls"),
            Listener(port=0, tls="starttls", require_tls=True),
            Listener(port=0, tls="implicit"),
        ),
        "certificate": str(certificate.certificate),
        "key": str(certificate.key),
        **changes,
    }
    settings = settings_for(valkey_url, gateway=fields, hold={"enabled": False})
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port)) as gate,
    ):
        yield gate, pmta


async def upgrade(wire: SmtpWire, certificate: Certificate) -> None:
    await wire.writer.start_tls(certificate.client_context(), server_hostname="localhost")


async def refused_everything(wire: SmtpWire) -> None:
    """Neither greeting nor login nor envelope of before is left, and no reply is in the queue."""
    assert await wire.ask("RCPT TO:<b@dest.test>") == "503 5.5.1 send EHLO first"
    assert await wire.ask("DATA") == "503 5.5.1 send EHLO first"
    assert (await wire.ask("EHLO client.test")).startswith("250 ")
    assert (await wire.ask("MAIL FROM:<a@acme.test>")).startswith("530 5.7.0")
    assert (await wire.ask("DATA")).startswith("530 5.7.0")


BEHIND = {
    "a login": LOGIN,
    "a greeting and a login": b"EHLO evil.test\r\n" + LOGIN,
    "an envelope": ENVELOPE,
    "a transaction": b"EHLO evil.test\r\n" + LOGIN + TRANSACTION,
    "half a command": b"EHLO ev",
    "a line end": b"\r\n",
    "an open login": b"AUTH LOGIN\r\nYWNtZQ==\r\n",
}


async def test_nothing_pipelined_behind_starttls_survives_it(
    valkey_url: str, certificate: Certificate
) -> None:
    async with secured(valkey_url, certificate) as (gate, pmta):
        for before in (b"", LOGIN, LOGIN + ENVELOPE):
            for name, behind in BEHIND.items():
                wire = await SmtpWire.open(gate.port)
                wire.say(before + b"STARTTLS\r\n" + behind)
                while not (await wire.reply()).startswith("220"):
                    pass
                await upgrade(wire, certificate)
                await refused_everything(wire)
                assert (await wire.ask(LOGIN.decode().rstrip())).startswith("235"), name
                await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_required_tls_lets_no_login_and_no_envelope_through_before_it(
    valkey_url: str, certificate: Certificate
) -> None:
    async with secured(valkey_url, certificate) as (gate, pmta):
        wire = await SmtpWire.open(gate.ports[1])
        for command in ("AUTH PLAIN", "MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "DATA"):
            assert (await wire.ask(command)).startswith("530 5.7.0 must issue a STARTTLS")
        wire.say(b"STARTTLS\r\n" + LOGIN + TRANSACTION)
        assert (await wire.reply()).startswith("220")
        await upgrade(wire, certificate)
        await refused_everything(wire)
        await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_starttls_comes_once_and_not_where_it_is_not_offered(
    valkey_url: str, certificate: Certificate
) -> None:
    async with secured(valkey_url, certificate) as (gate, _):
        wire = await SmtpWire.open(gate.port)
        assert (await wire.ask("STARTTLS now")).startswith("501")
        assert (await wire.ask("STARTTLS")).startswith("220")
        await upgrade(wire, certificate)
        for _ in range(2):
            assert (await wire.ask("STARTTLS")).startswith("503 5.5.1")
            wire.say("EHLO client.test\r\n")
            async with asyncio.timeout(5):
                said = await wire.reader.readuntil(b"250 ")
            assert b"STARTTLS" not in said
            assert (await wire.reply()).startswith("AUTH")
        await wire.close()
        implicit = SmtpWire(
            *await asyncio.open_connection(
                "127.0.0.1",
                gate.ports[2],
                ssl=certificate.client_context(),
                server_hostname="localhost",
            )
        )
        assert (await implicit.reply()).startswith("220")
        assert (await implicit.ask("STARTTLS")).startswith("454")
        await implicit.close()
        await until_gone(gate)


@pytest.mark.parametrize(
    "garbage",
    [b"EHLO x\r\n" * 40, b"\x16\x03\x01\x02\x00" + b"\x00" * 512, b"\x15\x03\x01\x00\x02\x02\x28",
     b"\x80\x2e\x01\x00\x02" * 20, b"\x00" * 5000],
    ids=["commands", "client hello of zeros", "alert", "SSLv2", "zeros"],
)  # fmt: skip
async def test_garbage_instead_of_a_handshake_ends_the_session(
    valkey_url: str, certificate: Certificate, garbage: bytes
) -> None:
    async with secured(valkey_url, certificate) as (gate, pmta):
        for together in (False, True):
            reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
            writer.write(b"EHLO x\r\nSTARTTLS\r\n" + (garbage if together else b""))
            async with asyncio.timeout(5):
                await reader.readuntil(b"220 2.0.0 Ready to start TLS\r\n")
                writer.write(garbage + TRANSACTION)
                with contextlib.suppress(ConnectionError):
                    said = await reader.read()
                    assert b"250" not in said
            writer.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_handshake_holds_up_no_drain(valkey_url: str, certificate: Certificate) -> None:
    async with secured(valkey_url, certificate, drain=20.0) as (gate, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(b"STARTTLS\r\n")
        async with asyncio.timeout(5):
            await reader.readuntil(b"220 2.0.0 Ready to start TLS\r\n")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 10
    writer.close()


async def test_a_handshake_that_never_ends_is_cut_off(
    valkey_url: str, certificate: Certificate
) -> None:
    """Silence after STARTTLS, half a client hello, and more plain text than a buffer holds."""
    async with secured(valkey_url, certificate, command_timeout=0.4) as (gate, pmta):
        opened = []
        for behind in (b"", b"\x16\x03\x01\x02\x00\x01", b"NOOP\r\n" * 100_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
            writer.write(b"EHLO x\r\nSTARTTLS\r\n")
            await reader.readuntil(b"220 2.0.0 Ready to start TLS\r\n")
            writer.write(behind)
            opened.append(writer)
            flood = await asyncio.open_connection("127.0.0.1", gate.port)
            flood[1].write(b"EHLO x\r\nSTARTTLS\r\n" + behind)
            opened.append(flood[1])
        assert len(sessions(gate)) >= 1
        await until_gone(gate)
        for writer in opened:
            writer.transport.abort()
        await nothing_happened(gate, pmta)


async def test_plain_text_after_tls_never_is_a_command(
    valkey_url: str, certificate: Certificate
) -> None:
    """A man in the middle who writes into the stream breaks it and nothing else."""
    async with secured(valkey_url, certificate) as (gate, pmta):
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(b"EHLO x\r\nSTARTTLS\r\n")
        await reader.readuntil(b"220 2.0.0 Ready to start TLS\r\n")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = certificate.client_context()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        async with asyncio.timeout(5):
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
                    incoming.write(await reader.read(65_536))
            tls.write(b"EHLO x\r\n" + LOGIN)
            writer.write(outgoing.read() + TRANSACTION)
            with contextlib.suppress(ConnectionError):
                await reader.read()
        writer.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_nothing_behind_the_last_command_is_done_when_tls_ends(
    valkey_url: str, certificate: Certificate
) -> None:
    async with secured(valkey_url, certificate) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        await wire.ask("STARTTLS")
        await upgrade(wire, certificate)
        assert (await wire.ask("EHLO client.test")).startswith("250 ")
        assert (await wire.ask(LOGIN.decode().strip())).startswith("235 ")
        wire.say(b"BDAT 500 LAST\r\n" + TRANSACTION)
        assert (await wire.reply()).startswith("502 ")
        await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)

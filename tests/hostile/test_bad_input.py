"""Hostile and broken clients: a right reply or a close, nothing relayed, nothing charged."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from settings.model import Listener
from tests.support.certificates import make_certificate
from tests.support.gateway.generations import PASSWORD_HASH, generation, tenant
from tests.support.gateway.house import conversation
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.servers.parts import SharedParts
from tests.support.session.smtpwire import SmtpWire

HOUSE = (tenant(networks=("127.0.0.0/8",)),)
MESSAGE = "From: a@acme.test\r\nSubject: x\r\n\r\nhello\r\n"
IP = "192.0.2.1"


@contextlib.asynccontextmanager
async def house(
    valkey_url: str, **gateway_settings: object
) -> AsyncIterator[tuple[GatewayUnderTest, StandIn]]:
    settings = settings_for(valkey_url, gateway=gateway_settings)
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            yield gate, pmta


async def nothing_happened(gate: GatewayUnderTest, pmta: StandIn) -> None:
    await gate.worker.parts.reserver.drain()
    assert await gate.used(IP) == {IP: 0}
    assert await pmta.messages() == []
    assert gate.worker.service.memory.used == 0


async def works(gate: GatewayUnderTest) -> None:
    wire = await SmtpWire.open(gate.port)
    assert (await wire.send("you@dest.test", body=MESSAGE)).startswith("250")
    await wire.close()


async def until_gone(gate: GatewayUnderTest) -> None:
    async with asyncio.timeout(10):
        while gate.worker.service.live:
            await asyncio.sleep(0.01)
    assert gate.worker.service.sessions.open == 0


STATES: list[list[str | bytes]] = [
    [],
    ["EHLO x\r\n"],
    ["EHLO x\r\n", "MAIL FROM:<a@acme.test>\r\n"],
    ["EHLO x\r\n", "MAIL FROM:<a@acme.test>\r\n", "RCPT TO:<b@dest.test>\r\n"],
    ["EHLO x\r\n", "MAIL FROM:<a@acme.test>\r\n", "RCPT TO:<b@dest.test>\r\n", "DATA\r\n"],
    ["EHLO x\r\n", "MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\nFrom: a@acme."],
    ["EHLO x\r\n", "MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n" + MESSAGE + "."],
    ["EHLO x\r\n", "AUTH LOGIN\r\n"],
    ["EHLO x\r\n", "AUTH PLAIN\r\n"],
    ["EH"],
]


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
async def test_a_disconnect_at_any_state_leaves_nothing(valkey_url: str, how: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        for said in STATES:
            wire = await SmtpWire.open(gate.port, ehlo=False)
            await wire.reply()
            for part in said:
                wire.say(part)
                await wire.writer.drain()
            if how == "reset":
                wire.writer.transport.abort()
            elif how == "half-close":
                wire.writer.write_eof()
                async with asyncio.timeout(5):
                    await wire.reader.read()
            await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)
        await works(gate)


async def test_an_endless_command_line_is_bounded_and_in_step(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        for _ in range(300):
            wire.say(b"x" * 100_000)
            await wire.writer.drain()
            assert all(s.lines.buffered < 300_000 for s in gate.worker.service.live)  # type: ignore[attr-defined]
        wire.say(b"\r\n")
        assert await wire.reply() == "500 5.5.2 line too long"
        assert (await wire.ask("NOOP")).startswith("250")
        assert (await wire.ask("NOOP " + "y" * 3000)) == "500 5.5.2 line too long"
        await wire.close()
        await nothing_happened(gate, pmta)


async def test_an_endless_message_is_cut_off_within_its_bound(valkey_url: str) -> None:
    async with house(valkey_url, max_message_size=100_000) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        await wire.ask("MAIL FROM:<a@acme.test>")
        await wire.ask("RCPT TO:<b@dest.test>")
        await wire.ask("DATA")
        with contextlib.suppress(ConnectionError):
            for _ in range(600):
                wire.say(b"z" * 998 + b"\r\n")
                await wire.writer.drain()
                assert gate.worker.service.memory.used < 300_000
        with contextlib.suppress(ConnectionError):
            assert (await wire.reply()).startswith("552 5.3.4")
        await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_message_over_the_limit_is_refused_and_the_session_goes_on(
    valkey_url: str,
) -> None:
    async with house(valkey_url, max_message_size=10_000) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        big = await wire.send("b@dest.test", body=MESSAGE + "y" * 70 + "\r\n" * 6000)
        assert big.startswith("552 5.3.4")
        await nothing_happened(gate, pmta)
        assert (await wire.send("b@dest.test", body=MESSAGE)).startswith("250")
        await wire.close()


async def test_a_silent_client_is_told_and_closed(valkey_url: str) -> None:
    async with house(valkey_url, command_timeout=0.3, data_timeout=0.3) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        assert (await wire.reply()).startswith("421 4.4.2")
        stuck = await SmtpWire.open(gate.port)
        await stuck.ask("MAIL FROM:<a@acme.test>")
        await stuck.ask("RCPT TO:<b@dest.test>")
        await stuck.ask("DATA")
        stuck.say("From: a@ac")
        assert (await stuck.reply()).startswith("421 4.4.2")
        await wire.close()
        await stuck.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_trickling_client_is_bounded_for_the_whole_message(valkey_url: str) -> None:
    async with house(valkey_url, data_timeout=5.0, message_timeout=0.5) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        await wire.ask("MAIL FROM:<a@acme.test>")
        await wire.ask("RCPT TO:<b@dest.test>")
        await wire.ask("DATA")

        async def trickle() -> None:
            while not wire.writer.is_closing():
                wire.say(b"x")
                await asyncio.sleep(0.02)

        drip = asyncio.create_task(trickle())
        assert (await wire.reply()).startswith("421 4.4.2")
        drip.cancel()
        await wire.close()
        await nothing_happened(gate, pmta)


async def test_sessions_beyond_the_slots_wait_then_are_told_421(valkey_url: str) -> None:
    async with house(valkey_url, max_sessions=2, overload_delay=0.4) as (gate, _):
        held = [await SmtpWire.open(gate.port) for _ in range(2)]
        turned_away = await SmtpWire.open(gate.port, ehlo=False)
        started = time.monotonic()
        assert (await turned_away.reply()).startswith("421 4.3.2")
        assert time.monotonic() - started > 0.3
        waiting = await SmtpWire.open(gate.port, ehlo=False)
        greeting = asyncio.create_task(waiting.reply())
        await asyncio.sleep(0.05)
        await held[0].ask("QUIT")
        assert (await greeting).startswith("220")
        for wire in (*held, turned_away, waiting):
            await wire.close()


async def test_readers_beyond_the_memory_budget_wait_and_nobody_dies(valkey_url: str) -> None:
    async with house(valkey_url, memory_budget=300_000, max_message_size=200_000) as (gate, pmta):
        body = MESSAGE + ("m" * 70 + "\r\n") * 2000  # about 144 KB

        async def push() -> str:
            wire = await SmtpWire.open(gate.port)
            reply = await wire.send("b@dest.test", body=body)
            await wire.close()
            return reply

        replies = await asyncio.gather(*(push() for _ in range(8)))
        assert {reply[:3] for reply in replies} == {"250"}
        await until_gone(gate)
        assert gate.worker.service.memory.used == 0
        assert len(await pmta.messages()) == 8


async def test_an_unknown_login_costs_what_a_wrong_password_costs(valkey_url: str) -> None:
    async with house(valkey_url) as (gate, _):
        check = gate.worker.service.authenticator.check
        assert await check("acme", b"secret") == ("acme", PASSWORD_HASH)
        assert await check("acme", b"wrong") is None
        assert await check("nobody", b"secret") is None
        assert await check("acme", b"x" * 2000) is None
        hashed: list[str] = []
        verify = gate.worker.service.authenticator._verify

        def counting(stored: str, password: bytes) -> bool:
            hashed.append(stored)
            return verify(stored, password)

        gate.worker.service.authenticator._verify = counting  # type: ignore[method-assign]
        await check("acme", b"wrong")
        await check("nobody", b"wrong")
        assert len(hashed) == 2
        for _ in range(5):
            assert await check("acme", b"secret") == ("acme", PASSWORD_HASH)
        assert len(hashed) == 2


async def test_a_failed_handshake_is_an_ordinary_end(valkey_url: str, tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    listeners = (Listener(port=0, tls="starttls"), Listener(port=0, tls="implicit"))
    tls = {"certificate": str(files.certificate), "key": str(files.key)}
    async with house(valkey_url, listeners=listeners, **tls) as (gate, pmta):
        for port, hello in zip(gate.ports, (b"EHLO x\r\nSTARTTLS\r\n", b""), strict=True):
            for how in ("garbage", "fin", "reset"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                if hello:
                    await reader.readline()
                    writer.write(hello)
                    while not (await reader.readline()).startswith(b"220 "):
                        pass
                if how == "garbage":
                    writer.write(b"this is no TLS at all\r\n" * 20)
                    with contextlib.suppress(ConnectionError):
                        async with asyncio.timeout(5):
                            await reader.read()
                elif how == "reset":
                    writer.transport.abort()
                writer.close()
        await until_gone(gate)
        assert gate.log_lines("session_crashed") == []
        await nothing_happened(gate, pmta)


async def test_a_client_that_never_reads_is_bounded_and_cut_off(valkey_url: str) -> None:
    async with house(valkey_url, command_timeout=0.5) as (gate, pmta):
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]

        async def flood() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"HELP\r\n" * 1000)
                    await writer.drain()

        flooding = asyncio.create_task(flood())
        async with asyncio.timeout(15):
            while not (live := tuple(gate.worker.service.live)):
                await asyncio.sleep(0.01)
            while gate.worker.service.live:
                transport = live[0].transport  # type: ignore[attr-defined]
                if transport is not None:
                    assert transport.get_write_buffer_size() < 10_000_000
                await asyncio.sleep(0.02)
        flooding.cancel()
        writer.transport.abort()
        del reader
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_changed_password_ends_what_the_old_one_began(valkey_url: str) -> None:
    settings = settings_for(valkey_url)
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port)
        async with gateway(settings, plan) as gate:
            wire = await gate.wire()
            assert (await wire.send("you@dest.test", body=MESSAGE)).startswith("250")
            changed = msgspec.structs.replace(plan.tenants[0].logins[0], hash="another")
            renewed = tenant(logins=(changed,))
            await gate.publish(generation(number=2, port=pmta.smtp_port, tenants=(renewed,)))
            assert (await wire.ask("MAIL FROM:<a@acme.test>")).startswith("530 5.7.0")
            await wire.close()


async def test_proxy_protocol_names_the_client(valkey_url: str) -> None:
    listeners = (Listener(port=0, proxy_protocol=True),)
    settings = settings_for(valkey_url, gateway={"listeners": listeners, "proxy_timeout": 0.5})
    inside = (tenant(networks=("203.0.113.0/24",)),)
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=inside)
        async with gateway(settings, plan) as gate:
            wire = await SmtpWire.open(gate.port, ehlo=False)
            wire.say(b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n")
            assert (await wire.reply()).startswith("220")
            await wire.ask("EHLO x")
            assert (await wire.send("you@dest.test", body=MESSAGE)).startswith("250")
            assert gate.log_lines("message")[0]["peer"] == "203.0.113.9"
            v2 = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c cb007109 7f000001 1267 0019")
            second = await SmtpWire.open(gate.port, ehlo=False)
            second.say(v2)
            assert (await second.reply()).startswith("220")
            await second.ask("EHLO x")
            assert (await second.ask("MAIL FROM:<a@acme.test>")).startswith("250")
            # What came behind the octets that are no header is not read: an end, or a reset.
            assert await conversation(gate.port, b"EHLO x\r\n" * 20, end=False) == []
            silent = await SmtpWire.open(gate.port, ehlo=False)
            assert await silent.reply() == ""
            for one in (wire, second, silent):
                await one.close()


FRAGMENTS = [
    b"EHLO x\r\n", b"MAIL FROM:<a@acme.test>\r\n", b"RCPT TO:<b@dest.test>\r\n", b"DATA\r\n",
    b"RSET\r\n", b"NOOP\r\n", b"AUTH PLAIN AGFjbWUAc2VjcmV0\r\n", b"AUTH LOGIN\r\n", b"*\r\n",
    b"From: a@acme.test\r\n\r\nx\r\n", b".\r\n", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"\x00", b"\xff",
    b"BDAT 5\r\nabcde", b"STARTTLS\r\n", b"\r\n", b"MAIL FROM:<>\r\n", b"HELO\r\n", b"x" * 3000,
]  # fmt: skip


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    conversations=st.lists(
        st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=20)), max_size=12),
        min_size=8,
        max_size=8,
    )
)
def test_any_bytes_give_replies_or_a_close_and_only_accepted_messages_are_relayed(
    parts: SharedParts, conversations: list[list[bytes]]
) -> None:
    asyncio.run(_fuzz(parts, conversations))


async def _fuzz(parts: SharedParts, conversations: list[list[bytes]]) -> None:
    async with house(await parts.empty_valkey()) as (gate, pmta):
        accepted = 0
        for fragments in conversations:
            reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
            writer.write(b"EHLO x\r\n" + b"".join(fragments))
            with contextlib.suppress(ConnectionError):
                writer.write_eof()
            async with asyncio.timeout(10):
                said = await reader.read()
            lines = said.split(b"\r\n")
            assert all(line[:3].isdigit() for line in lines if line), said
            accepted += sum(line.startswith(b"250 2.0.0 OK ") for line in lines)
            writer.close()
        await until_gone(gate)
        assert len(await pmta.messages()) == accepted
        await gate.worker.parts.reserver.drain()
        charged = await gate.used(IP)
        assert charged[IP] == sum(len(m.rcpts) for m in await pmta.messages())

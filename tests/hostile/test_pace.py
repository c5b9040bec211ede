"""Slow clients: each phase has its bound, however steadily the octets trickle."""

import asyncio
import contextlib

import pytest

from tests.support.gateway.house import MESSAGE, house, nothing_happened, until_gone, works
from tests.support.session.smtpwire import SmtpWire

ENVELOPE = "MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"


@contextlib.asynccontextmanager
async def trickle(wire: SmtpWire, octets: bytes):  # type: ignore[no-untyped-def]
    """Sends one octet every 20 ms, from the start again and again."""

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while not wire.writer.is_closing():
                for octet in octets:
                    wire.say(bytes([octet]))
                    await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    try:
        yield
    finally:
        dripping.cancel()


PHASES = {
    "a command": ("", b"NOOP x"),
    "a greeting": ("", b"EHLO "),
    "an open transaction": ("MAIL FROM:<a@acme.test>\r\n", b"RCPT TO:<b@"),
    "a login": ("AUTH LOGIN\r\n", b"YWNt"),
    "a password": ("AUTH LOGIN\r\nYWNtZQ==\r\n", b"c2Vj"),
}


async def test_a_trickled_line_ends_at_the_command_timeout(valkey_url: str) -> None:
    async with house(valkey_url, command_timeout=0.5) as (gate, pmta):

        async def one(start: str, octets: bytes) -> str:
            wire = await SmtpWire.open(gate.port)
            wire.say(start)
            for _ in range(start.count("\r\n")):
                await wire.reply()
            async with trickle(wire, octets):
                last = await wire.reply()
            await wire.close()
            return last

        phases = (one(start, octets) for start, octets in PHASES.values())
        replies = dict(zip(PHASES, await asyncio.gather(*phases), strict=True))
        assert {reply[:9] for reply in replies.values()} == {"421 4.4.2"}, replies
        await until_gone(gate)
        await nothing_happened(gate, pmta)


@pytest.mark.parametrize(
    ("data", "message", "octets"),
    [(5.0, 0.5, b"x"), (5.0, 0.5, b"\r\n.\r"), (0.3, 60.0, b"")],
    ids=["trickle", "near ends", "silence"],
)
async def test_slow_content_ends_at_its_timeouts(
    valkey_url: str, data: float, message: float, octets: bytes
) -> None:
    async with house(valkey_url, data_timeout=data, message_timeout=message) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        wire.say(ENVELOPE + MESSAGE)
        assert [(await wire.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        async with trickle(wire, octets) if octets else contextlib.nullcontext():
            started = asyncio.get_running_loop().time()
            assert (await wire.reply()).startswith("421 4.4.2")
            assert asyncio.get_running_loop().time() - started < 2.0
        await wire.close()
        await until_gone(gate)
        await nothing_happened(gate, pmta)
        await works(gate)


async def test_a_slow_client_keeps_no_other_from_being_served(valkey_url: str) -> None:
    async with house(valkey_url, memory_budget=400_000, max_message_size=200_000) as (gate, _):
        slow = [await SmtpWire.open(gate.port) for _ in range(30)]
        for wire in slow:
            wire.say(ENVELOPE + MESSAGE + "x" * 5000)
        for wire in slow:
            assert [(await wire.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        for _ in range(5):
            await works(gate)
        for wire in slow:
            wire.say("\r\n.\r\n" if wire is slow[0] else "")
        # A line of 5,000 octets is refused; what counts is that the reader still is in step.
        assert (await slow[0].reply()).startswith("554 5.6.0")
        for wire in slow:
            await wire.close()
        await until_gone(gate)
        assert gate.worker.service.memory.used == 0

"""Clients that send without end or never read: memory stays bounded, others are served."""

import asyncio
import contextlib
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.message.message import Message
from policy.reply import Reply
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.house import (
    HOUSE,
    MESSAGE,
    house,
    nothing_happened,
    sessions,
    until_gone,
    works,
)
from tests.support.gateway.process import GatewayProcess
from tests.support.gateway.worker import GatewayUnderTest, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

ENVELOPE = "MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"
BLOCK = 262_144
FLOOD = 300_000_000
MEGABYTE = 1_048_576
RECIPIENTS = HOUSE[0].max_recipients


class Served:
    """A gateway of one worker, a process of its own: what is measured is its memory, not the
    client's nor that of tests before."""

    def __init__(self, gate: GatewayProcess, pmta: StandIn) -> None:
        self.gate = gate
        self.pmta = pmta
        [self._worker] = gate.worker_pids()
        self._start = 0

    def begin(self) -> None:
        """From now on it counts how much its memory grows."""
        Path(f"/proc/{self._worker}/clear_refs").write_text("5", encoding="ascii")
        self._start = self._status("VmRSS")

    def grown(self) -> int:
        """Octets that it had more at most, by the kernel's own count (proc(5): VmHWM)."""
        return self._status("VmHWM") - self._start

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self._worker}/status").read_text("ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(name)

    async def works(self) -> None:
        """A message of another client goes through."""
        wire = await SmtpWire.open(self.gate.port)
        assert (await wire.send("you@dest.test", body=MESSAGE)).startswith("250")
        await wire.close()
        await self.pmta.reset()

    async def until_free(self) -> None:
        """No session is left, nor any octet of a message."""
        async with asyncio.timeout(10):
            while await self._gauges() != [0.0, 0.0]:
                await asyncio.sleep(0.02)
        assert self.gate.lines("session_crashed") == []
        assert self.gate.lines("worker_died") == []

    async def _gauges(self) -> list[float]:
        _, text = await self.gate.get("/metrics")
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        names = ("sendgate_sessions", "sendgate_message_memory_bytes")
        return [sum(float(v) for k, v in values.items() if k.split("{")[0] == n) for n in names]


@contextlib.asynccontextmanager
async def served(valkey_url: str, folder: Path, **gateway: object) -> AsyncIterator[Served]:
    """As `house`, whose processes are their own, and warm."""
    fields = {"admin_port": 0, "workers": 1, **gateway}
    settings = settings_for(valkey_url, gateway=fields, hold={"enabled": False})
    async with StandIn.start() as pmta:
        gate = GatewayProcess(settings, folder)
        plan = generation(vmta(1, daily=100_000), port=pmta.smtp_port, tenants=HOUSE)
        await gate.publish(plan)
        async with gate:
            made = Served(gate, pmta)
            await made.works()
            yield made


async def pour(wire: SmtpWire, block: bytes, octets: int = FLOOD) -> int:
    """Sends `block` again and again until `octets` are out or the gateway has closed."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < octets and not wire.writer.is_closing():
            wire.say(block)
            await wire.writer.drain()
            sent += len(block)
    return sent


@pytest.mark.slow
async def test_300_megabytes_without_a_line_end_are_one_command_too_long(
    valkey_url: str, tmp_path: Path
) -> None:
    async with served(valkey_url, tmp_path) as here:
        wire = await SmtpWire.open(here.gate.port)
        here.begin()
        assert await pour(wire, b"x" * BLOCK) >= FLOOD
        wire.say("\r\n")
        assert await wire.reply() == "500 5.5.2 line too long"
        assert (await wire.ask("NOOP")).startswith("250")
        assert here.grown() < 6 * MEGABYTE
        await wire.close()


CONTENTS = {
    "a line without an end": (b"", b"x" * BLOCK),
    "a header field without an end": (b"X-Long: x", b" x\r\n" * (BLOCK // 4)),
    "a header without an end": (b"", b"X-More: header\r\n" * (BLOCK // 16)),
    "a body without an end": (MESSAGE.encode(), (b"y" * 78 + b"\r\n") * (BLOCK // 80)),
    "dots": (MESSAGE.encode(), b"." * BLOCK),
    "line ends": (MESSAGE.encode(), b"\r\n" * (BLOCK // 2)),
    "near ends": (MESSAGE.encode(), b"\r\n.\r" * (BLOCK // 4)),
}


@pytest.mark.slow
async def test_300_megabytes_of_content_are_cut_off_within_bounds(
    valkey_url: str, tmp_path: Path
) -> None:
    """Whatever they look like; the rest of the flood meets a closed connection."""
    async with served(valkey_url, tmp_path, max_message_size=MEGABYTE) as here:
        for name, (start, block) in CONTENTS.items():
            wire = await SmtpWire.open(here.gate.port)
            wire.say(ENVELOPE)
            assert [(await wire.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
            here.begin()
            wire.say(start)
            sent = await pour(wire, block)
            assert sent < 20 * MEGABYTE, name
            assert here.grown() < 6 * MEGABYTE, (name, here.grown())
            wire.writer.transport.abort()
        await here.until_free()
        assert await here.pmta.messages() == []
        await here.works()


async def test_a_header_of_megabytes_is_refused_and_the_session_goes_on(valkey_url: str) -> None:
    async with house(valkey_url, max_message_size=8 * MEGABYTE) as (gate, pmta):
        wire = await SmtpWire.open(gate.port)
        body = MESSAGE.replace("\r\n\r\n", "\r\n" + "X-More: header\r\n" * 300_000 + "\r\n")
        assert (await wire.send("b@dest.test", body=body)).startswith("552 5.3.4 the header")
        await nothing_happened(gate, pmta)
        assert (await wire.send("b@dest.test", body=MESSAGE)).startswith("250")
        await wire.close()


@pytest.mark.slow
async def test_recipients_without_end_in_one_go_are_answered_one_by_one(
    valkey_url: str, tmp_path: Path
) -> None:
    """Distinct ones: more than a message may have, by far, are refused at no cost."""
    count = 100_000
    async with served(valkey_url, tmp_path) as here:
        wire = await SmtpWire.open(here.gate.port)
        lines = b"".join(b"RCPT TO:<b%d@dest.test>\r\n" % number for number in range(count))
        said = bytearray()
        replies = 0

        async def read() -> None:
            nonlocal replies
            while replies < count + 1 and (block := await wire.reader.read(BLOCK)):
                replies += block.count(b"\n")
                said.extend(block)

        here.begin()
        reading = asyncio.create_task(read())
        wire.say("MAIL FROM:<a@acme.test>\r\n")
        for start in range(0, len(lines), BLOCK):
            await pour(wire, lines[start : start + BLOCK], 1)
        async with asyncio.timeout(60):
            await reading
        codes = Counter(line[:3] for line in bytes(said).splitlines())
        # MAIL's own, and as many recipients as a message may have.
        assert codes == {b"250": 1 + RECIPIENTS, b"452": count - RECIPIENTS}
        assert here.grown() < 6 * MEGABYTE, here.grown()
        assert (await wire.ask("RSET")).startswith("250")
        await wire.close()
        await here.until_free()
        assert await here.pmta.messages() == []


async def never_reads(gate: GatewayUnderTest, block: bytes, *, most: int, seconds: float) -> None:
    """Pours `block` into one connection and reads nothing: the gateway's output stays below
    `most` octets, its input below a megabyte, and the session ends."""
    raw = socket.socket()
    # The kernel's own buffers would take megabytes before the gateway notices.
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", gate.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.transport.set_write_buffer_limits(high=BLOCK)
    writer.write(b"EHLO x\r\n")
    pouring = asyncio.create_task(pour(SmtpWire(reader, writer), block))
    async with asyncio.timeout(seconds):
        while not (mine := [s for s in sessions(gate) if s.transport is not None]):
            await asyncio.sleep(0.005)
        while mine[0] in sessions(gate):
            assert mine[0].unread + len(mine[0]._out) < most
            assert mine[0].lines.buffered < MEGABYTE
            await asyncio.sleep(0.005)
    pouring.cancel()
    writer.transport.abort()


async def test_commands_of_a_client_that_never_reads_are_bounded(valkey_url: str) -> None:
    async with house(valkey_url, command_timeout=0.3) as (gate, pmta):
        for command in (b"EHLO x\r\n", b"RCPT TO:<x>\r\n"):
            block = command * 10_000
            await never_reads(gate, block, most=500_000, seconds=60)
        await until_gone(gate)
        await nothing_happened(gate, pmta)
        await works(gate)


async def test_messages_of_a_client_that_never_reads_are_bounded(valkey_url: str) -> None:
    """Whole transactions pipelined without a pause: while one is relayed the next ones come, so
    that a line always waits and it never seems to be the client's turn to read."""
    handled = 0

    async def handle(message: Message) -> Reply:
        nonlocal handled
        handled += 1
        await asyncio.sleep(0)
        return Reply(250, "2.0.0", "x" * 400)

    async with house(valkey_url, command_timeout=0.5) as (gate, _):
        gate.worker.service.handle = handle
        block = (ENVELOPE + MESSAGE + ".\r\n").encode() * 1000
        await never_reads(gate, block, most=500_000, seconds=60)
        await until_gone(gate)
        assert handled > 100


@pytest.mark.slow
async def test_thousands_of_idle_connections_keep_nobody_from_being_served(
    valkey_url: str,
) -> None:
    """Up to `max_sessions` all are served; those beyond hear 421."""
    count, most = 2000, 1500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 3 * count), hard), hard))
    try:
        async with house(valkey_url, max_sessions=most, overload_delay=0.2) as (gate, pmta):
            opened = []
            for _ in range(0, most - 1, 100):
                batch = (asyncio.open_connection("127.0.0.1", gate.port) for _ in range(100))
                opened += await asyncio.gather(*batch)
            last = opened.pop()
            last[1].close()
            async with asyncio.timeout(30):
                greeted = await asyncio.gather(*(reader.readline() for reader, _ in opened))
            assert {line[:4] for line in greeted} == {b"220 "}
            await works(gate)
            opened += await asyncio.gather(
                *(asyncio.open_connection("127.0.0.1", gate.port) for _ in range(count - most))
            )
            async with asyncio.timeout(30):
                late = await asyncio.gather(
                    *(reader.readline() for reader, _ in opened[most - 1 :])
                )
            told = [text[:3] for text in late]
            # One slot was left: the session that had held it is gone.
            assert sorted(told) == [b"220"] + [b"421"] * (count - most - 1)
            for _, writer in opened:
                writer.close()
            await until_gone(gate, 30)
            assert len(await pmta.messages()) == 1
            await works(gate)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_idle_connections_end_by_themselves(valkey_url: str) -> None:
    async with house(valkey_url, command_timeout=1.0) as (gate, _):
        opened = await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", gate.port) for _ in range(300))
        )
        async with asyncio.timeout(30):
            said = await asyncio.gather(*(reader.read() for reader, _ in opened))
        assert {text.splitlines()[-1][:9] for text in said} == {b"421 4.4.2"}
        for _, writer in opened:
            writer.close()
        await until_gone(gate, 30)
        await works(gate)

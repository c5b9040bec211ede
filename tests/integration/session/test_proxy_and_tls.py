"""A PROXY header in front of implicit TLS: in clear, and cut from the ClientHello wherever the
network likes (HAProxy's proxy-protocol.txt, section 2)."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.accept import board
from gateway.accept.board import Board
from gateway.session.proxyheader import missing
from settings.model import Listener
from tests.support.certificates import Certificate
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.house import MESSAGE, conversation, sessions, until_gone
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn

Result = TypeVar("Result")
SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
V4 = bytes.fromhex("cb007109 7f000001 1267 0019")  # 203.0.113.9 to 127.0.0.1
V6 = bytes.fromhex("20010db8" + "00" * 11 + "09" + "00" * 15 + "01" + "1267" + "0019")
TLV = bytes([0x04, 0, 3]) + b"xyz"

INSIDE = {
    "v1": b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 465\r\n",
    "v1 of IPv6": b"PROXY TCP6 2001:db8::9 ::1 4711 465\r\n",
    "v2": SIGNATURE + bytes([0x21, 0x11, 0, 12]) + V4,
    "v2 of IPv6": SIGNATURE + bytes([0x21, 0x21, 0, 36]) + V6,
    "v2 with more": SIGNATURE + bytes([0x21, 0x11, 0, 12 + len(TLV)]) + V4 + TLV,
}
OUTSIDE = {
    "v1 UNKNOWN": b"PROXY UNKNOWN\r\n",
    "v1 UNKNOWN with addresses": b"PROXY UNKNOWN 203.0.113.9 127.0.0.1 4711 465\r\n",
    "v2 LOCAL": SIGNATURE + bytes([0x20, 0x00, 0, 0]),
    "v2 LOCAL with addresses": SIGNATURE + bytes([0x20, 0x11, 0, 12]) + V4,
    "v2 UNSPEC": SIGNATURE + bytes([0x21, 0x00, 0, 0]),
    "v2 of a UNIX socket": SIGNATURE + bytes([0x21, 0x31, 0, 216]) + b"/run/a".ljust(216, b"\0"),
}
"""The client is the balancer itself, which is no tenant."""
COMMANDS = b"EHLO x\r\nMAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"
MAIL = COMMANDS + MESSAGE.encode() + b".\r\nQUIT\r\n"


@contextlib.asynccontextmanager
async def balanced(
    valkey_url: str, certificate: Certificate, board: Board | None = None, **changes: object
) -> AsyncIterator[tuple[GatewayUnderTest, StandIn]]:
    """Implicit TLS behind a balancer; clients of 203.0.113.0/24 and 2001:db8::/64 need no login."""
    fields = {
        "listeners": (Listener(port=0, tls="implicit", proxy_protocol=True),),
        "certificate": str(certificate.certificate),
        "key": str(certificate.key),
        **changes,
    }
    settings = settings_for(valkey_url, gateway=fields, hold={"enabled": False})
    inside = (tenant(networks=("203.0.113.0/24", "2001:db8::/64")),)
    rows = (vmta(1, daily=10_000),)
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(*rows, port=pmta.smtp_port, tenants=inside), board) as gate,
    ):
        yield gate, pmta


class Secured:
    """A client that has its TLS in memory, and so decides which octets go in which segment."""

    def __init__(self, certificate: Certificate) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = certificate.client_context()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")

    async def talk(self, port: int, header: bytes, *cuts: int) -> list[str]:
        """Says MAIL and reads all; header and ClientHello are one stream, cut at these octets."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        stream = header + self._out.read()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for begin, end in zip((0, *cuts), (*cuts, len(stream)), strict=True):
            writer.write(stream[begin:end])
            await writer.drain()
            # The gateway, in this loop, has its turns to see the segment alone.
            for _ in range(4):
                await asyncio.sleep(0)
        said = b""
        try:
            async with asyncio.timeout(20):
                await self._pump(self._tls.do_handshake, reader, writer)
                self._tls.write(MAIL)
                while block := await self._pump(self._read, reader, writer):
                    said += block
        finally:
            writer.close()
        return said.decode().split("\r\n")[:-1]

    def _read(self) -> bytes:
        try:
            return self._tls.read(65_536)
        except ssl.SSLZeroReturnError:
            return b""

    async def _pump(
        self,
        step: Callable[[], Result],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> Result:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                writer.write(self._out.read())
                block = await reader.read(65_536)
                self._in.write(block) if block else self._in.write_eof()
            else:
                writer.write(self._out.read())
                return done


async def test_a_header_and_a_client_hello_arrive_cut_anywhere(
    valkey_url: str, certificate: Certificate
) -> None:
    async with balanced(valkey_url, certificate) as (gate, pmta):
        sent = 0
        for name, header in INSIDE.items():
            cuts: list[tuple[int, ...]] = [(), tuple(range(1, len(header) + 12))]
            cuts += [(cut,) for cut in range(1, len(header) + 8)]
            for cut in cuts:
                said = await Secured(certificate).talk(gate.port, header, *cut)
                assert said[0].startswith("220"), (name, cut)
                assert said[-2].startswith("250 2.0.0 OK "), (name, cut, said)
                sent += 1
        await until_gone(gate)
        assert len(await pmta.messages()) == sent


async def test_workers_that_share_the_listener_read_it_too(
    valkey_url: str, certificate: Certificate, tmp_path: Path
) -> None:
    board.make(tmp_path / "board")
    shared = Board(tmp_path / "board", 0, 2)
    async with balanced(valkey_url, certificate, shared) as (gate, _):
        for header in INSIDE.values():
            for cuts in ((), (1,), (len(header),)):
                said = await Secured(certificate).talk(gate.port, header, *cuts)
                assert said[-2].startswith("250 2.0.0 OK "), (header, cuts, said)
        await until_gone(gate)


async def test_a_balancer_that_speaks_for_itself_is_kept_and_is_no_tenant(
    valkey_url: str, certificate: Certificate
) -> None:
    async with balanced(valkey_url, certificate) as (gate, _):
        for name, header in OUTSIDE.items():
            said = await Secured(certificate).talk(gate.port, header)
            assert said[0].startswith("220"), name
            assert [line for line in said if line.startswith("530")], (name, said)
        await until_gone(gate)


async def test_what_is_no_header_begins_no_handshake(
    valkey_url: str, certificate: Certificate
) -> None:
    """A ClientHello without one neither, nor a header of somebody whom nobody trusts."""
    async with balanced(valkey_url, certificate, proxy_timeout=0.3) as (gate, _):
        hello = bytes.fromhex("1603010200010001fc0303") + bytes(505)
        starts = (hello, b"", b"PROX", SIGNATURE, INSIDE["v2"][:-1], b"PROXY TCP4 x\r\n" + hello)
        for start in starts:
            for end in (True, False):
                assert await conversation(gate.port, start, end=end) == [], start
        await until_gone(gate)
    async with balanced(valkey_url, certificate, proxy_networks=("192.0.2.0/24",)) as (gate, _):
        assert await conversation(gate.port, INSIDE["v1"] + hello) == []
        assert [line["peer"] for line in gate.log_lines("proxy_refused")] == ["127.0.0.1"]


async def test_looks_of_a_balancer_are_no_news(valkey_url: str, certificate: Certificate) -> None:
    """Connected and gone, before the header, after it, reset, or within the handshake."""
    async with balanced(valkey_url, certificate) as (gate, _):
        local = OUTSIDE["v2 LOCAL"]
        before = len(grave(gate))
        for start in (b"", local, local + b"\x16\x03\x01"):
            for reset in (False, True):
                _, writer = await asyncio.open_connection("127.0.0.1", gate.port)
                writer.write(start)
                await writer.drain()
                if reset:
                    writer.transport.abort()
                writer.close()
            await until_gone(gate)
        assert grave(gate)[before:] == []


async def test_a_drain_says_nothing_in_plain_before_the_handshake(
    valkey_url: str, certificate: Certificate
) -> None:
    """Neither to who owes the header nor to who owes the ClientHello, and waits for neither."""
    async with balanced(valkey_url, certificate, proxy_timeout=60.0, drain=30.0) as (gate, _):
        waiting = [await asyncio.open_connection("127.0.0.1", gate.port) for _ in range(2)]
        waiting[1][1].write(INSIDE["v1"])
        async with asyncio.timeout(5):
            while len(sessions(gate)) < 2 or not any(
                session.peer == "203.0.113.9" for session in sessions(gate)
            ):
                await asyncio.sleep(0.01)
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 10
    for reader, writer in waiting:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


def grave(gate: GatewayUnderTest) -> list[dict[str, object]]:
    """What an operator would be shown."""
    return [line for line in gate.log_lines() if line["level"] != "debug"]


@pytest.mark.parametrize("header", [*INSIDE.values(), *OUTSIDE.values()])
def test_no_octet_behind_a_header_is_asked_for(header: bytes) -> None:
    for here in range(len(header)):
        assert 0 < missing(header[:here]) <= len(header) - here, header[:here]
    assert missing(header) == 0

"""PROXY headers: from whom nobody trusts, malformed, cut short, endless."""

import asyncio
import contextlib

from settings.model import Listener
from tests.support.gateway.generations import generation, tenant
from tests.support.gateway.house import MESSAGE, conversation, nothing_happened, until_gone
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
INSIDE = bytes.fromhex("cb007109 7f000001 1267 0019")  # 203.0.113.9 to 127.0.0.1
COMMANDS = b"EHLO x\r\nMAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"
MAIL = COMMANDS + MESSAGE.encode() + b".\r\n"
LISTENERS = (Listener(port=0, proxy_protocol=True), Listener(port=0))

MALFORMED = {
    "nothing": b"",
    "a part of the word": b"PRO",
    "the word": b"PROXY",
    "no family": b"PROXY\r\n",
    "no address": b"PROXY TCP4\r\n",
    "one address": b"PROXY TCP4 203.0.113.9\r\n",
    "no port": b"PROXY TCP4 203.0.113.9 127.0.0.1\r\n",
    "a port too many": b"PROXY TCP4 203.0.113.9 127.0.0.1 1 2 3\r\n",
    "a port too large": b"PROXY TCP4 203.0.113.9 127.0.0.1 99999 25\r\n",
    "no address at all": b"PROXY TCP4 acme acme 1 2\r\n",
    "families that differ": b"PROXY TCP4 ::1 127.0.0.1 1 2\r\n",
    "another family": b"PROXY SCTP4 203.0.113.9 127.0.0.1 1 2\r\n",
    "a bare LF": b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\n",
    "two blanks": b"PROXY  TCP4 203.0.113.9 127.0.0.1 4711 25\r\n",
    "lower case": b"proxy TCP4 203.0.113.9 127.0.0.1 4711 25\r\n",
    "NUL": b"PROXY TCP4 203.0.113.9\x00 127.0.0.1 4711 25\r\n",
    "no end": b"PROXY TCP4 " + b"1" * 300_000,
    "a long line": b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
    "v2 of another version": SIGNATURE + bytes([0x31, 0x11, 0, 12]) + INSIDE,
    "v2 of another command": SIGNATURE + bytes([0x2F, 0x11, 0, 12]) + INSIDE,
    "v2 of another family": SIGNATURE + bytes([0x21, 0xF1, 0, 12]) + INSIDE,
    "v2 of another signature": SIGNATURE[:-1] + b"X" + bytes([0x21, 0x11, 0, 12]) + INSIDE,
    "v2 cut off": SIGNATURE + bytes([0x21, 0x11, 0, 12]) + INSIDE[:5],
    "v2 with an address too short": SIGNATURE + bytes([0x21, 0x11, 0, 4]) + INSIDE[:4],
    "v2 that announces more than comes": SIGNATURE + bytes([0x21, 0x11, 0xFF, 0xFF]) + INSIDE,
    "the signature only": SIGNATURE,
}


@contextlib.asynccontextmanager
async def balanced(valkey_url: str, **changes: object):  # type: ignore[no-untyped-def]
    """203.0.113.0/24 needs no login; this machine's own addresses do."""
    fields = {"listeners": LISTENERS, "proxy_timeout": 0.3, **changes}
    settings = settings_for(valkey_url, gateway=fields, hold={"enabled": False})
    inside = (tenant(networks=("203.0.113.0/24",)),)
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(port=pmta.smtp_port, tenants=inside)) as gate,
    ):
        yield gate, pmta


async def heard(gate: GatewayUnderTest, *segments: bytes, end: bool) -> list[str]:
    return await conversation(gate.ports[0], *segments, end=end)


async def test_a_malformed_header_ends_the_session_without_a_word(valkey_url: str) -> None:
    """A check of a balancer that connects and goes away is no crash either."""
    async with balanced(valkey_url) as (gate, pmta):
        talks = []
        for header in MALFORMED.values():
            talks.append(heard(gate, header, end=True))
            talks.append(heard(gate, header + (MAIL if header[-1:] == b"\n" else b""), end=False))
        said = await asyncio.gather(*talks)
        names = [name for name in MALFORMED for _ in range(2)]
        assert [name for name, lines in zip(names, said, strict=True) if lines] == []
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_header_from_elsewhere_opens_nothing(valkey_url: str) -> None:
    """Neither on the balancer's listener nor on one that expects no header."""
    claims = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n"
    async with balanced(valkey_url, proxy_networks=("192.0.2.0/24",)) as (gate, pmta):
        for header in (claims, SIGNATURE + bytes([0x21, 0x11, 0, 12]) + INSIDE):
            assert await heard(gate, header + MAIL, end=True) == []
            said = await conversation(gate.ports[1], header + MAIL)
            assert said[0].startswith("220")
            assert not [line for line in said if line.startswith("354")]
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_only_the_first_header_names_the_client(valkey_url: str) -> None:
    outside = b"PROXY TCP4 198.51.100.7 127.0.0.1 4711 25\r\n"
    inside = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n"
    async with balanced(valkey_url) as (gate, pmta):
        said = await heard(gate, outside + inside + MAIL, end=True)
        assert said[1].startswith("500")
        assert [line for line in said if line.startswith("530")]
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_balancer_that_speaks_for_itself_is_its_own_client(valkey_url: str) -> None:
    """LOCAL (PROXY protocol 2.2): the addresses that come with it are to be ignored."""
    async with balanced(valkey_url) as (gate, pmta):
        for header in (
            SIGNATURE + bytes([0x20, 0x11, 0, 12]) + INSIDE,
            SIGNATURE + bytes([0x20, 0x00, 0, 0]),
            b"PROXY UNKNOWN\r\n",
            b"PROXY UNKNOWN 203.0.113.9 127.0.0.1 4711 25\r\n",
        ):
            said = await heard(gate, header + MAIL, end=True)
            assert said[0].startswith("220"), header
            assert [line for line in said if line.startswith("530")], header
        await until_gone(gate)
        await nothing_happened(gate, pmta)


async def test_a_header_cut_into_octets_is_read(valkey_url: str) -> None:
    async with balanced(valkey_url, proxy_timeout=5.0) as (gate, pmta):
        for header in (
            b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n",
            SIGNATURE + bytes([0x21, 0x11, 0, 12]) + INSIDE,
            SIGNATURE + bytes([0x21, 0x11, 0x0F, 12]) + INSIDE + b"\x04" + b"x" * 3839,
        ):
            said = await heard(gate, *(bytes([octet]) for octet in header), MAIL, end=True)
            assert said[-1].startswith("250 2.0.0 OK "), (header[:30], said)
        await until_gone(gate)
        assert len(await pmta.messages()) == 3

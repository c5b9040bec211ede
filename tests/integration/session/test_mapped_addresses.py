"""An IPv4 client of a listener on `::` is the IPv4 node (RFC 4291 2.5.5.2), whoever names it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from settings.model import Listener
from tests.support.gateway.generations import generation, tenant
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
MAPPED = bytes.fromhex("00000000000000000000ffff cb007109")  # ::ffff:203.0.113.9
LOOPBACK = bytes(15) + b"\x01"
HEADERS = {
    "v1, IPv4": b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n",
    "v1, mapped": b"PROXY TCP6 ::ffff:203.0.113.9 ::1 4711 25\r\n",
    "v1, mapped in hexadecimal": b"PROXY TCP6 0:0:0:0:0:FFFF:cb00:7109 ::1 4711 25\r\n",
    "v2, mapped": SIGNATURE
    + bytes([0x21, 0x21, 0, 36])
    + MAPPED
    + LOOPBACK
    + bytes.fromhex("1267 0019"),
}


@contextlib.asynccontextmanager
async def everywhere(
    valkey_url: str, *, networks: tuple[str, ...], **fields: object
) -> AsyncIterator[GatewayUnderTest]:
    """Listens on all addresses; `networks` name the tenant. The second listener stands behind a
    balancer."""
    listeners = (Listener(host="::", port=0), Listener(host="::", port=0, proxy_protocol=True))
    settings = settings_for(valkey_url, gateway={"listeners": listeners, **fields})
    async with StandIn.start() as pmta:
        plan = generation(port=pmta.smtp_port, tenants=(tenant(networks=networks),))
        async with gateway(settings, plan) as gate:
            yield gate


async def hello(port: int, host: str = "127.0.0.1", header: bytes = b"") -> tuple[str, str, str]:
    """(the greeting, the reply to EHLO in one text, the reply to MAIL)."""
    reader, writer = await asyncio.open_connection(host, port)
    wire = SmtpWire(reader, writer)
    try:
        wire.say(header)
        greeting = await wire.reply()
        wire.say("EHLO client.test\r\n")
        offers = []
        while not offers or offers[-1][3:4] == "-":
            offers.append((await reader.readline()).decode())
        return greeting, "".join(offers), await wire.ask("MAIL FROM:<a@acme.test>")
    finally:
        writer.close()


@pytest.mark.parametrize("plain", ["127.0.0.0/8", "::ffff:127.0.0.0/104"])
async def test_a_login_is_offered_to_an_ipv4_network(valkey_url: str, plain: str) -> None:
    async with everywhere(valkey_url, networks=(), plain_auth_networks=(plain,)) as gate:
        _, offers, mail = await hello(gate.ports[0])
        assert "AUTH " in offers
        assert mail.startswith("530 ")
        assert "AUTH " not in (await hello(gate.ports[0], "::1"))[1], "the IPv6 node is another"


@pytest.mark.parametrize("network", ["127.0.0.0/8", "::ffff:127.0.0.0/104"])
async def test_a_tenant_is_found_by_its_ipv4_network(valkey_url: str, network: str) -> None:
    async with everywhere(valkey_url, networks=(network,)) as gate:
        assert (await hello(gate.ports[0]))[2].startswith("250 ")
        assert (await hello(gate.ports[0], "::1"))[2].startswith("530 ")
        wire = await SmtpWire.open(gate.port)
        body = "From: a@acme.test\r\n\r\nhello\r\n"
        assert (await wire.send("b@dest.test", body=body)).startswith("250 ")
        assert gate.log_lines("message")[-1]["peer"] == "127.0.0.1"
        await wire.close()


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_a_balancer_and_its_client_are_ipv4_nodes(valkey_url: str, header: bytes) -> None:
    networks = ("203.0.113.0/24",)
    async with everywhere(valkey_url, networks=networks, proxy_networks=("127.0.0.0/8",)) as gate:
        greeting, _, mail = await hello(gate.ports[1], header=header)
        assert greeting.startswith("220 ")
        assert mail.startswith("250 ")


async def test_a_login_that_fails_is_logged_with_the_ipv4_address(valkey_url: str) -> None:
    async with everywhere(valkey_url, networks=(), plain_auth_networks=("127.0.0.0/8",)) as gate:
        wire = await SmtpWire.open(gate.port)
        assert (await wire.ask("AUTH PLAIN AGFjbWUAd3Jvbmc=")).startswith("535 ")
        await wire.close()
        assert [line["peer"] for line in gate.log_lines("login_refused")] == ["127.0.0.1"]

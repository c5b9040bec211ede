"""A gateway whose clients on this machine need no login, and what hostile tests ask of it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.session.listener import SmtpSession
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

HOUSE = (tenant(networks=("127.0.0.0/8",)),)
MESSAGE = "From: a@acme.test\r\nSubject: x\r\n\r\nhello\r\n"
IP = "192.0.2.1"


@contextlib.asynccontextmanager
async def house(
    valkey_url: str, **gateway_settings: object
) -> AsyncIterator[tuple[GatewayUnderTest, StandIn]]:
    """`gateway_settings` are fields of the gateway's section; nothing is held."""
    settings = settings_for(valkey_url, gateway=gateway_settings, hold={"enabled": False})
    async with StandIn.start() as pmta:
        rows = (vmta(1, daily=100_000),)
        plan = generation(*rows, port=pmta.smtp_port, tenants=HOUSE)
        async with gateway(settings, plan) as gate:
            yield gate, pmta


async def nothing_happened(gate: GatewayUnderTest, pmta: StandIn) -> None:
    """No message reached PowerMTA, nothing is charged, no octet is held."""
    await gate.worker.parts.reserver.drain()
    assert await gate.used(IP) == {IP: 0}
    assert await pmta.messages() == []
    assert gate.worker.service.memory.used == 0


async def works(gate: GatewayUnderTest) -> None:
    """Another client is served, a message goes through."""
    wire = await SmtpWire.open(gate.port)
    assert (await wire.send("you@dest.test", body=MESSAGE)).startswith("250")
    await wire.close()


async def until_gone(gate: GatewayUnderTest, seconds: float = 10.0) -> None:
    """Every session has ended, none of them by a bug of ours."""
    async with asyncio.timeout(seconds):
        while gate.worker.service.live:
            await asyncio.sleep(0.01)
    assert gate.worker.service.sessions.open == 0
    assert gate.log_lines("session_crashed") == []


def sessions(gate: GatewayUnderTest) -> list[SmtpSession]:
    """The sessions that are open."""
    return [one for one in gate.worker.service.live if isinstance(one, SmtpSession)]


async def conversation(
    port: int, *segments: bytes, end: bool = True, pause: float = 0
) -> list[str]:
    """Says these segments one TCP write each, half-closes with `end`, and reads everything.

    `pause` seconds lie between two segments, so that the gateway sees each alone.

    On a socket without streams: who still talks after the gateway has closed is answered by a
    reset, and what had arrived before it is still there to be read. A transport of asyncio drops
    it, with the first write that fails.
    """
    loop = asyncio.get_running_loop()
    said = b""
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))

        async def talk() -> None:
            with contextlib.suppress(ConnectionError):
                for segment in segments:
                    await loop.sock_sendall(sock, segment)
                    await asyncio.sleep(pause)
                if end:
                    # One that is reset already is not connected (ENOTCONN), which is no error here.
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_WR)

        talking = asyncio.create_task(talk())
        try:
            async with asyncio.timeout(10 + pause * len(segments)):
                with contextlib.suppress(ConnectionResetError):
                    while block := await loop.sock_recv(sock, 65_536):
                        said += block
                await talking
        finally:
            talking.cancel()
            await asyncio.wait([talking])
    return said.decode().split("\r\n")[:-1]


def resident() -> int:
    """Octets of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096

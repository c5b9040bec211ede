"""What is looked at from this control node: PowerMTA's greeting, room on disks."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from control.health.disks import fullest
from control.health.health import Found
from policy.model import Server

FULL = 0.85
"""Share of a disk that is too much."""


TRIES, PAUSE = 3, 2.0
"""One that is just starting again is not away; seconds between."""


async def greeting(server: Server, *, timeout: float) -> Found:
    """Whether one of its addresses greets. A 421 is an answer: its slots are taken."""
    found = await _greeting(server, timeout)
    for _ in range(TRIES - 1):
        if found.healthy:
            break
        await asyncio.sleep(PAUSE)
        found = await _greeting(server, timeout)
    return found


async def _greeting(server: Server, timeout: float) -> Found:
    why = []
    for address in server.addresses:
        where = f"{address.host}:{address.port}"
        try:
            async with asyncio.timeout(timeout):
                line = await _line(address.host, address.port)
        except (OSError, TimeoutError, ValueError) as error:
            why.append(f"{where} does not answer ({str(error) or type(error).__name__})")
            continue
        if line[:3] in (b"220", b"421"):
            text = line.decode("ascii", "replace").strip()[:100]
            return Found(
                service="pmta", name=server.name, healthy=True, detail=f"{where} greets: {text}"
            )
        why.append(f"{where} says {line[:60].decode('ascii', 'replace').strip()!r}")
    return Found(service="pmta", name=server.name, healthy=False, detail="; ".join(why))


async def _line(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        line = await reader.readline()
        writer.write(b"QUIT\r\n")
        await writer.drain()
        return line
    finally:
        writer.close()


def room(paths: Iterable[Path], node: str) -> Found:
    """Of the disks that these lie on."""
    path, used, free = fullest(paths)
    text = f"the disk of {path} is {used:.0%} full, {free / 1e9:.1f} GB are free"
    return Found(service="disk", name=node, healthy=used <= FULL, detail=text)

"""Ports that are to be listened on: free, or ours already."""

import asyncio
import errno
import socket

from settings.model import Listener, Settings

WAIT = 3.0
"""Seconds for a greeting."""


async def port_problems(settings: Settings) -> list[str]:
    """Ports that somebody else has, one sentence each. One that this user may not have (below 1024)
    is not looked at: the unit gives that right to the gateway alone."""
    found = []
    for number, listener in enumerate(settings.gateway.listeners):
        if not _taken(listener.host, listener.port):
            continue
        if who := await _somebody_else(listener):
            field = f"gateway.listeners[{number}].port"
            found.append(
                f"{field}: {listener.port} is another program's, which greets with {who!r}: stop "
                "it, or choose another port"
            )
    return found


def _taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


async def _somebody_else(listener: Listener) -> str:
    """What greets there and cannot be a gateway; '' where that is not known: TLS comes first, or a
    PROXY header."""
    if listener.tls == "implicit" or listener.proxy_protocol:
        return ""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.host, listener.host)  # noqa: S104
    try:
        async with asyncio.timeout(WAIT):
            reader, writer = await asyncio.open_connection(host, listener.port)
            try:
                greeting = (await reader.readline()).decode("ascii", "replace").strip()
            finally:
                writer.close()
    except (OSError, ValueError):
        return ""
    # Ours says 220, or 421 while it drains or is full.
    return "" if greeting.startswith(("220 ", "421 ")) else greeting[:60] or "nothing"

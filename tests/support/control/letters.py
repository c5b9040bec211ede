"""A mail server that takes every letter."""

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP


async def mail_server() -> tuple[asyncio.Server, int, list[Any]]:
    """It, its port, and the envelopes it took."""
    letters: list[Any] = []

    class Taker:
        async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
            letters.append(envelope)
            return "250 ok"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Taker()), "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1], letters

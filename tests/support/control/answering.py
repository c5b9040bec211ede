"""A control plane that answers an agent as it is told to."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from aiohttp import web


class Reply(NamedTuple):
    """One answer; `status` 0: none ever comes."""

    status: int
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b"{}"


class Answering:
    """What was asked, and when."""

    def __init__(self, replies: list[Reply]) -> None:
        self._replies = replies
        self.url = ""
        self.asked: defaultdict[str, list[float]] = defaultdict(list)
        """Path to the times of its requests, by the monotonic clock."""

    async def answer(self, request: web.Request) -> web.Response:
        """The next reply; the last one again and again."""
        await request.read()
        self.asked[request.path].append(time.monotonic())
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if not reply.status:
            await asyncio.Event().wait()
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)


@contextlib.asynccontextmanager
async def answering(*replies: Reply) -> AsyncIterator[Answering]:
    """On a port of its own."""
    found = Answering(list(replies))
    app = web.Application()
    app.router.add_post("/{path:.*}", found.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()

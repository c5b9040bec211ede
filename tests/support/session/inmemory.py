"""A session of the listener without a socket: the test decides what arrives together, and when."""

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from gateway.message.ids import Ids
from gateway.message.message import Message
from gateway.session.admission import Memory, Sessions
from gateway.session.auth import Authenticator
from gateway.session.listener import SmtpSession
from gateway.session.service import Service
from gateway.watch.log import Log
from policy.reply import Reply
from settings.model import Gateway, Listener
from tests.support.gateway.generations import generation
from tests.support.gateway.house import HOUSE


def service(
    settings: Gateway, handle: Callable[[Message], Awaitable[Reply]], descriptor: int
) -> Service:
    """What sessions share, with `handle` in the place of the transaction."""
    plan = generation(tenants=HOUSE)
    return Service(
        settings=settings,
        hostname="gateway.test",
        generation=lambda: plan,
        handle=handle,
        authenticator=Authenticator(
            lambda: plan, lambda: 1_800_000_000_000, parallel=1, remembered=10
        ),
        sessions=Sessions(settings.max_sessions, 0.1),
        memory=Memory(settings.memory_budget),
        ids=Ids(os.urandom(8)),
        log=Log(level="info", descriptor=descriptor),
        wall_clock=lambda: 1_800_000_000.0,
        tls=None,
        max_size=lambda size: size,
        suppressed=lambda tenant, recipient: "",
    )


class Wire(asyncio.Transport):
    """One client's connection: `feed` segments, read what was `said`."""

    def __init__(self, shared: Service, tls: Literal["none", "starttls"] = "none") -> None:
        super().__init__({"peername": ("127.0.0.1", 4711)})
        self.said = bytearray()
        self.most_buffered = 0
        self._segments: deque[bytes] = deque()
        self._paused = self._closing = False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.session = SmtpSession(shared, Listener(tls=tls))
        self.session.connection_made(self)

    def feed(self, segment: bytes) -> None:
        self._segments.append(segment)
        self._deliver()

    def _deliver(self) -> None:
        while self._segments and not self._paused and not self._closing:
            self.session.data_received(self._segments.popleft())
            self.most_buffered = max(self.most_buffered, self.session.lines.buffered)

    @property
    def reading(self) -> bool:
        return not self._paused

    async def end(self) -> None:
        """Half-close, as soon as all segments were taken, and wait for the gateway's close."""
        async with asyncio.timeout(10):
            while self._segments and not self._closing:
                await asyncio.sleep(0)
            if not self._closing:
                self.session.eof_received()
            await self.over

    # asyncio.Transport

    def write(self, data: Any) -> None:
        if not self._closing:
            self.said += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        asyncio.get_running_loop().call_soon(self._deliver)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._lost)

    abort = close

    def _lost(self) -> None:
        self.session.connection_lost(None)
        self.over.set_result(None)

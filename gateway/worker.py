"""One gateway worker: what is built from what, in reading order, and how it ends.

Owns: lifetimes. On SIGTERM the listeners close, sessions finish the message they are in, the
reserver sends the last refunds, sessions to PowerMTA end, and only then the ledger is left.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Sequence
from typing import cast

from gateway.accept.acceptor import Acceptor
from gateway.accept.board import Board
from gateway.delivery.telling import expect
from gateway.delivery.transaction import Transactions
from gateway.message.ids import Ids
from gateway.message.message import Recipient
from gateway.message.outcomes import MESSAGES
from gateway.process import Process, until
from gateway.session.admission import Memory, Sessions
from gateway.session.auth import Authenticator
from gateway.session.listener import SmtpSession
from gateway.session.service import Service
from gateway.sessions import nobody
from gateway.watch.introduction import introduce
from gateway.watch.log import Log
from policy.suppression import Known
from settings.model import Settings
from settings.tasks import cancel
from settings.tls import server_context


class Worker:
    """A running worker."""

    def __init__(self, settings: Settings, name: str, log: Log) -> None:
        """Raises OSError or ssl.SSLError when certificates cannot be read."""
        self.settings = settings
        self.log = log
        self.parts = parts = Process(settings, name, log)
        self._servers: list[asyncio.Server | Acceptor] = []
        self.transactions = Transactions(
            generation=parts.feed.generation,
            attempts=parts.attempts,
            hold=parts.holding,
            settings=settings,
            now=parts.clock.now,
            log=log,
        )
        gateway = settings.gateway
        self.service = Service(
            settings=gateway,
            hostname=parts.hostname,
            generation=parts.feed.generation,
            handle=self.transactions.handle,
            authenticator=Authenticator(
                parts.feed.generation,
                parts.clock.now,
                parallel=gateway.auth_parallel,
                remembered=gateway.auth_cache,
            ),
            sessions=Sessions(gateway.max_sessions, gateway.overload_delay),
            memory=Memory(gateway.memory_budget),
            ids=Ids(os.urandom(8)),
            log=log,
            wall_clock=lambda: parts.clock.now() / 1000,
            tls=server_context(gateway),
            max_size=parts.relay.max_size,
            suppressed=self._suppressed,
        )

        introduce(gateway, log)
        parts.bulletin.sessions = lambda: len(self.service.live)
        parts.bulletin.counted = lambda: MESSAGES.totals(1)
        parts.bulletin.logged_in = self.service.logged_in
        parts.bulletin.logged_in_before = self.service.logged_in_before
        parts.looks.append(self.service.memory.gauge)
        parts.stirred.append(self._expect)

    def _suppressed(self, tenant: str, recipient: Recipient) -> Known:
        parts = self.parts
        return parts.suppressions.known(
            tenant, recipient.address, recipient.domain, parts.clock.now()
        )

    def _expect(self) -> None:
        """What is counted by tenant is there from the start for each."""
        generation = self.parts.feed.generation()
        for tenant in generation.tenants if generation else ():
            expect(tenant.name)

    @property
    def ready(self) -> bool:
        """Mail can be taken."""
        return self.parts.ready

    @contextlib.asynccontextmanager
    async def serving(
        self, sockets: Sequence[socket.socket], board: Board | None = None
    ) -> AsyncIterator[None]:
        """Accept on bound sockets, one for each configured listener; drains on leaving. `board`:
        where other workers that share the sockets are seen."""
        loop = asyncio.get_running_loop()
        parts = self.parts
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(parts.close)
            if parts.holding is not None:
                await parts.holding.open()
            tasks = [loop.create_task(parts.watched(task)) for task in parts.side_tasks()]
            stack.push_async_callback(cancel, tasks)
            stack.push_async_callback(parts.feed.leave)
            await parts.informed()
            if board is not None:
                self.service.live.tell = board.post
            self._servers = [
                await self._listen(loop, index, bound, board) for index, bound in enumerate(sockets)
            ]
            try:
                yield
            finally:
                parts.leaving = True
                await self._drain()
                parts.feed.end()

    async def _listen(
        self,
        loop: asyncio.AbstractEventLoop,
        index: int,
        bound: socket.socket,
        board: Board | None,
    ) -> asyncio.Server | Acceptor:
        listener = self.settings.gateway.listeners[index]
        # A PROXY header comes in clear, before the handshake: its session begins that.
        handshake_first = listener.tls == "implicit" and not listener.proxy_protocol
        tls = self.service.tls if handshake_first else None

        def session() -> asyncio.Protocol:
            return cast(asyncio.Protocol, SmtpSession(self.service, listener))

        if board is None:
            return await loop.create_server(session, sock=bound, backlog=1024, ssl=tls)
        live = self.service.live
        return Acceptor(bound, session, tls, board=board, live=live, log=self.log)

    def _stop_listening(self) -> None:
        for server in self._servers:
            server.close()
        self._servers = []
        # The successor of a worker has its place on the board.
        self.service.live.tell = nobody

    async def retire(self, stop: asyncio.Event) -> None:
        """A successor listens now: serve the sessions we have to their own end, for a while."""
        self._stop_listening()
        self.parts.relay.retire()
        await until(
            lambda: not self.service.live.count or stop.is_set(), self.settings.gateway.reload_drain
        )

    async def _drain(self) -> None:
        self.log.info("draining", sessions=len(self.service.live))
        self._stop_listening()
        self.service.close_idle()
        gateway = self.settings.gateway
        await until(lambda: not self.service.live, gateway.drain)
        self.service.cut_readers()
        # What was handed to PowerMTA is settled, and its client hears of it: cut off now, it
        # would send the message again.
        await until(lambda: not self.service.live, gateway.answer_budget)
        if self.service.live:
            self.log.warning("sessions_cut", sessions=len(self.service.live))
            self.service.abort()
        await until(lambda: not self.transactions.under_way, gateway.answer_budget)
        if self.parts.holding is not None:
            await self.parts.holding.drain(gateway.drain)
        await self.parts.reserver.drain()
        self.parts.relay.close()
        self.log.info("drained")

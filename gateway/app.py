"""One gateway worker: what is built from what, in reading order, and how it ends.

Owns: lifetimes. On SIGTERM the listeners close, sessions finish the message they are in, the
reserver sends the last refunds, sessions to PowerMTA end, and only then the ledger is left.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

from gateway import metrics
from gateway.admission import Memory, Sessions
from gateway.auth import Authenticator
from gateway.ids import Ids
from gateway.listener import SmtpSession
from gateway.log import Log
from gateway.plan_feed import PlanFeed
from gateway.relay.endpoint import Endpoint
from gateway.relay.relay import Relay
from gateway.reserve import Reserver
from gateway.service import Service
from gateway.transaction import Transactions
from policy.ledger.ledger import RedisLedger, connect, elapsed
from policy.plan import Generation
from settings.model import Settings

_CLEAN_UP = 5.0


class Worker:
    """A running worker."""

    def __init__(self, settings: Settings, name: str, log: Log) -> None:
        """Raises OSError or ssl.SSLError when certificates cannot be read."""
        self.settings = settings
        self.name = name
        self.log = log
        hostname = settings.gateway.hostname or socket.getfqdn()
        ledger_settings = settings.ledger
        self._servers: list[asyncio.Server] = []
        self._leaving = False
        self._client = connect(ledger_settings.url, timeout=ledger_settings.timeout)
        self._feed_client = connect(ledger_settings.url, timeout=ledger_settings.timeout)
        self.ledger = RedisLedger(
            self._client,
            ledger_settings.name,
            attempts=ledger_settings.attempts,
            budget=ledger_settings.budget,
            single=ledger_settings.single,
        )
        self.reserver = Reserver(
            self.ledger,
            batch=ledger_settings.batch,
            denial_cache=ledger_settings.denial_cache,
            clock=elapsed,
            observe=_observe_batch,
        )
        self.relay = Relay(
            settings.relay,
            Endpoint(settings.relay, hostname),
            workers=settings.gateway.workers,
            clock=elapsed,
        )
        self.feed = PlanFeed(
            self._feed_client,
            ledger_settings.name,
            name,
            log,
            swapped=self._swapped,
            stepped=self.reserver.forget_denials,
            polled=self.reserver.probe,
        )
        self.transactions = Transactions(
            settings=settings,
            generation=self.feed.generation,
            reserver=self.reserver,
            relay=self.relay,
            log=log,
            clock=elapsed,
        )
        gateway = settings.gateway
        self.service = Service(
            settings=gateway,
            hostname=hostname,
            generation=self.feed.generation,
            handle=self.transactions.handle,
            authenticator=Authenticator(
                self.feed.generation,
                parallel=gateway.auth_parallel,
                remembered=gateway.auth_cache,
            ),
            sessions=Sessions(gateway.max_sessions, gateway.overload_delay),
            memory=Memory(gateway.memory_budget),
            ids=Ids(os.urandom(8)),
            log=log,
            wall_clock=time.time,
            tls=server_context(settings),
            max_size=self.relay.max_size,
        )

    def _swapped(self, generation: Generation) -> None:
        self.relay.update(generation.servers, {vmta.name for vmta in generation.vmtas})
        self.reserver.forget_denials()

    @property
    def ready(self) -> bool:
        """Mail can be taken: a generation is in force and the ledger answered last time."""
        return self.feed.current is not None and self.reserver.state == "open"

    @contextlib.asynccontextmanager
    async def serving(self, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
        """Accept on bound sockets, one for each configured listener; drains on leaving."""
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._close_clients)
            side = (self.feed.run(), self.relay.sweep(), self._gauge())
            tasks = [loop.create_task(self._watched(task)) for task in side]
            stack.push_async_callback(_cancel, tasks)
            stack.push_async_callback(self.feed.leave)
            await asyncio.wait([loop.create_task(self.feed.first.wait())], timeout=_CLEAN_UP)
            self._servers = [
                await self._listen(loop, index, bound) for index, bound in enumerate(sockets)
            ]
            try:
                yield
            finally:
                self._leaving = True
                await self._drain()
                self.feed.end()

    async def _listen(
        self, loop: asyncio.AbstractEventLoop, index: int, bound: socket.socket
    ) -> asyncio.Server:
        listener = self.settings.gateway.listeners[index]
        return await loop.create_server(
            lambda: SmtpSession(self.service, listener),
            sock=bound,
            backlog=1024,
            ssl=self.service.tls if listener.tls == "implicit" else None,
        )

    async def _watched(self, task: Coroutine[None, None, None]) -> None:
        """A side task that dies takes the worker with it: half a gateway is worse than none."""
        try:
            await task
        finally:
            if not self._leaving:
                self.log.error("side_task_died", task=repr(task))
                self.log.flush()
                traceback.print_exc()
                os._exit(70)

    async def _gauge(self) -> None:
        while True:
            for pool in self.relay.pools:
                for state, count in pool.counts.items():
                    metrics.relay_sessions.labels(pool.server.name, state).set(count)
            metrics.circuits.labels("server").set(len(self.relay.servers.not_closed()))
            metrics.circuits.labels("vmta").set(len(self.relay.vmtas.not_closed()))
            metrics.ledger_usable.set(1 if self.ready else 0)
            metrics.log_dropped.set(self.log.dropped)
            await asyncio.sleep(1.0)

    def _stop_listening(self) -> None:
        for server in self._servers:
            server.close()
        self._servers = []

    async def retire(self, stop: asyncio.Event) -> None:
        """A successor listens now: serve the sessions we have to their own end, for a while."""
        self._stop_listening()
        self.relay.retire()
        await _until(
            lambda: not self.service.live or stop.is_set(), self.settings.gateway.reload_drain
        )

    async def _drain(self) -> None:
        self.log.info("draining", sessions=len(self.service.live))
        self._stop_listening()
        self.service.close_idle()
        gateway = self.settings.gateway
        await _until(lambda: not self.service.live, gateway.drain)
        self.service.cut_readers()
        # What was handed to PowerMTA is settled, and its client hears of it: cut off now, it
        # would send the message again.
        await _until(lambda: not self.service.live, gateway.answer_budget)
        if self.service.live:
            self.log.warning("sessions_cut", sessions=len(self.service.live))
            self.service.abort()
        await _until(lambda: not self.transactions.under_way, gateway.answer_budget)
        await self.reserver.drain()
        self.relay.close()
        self.log.info("drained")

    async def _close_clients(self) -> None:
        await self._client.aclose()
        await self._feed_client.aclose()


async def _until(condition: Callable[[], bool], patience: float) -> None:
    """Wait for a condition of the worker's last minutes, at most `patience` seconds."""
    deadline = elapsed() + patience
    while not condition() and elapsed() < deadline:
        await asyncio.sleep(0.02)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    """End side tasks; asked again, for a library below may swallow a cancellation."""
    deadline = elapsed() + _CLEAN_UP
    pending = set(tasks)
    while pending and elapsed() < deadline:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.5)


def _observe_batch(size: int, seconds: float) -> None:
    metrics.ledger_batch.observe(size)
    metrics.ledger_seconds.observe(seconds)


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS towards clients; None when no listener offers it."""
    gateway = settings.gateway
    if all(listener.tls == "none" for listener in gateway.listeners):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(gateway.certificate, gateway.key)
    return context

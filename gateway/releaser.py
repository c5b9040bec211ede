"""One releaser process: what is built from what, and how it ends.

Owns: lifetimes. It has no listeners; it claims held mail, settles doubt, does what operators
ask, and keeps the hold tidy. On SIGTERM it claims nothing more, ends what it sends, writes what
became of it, and only then leaves.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable

from gateway.hold.database import AwayError, RefusedError, UnknownError
from gateway.hold.release.arrears import Arrears
from gateway.hold.release.claim import Claims
from gateway.hold.release.counts import LedgerCounts
from gateway.hold.release.left import RELEASED
from gateway.hold.release.queue import Queue
from gateway.hold.release.release import Release
from gateway.hold.release.releaser import Releaser
from gateway.hold.settle.doubt import Doubts
from gateway.hold.upkeep.dsn import Notices
from gateway.hold.upkeep.housekeeping import Housekeeping
from gateway.hold.upkeep.presence import Presence
from gateway.hold.upkeep.probe import Probes
from gateway.hold.upkeep.requests import Requests
from gateway.message.ids import Ids
from gateway.process import Process
from gateway.watch.log import Log
from settings.model import Settings
from settings.tasks import cancel


class ReleaserProcess:
    """A running releaser."""

    def __init__(self, settings: Settings, name: str, log: Log) -> None:
        """`name` is this process's, this start of it."""
        self.settings = settings
        self.log = log
        self.parts = parts = Process(settings, name, log, releases=True)
        assert parts.holding is not None, "a releaser without a hold has nothing to do"
        self._holding = holding = parts.holding
        database, now, generation = holding.database, parts.clock.now, parts.feed.generation
        change = parts.reserver.change
        self.presence = Presence(
            holding.vital,
            name,
            lease=settings.hold.lease,
            attempt=settings.hold.lease + settings.gateway.answer_budget,
            change=change,
            now=now,
            log=log,
        )
        self._claims = Claims(
            database,
            parts.attempts,
            claimant=name,
            generation=generation,
            suppressions=parts.suppressions,
            mailbox_look=settings.hold.mailbox_look,
            now=now,
            log=log,
        )
        self._sender = Release(
            database,
            holding.contents,
            parts.attempts,
            holding.settler,
            backoff=holding.backoff,
            budget=settings.relay.budget,
            most=settings.hold.concurrent,
            passed=parts.bulletin.passed,
            generation=generation,
            now=now,
            log=log,
        )
        queue = Queue(
            database,
            LedgerCounts(parts.client, settings.ledger.name),
            generation=generation,
            now=now,
            round_size=settings.hold.claim,
            look=settings.hold.look,
        )
        self.arrears = Arrears(database, queue, now, log)
        self.releaser = Releaser(
            database,
            settings.hold,
            backlog=holding.backlog,
            queue=queue,
            claims=self._claims,
            release=self._sender,
            reserver=parts.reserver,
            generation=generation,
            now=now,
            log=log,
        )
        parts.bulletin.counted = lambda: {"released": RELEASED.totals(0).get("relayed", 0)}
        parts.stirred.append(self.releaser.renew)
        parts.stepped.append(self.releaser.renew_all)
        self.doubts = Doubts(
            database,
            holding.settler,
            parts.reserver,
            probe_gap=settings.hold.probe_gap,
            before=settings.hold.lease + settings.gateway.answer_budget,
            servers=self._servers,
            log=log,
        )
        self.probes = Probes(
            database,
            parts.relay,
            Ids(os.urandom(8)),
            hostname=parts.hostname,
            gap=settings.hold.probe_gap,
            now=now,
            log=log,
        )
        self.requests = Requests(database, change=change, now=now, log=log)
        self.housekeeping = Housekeeping(
            database,
            settings.hold,
            generation,
            waiting=lambda: {count.tenant for count in holding.backlog.counts},
            change=change,
            now=now,
            log=log,
        )
        self.notices = Notices(
            database, parts.relay, hostname=parts.hostname, servers=self._servers, log=log
        )

    def _servers(self) -> tuple[str, ...]:
        current = self.parts.feed.current
        return tuple(server.name for server in current.servers) if current else ()

    @property
    def ready(self) -> bool:
        """It knows a plan; PostgreSQL and the ledger may be away without making it unready."""
        return self.parts.feed.current is not None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Run until left; drains then."""
        loop = asyncio.get_running_loop()
        parts = self.parts
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(parts.close)
            await self._holding.open()
            feed = [loop.create_task(parts.watched(task)) for task in parts.side_tasks()]
            stack.push_async_callback(cancel, feed)
            stack.push_async_callback(parts.feed.leave)
            await parts.informed()
            # Until the very end: what is not heard of for a lease is taken for dead.
            beating = loop.create_task(parts.watched(self.presence.run()))
            stack.push_async_callback(cancel, [beating])
            release = loop.create_task(parts.watched(self._release()))
            work = [
                loop.create_task(parts.watched(task))
                for task in (
                    self.releaser.mark(),
                    self._every(self.settings.hold.poll, self._settle_doubt),
                    self._every(self.settings.hold.poll, self._do_requests),
                    self._every(self.settings.hold.sweep, self._tidy),
                )
            ]
            try:
                yield
            finally:
                parts.leaving = True
                self.log.info("draining", rounds=repr(self.releaser))
                self.releaser.stop()
                await asyncio.wait([release], timeout=self.settings.gateway.answer_budget)
                await cancel([release, *work])
                await self._drain()
                parts.feed.end()

    @property
    def _release_under_way(self) -> bool:
        """Claims of ours are open still: who finds them shall take us for gone."""
        return bool(self._sender.under_way)

    async def _release(self) -> None:
        """Claims need an owner that others know to be alive."""
        while not await self.presence.beat():
            if self.parts.leaving:
                return  # it claimed nothing, and there is nothing to wait for
            await asyncio.sleep(self.settings.hold.poll)
        await self.releaser.run()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except (AwayError, UnknownError, RefusedError) as error:
                self.log.debug("hold_waits", why=str(error))
            await asyncio.sleep(seconds)

    async def _settle_doubt(self) -> None:
        await self.probes.send(await self.doubts.settle())

    async def _do_requests(self) -> None:
        while await self.requests.step():
            self.releaser.wake()
        await self.notices.step()

    async def _tidy(self) -> None:
        await self.presence.bury()
        await self.housekeeping.run()
        await self.arrears.tell()

    async def _drain(self) -> None:
        patience = self.settings.gateway.answer_budget
        await self.releaser.drain(patience)
        await self._holding.drain(self.settings.gateway.drain)
        await self.parts.reserver.drain()
        self.parts.relay.close()
        if not self._release_under_way:
            await self.presence.leave()
        self.log.info("drained")

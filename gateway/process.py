"""What every gateway process has: the ledger, the plan, the way to PowerMTA, the hold.

Owns: putting them together, for `gateway.worker` and for `gateway.releaser`.
"""

import asyncio
import shutil
import socket
import tempfile
import time
import traceback
from collections.abc import Callable, Coroutine
from os import _exit, urandom
from pathlib import Path

from redis.asyncio import Redis

from gateway.delivery.attempt import Attempts
from gateway.delivery.unknown import UnknownVmtas
from gateway.hold.database import Database
from gateway.hold.holding import Holding
from gateway.hold.upkeep.suppressed import Writer
from gateway.ledger.bulletin import Bulletin
from gateway.ledger.clock import LedgerClock
from gateway.ledger.outcomes import Outcomes
from gateway.ledger.plan_feed import PlanFeed
from gateway.ledger.providers import ProviderFeed
from gateway.ledger.reserve import Reserver
from gateway.message.ids import Ids
from gateway.relay.endpoint import Endpoint
from gateway.relay.relay import Relay
from gateway.suppressions.known import Nobody, Suppressions
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.ledger.connection import connect
from policy.ledger.lease import Lease
from policy.ledger.ledger import RedisLedger, elapsed, root_key
from policy.plan import Generation
from settings.model import Settings
from settings.tasks import cancel

CLEAN_UP = 5.0
_AFTER_RELEASERS = 3.0
"""Seconds after which a worker writes the file of suppressions if no releaser does."""
_ENTRY_LIFE = 400 * 86_400.0
"""Seconds: above the longest any row may wait. It only bounds what processes that died left."""


_USABLE = metrics.gauge(
    "sendgate_ledger_usable",
    "1 while the ledger answers and is open, of the worst worker.",
    workers="livemin",
)
_DROPPED = metrics.counter(
    "sendgate_log_lines_dropped_total", "Log lines that did not fit the buffer."
)


class Process:
    """The parts of one process, built and closed together."""

    def __init__(self, settings: Settings, name: str, log: Log, *, releases: bool = False) -> None:
        """`releases`: it takes no mail. Raises BadKeyError for keys of the hold that cannot be
        used."""
        self.settings = settings
        self.name = name
        self.log = log
        self.hostname = settings.gateway.hostname or socket.getfqdn()
        self.clock = LedgerClock(time.time)
        ledger = settings.ledger

        def dial() -> Redis:
            return connect(ledger.url, timeout=ledger.timeout)

        self.client, self._feed_client = dial(), dial()
        self.ledger = RedisLedger(
            self.client,
            ledger.name,
            attempts=ledger.attempts,
            budget=ledger.budget,
            trying=settings.gateway.answer_budget,
            sent_kept=settings.hold.sent_kept,
            entry_kept=_ENTRY_LIFE,
            single=ledger.single,
            lease=Lease(
                dial,
                root_key(ledger.name),
                seconds=ledger.lease,
                timeout=ledger.timeout,
                clock=elapsed,
            ),
            others=(self._feed_client,),
        )
        self.reserver = Reserver(
            self.ledger,
            batch=ledger.batch,
            denial_cache=ledger.denial_cache,
            clock=elapsed,
            told=self.clock.observe,
            changes=ledger.changes,
        )
        self.relay = Relay(
            settings.relay,
            Endpoint(settings.relay, self.hostname),
            workers=settings.gateway.workers + settings.hold.releasers,
            clock=elapsed,
            now=self.clock.now,
            farewell=self._farewell,
        )
        self.bulletin = Bulletin(
            self.client, ledger.name, name, self.relay, clock=elapsed, now=self.clock.now
        )
        self.outcomes = Outcomes(self.client, ledger.name, log, now=self.clock.now)
        log.hear = self.outcomes.hear
        self.stirred: list[Callable[[], None]] = [self.reserver.forget_denials]
        """Called for a new generation, a moved clock, an opened ledger."""
        self.stepped: list[Callable[[], None]] = []
        """Called before it, but for a new generation."""
        self.feed = PlanFeed(
            self._feed_client,
            ledger.name,
            name,
            log,
            swapped=self._swapped,
            stepped=self._stepped,
            polled=self.reserver.probe,
            told=self.clock.observe,
            bulletin=self.bulletin.write,
        )
        self.attempts = Attempts(
            reserver=self.reserver,
            relay=self.relay,
            clock=elapsed,
            grant_lifetime=settings.relay.grant_lifetime,
        )
        self.unknown = UnknownVmtas(
            self.relay,
            lambda: self.feed.current,
            Ids(urandom(8)),
            hostname=self.hostname,
            clock=elapsed,
            now=self.clock.now,
            log=log,
        )
        self.providers = ProviderFeed(self._feed_client, ledger.name)
        self.holding: Holding | None = None
        if settings.hold.enabled:
            self.holding = Holding(
                settings,
                generation=self.feed.generation,
                change=self.reserver.change,
                now=self.clock.now,
                log=log,
                arrears=lambda: self.reserver.arrears.share,
            )
        self.suppressions: Suppressions | Nobody = Nobody()
        self._writer: Writer | None = None
        self._own_folder = ""
        if settings.suppressions.enforced == "always" or (
            settings.suppressions.enforced == "auto" and settings.hold.enabled
        ):
            self._suppress(releases)
        self.leaving = False
        self._dropped = 0
        self.looks = [self.relay.gauge, self.reserver.arrears.gauge]
        """What the side task of the gauges calls once a second."""
        if self.holding is not None:
            self.looks.append(self.holding.unsure.gauge)
        self.looks.append(self.suppressions.gauge)

    def _suppress(self, releases: bool) -> None:
        settings, database = self.settings, self.settings.database
        lasting = settings.gateway.state_dir
        if not lasting:
            self._own_folder = tempfile.mkdtemp(prefix="sendgate-suppressions-")
        folder = Path(lasting or self._own_folder)
        self.suppressions = Suppressions(folder, every=settings.suppressions.poll, log=self.log)
        # A worker has better things to do, where a releaser may write.
        first = releases or not lasting or not (settings.hold.enabled and settings.hold.releasers)
        self._writer = Writer(
            Database(
                database.url,
                connections=1,
                timeout=database.timeout,
                log=self.log,
                bounds=database.bounds(),
            ),
            folder,
            settings.suppressions,
            reader=self.suppressions,
            waits=0.0 if first else _AFTER_RELEASERS,
            log=self.log,
        )

    def _swapped(self, generation: Generation) -> None:
        self.relay.update(generation.servers, {vmta.name for vmta in generation.vmtas})
        self._stir()

    def _farewell(self, server: str, said: str) -> None:
        self.log.info("relay_session_ended", server=server, said=said)

    def _stepped(self) -> None:
        for stepped in self.stepped:
            stepped()
        self._stir()

    def _stir(self) -> None:
        for stirred in self.stirred:
            stirred()

    @property
    def ready(self) -> bool:
        """A generation is in force and the ledger answered last time."""
        return self.feed.current is not None and self.reserver.state == "open"

    async def informed(self) -> None:
        """Wait a while for the first plan, and until it is known who is suppressed."""
        firsts = [self.feed.first, self.suppressions.first]
        waits = [asyncio.get_running_loop().create_task(first.wait()) for first in firsts]
        await asyncio.wait(waits, timeout=CLEAN_UP)
        await cancel(waits)
        if not self.suppressions.ready:
            self.log.error(
                "suppressions_unknown",
                why="no recipient is taken before PostgreSQL has said who is suppressed",
            )

    async def watched(self, task: Coroutine[None, None, None]) -> None:
        """A side task that dies takes the process with it: half a gateway is worse than none."""
        try:
            await task
        finally:
            if not self.leaving:
                self.log.error("side_task_died", task=repr(task))
                self.log.flush()
                self.show()
                traceback.print_exc()
                _exit(70)

    async def gauge(self) -> None:
        """Side task: what is counted by looking, and to show what was counted since."""
        while True:
            for look in self.looks:
                look()
            self.show()
            await asyncio.sleep(1.0)

    def show(self) -> None:
        """Make what was counted visible to whoever reads the metrics of this process."""
        _USABLE.set(1 if self.ready else 0)
        _DROPPED.inc(self.log.dropped - self._dropped)
        self._dropped = self.log.dropped
        metrics.flush()

    def side_tasks(self) -> list[Coroutine[None, None, None]]:
        """What runs beside the work, until cancelled."""
        tasks = [self.feed.run(), self.ledger.keep_lease(), self.relay.sweep(), self.gauge()]
        tasks += [self.outcomes.run(), self.unknown.run(), self.providers.run()]
        if self.holding is not None:
            tasks += [self.holding.backlog.run(), self.holding.watch()]
        if isinstance(self.suppressions, Suppressions) and self._writer is not None:
            tasks += [self.suppressions.run(), self._writer.run()]
        return tasks

    async def close(self) -> None:
        """Leave the servers; the last thing a process does."""
        try:
            if self._writer is not None:
                await self._writer.close()
            if self._own_folder:
                shutil.rmtree(self._own_folder, ignore_errors=True)
            if self.holding is not None:
                await self.holding.close()
            await self.outcomes.flush()
            await self.client.aclose()
            await self._feed_client.aclose()
        finally:
            self.show()


async def until(condition: Callable[[], bool], patience: float) -> None:
    """Wait for a condition of the process's last minutes, at most `patience` seconds."""
    deadline = elapsed() + patience
    while not condition() and elapsed() < deadline:
        await asyncio.sleep(0.02)

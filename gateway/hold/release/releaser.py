"""The releaser: lets held mail go as soon as an IP may send it.

Owns: the loop of rounds, what keeps it from one (`groups`), waking up. Any number of them may
run, on any node: rows are locked, claims are committed, limits are the ledger's.
Rules: woken when allowance appears, and a sweep every `hold.sweep` seconds for wake-ups that were
lost; mail under way is bounded.
Failure: without PostgreSQL or the ledger it waits.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from gateway.hold.database import AwayError, Database, RefusedError, UnknownError
from gateway.hold.held import Held
from gateway.hold.keep.backlog import Backlog
from gateway.hold.release.claim import Claimed, Claims
from gateway.hold.release.groups import Groups
from gateway.hold.release.left import Left
from gateway.hold.release.queue import Queue
from gateway.hold.release.release import Release
from gateway.hold.release.renewed import Renewed
from gateway.ledger.reserve import Reserver
from gateway.watch.log import Log
from policy.denial import MAILBOX_LIMITS, Denied, Limit
from policy.plan import Generation
from settings.hold import Hold
from settings.statements import statements

_SQL = statements("gateway.hold.release", "release")
_REST_MAILBOX = _SQL["rest_mailbox"]
_REST_CAMPAIGN = _SQL["rest_campaign"]
_STIR = _SQL["stir"]
_RENEW_MAILBOXES = _SQL["renew_mailboxes"]
_FREED = _SQL["stir_mailbox"]
_RENEW_CAMPAIGNS = _SQL["renew_campaigns"]

_CHUNK = 500
_ROUNDS = 16
"""Rounds under way: while some wait for PowerMTA, others are claimed."""
_LOOK = 0.02
_TIMEOUT = 10.0
_RENEWED = 5_000
"""Rows of one statement when a generation changed: no index has the paused ones."""
_LONG = 60.0
_RESTED = 5_000
"""Rows of a mailbox that has to wait, put behind one another by one statement."""
_PLACES = 8
"""Rows of a mailbox that are looked at when one of it found a place; each that goes calls more."""
_MARK_EVERY = 1.5
_LATE = 120_000
"""Milliseconds: longer than a commit takes. What is later yet is found with the next sweep."""
_PUT_BACK = 60_000
"""Milliseconds by which the ledger's clock went back: what rests would rest until it is as late
again."""
_FRUITLESS = 5
"""Rounds without a row, one after the other, before the next look is waited for."""


class Releaser:
    """One process's loop."""

    def __init__(
        self,
        database: Database,
        settings: Hold,
        *,
        backlog: Backlog,
        queue: Queue,
        claims: Claims,
        release: Release,
        reserver: Reserver,
        generation: Callable[[], Generation | None],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`now` in ledger milliseconds."""
        self._database = database
        self._settings = settings
        self._backlog = backlog
        self._queue = queue
        self._claims = claims
        self._release = release
        self._reserver = reserver
        self._generation = generation
        self._now = now
        self._log = log
        self._groups = Groups()
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._swept = 0.0
        self._fruitless = 0
        self._stirred = -1
        self._latest = 0
        self._renewals = 0
        self._renewed = Renewed()
        self._stopping = False

    def __repr__(self) -> str:
        return f"<Releaser: {len(self._sending)} rounds under way>"

    def renew(self) -> None:
        """A generation, the clock, an opening: what was denied before may go, rows that wait by
        themselves too. Once more with the next sweep, for what was denied a moment ago by
        somebody who did not know of it may be committed only now."""
        self._renewals = 2
        self.wake()

    def renew_all(self) -> None:
        """And so it is for all mailboxes, whatever their tenants' terms were."""
        self._renewed.all()

    def wake(self) -> None:
        """Something changed that may let mail go."""
        self._groups.forget()
        self._wake.set()

    async def run(self) -> None:
        """Side task; runs until `stop`, or cancelled."""
        while not self._stopping:
            self._wake.clear()
            busy = False
            try:
                busy = await self._round()
            except (AwayError, UnknownError, RefusedError) as error:
                self._log.warning("releaser_waits", why=str(error))
            if busy:
                await self._room()
                await asyncio.sleep(self._settings.claim_delay)
            else:
                await self._sleep()

    def stop(self) -> None:
        """Claim nothing more; a claim under way is finished, for its charges are made."""
        self._stopping = True
        self._wake.set()

    async def drain(self, patience: float) -> None:
        """Let rounds under way end."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=patience)
        await self._claims.drain(patience)

    async def _room(self) -> None:
        """Wait until something more may be claimed."""
        while self._sending and (
            len(self._sending) >= _ROUNDS or self._release.room < self._release.worth
        ):
            await asyncio.wait(self._sending, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)

    async def _sleep(self) -> None:
        patience = self._settings.poll
        until = self._groups.wakes(self._now())
        if until is not None:
            patience = min(patience, max((until - self._now()) / 1000, 0.01))
        try:
            async with asyncio.timeout(patience):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _round(self) -> bool:
        """One round; False when there was nothing to do."""
        plan = self._generation()
        if plan is not None and plan.stopped:
            return False  # the ledger would grant nothing; the next plan calls us
        loop = asyncio.get_running_loop()
        swept = loop.time() - self._swept >= self._settings.sweep
        if swept:
            self._swept = loop.time()
            self._groups.forget()
        now, before = self._now(), self._latest
        self._latest = now
        if now < before - _PUT_BACK:
            self.renew_all()
            self.renew()
        if self._renewals == 2 or (swept and self._renewals):
            await self._renew()
        await self._stir(now, all_of_them=swept)
        await self._queue.look()
        groups = self._groups.open(self._queue.groups(), now)
        if not groups:
            return False
        picks = await self._queue.next(groups, max(self._release.room, 1))
        if not picks:
            return self._queue.short
        try:
            granted, left = await self._claims.claim([pick.row for pick in picks])
        except (AwayError, UnknownError, RefusedError, asyncio.CancelledError):
            self._queue.back(picks)
            raise
        self._queue.settle(picks, {claimed.row.id for claimed in granted}, left)
        if granted:
            # Before anything else that may fail: they are ours, and nobody else will send them.
            task = loop.create_task(self._release.send(granted))
            self._sending.add(task)
            task.add_done_callback(self._sent)
        await self._freed(granted)
        await self._blocked(left)
        self._fruitless = 0 if granted or left else self._fruitless + 1
        # Others have them, or they wait by now: the next ones may be free.
        return self._fruitless < _FRUITLESS

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a release failed", "exception": error, "task": task}
            )

    async def _stir(self, now: int, *, all_of_them: bool) -> None:
        """Rows whose own waiting is over join their groups."""
        since = -1 if all_of_them else self._stirred
        async with self._database.connection() as link:
            changed = await link.execute(_STIR, now, _CHUNK, since, timeout=_TIMEOUT)
        if int(changed.rpartition(" ")[2]) < _CHUNK:
            # A commit may bring what was due a while ago.
            self._stirred = now - _LATE

    async def _renew(self) -> None:
        """Rows that wait for a limit as it was are looked at again."""
        generation = self._generation()
        if generation is None:
            return
        wanted, self._renewals = self._renewals, self._renewals - 1
        tenants = self._renewed.look(generation.tenants)
        paused = [(t.name, campaign) for t in generation.tenants for campaign in t.paused_campaigns]
        columns = [t for t, _ in paused], [c for _, c in paused]
        statements: list[tuple[str, tuple[Any, ...]]] = [(_RENEW_CAMPAIGNS, columns)]
        if tenants is None or tenants:
            statements.append((_RENEW_MAILBOXES, (tenants,)))
        try:
            for text, arguments in statements:
                changed = _RENEWED
                while changed == _RENEWED:
                    async with self._database.connection() as link:
                        changed = await link.fetchval(text, _RENEWED, *arguments, timeout=_LONG)
        except (AwayError, UnknownError, RefusedError):
            self._renewals = max(self._renewals, wanted)
            raise
        if not self._renewals:
            self._renewed.done()

    async def _freed(self, granted: list[Claimed]) -> None:
        """Where one went whose mailbox had no place until later, there may be more: a message of it
        was refused, and its charge given back."""
        now = self._now()
        for row in (claimed.row for claimed in granted):
            if row.reason in MAILBOX_LIMITS and row.until > now:
                async with self._database.connection() as link:
                    await link.execute(_FREED, row.pool, row.mailbox, _PLACES, timeout=_TIMEOUT)

    async def _blocked(self, left: list[Left]) -> None:
        now = self._now()
        rested: set[tuple[str, str, str]] = set()
        waits = Counter((e.row.tenant, e.row.mailbox) for e in left if e.denied)
        for entry in left:
            if entry.denied is None:
                continue
            row = entry.row
            self._groups.block(row.tenant, (row.pool, row.provider), entry.denied, now)
            subject = (row.tenant, row.pool, row.mailbox)
            if entry.denied.limit in MAILBOX_LIMITS and subject not in rested:
                rested.add(subject)
                await self._rest_mailbox(entry, entry.denied, waits[row.tenant, row.mailbox])
            elif entry.denied.limit is Limit.CAMPAIGN_PAUSED and subject not in rested:
                rested.add(subject)
                await self._rest_campaign(row, entry.denied)

    async def _rest_mailbox(self, entry: Left, denied: Denied, ahead: int) -> None:
        row = entry.row
        async with self._database.connection() as link:
            await link.execute(
                _REST_MAILBOX, row.pool, row.mailbox, denied.until, denied.limit.value,
                denied.sentence(), _RESTED, entry.apart, ahead, timeout=_TIMEOUT,
            )  # fmt: skip

    async def _rest_campaign(self, row: Held, denied: Denied) -> None:
        async with self._database.connection() as link:
            await link.execute(
                _REST_CAMPAIGN,
                row.tenant,
                row.pool,
                row.campaign,
                _CHUNK,
                denied.sentence(),
                timeout=_TIMEOUT,
            )

    async def mark(self) -> None:
        """Side task; runs until cancelled. Marks end by themselves, five seconds after the last
        releaser that knew of such mail; another one's are never taken away."""
        while True:
            for mark in self._groups.marks(self._backlog.counts, self._now()):
                self._reserver.mark(mark)
            await asyncio.sleep(_MARK_EVERY)

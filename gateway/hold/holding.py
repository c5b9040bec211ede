"""The hold as the message path sees it: one object, put together here.

Owns: the parts every gateway process needs (database, contents, store, backlog, settler), their
lifetimes, and which bucket a message in doubt went to until its late reply may come.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence

from gateway.hold.database import Database
from gateway.hold.held import Backoff, settlement, withdrawal
from gateway.hold.keep.backlog import Backlog
from gateway.hold.keep.content import Contents
from gateway.hold.keep.store import Store
from gateway.hold.keep.unsure import Unsure
from gateway.hold.primary import Whereabouts
from gateway.hold.settle.settling import Settler
from gateway.hold_port import Admission, Keeping, Kept
from gateway.message.message import Message
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.duplicate import recipient_key
from policy.identity import row_id
from policy.ledger_port import Change, EntryState
from policy.limits import day_of
from policy.outcome import Outcome, Unknown
from policy.plan import Generation
from settings.model import Settings

_MOST_DOUBTS = 100_000
_UNANSWERED = "the database has left too much unanswered; try again when it answers"
_ARREARS = "the ledger has been away for too long; try again when it is back"

_LONGEST = 60.0
"""Seconds of the longest statements: looks at all that waits, and orders about much of it."""


_SECONDS = metrics.histogram(
    "sendgate_hold_seconds", "From asking the hold to keep a message to its answer."
)
_KEPT = metrics.counters(
    "sendgate_hold_kept_total",
    "Messages the hold was asked to keep, by result: kept, not_kept, unsure.",
    {"result": [kept.value for kept in Kept]},
)


class Holding:
    """Implements `gateway.hold_port.Hold`."""

    def __init__(
        self,
        settings: Settings,
        *,
        generation: Callable[[], Generation | None],
        change: Callable[[Change], None],
        now: Callable[[], int],
        log: Log,
        arrears: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`change` takes changes of duplicate entries; `now` in ledger milliseconds; `arrears`:
        share of the changes that may wait for the ledger.

        Raises BadKeyError."""
        hold = settings.hold
        self._now = now
        self._arrears = arrears
        self._slow_from, self._slow_most = hold.slow_from, hold.slow_most
        self._look = settings.database.look
        self._generation = generation
        self._change = change
        self._doubts: OrderedDict[str, int] = OrderedDict()
        self.backoff = Backoff(hold.retry_first, hold.retry_most, hold.failures)
        self.contents = Contents(hold.keys)
        database, bounds = settings.database, settings.database.bounds(_LONGEST)
        # What is settled over one of them must not stay with a server that the other has left.
        where = Whereabouts()
        self.database = Database(
            database.url,
            connections=hold.connections,
            timeout=database.timeout,
            log=log,
            bounds=bounds,
            whole=database.whole,
            whereabouts=where,
        )
        self.vital = Database(
            database.url,
            connections=2,
            timeout=database.timeout,
            log=log,
            bounds=bounds,
            whole=database.whole,
            whereabouts=where,
        )
        """For what must not wait behind long work: signs of life, and what became of claims."""
        self.store = Store(
            self.database,
            self.contents,
            batch=hold.batch,
            batch_bytes=hold.batch_bytes,
            budget=hold.commit_budget,
            log=log,
        )
        self.backlog = Backlog(self.database, hold, generation, now=now, log=log)
        self.settler = Settler(self.vital, change=change, now=now, log=log)
        self.unsure = Unsure(self.vital, most=hold.unsure, change=change, now=now, log=log)

    async def open(self) -> None:
        """Make the pools; connects to nobody yet."""
        await self.database.open()
        await self.vital.open()

    async def watch(self) -> None:
        """Side task: looks whether PostgreSQL's name leads elsewhere."""
        await asyncio.gather(*(one.watch(self._look) for one in (self.database, self.vital)))

    async def close(self) -> None:
        await self.database.close()
        await self.vital.close()

    def admit(self, message: Message, pool: str, providers: Sequence[str]) -> Admission:
        found = self.backlog.admit(message.tenant, message.size, pool, providers)
        if self.unsure.full:
            return Admission(accept=False, sentence=_UNANSWERED)
        share, free = self._arrears(), self._slow_from
        if share < free or not found.accept:
            return found
        if share >= 1.0:
            return Admission(accept=False, sentence=_ARREARS)
        delay = self._slow_most * (share - free) / (1.0 - free)
        return Admission(delay=max(found.delay, delay))

    async def keep(self, keeping: Keeping, within: float) -> Kept:
        started = asyncio.get_running_loop().time()
        now = self._now()
        kept = await self.store.keep(keeping, now, within)
        _SECONDS.observe(asyncio.get_running_loop().time() - started)
        _KEPT.labels(kept.value).inc()
        if kept is Kept.UNSURE and _unsent(keeping):
            self.unsure.end(keeping, day_of(now))
        elif keeping.state == "doubt" and kept is not Kept.NOT_KEPT:
            self._doubts[keeping.message.id] = day_of(now)
            if len(self._doubts) > _MOST_DOUBTS:
                self._doubts.popitem(last=False)
            if kept is Kept.KEPT and not keeping.behind:
                self._doubt_each(keeping)
        return kept

    def _doubt_each(self, keeping: Keeping) -> None:
        """Of a message that went to several at once only the entry of the whole is known, and a
        copy that is held goes by those of its recipients."""
        message, count = keeping.message, len(keeping.message.recipients)
        for number, recipient in enumerate(message.recipients if keeping.key and count > 1 else ()):
            key = recipient_key(keeping.key, recipient.address)
            owner = row_id(message.id, number, count)
            self._change(Change(key, owner, keeping.attempt, EntryState.DOUBT, keeping.server))

    def settle(self, message: Message, attempt: int, outcomes: Sequence[Outcome | None]) -> None:
        bucket = self._doubts.get(message.id)
        if bucket is None:
            return
        if not any(isinstance(outcome, Unknown) for outcome in outcomes):
            del self._doubts[message.id]
        generation = self._generation()
        tenant = generation.tenant.get(message.tenant) if generation else None
        count = len(message.recipients)
        self.settler.settle(
            [
                settlement(
                    bucket,
                    row_id(message.id, number, count),
                    attempt,
                    outcome,
                    now=self._now(),
                    failures=0,
                    blamed=0,
                    own=False,
                    backoff=self.backoff,
                    dsn=tenant is not None and tenant.dsn,
                )
                for number, outcome in enumerate(outcomes)
                if outcome is not None
            ]
        )

    async def withdraw(self, message: Message, attempt: int, why: str, within: float) -> bool:
        bucket = self._doubts.get(message.id)
        if bucket is None:
            return False
        count = len(message.recipients)
        rows = [row_id(message.id, number, count) for number in range(count)]
        withdrawn = await self.settler.at_once(
            [withdrawal(bucket, row, attempt, why) for row in rows], within
        )
        if withdrawn:
            self._doubts.pop(message.id, None)
        return withdrawn

    async def drain(self, patience: float) -> None:
        """Commits and settlements under way end, within `patience` seconds each."""
        await self.store.drain()
        await asyncio.gather(self.settler.drain(patience), self.unsure.drain(patience))


def _unsent(keeping: Keeping) -> bool:
    """Whether no dot was said: then no copy needs these rows to know what became of it. Without a
    duplicate entry no copy knows of them at all, and they would only send it again."""
    return keeping.reason != "unknown" or not keeping.key

"""The one door: records count once here, whatever brought them, and what follows from them is
written in the same transaction.

Owns: which records count (`accounting_seen`), what is kept of them and of what could not be read.
Not here: reading them (files: `control.accounting.trail`; posted: `control.accounting.inbox`), and
what follows, which is the consumers'.
Failure: the transaction is the caller's. What was not committed is met again, and counts then.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from control.accounting import raw
from control.accounting.fact import Fact
from control.accounting.forgetting import Gone
from control.accounting.payload import SetAside
from control.accounting.traces import FORGOTTEN
from control.store.database import Connection
from policy.limits import DAY, day_of
from settings.statements import statements

_SQL = statements(__package__, "door")

SEEN, RAW = "accounting_seen", "accounting_raw"
AHEAD = DAY
"""Milliseconds by which a record's time may be ahead of the calendar."""


class Batch(NamedTuple):
    """Records that came together."""

    origin: str
    """webhook, agent, file or import."""
    server: str
    """'': it did not say."""
    place: str
    """Where its first record stood."""
    facts: Sequence[Fact]
    set_aside: Sequence[SetAside]
    came: int | None = None
    """When what is set aside came first, calendar milliseconds; None: now."""


class Consumer(Protocol):
    """Something that follows from records."""

    async def take(self, connection: Connection, batch: Batch, now: int) -> None:
        """A batch with those of its facts that count for the first time, at least one, in the
        transaction that remembers them. `now` in calendar milliseconds. Rows that others may
        change at the same time are changed in the order of their keys."""


class Booked(NamedTuple):
    """What became of a batch."""

    counted: int
    repeated: int
    set_aside: int


class Door:
    """Books batches. `kept`: seconds for which records are known and kept; `hide`: what stands in
    place of an address in what is kept, None keeps it; `gone`: who is forgotten."""

    def __init__(
        self,
        consumers: Sequence[Consumer],
        *,
        kept: float,
        hide: raw.Hide | None = None,
        gone: Gone | None = None,
    ) -> None:
        self._consumers = consumers
        self._kept = round(kept * 1000)
        self._hide = hide
        self._gone = gone or Gone(str)
        self._made: set[tuple[str, int]] = set()

    def forget(self) -> None:
        """After an error: a restored or failed-over database may lack a day that was there."""
        self._made.clear()
        self._gone.clear()

    async def book(self, connection: Connection, batch: Batch, now: int) -> Booked:
        """In the caller's transaction. `now` in calendar milliseconds."""
        await self._gone.refresh(connection)
        facts, late = await self._open(connection, batch, now)
        fresh = await self._fresh(connection, facts, now)
        aside = [*batch.set_aside, *late]
        if aside:
            await self._set_aside(connection, batch, aside, now)
        await self._count(connection, batch.server, facts, fresh, now)
        if fresh:
            await self._partition(connection, RAW, day_of(now))
            await connection.execute(
                _SQL["keep_raw"],
                *(day_of(now), now, batch.origin, batch.server, batch.place, len(fresh)),
                raw.packed(fresh, self._hide, await self._gone.of(connection, fresh)),
            )
            for consumer in self._consumers:
                await consumer.take(connection, batch._replace(facts=fresh), now)
        return Booked(len(fresh), len(facts) - len(fresh), len(aside))

    async def _open(
        self, connection: Connection, batch: Batch, now: int
    ) -> tuple[Sequence[Fact], list[SetAside]]:
        """(records whose day can be counted, the others)."""
        ahead, oldest = now + AHEAD, now - self._kept - DAY
        facts = batch.facts
        if all(oldest <= fact.at <= ahead for fact in facts):
            return facts, []
        old = sorted({day_of(fact.at) for fact in facts if fact.at < oldest})
        rows = await connection.fetch(_SQL["closed"], old) if old else []
        closed = {row["day"] for row in rows}
        counted, aside = [], []
        for fact in facts:
            if fact.at > ahead:
                why = "its time is more than a day ahead: is PowerMTA's clock right?"
            elif fact.at < oldest and day_of(fact.at) in closed:
                why = "its day is closed: it is older than accounting.records_kept"
            else:
                counted.append(fact)
                continue
            aside.append(SetAside(batch.place, why, raw.line(fact, None), ""))
        return counted, aside

    async def _fresh(self, connection: Connection, facts: Sequence[Fact], now: int) -> list[Fact]:
        """Those that were not met before, each once."""
        # What it was about is not known any more, nor whether it counted: it does not, for twice is
        # worse than never.
        named = {fact.identity: fact for fact in facts if fact.rcpt != FORGOTTEN}
        if not named:
            return []
        days = [day_of(fact.at) for fact in named.values()]
        first = day_of(now - self._kept)
        for day in sorted({day for day in days if day >= first}):
            await self._partition(connection, SEEN, day)
        new = await connection.fetchval(_SQL["remember"], days, list(named))
        return list(named.values()) if new is None else [named[identity] for identity in new]

    async def _partition(self, connection: Connection, table: str, day: int) -> None:
        if (table, day) not in self._made:
            await connection.execute(_SQL["partition"], table, day)
            if len(self._made) > 1_000:
                self._made.clear()
            self._made.add((table, day))

    async def _set_aside(
        self, connection: Connection, batch: Batch, aside: list[SetAside], now: int
    ) -> None:
        rows = {raw.digest(batch.server, one): self._gone.without(one) for one in aside}
        if self._hide is not None:
            # It may hold addresses anywhere: nothing of it is kept but where it stood.
            rows = {name: one._replace(raw=b"") for name, one in rows.items()}
        await connection.execute(
            _SQL["set_aside"],
            *(batch.came or now, batch.origin, batch.server, list(rows)),
            [one.place for one in rows.values()],
            [one.why for one in rows.values()],
            [one.header for one in rows.values()],
            [one.raw[: raw.LONGEST_KEPT] for one in rows.values()],
        )

    async def _count(
        self,
        connection: Connection,
        server: str,
        facts: Sequence[Fact],
        fresh: list[Fact],
        now: int,
    ) -> None:
        if not facts:
            return
        every = Counter(fact.kind for fact in facts)
        new = Counter(fact.kind for fact in fresh)
        kinds = sorted(every)
        await connection.execute(
            _SQL["count"],
            *(day_of(now), server, kinds),
            [new[kind] for kind in kinds],
            [every[kind] - new[kind] for kind in kinds],
        )


async def sweep(pool: Connection, now: int, kept: float, most: int) -> None:
    """Drop what is older than it is kept, by days. `now` in calendar milliseconds, `kept` in
    seconds; `most`: records set aside that stay."""
    first = day_of(now - round(kept * 1000) - DAY + 1)
    async with pool.acquire() as connection, connection.transaction():
        closed = [row["day"] for row in await connection.fetch(_SQL["sweep"], SEEN, first)]
        await connection.execute(_SQL["close_days"], closed)
        await connection.execute(_SQL["sweep"], RAW, first)
        await connection.execute(_SQL["sweep_set_aside"], now - round(kept * 1000), most)
